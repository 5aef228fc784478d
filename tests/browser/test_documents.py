"""Documents of every kind in the editor: of a job, undecodable by the browser, large, without secure features."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.support.editor import NO_WEBGL, difference, export, mask_of, open_photo, seen, session, set_options, settle
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded, pixels
from tests.support.strokes import Pointers, at, click, depth, drag, fill, press, ready, set_tool
from tests.support.studio import PLAIN_HOST, Studio, Tabs, choose, item, wait_for
from tests.support.waiting import poll

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long

COMPLETED = "Completed"


def test_edit_of_a_batch_is_in_its_archive(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    choose(tab, *photo_files[:3])
    names = {path.name: COMPLETED for path in photo_files[:3]}
    wait_for(tab, names)
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(page)
    # The mask is the job's: no model is asked.
    assert not tab.asked("POST /matte")
    before = mask_of(page)
    set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    drag(page, (80, 80), (150, 110))
    edited = mask_of(page)
    assert not np.array_equal(edited, before)
    with page.expect_response(lambda answer: answer.request.method == "PUT") as put:
        page.get_by_role("button", name="Back").click()
    assert put.value.status == 200
    wait_for(tab, names)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        results = {Path(name).stem: pixels(packed.read(name)) for name in packed.namelist()}
    assert len(results) == 3
    result = next(found for name, found in results.items() if name.startswith("chelsea"))
    assert np.array_equal(result[..., 3], edited)
    # Opened once more, the edit and its steps are still there.
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(page)
    assert np.array_equal(mask_of(page), edited)
    assert depth(page) == 1


def test_picture_behind_a_photo_of_a_batch_is_in_its_archive(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(page)
    page.get_by_role("group", name="Background").get_by_text("Picture").click()
    page.get_by_label("Choose a picture").set_input_files(photo_files[3])
    poll(lambda: session(page, "({look}) => Boolean(look.picture.value)"), what="the picture")
    alone = pixels(export(page))
    with page.expect_response(lambda answer: answer.request.method == "PUT") as put:
        page.get_by_role("button", name="Back").click()
    assert put.value.status == 200
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all").click()
    # The server packs it: the result there has the picture.
    assert tab.asked("POST /api/archives")
    with zipfile.ZipFile(waiting.value.path()) as packed:
        name = next(name for name in packed.namelist() if name.startswith("chelsea"))
        assert np.array_equal(pixels(packed.read(name)), alone)
    # No transparency is left.
    assert alone.shape[-1] == 3


def test_photo_that_the_browser_cannot_show_is_edited(
    direct: Gunicorn, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image]
) -> None:
    path = tmp_path / "scan.tiff"
    path.write_bytes(encoded(photo("coffee").resize((300, 200)), "TIFF"))
    tab = tabs.open(direct.url)
    page = tab.page
    choose(tab, path)
    ready(page)
    assert session(page, "({document}) => [document.width, document.height, document.photo.width]") == [300, 200, 300]
    # Photo and matte came in one answer.
    assert tab.asked("POST") == ["POST /matte"]
    set_tool(page, "brush", mode="erase", size=40)
    fill(page, 255)
    click(page, (150, 100))
    with page.expect_download() as waiting:
        press(page, "Control+s")
    mask = mask_of(page)
    with Image.open(waiting.value.path()) as exported, Image.open(path) as scan:
        found, original = np.asarray(exported), np.asarray(scan.convert("RGB"))
    # The export is made of the photo itself, not of the picture on the stage.
    assert np.array_equal(found[..., 3], mask)
    assert np.array_equal(found[mask == 255][:, :3], original[mask == 255])


@pytest.mark.parametrize(("kind", "orientation"), [("JPEG", 6), ("PNG", 3), ("AVIF", 6), ("WEBP", 6), ("WEBP", 3)])
def test_turned_photo_lies_as_its_mask(
    direct: Gunicorn, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image], kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{kind.lower()}"
    path.write_bytes(encoded(photo("coffee").resize((180, 120)), kind, quality=90, exif=exif))
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, path, f"image/{kind.lower()}")
    size = [120, 180] if orientation == 6 else [180, 120]
    read = "({document: {width, height, photo}}) => [width, height, photo.width, photo.height]"
    assert session(page, read) == size * 2
    session(page, "async (session) => { await session.whole((actions) => actions.full()); session.compareBy('off'); }")
    settle(page)
    assert difference(seen(page), Image.open(io.BytesIO(export(page)))) < 3


@pytest.mark.parametrize("without_webgl", [False, True])
def test_transparent_photo_looks_as_its_export(
    direct: Gunicorn, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image], without_webgl: bool
) -> None:
    """A pixel is at most as opaque as the photo's own, and transparent parts do not belong to the subject."""
    picture = photo("coffee").resize((300, 200)).convert("RGBA")
    own = Image.new("L", picture.size)
    ImageDraw.Draw(own).ellipse((100, 50, 200, 150), fill=128)
    ImageDraw.Draw(own).ellipse((120, 70, 180, 130), fill=255)
    picture.putalpha(own)
    path = tmp_path / "logo.png"
    path.write_bytes(encoded(picture, "PNG"))
    context = tabs.context(reduced_motion="reduce")
    if without_webgl:
        context.add_init_script(NO_WEBGL)
    tab = tabs.open(direct.url, context=context)
    page = tab.page
    open_photo(tab, path, "image/png")
    session(page, "async (session) => { await session.whole((actions) => actions.full()); session.compareBy('off'); }")
    poll(lambda: session(page, "({look}) => look.subject.value.width") == 101, what="the subject")
    set_options(page, canvas="400x400", scale="80%", background="#ffffff", shadow="drop")
    assert difference(seen(page), Image.open(io.BytesIO(export(page)))) < 2


def test_editor_works_without_what_only_secure_pages_have(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, host=PLAIN_HOST, reduced_motion="reduce")
    page = tab.page
    assert page.evaluate("() => [isSecureContext, 'getCoalescedEvents' in PointerEvent.prototype]") == [False, False]
    open_photo(tab, photo_files[0])
    ready(page)
    fill(page, 255)
    set_tool(page, "brush", mode="erase", size=24, hardness=1, opacity=1)
    drag(page, (60, 60), (120, 90))
    assert at(page, 90, 75) == 0
    set_tool(page, "wand", tolerance=10)
    click(page, (20, 200))
    poll(lambda: session(page, "({tools}) => tools.get('wand').pending.value"), what="a selection", seconds=20)
    steps = depth(page)
    press(page, "Enter")
    poll(lambda: depth(page) == steps + 1, what="the selection's step", seconds=20)
    last = mask_of(page)
    poll(lambda: session(page, "({document}) => document.saved.value") == "saved", what="the save", seconds=20)
    page.reload()
    ready(page)
    assert np.array_equal(mask_of(page), last)


def test_pens_other_end_erases(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    page = tab.page
    open_photo(tab, photo_files[0])
    ready(page)
    fill(page, 100)
    set_tool(page, "brush", mode="restore", size=20, hardness=1, opacity=1)
    # The protocol has no button for it: the event is made by hand.
    erase = """({viewport, stage}) => {
      const {x, y} = viewport.toScreen(100.5, 100.5);
      const pen = {pointerType: "pen", pointerId: 77, pressure: 1, bubbles: true, cancelable: true};
      const common = {...pen, clientX: x, clientY: y};
      stage.element.dispatchEvent(new PointerEvent("pointerdown", {...common, button: 5, buttons: 32}));
      stage.element.dispatchEvent(new PointerEvent("pointerup", {...common, button: 5, buttons: 0}));
    }"""
    session(page, erase)
    assert at(page, 100, 100) == 0
    Pointers(page).pen([(150.5, 100.5)])
    assert at(page, 150, 100) == 255


@pytest.mark.long
def test_two_hundred_strokes_on_24_megapixels_are_undone_to_the_first_bytes(
    direct: Gunicorn, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image]
) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded(photo("coffee").resize((6000, 4000)), "JPEG", quality=85))
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    page.set_default_timeout(120_000)
    open_photo(tab, path)
    ready(page)
    # Of all bytes; SHA-256 is for secure pages alone.
    digest = """({document: {mask}}) => {
      let sum = 0;
      for (const byte of mask.toBytes()) sum = Math.imul(sum ^ byte, 16777619);
      return sum;
    }"""
    first = session(page, digest)
    paint = """({tools, settings}) => {
      settings.tool.value = "brush";
      const brush = tools.get("brush");
      for (let i = 0; i < 200; i++) {
        settings.mode.value = i % 2 ? "restore" : "erase";
        settings.size.value = 300 + i;
        const [x, y] = [300 + (i * 371) % 4000, 500 + (i * 533) % 3000];
        brush.begin({x, y, pointer: "mouse"});
        for (let j = 1; j < 30; j++) brush.move([{x: x + 40 * j, y: y + 100 * Math.sin(j / 5), pointer: "mouse"}]);
        brush.end({});
      }
    }"""
    session(page, paint)
    last = session(page, digest)
    steps = depth(page)
    session(page, "({document}) => document.history.settled()")
    assert steps >= 190
    assert depth(page) == steps
    assert session(page, "({document}) => document.history.size") <= 64e6
    poll(lambda: session(page, "({document}) => document.saved.value") == "saved", what="the save", seconds=60)
    page.reload()
    ready(page)
    # Fifty steps are left after a reload.
    assert session(page, digest) == last
    assert depth(page) == 50
    assert session(page, "({document}) => { let n = 0; while (document.history.undo()) n++; return n; }") == 50
    assert session(page, "({document}) => { let n = 0; while (document.history.redo()) n++; return n; }") == 50
    assert session(page, digest) == last != first


@pytest.mark.long
def test_phone_shows_a_smaller_photo_and_edits_the_full_mask(
    direct: Gunicorn, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image]
) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded(photo("coffee").resize((5000, 3400)), "JPEG", quality=85))
    tab = tabs.open(direct.url, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page = tab.page
    page.set_default_timeout(120_000)
    open_photo(tab, path)
    ready(page)
    width, height, shown = session(page, "({document: {mask, photo}}) => [mask.width, mask.height, photo.width]")
    assert (width, height) == (5000, 3400)
    assert 3000 < shown < 3600
    fill(page, 255)
    set_tool(page, "wand", mode="erase", tolerance=8)
    pointers = Pointers(page)
    place = session(page, "({viewport}) => { const at = viewport.toScreen(200, 200); return [at.x, at.y]; }")
    pointers.touch("touchStart", place)
    pointers.touch("touchEnd")
    poll(lambda: session(page, "({tools}) => tools.get('wand').pending.value"), what="a selection", seconds=60)
    page.get_by_role("button", name="Apply", exact=True).click()
    poll(lambda: at(page, 200, 200) < 10, what="the step", seconds=60)
    assert at(page, 2500, 1700) > 250
