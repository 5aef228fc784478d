"""The editor for everyone: assistive technology, dark and forced colours, less motion."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.editor import open_photo, session, set_options, settle, stage
from tests.support.gunicorn import Gunicorn
from tests.support.studio import Tab, Tabs

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html'][:150]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_editor_has_no_barrier(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], scheme: str, viewport: dict[str, int]
) -> None:
    tab = tabs.open(direct.url, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    open_photo(tab, photo_files[0])
    page = tab.page
    assert violations(page) == []
    set_options(page, background="#e9dfd2", shadow="drop", canvas="2000x2000", scale="80%")
    session(
        page, "(session) => { session.compareBy('sides'); session.choose('wand'); session.panel.value = 'canvas'; }"
    )
    settle(page)
    assert violations(page) == []
    session(page, "(session) => { session.panel.value = 'preset'; }")
    page.get_by_role("group", name="Preset").get_by_role("combobox").select_option("passport")
    more = page.get_by_role("button", name="More ways to export")
    more.click()
    assert violations(page) == []
    # The menu goes with Escape, and with the focus.
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Quick PNG").wait_for(state="detached")
    more.click()
    stage(page).focus()
    page.get_by_role("button", name="Quick PNG").wait_for(state="detached")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []


def grounds(tab: Tab) -> list[tuple[int, ...]]:
    """Return the colours of the bar, the stage and the panel."""
    read = """(selector) => {
      const context = document.createElement("canvas").getContext("2d");
      context.fillStyle = getComputedStyle(document.querySelector(selector)).backgroundColor;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    }"""
    return [tuple(tab.page.evaluate(read, part)) for part in (".ed-top", ".ed-stage", ".ed-panel")]


def test_editor_is_dark_where_the_device_is(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, color_scheme="light")
    open_photo(tab, photo_files[0])
    assert all(min(colour) > 200 for colour in grounds(tab))
    light = session(tab.page, "({stage}) => stage.colours.stage[0]")
    tab.page.emulate_media(color_scheme="dark")
    settle(tab.page)
    assert all(max(colour) < 60 for colour in grounds(tab))
    # What the stage draws itself follows as well.
    assert session(tab.page, "({stage}) => stage.colours.stage[0]") < 0.2 < light


def test_chosen_tool_is_seen_in_forced_colours(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, forced_colors="active")
    open_photo(tab, photo_files[0])
    styles = tab.page.evaluate(
        """() => [...document.querySelectorAll(".tool")].map((tool) => getComputedStyle(tool).outlineStyle)"""
    )
    assert styles[0] == "solid"
    assert set(styles[1:]) == {"none"}


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_view_glides_only_where_motion_is_welcome(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], motion: str
) -> None:
    tab = tabs.open(direct.url, reduced_motion=motion)
    open_photo(tab, photo_files[0])
    scales = session(
        tab.page,
        "({viewport}) => [viewport.scale.value, (viewport.zoom(2), viewport.scale.value)]",
    )
    assert (scales[0] != scales[1]) == (motion == "reduce")
