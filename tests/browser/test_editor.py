"""The editor's stage, comparing and exports, in front of the real service."""

import io
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import requests
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.editor import (
    NO_WEBGL,
    add_photo,
    difference,
    export,
    export_while_offline,
    mask_of,
    open_photo,
    seen,
    session,
    set_options,
    settle,
    stage,
)
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.studio import Tab, Tabs
from tests.support.waiting import poll

LOADED: Final = "(end) => performance.getEntriesByType('resource').some(({ name }) => name.endsWith(end))"
TOOLS: Final = ("Brush", "Smart brush", "Magic wand", "Lasso", "Polygon", "Rectangle", "Hand")


@pytest.fixture
def tab(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> Tab:
    """The editor with a small photograph."""
    opened = tabs.open(direct.url)
    open_photo(opened, photo_files[0])
    return opened


def compare_off(page: Page) -> None:
    session(page, "(session) => { session.compareBy('off'); session.viewport.actual(); }")
    poll(lambda: session(page, "({viewport}) => viewport.scale.value === 1"), what="the actual size")
    settle(page)


def test_editor_has_its_parts_by_their_names(tab: Tab) -> None:
    page = tab.page
    editor = page.get_by_role("region", name="Editor")
    assert stage(page).is_visible()
    tools = editor.get_by_role("toolbar", name="Tools")
    for name in TOOLS:
        assert tools.get_by_role("button", name=name, exact=True).is_visible(), name
    for name in ("Undo", "Redo", "Zoom in", "Zoom out", "Fit", "Compare", "Export", "Back"):
        assert editor.get_by_role("button", name=name, exact=True).count() == 1, name
    for name in ("Background", "Shadow", "Canvas", "Preset"):
        assert editor.get_by_role("group", name=name, exact=True).is_visible(), name
    for name in ("Erase", "Restore"):
        assert editor.get_by_role("radio", name=name, exact=True).count() == 1, name
    for name in ("Size", "Hardness", "Opacity"):
        assert editor.get_by_role("slider", name=name, exact=True).is_visible(), name
    assert editor.get_by_role("status", name="Saved").count() == 1
    tools.get_by_role("button", name="Magic wand").click()
    for name in ("Tolerance", "Feather"):
        assert editor.get_by_role("slider", name=name, exact=True).is_visible(), name


def test_toolbar_has_one_stop_and_arrows_move_in_it(tab: Tab) -> None:
    page = tab.page
    tools = page.get_by_role("toolbar", name="Tools")
    assert tools.locator("button[tabindex='0']").count() == 1
    tools.get_by_role("button", name="Brush", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(tools.get_by_role("button", name="Smart brush")).to_be_focused()
    page.keyboard.press("End")
    expect(tools.get_by_role("button", name="Hand")).to_be_focused()


def test_point_under_the_cursor_stays_there_while_zooming(tab: Tab) -> None:
    page = tab.page
    box = stage(page).bounding_box()
    assert box
    x, y = round(box["x"] + box["width"] * 0.55), round(box["y"] + box["height"] * 0.45)
    page.mouse.move(x, y)
    found = "({viewport}, [x, y]) => [...Object.values(viewport.toImage(x, y)), viewport.scale.value]"
    start = session(page, found, [x, y])
    for wheel in (-200, -400, -600, 500, 900):
        page.mouse.wheel(0, wheel)
        settle(page)
        now = session(page, found, [x, y])
        assert now[2] != start[2]
        off = max(abs(now[0] - start[0]), abs(now[1] - start[1])) * now[2]
        assert off <= 0.5


@pytest.mark.long
def test_stage_zooms_to_64_times(tab: Tab) -> None:
    page = tab.page
    box = stage(page).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(12):
        page.mouse.wheel(0, -900)
    poll(lambda: session(page, "({viewport}) => viewport.scale.value") == 64, what="the largest scale")
    page.get_by_role("button", name="Fit", exact=True).click()
    poll(lambda: session(page, "({viewport}) => viewport.scale.value") < 8, what="the fitted photo")


def test_slider_compares_by_keys(tab: Tab) -> None:
    page = tab.page
    # A new photo opens comparing.
    slider = page.get_by_role("slider", name="Before and after")
    assert slider.input_value() == "50"
    slider.focus()
    for key, value in (("End", "100"), ("Home", "0"), ("PageUp", "10"), ("ArrowRight", "11"), ("PageDown", "1")):
        page.keyboard.press(key)
        assert slider.input_value() == value, key
    for key, value in (("1", "100"), ("2", "50"), ("3", "0")):
        page.keyboard.press(key)
        assert slider.input_value() == value, key
    # The handle stands at the left.
    slider.dblclick(force=True, position={"x": 22, "y": 22})
    assert slider.input_value() == "50"


def test_slider_divides_photo_and_result(tab: Tab, photo_files: list[Path]) -> None:
    page = tab.page
    session(page, "(session) => { session.viewport.actual(); session.set({background: '#00ff00'}); }")
    poll(lambda: session(page, "({viewport}) => viewport.scale.value === 1"), what="the actual size")
    photo = Image.open(photo_files[0]).convert("RGB")
    half = photo.width // 2
    shown = np.asarray(seen(page)).astype(int)
    left = np.abs(shown[:, : half - 4] - np.asarray(photo)[: shown.shape[0], : half - 4].astype(int))
    assert left.max() <= 2
    green = (shown[:, half + 4 :] == (0, 255, 0)).all(axis=2)
    assert green.mean() > 0.1


def test_key_shows_the_photo_while_it_is_held(tab: Tab, photo_files: list[Path]) -> None:
    page = tab.page
    compare_off(page)
    session(page, "(session) => { session.set({background: '#00ff00'}); }")
    photo = Image.open(photo_files[0]).convert("RGB")
    stage(page).focus()
    assert difference(seen(page), photo) > 5
    page.keyboard.down("o")
    settle(page)
    assert difference(seen(page), photo) < 0.5
    page.keyboard.up("o")
    settle(page)
    assert difference(seen(page), photo) > 5


def test_panes_stand_side_by_side(tab: Tab) -> None:
    page = tab.page
    page.get_by_role("button", name="Side by side").click()
    shows = session(page, "({stage, viewport}) => [viewport.panes().length, viewport.panes()[1].left > 0]")
    assert shows == [2, True]
    # The pointer finds the same point in both.
    points = session(
        page,
        "({viewport}) => viewport.panes().map((pane) => viewport.toImage(viewport.stage.left + pane.left + 50, "
        "viewport.stage.top + 50).x)",
    )
    assert abs(points[0] - points[1]) < 1e-6


def test_export_without_an_edit_is_the_services_own_file(tab: Tab, direct: Gunicorn, photo_files: list[Path]) -> None:
    """The stage's mask and options give the bytes that every other caller gets."""
    options = {"background_gradient": "90 #ffffff #cccccc", "shadow": "drop", "format": "webp", "quality": "77"}
    set_options(tab.page, **options)
    exported = export(tab.page)
    answer = requests.post(
        f"{direct.url}/remove-background",
        files={"file": (photo_files[0].name, photo_files[0].read_bytes())},
        data=options,
        timeout=60,
    )
    assert answer.status_code == 200
    assert exported == answer.content


@pytest.mark.long
def test_opaque_pixels_are_the_photos_after_fifty_edits(tab: Tab, photo_files: list[Path]) -> None:
    page = tab.page
    before = mask_of(page)
    page.get_by_role("button", name="Brush", exact=True).click()
    session(page, "({settings}) => { settings.size.value = 14; settings.hardness.value = 0.7; }")
    box = stage(page).bounding_box()
    assert box
    depth = 0
    for n in range(150):
        if depth == 50:
            break
        session(page, "({settings}, mode) => { settings.mode.value = mode; }", ("restore", "erase")[n % 2])
        place = n // 2
        x = box["x"] + box["width"] * (0.3 + 0.4 * (place % 10) / 10)
        y = box["y"] + box["height"] * (0.25 + 0.5 * (place // 10) / 8)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 20, y + 12, steps=3)
        page.mouse.up()
        # A stroke that changes nothing is no edit.
        depth = session(page, "({document}) => document.history.depth")
    assert depth == 50
    after = mask_of(page)
    assert (before != after).any()
    result = np.asarray(Image.open(io.BytesIO(export(page))))
    photo = np.asarray(Image.open(photo_files[0]).convert("RGB"))
    assert (result[..., 3] == after).all()
    opaque = after == 255
    assert opaque.any()
    assert (result[..., :3][opaque] == photo[opaque]).all()


@pytest.mark.long
def test_lost_context_is_rebuilt(tab: Tab) -> None:
    page = tab.page
    compare_off(page)
    session(page, "(session) => { session.set({background: '#3b82f6', shadow: 'drop'}); }")
    poll(lambda: session(page, "({look}) => Boolean(look.shadow.value)"), what="the shadow")
    settle(page)
    before = seen(page)
    session(
        page,
        "async ({stage}) => { const loss = stage.renderer.gl.getExtension('WEBGL_lose_context'); loss.loseContext(); "
        "await new Promise((done) => setTimeout(done, 50)); loss.restoreContext(); }",
    )
    poll(lambda: not session(page, "({stage}) => stage.renderer.gl.isContextLost()"), what="the context")
    settle(page)
    assert difference(seen(page), before) < 0.05


@pytest.mark.long
def test_without_webgl_stage_and_export_are_the_same(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tab: Tab
) -> None:
    options = {"background": "#3b82f6", "shadow": "contact"}
    set_options(tab.page, **options)
    context = tabs.context()
    context.add_init_script(NO_WEBGL)
    flat = tabs.open(direct.url, context=context)
    open_photo(flat, photo_files[0])
    compare_off(flat.page)
    assert session(flat.page, "({stage}) => stage.renderer.kind") == "2d"
    set_options(flat.page, **options)
    exported = export(flat.page)
    assert exported == export(tab.page)
    assert difference(seen(flat.page), Image.open(io.BytesIO(exported))) <= 2


@pytest.mark.long
def test_photo_without_a_subject_offers_a_way_on(server: Gunicorn, tabs: Tabs, tmp_path: Path) -> None:
    blank = tmp_path / "wall.jpg"
    blank.write_bytes(encoded(Image.new("RGB", (160, 120), (180, 176, 170)), "JPEG"))
    tab = tabs.open(server.url)
    open_photo(tab, blank)
    page = tab.page
    expect(page.get_by_text("No subject was found")).to_be_visible()
    page.get_by_role("button", name="Use the brush")
    page.get_by_role("button", name="Start from the full photo").click()
    assert (mask_of(page) == 255).all()
    expect(page.get_by_text("No subject was found")).to_have_count(0)
    page.get_by_role("button", name="Undo", exact=True).click()
    assert (mask_of(page) == 0).all()


def test_export_without_a_server_offers_a_quick_png(tab: Tab, photo_files: list[Path]) -> None:
    page = tab.page
    tab.expect("ERR_INTERNET_DISCONNECTED")
    # What draws without the server is loaded last, while nothing else happens.
    poll(lambda: page.evaluate(LOADED, "/gl/canvas2d.js"), what="the renderer")
    page.context.set_offline(True)
    page.get_by_role("button", name="Export", exact=True).click()
    editor = page.get_by_role("region", name="Editor")
    expect(editor.get_by_text("The server does not answer")).to_be_visible()
    made = Image.open(io.BytesIO(export_while_offline(page)))
    assert made.size == Image.open(photo_files[0]).convert("RGB").size
    alpha = np.asarray(made)[..., 3].astype(int)
    assert np.abs(alpha - mask_of(page)).max() <= 1
    expect(editor.get_by_text("It is approximate")).to_be_visible()
    page.context.set_offline(False)


def test_refused_export_says_what_to_do(tab: Tab) -> None:
    tab.expect("400")
    set_options(tab.page, canvas="99999x3")
    tab.page.get_by_role("button", name="Export", exact=True).click()
    expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()


def test_photo_that_can_not_be_opened_says_so(direct: Gunicorn, tabs: Tabs, tmp_path: Path) -> None:
    tab = tabs.open(direct.url)
    tab.expect("415|422|400")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a photo")
    add_photo(tab, broken)
    expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()
    tab.page.get_by_role("button", name="Back").first.click()
    expect(tab.page.get_by_role("region", name="Editor")).to_have_count(0)


@pytest.mark.parametrize(
    "size", [*(pytest.param(size, marks=pytest.mark.long) for size in ((390, 844), (360, 740))), (320, 640)], ids=str
)
def test_stage_has_most_of_a_phone(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path, size: tuple[int, int]
) -> None:
    tab = tabs.open(direct.url, viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True)
    named = tmp_path / f"{'a long name of a photo ' * 3}.jpg"
    named.write_bytes(photo_files[0].read_bytes())
    open_photo(tab, named)
    page = tab.page
    for name in ("Back", "Undo", "Export", "More ways to export", "Fit"):
        place = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert place
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= size[0], name
    for name in ("Cut-out", "Background", "Shadow", "Canvas", "Preset", "File"):
        page.get_by_role("tab", name=name).focus()
        page.keyboard.press("Enter")
        box = stage(page).bounding_box()
        assert box
        assert box["height"] >= 0.6 * size[1], name
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.get_by_role("tab", name="Cut-out").click()
    for button in page.get_by_role("toolbar", name="Tools").get_by_role("button").all():
        target = button.bounding_box()
        assert target
        assert min(target["width"], target["height"]) >= 44


@pytest.mark.long
def test_german_tools_fit_a_phone(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    phone = {"width": 390, "height": 844}
    tab = tabs.open(direct.url, viewport=phone, has_touch=True, is_mobile=True, locale="de-DE")
    add_photo(tab, photo_files[0])
    page = tab.page
    page.get_by_role("toolbar", name="Werkzeuge").wait_for()
    beyond = """() => [...document.querySelectorAll(".ed-panel input, .editor button")]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.ariaLabel || element.textContent)"""
    for button in page.get_by_role("toolbar", name="Werkzeuge").get_by_role("button").all():
        button.click()
        assert page.evaluate(beyond) == [], button.get_attribute("aria-label")
