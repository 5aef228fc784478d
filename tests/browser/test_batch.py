"""Results of a batch are those that the list shows, also where a job, a file, a build or the server's help is gone."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Request, Route, expect

from tests.support.batch import docs, hold, made, run, start
from tests.support.editor import set_options
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded, pixels
from tests.support.strokes import drag, ready, set_tool
from tests.support.studio import Studio, Tab, Tabs, choose, item, states, wait_for
from tests.support.waiting import poll

# `make browser` and its job in CI run them.
pytestmark = pytest.mark.long

COMPLETED = "Completed"
# A pixel of the cat in chelsea.jpg.
INSIDE = (120, 90)
CORNER = (2, 2)


def notice(tab: Tab, text: str) -> Locator:
    """Return what the page says above the list."""
    return tab.page.locator(".banners").get_by_text(text)


def saved(tab: Tab, button: Locator) -> bytes:
    with tab.page.expect_download() as found:
        button.click()
    return found.value.path().read_bytes()


def result(tab: Tab, name: str) -> np.ndarray[Any, Any]:
    """Return the pixels of the result that the list gives."""
    return pixels(saved(tab, item(tab, name).get_by_role("button", name="Download")))


def archive(tab: Tab) -> dict[str, np.ndarray[Any, Any]]:
    with zipfile.ZipFile(io.BytesIO(saved(tab, tab.page.get_by_role("button", name="Download all")))) as packed:
        return {name: pixels(packed.read(name)) for name in packed.namelist()}


def delete_job(tab: Tab, name: str) -> None:
    """Delete a photo's job on the server, as the sweeper does after a day."""
    job = next(doc["job"]["id"] for doc in docs(tab) if doc["name"] == name)
    erase = 'async (path) => (await fetch(path, { method: "DELETE" })).status'
    assert tab.page.evaluate(erase, f"/api/jobs/{job}") == 204
    tab.expect("404")


def lose_bytes(tab: Tab) -> None:
    """Take the photos out of the browser, as after a batch of more than 300 MB and a closed tab."""
    run(tab, "app/db.js", "await module.clear('photos');")
    tab.page.reload()
    tab.page.get_by_role("heading", name="Your photos").wait_for()


def click_white(tab: Tab) -> None:
    tab.page.get_by_role("radio", name="White").check(force=True)
    tab.page.get_by_role("button", name="Apply to all").click()


def apply_white(tab: Tab) -> None:
    """Put white behind all photos; their results may still be without it."""
    click_white(tab)
    poll(lambda: all("background" in doc["options"] for doc in docs(tab)), what="the choice")


def erase_the_cat(tab: Tab) -> None:
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(tab.page)
    set_tool(tab.page, "brush", mode="erase", size=80, hardness=1, opacity=1)
    drag(tab.page, (INSIDE[0] - 30, INSIDE[1]), (INSIDE[0] + 30, INSIDE[1]))
    tab.page.get_by_role("button", name="Back").click()


def test_result_that_the_server_has_deleted_is_made_of_the_photo(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    start(tab, photo_files[:2])
    start(tab, photo_files[2:3])
    before = result(tab, "chelsea.jpg")
    delete_job(tab, "chelsea.jpg")
    assert np.array_equal(result(tab, "chelsea.jpg"), before)
    # One of several jobs is gone: the archive has all photos.
    assert sorted(archive(tab)) == ["astronaut.png", "chelsea.png", "coffee.png"]


def test_photo_that_is_nowhere_any_more_can_be_added_again(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    done = start(tab, photo_files[:2])
    start(tab, photo_files[2:3])
    delete_job(tab, "coffee.jpg")
    lose_bytes(tab)
    # The archive has the other one, and the page says which is missing.
    assert sorted(archive(tab)) == ["astronaut.png", "chelsea.png"]
    notice(tab, "1 photo is not in the ZIP file: coffee. The server no longer has this photo").wait_for()
    wait_for(tab, {**done, "coffee.jpg": "Failed"})
    known = run(tab, "library/download.js", "return module.metadata();")[2]
    assert (known["status"], known["error"], known["width"]) == ("failed", "result_expired", None)
    start(tab, photo_files[2:3])


def test_edit_is_in_the_result_of_a_photo_that_is_sent_again(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    start(tab, photo_files[:2])
    held = hold(tab, "**/mask?*", "PUT")
    erase_the_cat(tab)
    poll(lambda: states(tab) and held, what="the edit")
    saved_too = "return (await module.list('docs')).some(({ stale, draft }) => stale && !draft);"
    poll(lambda: run(tab, "app/db.js", saved_too), what="the browser's database")
    delete_job(tab, "chelsea.jpg")
    tab.page.reload()
    tab.page.unroute("**/mask?*")
    poll(lambda: made(tab), what="the edit")
    assert result(tab, "chelsea.jpg")[INSIDE[1], INSIDE[0], 3] == 0
    assert not tab.asked("POST /compose")


def test_look_that_is_chosen_while_photos_are_sent_is_that_of_the_results(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    held = hold(tab, "**/api/jobs/remove-bg-batch", "POST")
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and held, what="the upload")
    apply_white(tab)
    held[0].continue_()
    poll(lambda: made(tab), what="the new look")
    assert np.all(result(tab, "astronaut.jpg")[CORNER] > 245)
    assert not tab.asked("POST /compose")


def test_look_reaches_all_photos_where_the_page_is_loaded_again_meanwhile(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    start(tab, photo_files)
    held = hold(tab, "**/mask?*", "PUT")
    apply_white(tab)
    poll(lambda: states(tab) and len(held) == 2, what="the first masks")
    tab.page.reload()
    tab.page.unroute("**/mask?*")
    poll(lambda: made(tab), what="the new look")
    assert all(np.all(found[CORNER] > 245) for found in archive(tab).values())
    assert tab.asked("POST /api/archives")


def test_stopping_a_look_leaves_the_photos_as_they_were(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    done = start(tab, photo_files)
    held = hold(tab, "**/mask?*", "PUT")
    apply_white(tab)
    poll(lambda: states(tab) and len(held) == 2, what="the first masks")
    tab.page.get_by_role("button", name="Cancel", exact=True).click()
    wait_for(tab, done)
    tab.page.get_by_role("progressbar").wait_for(state="detached")
    # What the server makes meanwhile goes back as well.
    answers: list[Request] = []
    tab.page.on("requestfinished", lambda request: answers.append(request) if request.method == "PUT" else None)
    tab.page.unroute("**/mask?*")
    poll(lambda: made(tab) and len(answers) == 4, what="the old look")
    assert not any(doc["options"] for doc in docs(tab))
    assert all(found[CORNER][3] < 20 for found in archive(tab).values())


def test_stopping_an_edit_on_its_way_loses_neither_edit_nor_result(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    done = start(tab, photo_files[:2])
    held = hold(tab, "**/mask?*", "PUT")
    erase_the_cat(tab)
    poll(lambda: states(tab) and held, what="the edit")
    item(tab, "chelsea.jpg").get_by_role("button", name="Stop").click()
    wait_for(tab, done)
    assert result(tab, "chelsea.jpg")[INSIDE[1], INSIDE[0], 3] == 0


def test_look_that_the_server_refuses_leaves_results_as_they_were(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect("422")
    done = start(tab, photo_files[:2])
    refusal = {"error": "No subject", "code": "no_subject"}
    tab.page.route(
        "**/mask?*",
        lambda route: route.fulfill(status=422, json=refusal) if route.request.method == "PUT" else route.continue_(),
    )
    click_white(tab)
    notice(tab, "2 photos keep their look. No subject was found").wait_for()
    wait_for(tab, done)
    assert result(tab, "astronaut.jpg")[CORNER][3] < 20


def test_colour_for_all_takes_the_place_of_a_gradient(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    """The server takes one background at most."""
    tab = tabs.open(with_jobs.url)
    done = start(tab, photo_files[:2])
    item(tab, "astronaut.jpg").get_by_role("button", name="Edit").click()
    ready(tab.page)
    set_options(tab.page, background_gradient="90 #ff0000 #00ff00", canvas="300x200")
    tab.page.get_by_role("button", name="Back").click()
    poll(lambda: states(tab) == done and made(tab), what="the edit")
    apply_white(tab)
    poll(lambda: states(tab) == done and made(tab), what="the new look")
    found = result(tab, "astronaut.jpg")
    assert found.shape[:2] == (200, 300)
    assert np.all(found[CORNER] > 245)
    # A preset decides size and ground alone.
    tab.page.get_by_label("Preset").select_option("square")
    tab.page.get_by_role("button", name="Apply to all").click()
    poll(lambda: all("preset" in doc["options"] for doc in docs(tab)) and made(tab), what="the preset")
    height, width = result(tab, "astronaut.jpg").shape[:2]
    assert height == width


def test_choices_for_all_take_away_what_they_replace_and_nothing_else(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    start(tab, photo_files[:3])
    give = """const [one, two, three] = module.all();
    module.patch(one.id, { options: { background_gradient: "90 #ff0000 #00ff00" } });
    module.patch(two.id, { options: { background: "ff0000", preset: "square" } });
    module.patch(three.id, { ground: await (await load("app/photos.js")).photoOf(three.id) });"""
    run(tab, "app/store.js", give)
    tab.page.get_by_role("button", name="WebP").click()
    tab.page.get_by_role("button", name="Apply to all").click()
    poll(lambda: all(doc["options"].get("format") == "webp" for doc in docs(tab)), what="the format")
    # With a background there is no transparency.
    assert [result(tab, path.name).shape[2] for path in photo_files[:3]] == [3, 3, 3]
    tab.page.get_by_role("radio", name="Transparent").click(force=True)
    tab.page.get_by_role("button", name="Apply to all").click()
    poll(lambda: not any("background" in name for doc in docs(tab) for name in doc["options"]), what="the choice")
    assert [doc["options"].get("preset") for doc in docs(tab)] == [None, "square", None]
    for path in (photo_files[0], photo_files[2]):
        assert result(tab, path.name)[CORNER][3] < 20


def test_preset_can_be_taken_back_from_all(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    start(tab, photo_files[:2])
    for name, wanted in (("square", ["square", "square"]), ("", [None, None])):
        tab.page.get_by_label("Preset").select_option(name)
        tab.page.get_by_role("button", name="Apply to all").click()
        poll(lambda wanted=wanted: [doc["options"].get("preset") for doc in docs(tab)] == wanted, what="the preset")


def test_single_result_has_the_ending_of_its_format(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    start(tab, photo_files[:2])
    tab.page.get_by_label("Preset").select_option("amazon")
    tab.page.get_by_role("button", name="Apply to all").click()
    with tab.page.expect_download() as found:
        item(tab, "astronaut.jpg").get_by_role("button", name="Download").click()
    assert found.value.suggested_filename == "astronaut-no-bg.jpg"
    assert run(tab, "library/download.js", "return module.metadata();")[0]["format"] == "jpeg"


def test_kept_result_is_that_of_the_last_mask(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    """Counts of edits begin again with each visit: two masks may have count and size in common."""
    tab = tabs.open(direct.url)
    start(tab, photo_files[:2])
    mask = np.zeros((240, 240), np.uint8)
    mask[:120] = 255
    for rows, visible in ((mask, CORNER), (mask[::-1], (230, 230))):
        run(
            tab,
            "app/store.js",
            """const { id } = module.all().find(({ name }) => name === "astronaut.jpg");
            await (await load("editor/keep.js")).saveMask(id, new Blob([new Uint8Array(value)], { type: "image/png" }));
            module.patch(id, { edit: { revision: 1, options: {} } });""",
            list(encoded(Image.fromarray(rows), "PNG", compress_level=0)),
        )
        assert result(tab, "astronaut.jpg")[*visible, 3] == 255


def test_photo_is_sent_once_where_a_proxy_takes_one_file_at_a_time(
    with_jobs: Studio, tabs: Tabs, small: bytes, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(4)]
    for number, path in enumerate(files):
        path.write_bytes(small + number.to_bytes(2))
    tab = tabs.open(with_jobs.url)
    tab.expect("413")
    sent: list[str] = []

    def answer(route: Route) -> None:
        names = [
            path.name for path in files if f'filename="{path.name}"'.encode() in (route.request.post_data_buffer or b"")
        ]
        if len(names) > 1:
            route.fulfill(status=413, body="<html>Request Entity Too Large")
            return
        sent.extend(names)
        route.continue_()

    tab.page.route("**/api/jobs/remove-bg-batch", answer)
    start(tab, files)
    assert sorted(sent) == [path.name for path in files]


@pytest.fixture
def moved(tmp_path: Path, photo_files: list[Path]) -> list[Path]:
    """Photos that a test may move."""
    made = [tmp_path / path.name for path in photo_files[:2]]
    for source, path in zip(photo_files, made, strict=False):
        path.write_bytes(source.read_bytes())
    return made


@pytest.mark.parametrize("kept", [True, False])
def test_file_that_is_moved_while_it_waits_holds_nothing_up(
    kept: bool, with_jobs: Studio, tabs: Tabs, moved: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect("ERR_")
    held = hold(tab, "**/api/jobs/remove-bg-batch", "POST")
    choose(tab, *moved)
    poll(lambda: states(tab) and held, what="the upload")
    count = "return (await module.list('photos')).length;"
    poll(lambda: run(tab, "app/db.js", count) == 2, what="the browser's copies")
    if not kept:
        run(tab, "app/db.js", "await module.clear('photos');")
    moved[0].rename(moved[0].with_suffix(".old"))
    held[0].abort("connectionreset")
    tab.page.unroute("**/api/jobs/remove-bg-batch")
    wait_for(tab, {moved[0].name: COMPLETED if kept else "Failed", moved[1].name: COMPLETED})


def test_pictures_are_made_after_everything_was_deleted_meanwhile(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    held = hold(tab, "**/workers/thumb.js", "GET")
    choose(tab, *photo_files[:3])
    poll(lambda: states(tab) and held, what="the first pictures")
    tab.page.get_by_role("button", name="Delete now").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    tab.page.get_by_role("heading", name="Remove the background").wait_for()
    tab.page.unroute("**/workers/thumb.js")
    start(tab, photo_files[:2])
    expect(tab.page.locator(".tile img")).to_have_count(2)


def test_resizing_ends_if_the_worker_is_from_another_build(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path
) -> None:
    """Files of an older build are gone with it."""
    tab = tabs.open(direct.url)
    tab.expect("404|thumb.js")
    tab.page.route("**/workers/thumb.js", lambda route: route.fulfill(status=404))
    Image.new("L", (10_000, 6_000)).save(tmp_path / "wide.png", compress_level=1)
    choose(tab, photo_files[0], tmp_path / "wide.png")
    wait_for(tab, {"astronaut.jpg": COMPLETED, "wide.png": "Failed"})
    resize = tab.page.get_by_role("button", name="Resize and retry")
    resize.click()
    notice(tab, "can’t make a smaller copy of wide.png").wait_for()
    tab.page.get_by_role("button", name="OK").click()
    tab.page.unroute("**/workers/thumb.js")
    resize.click()
    wait_for(tab, {"astronaut.jpg": COMPLETED, "wide.jpg": COMPLETED})


def test_photos_are_followed_if_the_stream_is_from_another_build(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect("404")
    tab.page.route("**/app/sse.js", lambda route: route.fulfill(status=404))
    start(tab, photo_files[:2])


def test_retry_without_a_key_keeps_the_job(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect("401")
    start(tab, photo_files[:2])
    tab.page.route("**/retry", lambda route: route.fulfill(status=401, json={"code": "missing_key", "error": "No key"}))
    failed = '{ state: "failed", error: { code: "worker_lost", text: "", solution: "", details: "", retryable: true } }'
    run(tab, "app/store.js", f"module.patch(module.all()[0].id, {failed});")
    sent = len(tab.asked("POST /api/jobs/remove-bg-batch"))
    item(tab, "astronaut.jpg").get_by_role("button", name="Retry").click()
    tab.page.get_by_role("dialog", name="This server needs a key").wait_for()
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("region", name="Failed photos").get_by_text("The server needs a key").wait_for()
    assert docs(tab)[0]["job"]
    assert len(tab.asked("POST /api/jobs/remove-bg-batch")) == sent


def test_deleting_says_what_the_server_still_has(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect("ERR_")
    start(tab, photo_files[:2])
    tab.page.route(
        "**/api/jobs/*", lambda route: route.abort() if route.request.method == "DELETE" else route.continue_()
    )
    tab.page.get_by_role("button", name="Delete now").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    notice(tab, "Deleted here. The server does not answer").wait_for()


def test_photo_that_browsers_cannot_show_is_not_resized_in_silence(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path], tmp_path: Path
) -> None:
    Image.new("L", (10_000, 6_000)).save(tmp_path / "wide.tif", compression="tiff_lzw")
    tab = tabs.open(with_jobs.url)
    choose(tab, photo_files[0], tmp_path / "wide.tif")
    wait_for(tab, {"astronaut.jpg": COMPLETED, "wide.tif": "Failed"})
    resize = tab.page.get_by_role("button", name="Resize and retry")
    if resize.is_visible():
        resize.click()
        notice(tab, "can’t make a smaller copy of wide.tif").wait_for()
    resize.wait_for(state="detached")
