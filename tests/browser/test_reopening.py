"""Edits where the editor is left and opened again: at once, in two tabs, beside a job, with options of the list."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.support.editor import mask_of, open_photo, session, set_options
from tests.support.gunicorn import Gunicorn
from tests.support.images import pixels
from tests.support.strokes import click, depth, drag, fill, press, ready, set_tool
from tests.support.studio import Studio, Tab, Tabs, choose, item, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"
STORE = """async (read) => {
  const main = document.querySelector("script[type=module]").src;
  const { all } = await import(main.replace("main.js", "store.js"));
  return all().map((doc) => (%s)(doc));
}"""


def documents(page: Page, read: str) -> list[Any]:
    """Return what a function, written in JavaScript, returns for each document of the list."""
    return list(page.evaluate(STORE % read))


def edit(tab: Tab, name: str = "chelsea.jpg") -> Page:
    """Open a photo of the list in the editor, with a large hard brush that erases."""
    item(tab, name).get_by_role("button", name="Edit").click()
    ready(tab.page)
    set_tool(tab.page, "brush", mode="erase", size=60, hardness=1, opacity=1)
    return tab.page


def leave(page: Page) -> None:
    """Go back to the list; the job's result has the edit then."""
    with page.expect_response(lambda answer: answer.request.method == "PUT") as put:
        page.get_by_role("button", name="Back").click()
    assert put.value.status == 200
    poll(lambda: set(documents(page, "({stale}) => Boolean(stale)")) == {False}, what="the result")


def result(tab: Tab, name: str = "chelsea.jpg") -> NDArray[np.uint8]:
    """Return the alpha of the result that the list gives."""
    with tab.page.expect_download() as waiting:
        item(tab, name).get_by_role("button", name="Download").click()
    return pixels(Path(waiting.value.path()).read_bytes())[..., 3]


@pytest.fixture
def batch(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> Tab:
    """The list with two results of jobs."""
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    return tab


@pytest.mark.long
def test_photo_that_is_opened_again_at_once_has_its_last_stroke(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, photo_files[1])
    open_photo(tab, photo_files[0])
    fill(page, 255)
    set_tool(page, "brush", mode="erase", size=24, hardness=1, opacity=1)
    click(page, (60, 60))
    last = mask_of(page)
    address = page.url
    page.evaluate("() => { history.back(); addEventListener('hashchange', () => history.forward(), {once: true}); }")
    page.wait_for_url(address)
    ready(page)
    assert np.array_equal(mask_of(page), last)
    assert depth(page) == 2
    # What is painted now is saved on top of it.
    click(page, (160, 60))
    last = mask_of(page)
    expect(page.get_by_role("status", name="Saved")).to_be_visible()
    page.reload()
    ready(page)
    assert np.array_equal(mask_of(page), last)


@pytest.mark.long
def test_tab_whose_photo_was_taken_over_hands_over_no_older_edit(batch: Tab, tabs: Tabs) -> None:
    page = edit(batch)
    drag(page, (60, 90), (100, 90))
    expect(page.get_by_role("status", name="Saved")).to_be_visible()
    other = tabs.open(batch.url, path="/#" + page.url.partition("#")[2], context=page.context).page
    ready(other)
    with other.expect_event("load"):
        other.get_by_role("button", name="Edit it here").click()
    ready(other)
    set_tool(other, "brush", mode="erase", size=60, hardness=1, opacity=1)
    drag(other, (140, 90), (180, 90))
    last = mask_of(other)
    leave(other)
    # The first tab still has the photo as it was.
    assert not np.array_equal(mask_of(page), last)
    page.get_by_role("button", name="Back").click()
    page.get_by_role("region", name="Photos").wait_for()
    page.wait_for_load_state("networkidle")
    assert np.array_equal(result(batch), last)


@pytest.mark.long
def test_tab_that_only_looks_on_changes_nothing(batch: Tab, tabs: Tabs) -> None:
    page = edit(batch)
    drag(page, (60, 90), (100, 90))
    expect(page.get_by_role("status", name="Saved")).to_be_visible()
    other = tabs.open(batch.url, path="/#" + page.url.partition("#")[2], context=page.context).page
    ready(other)
    set_options(other, background="#ff0000")
    set_tool(other, "rectangle", mode="erase")
    drag(other, (20, 20), (60, 60))
    first = mask_of(other)
    session(
        other,
        "({tools}) => { const tool = tools.get('rectangle'); tool.begin({x: 20, y: 20}); tool.end({x: 60, y: 60}); }",
    )
    press(other, "Enter")
    assert np.array_equal(mask_of(other), first)
    drag(page, (140, 90), (180, 90))
    expect(page.get_by_role("status", name="Saved")).to_be_visible()
    other.get_by_role("button", name="Back").click()
    other.get_by_role("region", name="Photos").wait_for()
    other.wait_for_load_state("networkidle")
    assert documents(other, "({options}) => options.background ?? ''") == ["", ""]
    last = mask_of(page)
    leave(page)
    assert np.array_equal(result(batch), last)


@pytest.mark.long
def test_edit_of_a_photo_that_its_job_still_works_on_is_in_the_result(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    with_jobs.worker.process.send_signal(signal.SIGSTOP)
    try:
        choose(tab, *photo_files[:2])
        poll(lambda: all(documents(page, "({job}) => Boolean(job)")) and documents(page, "() => 1"), what="the job")
        [id] = [id for id, name in documents(page, "({id, name}) => [id, name]") if name == "chelsea.jpg"]
        page.evaluate("(id) => { location.hash = `#/edit/${id}`; }", id)
        ready(page)
        set_tool(page, "brush", mode="erase", size=60, hardness=1, opacity=1)
        drag(page, (60, 90), (100, 90))
        last = mask_of(page)
        page.get_by_role("button", name="Back").click()
        page.get_by_role("region", name="Photos").wait_for()
    finally:
        with_jobs.worker.process.send_signal(signal.SIGCONT)
    with page.expect_response(lambda answer: answer.request.method == "PUT") as put:
        pass
    assert put.value.status == 200
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    assert np.array_equal(result(tab), last)


@pytest.mark.long
def test_models_own_mask_comes_back_in_a_later_visit(batch: Tab, photo_files: list[Path]) -> None:
    """The job has the edited mask by then."""
    page = edit(batch)
    first = mask_of(page)
    drag(page, (60, 90), (160, 90))
    leave(page)
    page.reload()
    wait_for(batch, {path.name: COMPLETED for path in photo_files[:2]})
    edit(batch)
    assert not np.array_equal(mask_of(page), first)
    page.get_by_text("Whole cut-out").click()
    page.get_by_role("button", name="Back to the automatic result").click()
    poll(lambda: np.array_equal(mask_of(page), first), what="the model's own mask")


@pytest.mark.long
def test_editor_has_the_options_that_the_list_gave_an_edited_photo(batch: Tab, photo_files: list[Path]) -> None:
    page = edit(batch)
    drag(page, (60, 90), (160, 90))
    last = mask_of(page)
    leave(page)
    page.get_by_role("radio", name="White").check(force=True)
    page.get_by_role("button", name="Apply to all").click()
    made = """({applied, state}) => state === "completed" && applied?.background"""
    poll(lambda: documents(page, made) == ["ffffff", "ffffff"], what="the results with the look")
    edit(batch)
    assert session(page, "({options}) => options.value.background") == "ffffff"
    assert np.array_equal(mask_of(page), last)
    # Another edit keeps them.
    drag(page, (60, 40), (160, 40))
    leave(page)
    assert documents(page, "({options}) => options.background") == ["ffffff", "ffffff"]


@pytest.mark.long
def test_edit_since_the_export_is_not_forgotten_with_it(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    edited = open_photo(tab, photo_files[0])
    with page.expect_download():
        press(page, "Control+s")
    poll(lambda: any(documents(page, "({exportedAt}) => exportedAt")), what="the note of the export")
    set_tool(page, "brush", mode="erase", size=24, hardness=1, opacity=1)
    click(page, (120, 120))
    expect(page.get_by_role("status", name="Saved")).to_be_visible()
    last = mask_of(page)
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 8 * 24 * 3600 * 1000; }")
    open_photo(tab, photo_files[1])
    page.wait_for_load_state("networkidle")
    page.evaluate("(id) => { location.hash = `#/edit/${id}`; }", edited)
    poll(lambda: session(page, "(session) => session?.id") == edited, what="the first photo")
    assert np.array_equal(mask_of(page), last)


@pytest.mark.long
def test_closed_editor_leaves_the_memory(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, photo_files[0])
    fill(page, 255)
    set_tool(page, "wand", mode="erase", tolerance=10)
    click(page, (20, 200))
    poll(lambda: session(page, "({tools}) => tools.get('wand').pending.value"), what="a selection", seconds=20)
    press(page, "Enter")
    poll(lambda: depth(page) == 2, what="the step")
    # Its worker is still busy when it is left.
    session(
        page,
        """({document: {mask, work}}) => {
          window.left = new WeakRef(mask);
          const plane = {width: 4000, height: 4000, bytes: new Uint8Array(16e6)};
          work.run("whole", "feather", plane, 9).then(() => mask.revision);
        }""",
    )
    page.get_by_role("button", name="Back").click()
    page.get_by_role("region", name="Photos").wait_for()
    browser = page.context.new_cdp_session(page)

    def is_gone() -> bool:
        browser.send("HeapProfiler.collectGarbage")
        return bool(page.evaluate("() => !window.left.deref()"))

    poll(is_gone, what="the mask's memory", seconds=20)


def test_tools_that_can_not_be_loaded_say_so(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    tab.expect("session.js|ERR_FAILED|Failed to fetch")
    page.route("**/editor/session.js", lambda route: route.abort())
    choose(tab, photo_files[0])
    page.get_by_role("heading", name="This photo could not be opened").wait_for()
    page.unroute("**/editor/session.js")
    page.get_by_role("button", name="Back").last.click()
    page.get_by_role("region", name="Photos").wait_for()
