"""The editor without a pointer: keys, the crosshair that paints, what is said."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.support.editor import mask_of, open_photo, session, stage
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import at, click, depth, fill, press, ready, reset, said, set_tool
from tests.support.studio import Tab, Tabs, choose_by_keyboard, one_tab
from tests.support.waiting import poll

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def opened(direct: Gunicorn, browser: Browser, photo_files: list[Path]) -> Iterator[Tab]:
    with one_tab(browser, direct.url, reduced_motion="reduce") as tab:
        open_photo(tab, photo_files[0])
        ready(tab.page)
        yield tab


@pytest.fixture
def editor(opened: Tab) -> Tab:
    """The editor with a small photograph, all of it kept, and a hard brush of 20 px."""
    reset(opened.page)
    fill(opened.page, 255)
    set_tool(opened.page, "brush", mode="erase", size=20, hardness=1, opacity=1, overlay="none", shortcuts=True)
    return opened


def setting(page: Page, name: str) -> Any:
    return session(page, "({settings}, name) => settings[name].value", name)


def test_letters_choose_tools(editor: Tab) -> None:
    tools = {
        "w": "wand",
        "l": "lasso",
        "p": "polygon",
        "r": "rectangle",
        "h": "hand",
        "z": "zoom",
        "s": "smart",
        "b": "brush",
    }
    for key, tool in tools.items():
        press(editor.page, key)
        assert setting(editor.page, "tool") == tool
    press(editor.page, "Shift+R")
    assert setting(editor.page, "tool") == "ellipse"
    press(editor.page, "s", "s", "b")
    assert setting(editor.page, "tool") == "brush"


def test_keys_set_mode_size_hardness_opacity_and_overlay(editor: Tab) -> None:
    page = editor.page
    press(page, "x")
    assert (setting(page, "mode"), said(page)) == ("restore", "Restore")
    press(page, "e")
    assert setting(page, "mode") == "erase"
    press(page, "]")
    assert setting(page, "size") == 22
    press(page, "[", "[")
    assert setting(page, "size") == 18
    press(page, "Shift+BracketLeft")
    assert setting(page, "hardness") == 0.9
    press(page, "3")
    assert setting(page, "opacity") == 0.3
    press(page, "0")
    assert setting(page, "opacity") == 1
    seen = []
    for _ in range(4):
        press(page, "q")
        seen.append(setting(page, "overlay"))
    assert seen == ["red", "outline", "mask", "none"]


def test_view_has_keys(editor: Tab) -> None:
    page = editor.page
    read = "({viewport}) => viewport.scale.value"
    fitted = session(page, read)
    press(page, "Control+1")
    assert session(page, read) == 1
    press(page, "+", "Control+=")
    assert session(page, read) == pytest.approx(2.25)
    press(page, "-")
    press(page, "Control+0")
    assert session(page, read) == pytest.approx(fitted)
    x = session(page, "({viewport}) => viewport.x.value")
    press(page, "Alt+ArrowRight")
    assert session(page, "({viewport}) => viewport.x.value") > x


def test_photo_is_shown_while_the_key_is_held(editor: Tab) -> None:
    page = editor.page
    stage(page).focus()
    page.keyboard.down("o")
    assert session(page, "({compare}) => compare.photo.value")
    page.keyboard.up("o")
    assert not session(page, "({compare}) => compare.photo.value")


def test_region_is_erased_without_a_pointer(editor: Tab) -> None:
    """The same strokes by keys and by mouse give the same bytes."""
    page = editor.page
    session(page, "({viewport}) => { viewport.restore({scale: 3, x: 100, y: 100}); }")
    press(page, "k")
    assert said(page) == "Pen down"
    for _ in range(3):
        press(page, "Shift+ArrowRight")
    press(page, "ArrowDown", "ArrowDown", "k")
    assert at(page, 115, 101) == 0
    assert at(page, 160, 100) == 255
    assert depth(page) == 2
    by_keys = mask_of(page)
    press(page, "Control+z")
    assert (mask_of(page) == 255).all()
    paint = """({tools}, places) => {
      const brush = tools.get("brush");
      const [first, ...rest] = places.map(([x, y]) => ({x, y, pointer: "mouse"}));
      brush.begin(first);
      brush.move(rest);
      brush.end(rest.at(-1));
    }"""
    x, y = session(page, "() => [100.5, 100.5]")
    session(page, paint, [[x, y], [x + 10, y], [x + 20, y], [x + 30, y], [x + 30, y + 1], [x + 30, y + 2]])
    # The crosshair begins in the middle of the stage wherever an earlier test left it.
    moved = np.argwhere(by_keys == 0).min(axis=0) - np.argwhere(mask_of(page) == 0).min(axis=0)
    assert np.array_equal(np.roll(mask_of(page), tuple(moved), (0, 1)), by_keys)


def test_dabs_and_selections_need_no_pointer(editor: Tab) -> None:
    page = editor.page
    press(page, "d")
    assert depth(page) == 2
    press(page, "r", "d")
    for _ in range(4):
        press(page, "Shift+ArrowDown")
    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "d")
    poll(lambda: session(page, "({tools}) => tools.get('rectangle').pending.value"), what="a selection", seconds=15)
    press(page, "Delete")
    poll(lambda: depth(page) == 3, what="the step", seconds=15)


def test_pen_that_is_down_is_lifted_by_escape_without_a_stroke(editor: Tab) -> None:
    page = editor.page
    press(page, "k", "Shift+ArrowLeft", "Escape")
    assert (mask_of(page) == 255).all()
    assert depth(page) == 1
    # Another Escape has nothing to drop.
    press(page, "Escape")


def test_steps_are_said(editor: Tab) -> None:
    page = editor.page
    click(page, (120, 120))
    assert re.fullmatch(r"Erased 0\.5%\. Undo 2", said(page))
    press(page, "x")
    click(page, (120, 120))
    assert re.fullmatch(r"Restored 0\.5%\. Undo 3", said(page))
    press(page, "Control+z")
    assert said(page) == "Undone. Undo 2"
    press(page, "Control+Shift+Z")
    assert said(page) == "Redone. Undo 3"
    press(page, "Control+y")
    assert said(page).strip() == "Nothing to change"


def test_what_is_under_the_crosshair_is_said(editor: Tab) -> None:
    page = editor.page
    half = np.full((240, 240), 255, np.uint8)
    half[:, :40] = 0
    fill(page, half)
    press(page, "m")
    found = re.fullmatch(r"x (\d+), y (\d+), kept 100%, edge (\d+) px left", said(page))
    assert found
    assert int(found[1]) - int(found[3]) == 39


def test_invert_by_key_and_undo_from_a_button(editor: Tab) -> None:
    page = editor.page
    press(page, "i")
    poll(lambda: depth(page) == 2, what="the step", seconds=15)
    assert not mask_of(page).any()
    # Ctrl acts in the whole editor; letters only on the stage.
    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("w")
    assert setting(page, "tool") == "brush"
    page.keyboard.press("Control+z")
    assert mask_of(page).all()


def test_question_mark_lists_the_keys_and_they_can_be_turned_off(editor: Tab) -> None:
    page = editor.page
    dialog = page.get_by_role("dialog", name="Keys")
    page.get_by_role("button", name="Keys").click()
    dialog.wait_for()
    page.keyboard.press("Escape")
    press(page, "?")
    assert dialog.get_by_text("Say what is here").is_visible()
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    assert stage(page).evaluate("(element) => element === document.activeElement")
    press(page, "w")
    assert setting(page, "tool") == "brush"
    # Arrows, Ctrl and the list stay.
    press(page, "d", "Control+0", "?")
    assert depth(page) == 1
    dialog.get_by_role("checkbox").check()
    page.keyboard.press("Escape")
    press(page, "w")
    assert setting(page, "tool") == "wand"


def test_whole_way_by_keyboard(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    """A photo in by the dialog, erased, undone, erased again and exported: the bytes are those of the mask."""
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    choose_by_keyboard(tab, photo_files[0])
    page.wait_for_url("**/#/edit/*")
    ready(page)
    stage(page).focus()
    before = mask_of(page)
    page.keyboard.press("k")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("k")
    assert depth(page) == 1
    page.keyboard.press("Control+z")
    assert np.array_equal(mask_of(page), before)
    page.keyboard.press("Control+y")
    with page.expect_download() as waiting:
        page.keyboard.press("Control+s")
    with Image.open(waiting.value.path()) as exported:
        assert np.array_equal(np.asarray(exported)[..., 3], mask_of(page))
