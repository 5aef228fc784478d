"""Editing while the server does not answer: nothing is lost, and what waits goes on by itself."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Route, expect

from tests.support.editor import add_photo, mask_of, open_photo, session, stage
from tests.support.gunicorn import Gunicorn
from tests.support.images import pixels
from tests.support.strokes import click, depth, drag, ready, set_tool
from tests.support.studio import Studio, Tab, Tabs, choose, item, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"


def leave_network(tab: Tab) -> None:
    tab.expect("ERR_INTERNET_DISCONNECTED")
    tab.page.context.set_offline(True)


def unanswered(tab: Tab) -> list[str]:
    """Return the page's questions whether the server answers that got no answer."""
    return [problem for problem in tab.problems if problem.startswith("failed:") and "/health/live" in problem]


def add_photo_without(tab: Tab, photo: Path, pattern: str) -> list[Route]:
    """Open a photo in the editor and hold back a file of the page; returns the requests for it."""
    held: list[Route] = []
    tab.page.context.route(pattern, lambda route: held.append(route))
    add_photo(tab, photo)
    return held


@pytest.mark.long
def test_export_waits_for_the_connection_while_painting_goes_on(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    page = tab.page
    open_photo(tab, photo_files[0])
    set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    leave_network(tab)
    click(page, (60, 60))
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("continues by itself when the connection is back").first).to_be_visible()
    click(page, (160, 160))
    assert depth(page) == 2
    with page.expect_download() as waiting:
        page.context.set_offline(False)
    # The file has the stroke that was painted meanwhile.
    assert np.array_equal(pixels(waiting.value.path().read_bytes())[..., 3], mask_of(page))


@pytest.mark.long
def test_wand_selects_though_the_connection_was_lost_before_its_search_was_loaded(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    held = add_photo_without(tab, photo_files[0], "**/core/search.js")
    poll(lambda: page.title() and held, what="the search's code")
    leave_network(tab)
    tab.expect("ERR_FAILED")
    lost = len(unanswered(tab))
    held.pop(0).abort()
    # The page asks whether the server answers when the file fails, and every few seconds.
    poll(lambda: page.title() and len(unanswered(tab)) >= lost + 2, what="the page's questions")
    page.context.unroute_all()
    page.context.set_offline(False)
    ready(page)
    set_tool(page, "wand", mode="erase", tolerance=20)
    click(page, (120, 120))
    poll(lambda: session(page, "({tools}) => tools.get('wand').pending.value"), what="a selection", seconds=20)


@pytest.mark.long
def test_export_pressed_before_its_code_is_there_makes_the_file_when_it_comes(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    held = add_photo_without(tab, photo_files[0], "**/editor/export.js")
    export = page.get_by_role("button", name="Export", exact=True)
    page.get_by_role("button", name="More ways to export").click()
    export.click()
    expect(export).to_be_disabled()
    poll(lambda: page.title() and held, what="the exporter's code")
    with page.expect_download() as waiting:
        held[0].continue_()
    assert np.array_equal(pixels(waiting.value.path().read_bytes())[..., 3], mask_of(page))
    expect(export).to_be_enabled()


def test_export_pressed_before_its_code_is_there_waits_for_the_connection(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    # Loaded before the exporter's code, one after another.
    held = add_photo_without(tab, photo_files[0], "**/editor/notices.js")
    page.get_by_role("toolbar", name="Tools").wait_for()
    set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    poll(lambda: page.title() and held, what="the notices' code")
    leave_network(tab)
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("everything continues by itself when it is back")).to_be_visible()
    # Painting goes on, and is in the file.
    click(page, (60, 60))
    assert depth(page) == 1
    with page.expect_download() as waiting:
        page.context.set_offline(False)
        held[0].continue_()
    assert np.array_equal(pixels(waiting.value.path().read_bytes())[..., 3], mask_of(page))


def test_keys_pressed_before_their_code_is_there_act_when_it_comes(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    held = add_photo_without(tab, photo_files[0], "**/editor/keys.js")
    page.get_by_role("toolbar", name="Tools").wait_for()
    poll(lambda: page.title() and held, what="the keys' code")
    # "After" of the comparison, the wand, and the photo for as long as the key is held.
    for key in ("3", "w", "o"):
        stage(page).press(key)
    assert session(page, "({compare}) => compare.at.value") == 50
    held[0].continue_()
    expect(page.get_by_role("button", name="Magic wand")).to_have_attribute("aria-pressed", "true")
    assert session(page, "({compare}) => [compare.at.value, compare.photo.value]") == [0, False]


@pytest.mark.long
def test_tool_chosen_before_its_options_are_there_gets_them_when_they_come(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    held = add_photo_without(tab, photo_files[0], "**/editor/panels.js")
    page.get_by_role("button", name="Magic wand").click()
    poll(lambda: page.title() and held, what="the panels' code")
    tolerance = page.get_by_role("slider", name="Tolerance")
    expect(tolerance).to_have_count(0)
    held[0].continue_()
    expect(tolerance).to_be_visible()
    ready(page)
    click(page, (120, 120))
    page.get_by_role("button", name="Apply").click()
    assert depth(page) == 1


def test_stroke_painted_before_what_saves_it_is_there_is_saved_when_the_connection_is_back(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    held = add_photo_without(tab, photo_files[0], "**/editor/save.js")
    page.get_by_role("toolbar", name="Tools").wait_for()
    set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    poll(lambda: page.title() and held, what="the code that saves")
    leave_network(tab)
    tab.expect("ERR_FAILED")
    click(page, (60, 60))
    saved = page.get_by_role("status", name="Saved")
    expect(page.get_by_role("status", name="Saving …")).to_be_visible()
    session(page, "({document}) => void document.autosave.flush()")
    held[0].abort()
    expect(page.get_by_text("everything continues by itself when it is back")).to_be_visible()
    expect(saved).to_have_count(0)
    page.context.unroute_all()
    page.context.set_offline(False)
    expect(saved).to_be_visible()
    edited = mask_of(page)
    page.reload()
    ready(page)
    assert depth(page) == 1
    assert np.array_equal(mask_of(page), edited)


@pytest.mark.long
def test_edit_of_a_batch_reaches_the_server_when_it_answers(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    choose(tab, *photo_files[:2])
    done = {path.name: COMPLETED for path in photo_files[:2]}
    wait_for(tab, done)
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(page)
    set_tool(page, "brush", mode="erase", size=40, hardness=1, opacity=1)
    leave_network(tab)
    drag(page, (80, 80), (150, 110))
    edited = mask_of(page)
    page.get_by_role("button", name="Back").click()
    wait_for(tab, {**done, "chelsea.jpg": "Processing"})
    page.context.set_offline(False)
    wait_for(tab, done)
    with page.expect_download() as waiting:
        item(tab, "chelsea.jpg").get_by_role("button", name="Download").click()
    assert np.array_equal(pixels(waiting.value.path().read_bytes())[..., 3], edited)


def test_photo_opened_without_a_connection_opens_when_it_is_back(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    page = tab.page
    open_photo(tab, photo_files[0])
    page.get_by_role("button", name="Back").click()
    item(tab, "astronaut.jpg").get_by_role("button", name="Remove").click()
    wait_for(tab, {})
    leave_network(tab)
    # The first of an empty list opens.
    choose(tab, photo_files[1])
    expect(page.get_by_role("region", name="Editor").get_by_text("It opens by itself when")).to_be_visible()
    page.context.set_offline(False)
    ready(page)


@pytest.mark.long
def test_photo_of_a_batch_is_edited_without_a_connection(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    """The editor is loaded while nothing else happens; a photo whose cut-out is at the server opens with it."""
    tab = tabs.open(with_jobs.url, reduced_motion="reduce")
    page = tab.page
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    poll(lambda: page.title() and tab.asked("GET .*/editor/views.js"), what="the editor")
    page.wait_for_load_state("networkidle")
    leave_network(tab)
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    editor = page.get_by_role("region", name="Editor")
    expect(editor.get_by_role("heading", name="No connection to the server")).to_be_visible()
    expect(editor.get_by_text("It opens by itself when")).to_be_visible()
    page.context.set_offline(False)
    ready(page)


@pytest.mark.long
def test_editor_that_is_not_loaded_says_so_and_opens_when_the_connection_is_back(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    context = tabs.context(reduced_motion="reduce")
    # Nothing is loaded ahead for those who save data.
    context.add_init_script("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })")
    tab = tabs.open(direct.url, context=context)
    page = tab.page
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    assert not tab.asked("GET .*/editor/")
    leave_network(tab)
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    expect(page.get_by_role("heading", name="No connection to the server")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("No connection to the server")
    # One can go back, and come again.
    page.get_by_role("link", name="Your photos").click()
    item(tab, "chelsea.jpg").get_by_role("button", name="Edit").click()
    expect(page.get_by_role("heading", name="No connection to the server")).to_be_visible()
    page.context.set_offline(False)
    ready(page)


def test_part_that_is_loaded_later_comes_when_the_server_answers(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    page = tab.page
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    page.wait_for_load_state("networkidle")
    leave_network(tab)
    page.get_by_label("Preset").select_option("amazon")
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    rules = page.get_by_role("link", name="Rules change: check them here.")
    expect(rules).to_have_count(0)
    page.context.set_offline(False)
    expect(rules).to_be_visible()


def test_part_whose_connection_breaks_off_once_is_loaded_at_the_second_try(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    """The server answers all the time: nothing says that it does not, or that the page is to be reloaded."""
    tab = tabs.open(direct.url)
    tab.expect("ERR_CONNECTION_RESET")
    page = tab.page
    page.route("**/preset_note.js", lambda route: route.abort("connectionreset"), times=1)
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    page.get_by_label("Preset").select_option("amazon")
    expect(page.get_by_role("link", name="Rules change: check them here.")).to_be_visible()
    assert len(tab.asked("/preset_note.js")) == 2
    expect(page.get_by_role("complementary", name="Notice")).to_have_count(0)
    expect(page.get_by_text("Reconnecting")).to_have_count(0)


def test_page_whose_parts_are_gone_asks_to_be_reloaded(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    """After an update the server has another build's files only."""
    tab = tabs.open(direct.url)
    tab.expect("404")
    page = tab.page
    page.route("**/preset_note.js", lambda route: route.fulfill(status=404))
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    page.get_by_label("Preset").select_option("amazon")
    expect(page.get_by_role("complementary", name="Notice")).to_contain_text("The server has been updated")
