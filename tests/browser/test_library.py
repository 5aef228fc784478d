"""Photos in by every way, several at a time, and what the list shows of them."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from playwright.sync_api import Route

from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded, pixels
from tests.support.studio import Studio, Tab, Tabs, choose, drag, drop, item, paste, states, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"


def downloaded(tab: Tab, button: Callable[[], None]) -> bytes:
    with tab.page.expect_download() as found:
        button()
    return Path(found.value.path()).read_bytes()


def test_several_chosen_photos_become_results(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *photo_files)
    wait_for(tab, {path.name: COMPLETED for path in photo_files})
    assert tab.page.get_by_role("progressbar", name="Overall progress").count() == 0
    cutout = downloaded(tab, lambda: item(tab, "coffee.jpg").get_by_role("button", name="Download").click())
    with Image.open(photo_files[2]) as photo, Image.open(io.BytesIO(cutout)) as result:
        assert (result.size, result.mode) == (photo.size, "RGBA")
    # One stream watches them, and no photo is asked of a model twice.
    assert len(tab.asked("GET /api/jobs/events")) <= 3
    assert not tab.asked("POST /(matte|remove-background)")


def test_one_dropped_photo_asks_the_model_once_and_opens(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    drop(tab, photo_files[0])
    tab.page.get_by_role("region", name="Editor").wait_for()
    poll(lambda: tab.page.title() and tab.asked("POST /matte"), what="the model's call")
    tab.page.goto(f"{tab.url}/#/")
    wait_for(tab, {"astronaut.jpg": COMPLETED})
    assert tab.asked("POST") == ["POST /matte"]


def test_photo_that_is_added_to_others_joins_the_list(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    choose(tab, photo_files[2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:3]})
    assert "#/edit" not in tab.page.url
    assert not tab.asked("POST /matte")


def test_editor_is_loaded_while_one_photo_is_dragged_over_the_page(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    opened = []
    for _ in range(2):
        context = tabs.context()
        # The time does not come in which nothing else happens, and the editor is loaded anyway.
        context.add_init_script("window.requestIdleCallback = () => undefined")
        opened.append(tabs.open(direct.url, context=context))
    several, tab = opened
    drag(several, *photo_files[:2], kinds=("dragEnter", "dragOver"))
    drag(tab, photo_files[0], kinds=("dragEnter", "dragOver"))
    for part in ("views.js", "session.js", "overlay.js", "editor.css", "i18n/en.js"):
        poll(lambda part=part: tab.page.title() and tab.asked(f"GET .*/editor/{part}"), what=part)
    # Several photos become a list.
    assert not several.asked("GET .*/editor/")


def test_editor_is_loaded_while_nothing_else_happens(direct: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(direct.url)
    for part in ("views.js", "session.js", "overlay.js", "editor.css", "i18n/en.js"):
        poll(lambda part=part: tab.page.title() and tab.asked(f"GET .*/editor/{part}"), what=part)


def test_pasted_photo_is_taken(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    choose(tab, *photo_files[:2])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
    paste(tab, photo_files[2])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED, "coffee.jpg": COMPLETED})


def test_example_photo_is_a_click_away(direct: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(direct.url)
    examples = tab.page.get_by_role("button", name="Try it with")
    assert examples.count() == 3
    examples.first.click()
    tab.page.get_by_role("region", name="Editor").wait_for()


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory, small: bytes) -> Path:
    """A folder with 250 files in three levels: 240 different photos, hidden files, and texts."""
    root = tmp_path_factory.mktemp("tree") / "shop"
    for number in range(240):
        folder = root / ("shoes", "bags/leather", "bags/cloth")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        # Trailing bytes make each file another one; all of them are one small photo.
        (folder / f"{number}.jpg").write_bytes(small + number.to_bytes(2))
    for number in range(5):
        (root / f".hidden{number}").write_text("x")
        (root / f"list{number}.txt").write_text("a list of shoes")
    return root


@pytest.mark.parametrize("way", ["drop", pytest.param("pick", marks=pytest.mark.long)])
def test_folder_is_read_to_its_last_file(with_jobs: Studio, tabs: Tabs, tree: Path, way: str) -> None:
    tab = tabs.open(with_jobs.url)
    if way == "drop":
        drop(tab, tree)
    else:
        tab.page.get_by_label("Choose a folder").set_input_files(tree)
    # What has ended meanwhile can't be cancelled.
    tab.expect("409")
    tab.page.get_by_role("button", name="Cancel").click(timeout=30_000)
    tab.page.get_by_role("button", name="All 240").wait_for()
    tab.page.get_by_text("5 files are not photos").wait_for()
    assert all(name.startswith("shop/") for name in states(tab))
    assert tab.page.evaluate("document.querySelectorAll('*').length") <= 1500


def test_photos_of_a_zip_file_keep_their_folders(
    with_jobs: Studio, tabs: Tabs, tmp_path: Path, photo_files: list[Path]
) -> None:
    archive = tmp_path / "order.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.write(photo_files[0], "shoes/a.jpg")
        made.write(photo_files[1], "bags/a.jpg")
        made.writestr("__MACOSX/bags/._a.jpg", b"x")
        made.writestr("readme.txt", b"x")
    tab = tabs.open(with_jobs.url)
    choose(tab, archive)
    # The worker may still have photos of the folders above: the page was closed while it cancelled them.
    wait_for(tab, {"order/shoes/a.jpg": COMPLETED, "order/bags/a.jpg": COMPLETED}, seconds=150)
    packed = downloaded(tab, lambda: tab.page.get_by_role("button", name="Download all").click())
    with zipfile.ZipFile(io.BytesIO(packed)) as found:
        assert sorted(found.namelist()) == ["order/bags/a.png", "order/shoes/a.png"]


@pytest.fixture
def mixed(tmp_path: Path, photo_files: list[Path]) -> list[Path]:
    """A good photo, and files that are none: text, empty, damaged, too many pixels."""
    (tmp_path / "notes.txt").write_text("x" * 100)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "damaged.jpg").write_bytes(photo_files[0].read_bytes()[:2000])
    Image.new("L", (10_000, 6_000)).save(tmp_path / "wide.png", compress_level=1)
    return [photo_files[0], *(tmp_path / name for name in ("notes.txt", "empty.jpg", "damaged.jpg", "wide.png"))]


def test_what_fails_says_why_and_what_to_do(with_jobs: Studio, tabs: Tabs, mixed: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *mixed)
    failed = ("empty.jpg", "damaged.jpg", "wide.png")
    wait_for(tab, {"astronaut.jpg": COMPLETED, **dict.fromkeys(failed, "Failed")})
    panel = tab.page.get_by_role("region", name="Failed photos")
    for text in ("The file is empty", "The file is damaged", "Too many pixels: 50", "Make a smaller copy"):
        panel.get_by_text(text).wait_for()
    tab.page.get_by_text("1 file is not a photo and was left out: notes.txt").wait_for()
    # They would fail once more: as they are they can only be removed.
    for name in failed:
        assert item(tab, name).get_by_role("button", name="Retry").count() == 0
        assert item(tab, name).get_by_role("button", name="Remove").is_visible()
    assert panel.get_by_role("button", name="Retry failed").count() == 0
    # What the server would have refused was not sent.
    assert len(tab.asked("POST /api/jobs/remove-bg-batch")) == 1
    # The browser keeps the photo that is to be made smaller.
    kept = """async () => {
      const main = document.querySelector("script[type=module]").src;
      const { list } = await import(main.replace("main.js", "db.js"));
      return (await list("photos")).map(({ photo }) => photo?.size);
    }"""
    poll(lambda: mixed[4].stat().st_size in tab.page.evaluate(kept), what="the browser's database")
    tab.page.reload()
    panel.get_by_role("button", name="Resize and retry").click()
    wait_for(tab, {"astronaut.jpg": COMPLETED, "empty.jpg": "Failed", "damaged.jpg": "Failed", "wide.jpg": COMPLETED})


def test_photo_that_is_not_kept_any_more_says_so(direct: Gunicorn, tabs: Tabs, mixed: list[Path]) -> None:
    tab = tabs.open(direct.url)
    choose(tab, mixed[0], mixed[4])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "wide.png": "Failed"})
    clear = """async () => {
      const main = document.querySelector("script[type=module]").src;
      await (await import(main.replace("main.js", "db.js"))).clear("photos");
    }"""
    tab.page.evaluate(clear)
    tab.page.reload()
    panel = tab.page.get_by_role("region", name="Failed photos")
    panel.get_by_role("button", name="Resize and retry").click()
    panel.get_by_text("The photo was lost when the tab was closed").wait_for()


def test_photo_that_browsers_cannot_show_gets_a_picture(
    with_jobs: Studio, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image]
) -> None:
    import pillow_heif

    heif = pillow_heif.from_pillow(photo("coffee").resize((300, 200)))
    heif.save(str(tmp_path / "phone.heic"), quality=80)
    (tmp_path / "other.jpg").write_bytes(encoded(photo("rocket").resize((120, 80)), "JPEG"))
    tab = tabs.open(with_jobs.url)
    choose(tab, tmp_path / "phone.heic", tmp_path / "other.jpg")
    wait_for(tab, {"phone.heic": COMPLETED, "other.jpg": COMPLETED})
    picture = item(tab, "phone.heic").locator("img.result")
    picture.wait_for()
    poll(lambda: picture.evaluate("(image) => image.naturalWidth") == 300, what="the preview")


@pytest.mark.long
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photo_is_upright(
    with_jobs: Studio, tabs: Tabs, tmp_path: Path, photo: Callable[[str], Image.Image], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    paths = [tmp_path / f"{name}.jpg" for name in ("turned", "other")]
    for path in paths:
        path.write_bytes(encoded(photo("coffee").resize((180, 120)), "JPEG", quality=90, exif=exif))
    tab = tabs.open(with_jobs.url)
    choose(tab, *paths)
    wait_for(tab, {path.name: COMPLETED for path in paths})
    result = downloaded(tab, lambda: item(tab, "turned.jpg").get_by_role("button", name="Download").click())
    upright = (120, 180) if orientation >= 5 else (180, 120)
    picture = item(tab, "turned.jpg").locator("img.result")
    poll(lambda: picture.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == list(upright))
    with Image.open(io.BytesIO(result)) as found:
        assert found.size == upright


@pytest.mark.long
def test_states_progress_and_time_left_are_shown(with_jobs: Studio, tabs: Tabs, tree: Path) -> None:
    tab = tabs.open(with_jobs.url)
    files = sorted(tree.rglob("*.jpg"))[:20]
    choose(tab, *files)
    bar = tab.page.get_by_role("progressbar", name="Overall progress")
    bar.wait_for()
    seen: list[int] = []
    words: list[dict[str, str]] = []
    left: list[str] = []

    def over() -> bool:
        words.append(states(tab))
        values = tab.page.evaluate(
            "[...document.querySelectorAll('[role=progressbar]')].map((bar) => Number(bar.ariaValueNow))"
        )
        seen.extend(values)
        left.extend(tab.page.evaluate("[...document.querySelectorAll('.progress-card p')].map((p) => p.textContent)"))
        return set(words[-1].values()) == {COMPLETED}

    poll(over, 60)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert any("left" in text for text in left)
    order = ["Queued", "Processing", COMPLETED]
    for path in files:
        ranks = [order.index(word[path.name]) for word in words if path.name in word]
        assert ranks == sorted(ranks), path.name
    assert any("Processing" in word.values() for word in words)


def test_one_photo_and_all_can_be_cancelled_and_tried_again(with_jobs: Studio, tabs: Tabs, tree: Path) -> None:
    tab = tabs.open(with_jobs.url)
    files = sorted(tree.rglob("*.jpg"))[:30]
    choose(tab, *files)
    tab.expect("409")
    last = files[-1].name
    item(tab, last).get_by_role("button", name="Stop").click()
    poll(lambda: states(tab)[last] == "Cancelled", what="the stopped photo")
    tab.page.get_by_role("button", name="Cancel", exact=True).click()
    poll(lambda: set(states(tab).values()) <= {COMPLETED, "Cancelled"}, what="the end")
    assert tab.page.get_by_role("progressbar").count() == 0
    item(tab, last).get_by_role("button", name="Retry").click()
    poll(lambda: states(tab)[last] == COMPLETED, what="the retried photo")


@pytest.mark.long
def test_groups_of_failures_are_tried_again(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect("400")
    refuse = {"on": True}

    def answer(route: Route) -> None:
        body = {
            "error": "The model is gone",
            "code": "model_gone",
            "solution": "GET /models",
            "details": "KeyError: u2",
        }
        if refuse["on"]:
            route.fulfill(status=400, json=body)
        else:
            route.continue_()

    tab.page.route("**/api/jobs/remove-bg-batch", answer)
    choose(tab, *photo_files[:3])
    names = [path.name for path in photo_files[:3]]
    wait_for(tab, dict.fromkeys(names, "Failed"))
    panel = tab.page.get_by_role("region", name="Failed photos")
    # Even of an error that the page does not know the server's words are for those who ask for them.
    panel.get_by_text("Something went wrong").wait_for()
    said = panel.get_by_text("astronaut.jpg: The model is gone: KeyError: u2 (model_gone)")
    assert not said.is_visible()
    panel.get_by_text("Details", exact=True).click()
    said.wait_for()
    assert "GET /models" not in panel.inner_text()
    refuse["on"] = False
    panel.get_by_role("button", name="Retry failed").click()
    wait_for(tab, dict.fromkeys(names, COMPLETED))
    assert panel.count() == 0


def test_metadata_describes_each_photo(with_jobs: Studio, tabs: Tabs, mixed: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, mixed[0], mixed[2])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "empty.jpg": "Failed"})
    facts = json.loads(downloaded(tab, lambda: tab.page.get_by_role("button", name="Download metadata").click()))
    good, bad = facts
    assert list(good) == [
        *("name", "path", "status", "width", "height", "bytes", "format", "model", "confidence", "seconds"),
        *("edited", "error"),
    ]
    assert (good["name"], good["status"], good["width"], good["height"]) == ("astronaut.jpg", "completed", 240, 240)
    assert (good["format"], good["model"], good["edited"], good["error"]) == ("png", "tiny", False, None)
    assert 0 <= good["confidence"] <= 1
    assert good["seconds"] > 0
    assert (bad["status"], bad["error"], bad["width"]) == ("failed", "empty_image", None)


def test_deleting_removes_photos_here_and_on_the_server(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *photo_files[:2])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
    job = next(asked.rpartition("=")[2] for asked in tab.urls if "/api/jobs/events?id=" in asked)
    assert requests.get(f"{with_jobs.url}/api/jobs/{job}", timeout=10).status_code == 200
    tab.page.get_by_role("button", name="Delete now").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    tab.page.get_by_role("heading", name="Remove the background").wait_for()
    assert requests.get(f"{with_jobs.url}/api/jobs/{job}", timeout=10).status_code == 404
    tab.page.reload()
    tab.page.get_by_role("heading", name="Remove the background").wait_for()


def test_download_that_fails_says_why_to_those_who_see(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    tab.expect("410")
    refusal = {"error": "The file has expired", "code": "result_expired", "details": "UnidentifiedImageError"}
    tab.page.route("**/compose", lambda route: route.fulfill(status=410, json=refusal))
    choose(tab, *photo_files[:2])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
    item(tab, "astronaut.jpg").get_by_role("button", name="Download").click()
    said = tab.page.locator(".banners").get_by_text("Results are kept for a limited time. Add the photo again.")
    said.wait_for()
    tab.page.get_by_role("button", name="OK").click()
    said.wait_for(state="detached")


def test_ground_and_format_change_for_all_without_the_model(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *photo_files[:2])
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
    tab.page.get_by_role("radio", name="White").check(force=True)
    tab.page.get_by_role("button", name="JPEG").click()
    held: list[Route] = []
    tab.page.route(
        "**/mask?*", lambda route: held.append(route) if route.request.method == "PUT" else route.continue_()
    )
    tab.page.get_by_role("button", name="Apply to all").click()
    # The bar counts what is made again; the results of before stay until then.
    tab.page.get_by_text("0 of 2").wait_for()
    poll(lambda: states(tab) and len(held) == 2, what="the masks")
    assert tab.page.locator(".tile img.result").count() == 2
    for route in held:
        route.continue_()
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
    # Requests are seen while Playwright is asked for something.
    poll(lambda: states(tab) and len(tab.asked("PUT /api/jobs/.*/mask")) == 2, what="the masks")
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
    packed = downloaded(tab, lambda: tab.page.get_by_role("button", name="Download all").click())
    with zipfile.ZipFile(io.BytesIO(packed)) as found:
        assert sorted(found.namelist()) == ["astronaut.jpg", "chelsea.jpg"]
        corner = pixels(found.read("astronaut.jpg"))[2, 2]
    assert np.all(corner > 245)


def test_browser_that_keeps_nothing_works_and_says_so(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    context = tabs.context()
    context.add_init_script("Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
    tab = tabs.open(direct.url, context=context)
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    storage = tab.page.get_by_role("complementary", name="Storage")
    storage.get_by_text("This browser does not keep your photos.").wait_for()
    # What is kept in memory is found again: the results are made of it.
    with tab.page.expect_download():
        item(tab, "astronaut.jpg").get_by_role("button", name="Download").click()
