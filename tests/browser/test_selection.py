"""What is done with some photos says so: downloads of a selection, and marks of those that were edited."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.support.batch import run
from tests.support.editor import set_options
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import drag, press, ready, set_tool
from tests.support.studio import Studio, Tab, Tabs, choose, item, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"
# A pixel of the cat in chelsea.jpg.
INSIDE = (120, 90)


def select(tab: Tab, name: str) -> None:
    item(tab, name).get_by_role("checkbox").evaluate("(box) => box.click()")


def downloaded(tab: Tab, button: Locator) -> bytes:
    with tab.page.expect_download() as found:
        button.click()
    return Path(found.value.path()).read_bytes()


def test_download_of_selected_photos_says_how_many(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    button = tab.page.locator(".results").get_by_role("button").filter(has_text=re.compile("Download|Metadata"))
    choose(tab, *photo_files[:3])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:3]})
    expect(button).to_have_text(["Download all", "Download metadata"])
    for name in ("astronaut.jpg", "coffee.jpg"):
        select(tab, name)
    expect(button).to_have_text(["Download 2", "Metadata for 2"])
    packed = downloaded(tab, tab.page.get_by_role("button", name="Download 2"))
    with zipfile.ZipFile(io.BytesIO(packed)) as found:
        assert sorted(found.namelist()) == ["astronaut.png", "coffee.png"]
    facts = json.loads(downloaded(tab, tab.page.get_by_role("button", name="Metadata for 2")))
    assert [one["name"] for one in facts] == ["astronaut.jpg", "coffee.jpg"]
    # A photo that is removed is no longer selected.
    item(tab, "coffee.jpg").get_by_role("button", name="Remove").click()
    expect(button).to_have_text(["Download 1", "Metadata for 1"])
    tab.page.get_by_role("button", name="Select none").click()
    expect(button).to_have_text(["Download all", "Download metadata"])


def test_removing_selected_photos_leaves_the_others(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    done = {path.name: COMPLETED for path in photo_files[:3]}
    choose(tab, *photo_files[:3])
    wait_for(tab, done)
    for name in ("astronaut.jpg", "coffee.jpg"):
        select(tab, name)
    expect(tab.page.get_by_role("button", name="Delete now")).to_have_count(0)
    tab.page.get_by_role("button", name="Remove 2").click()
    wait_for(tab, {"chelsea.jpg": COMPLETED})
    expect(tab.page.get_by_role("button", name="Delete now")).to_be_visible()
    tab.page.get_by_role("button", name="Undo").click()
    wait_for(tab, done)


@pytest.mark.long
def test_edited_photos_are_marked(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    names = [path.name for path in photo_files[:3]]
    done = dict.fromkeys(names, COMPLETED)
    choose(tab, *photo_files[:3])
    wait_for(tab, done)
    # Looks for all are no edit, and a photo that was only opened was not edited either.
    page.get_by_role("combobox", name="Preset").select_option("amazon")
    page.get_by_role("button", name="Apply to all").click()
    wait_for(tab, done)
    edited = page.get_by_role("listitem", name="Edited")
    for name in names:
        item(tab, name).get_by_role("button", name="Edit").click()
        ready(page)
        if name == "chelsea.jpg":
            set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
            drag(page, (80, 80), (150, 110))
        elif name == "coffee.jpg":
            set_options(page, background="#e9dfd2")
        page.get_by_role("button", name="Back").click()
        item(tab, name).wait_for()
    for _ in range(2):
        expect(edited).to_have_count(2)
        for name in ("chelsea.jpg", "coffee.jpg"):
            expect(item(tab, f"{name}, Completed, Edited")).to_contain_text("Edited")
        page.reload()
        wait_for(tab, done)


@pytest.mark.long
def test_photo_whose_edits_were_all_undone_is_not_marked(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    """Strokes, options and background as at first: the mark goes, in the list and after a reload."""
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    chelsea = item(tab, "chelsea.jpg")
    chelsea.get_by_role("button", name="Edit").click()
    ready(page)
    set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    drag(page, (80, 80), (150, 110))
    drag(page, (80, 120), (150, 140))
    set_options(page, background="#e9dfd2")
    leave_marked(tab, True)
    # The steps of an earlier visit are undone; the colour is still there.
    chelsea.get_by_role("button", name="Edit").click()
    ready(page)
    press(page, "Control+z", "Control+z")
    leave_marked(tab, True)
    chelsea.get_by_role("button", name="Edit").click()
    ready(page)
    set_options(page, background="")
    leave_marked(tab, False)
    facts = json.loads(downloaded(tab, page.get_by_role("button", name="Download metadata")))
    assert [one["edited"] for one in facts] == [False, False]
    # What was undone can be done again.
    chelsea.get_by_role("button", name="Edit").click()
    ready(page)
    press(page, "Control+y")
    leave_marked(tab, True)


def leave_marked(tab: Tab, marked: bool) -> None:
    """Go back to the list: the photo is marked as edited or not, after a reload as well."""
    expect(tab.page.get_by_role("status", name="Saved")).to_be_visible()
    tab.page.get_by_role("button", name="Back").click()
    for _ in range(2):
        expect(tab.page.get_by_role("listitem", name="chelsea.jpg, Completed")).to_be_visible()
        expect(tab.page.get_by_role("listitem", name="Edited")).to_have_count(int(marked))
        tab.page.reload()


@pytest.mark.long
def test_edit_keeps_its_mark_without_jobs(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(tab.page)
    set_tool(tab.page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    drag(tab.page, (80, 80), (150, 110))
    tab.page.get_by_role("button", name="Back").click()
    expect(item(tab, "chelsea.jpg, Completed, Edited")).to_be_visible()
    tab.page.reload()
    expect(item(tab, "chelsea.jpg, Completed, Edited")).to_be_visible()
    facts = json.loads(downloaded(tab, tab.page.get_by_role("button", name="Download metadata")))
    assert {one["name"]: one["edited"] for one in facts} == {"astronaut.jpg": False, "chelsea.jpg": True}
    tab.page.get_by_role("button", name="Delete now").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    tab.page.get_by_role("heading", name="Remove the background").wait_for()
    poll(lambda: kept(tab) == [], what="the browser's database")


@pytest.mark.parametrize("jobs", [True, pytest.param(False, marks=pytest.mark.long)])
def test_tab_closed_in_the_editor_leaves_the_edit_in_the_result(
    jobs: bool, with_jobs: Studio, direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    """What the editor has called saved is in the list's download, though nobody pressed Back."""
    url = (with_jobs if jobs else direct).url
    tab = tabs.open(url)
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    assert alpha(tab, "chelsea.jpg") == 255
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(tab.page)
    set_tool(tab.page, "brush", mode="erase", size=80, hardness=1, opacity=1)
    drag(tab.page, (INSIDE[0] - 30, INSIDE[1]), (INSIDE[0] + 30, INSIDE[1]))
    expect(tab.page.get_by_role("status", name="Saved")).to_be_visible()
    tab.page.close()

    tab = tabs.open(url, context=tab.page.context)
    expect(item(tab, "chelsea.jpg, Completed, Edited")).to_be_visible()
    poll(lambda: handed_over(tab), what="the edited result")
    assert alpha(tab, "chelsea.jpg") == 0


def handed_over(tab: Tab) -> bool:
    """Return whether every result has its photo's last edit."""
    read = "return module.all().every(({ draft, stale, state }) => !draft && !stale && state === 'completed');"
    return bool(run(tab, "app/store.js", read))


def alpha(tab: Tab, name: str) -> int:
    """Return the level of the pixel INSIDE in the result that the list gives."""
    with Image.open(io.BytesIO(downloaded(tab, item(tab, name).get_by_role("button", name="Download")))) as picture:
        return int(np.asarray(picture)[INSIDE[1], INSIDE[0], 3])


def kept(tab: Tab) -> list[str]:
    """Return what the browser keeps of photos; how tools are set stays."""
    read = """async () => {
      const main = document.querySelector("script[type=module]").src;
      const db = await import(main.replace("main.js", "db.js"));
      const found = [];
      for (const store of ["docs", "photos", "tiles", "history", "outbox", "settings"]) {
        for (const record of await db.list(store)) found.push(`${store} ${record.key ?? record.id ?? record.docId}`);
      }
      return found.filter((name) => !name.startsWith("settings ") || name.startsWith("settings lease"));
    }"""
    found: list[str] = tab.page.evaluate(read)
    return found
