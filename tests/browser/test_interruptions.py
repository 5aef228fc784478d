"""Strokes that something comes between: a palm, a lost button, another tool, an answer, another screen."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.editor import difference, mask_of, open_photo, seen, session, settle
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import Pointers, at, click, depth, drag, fill, on_screen, press, ready, reset, set_tool
from tests.support.studio import Tab, Tabs, one_tab
from tests.support.waiting import poll

# Holds what the worker finds until `window.release()`.
HOLD = """({document: {work}}) => {
  const run = work.run;
  const held = new Promise((done) => { window.release = done; });
  work.run = async (...parts) => { await held; work.run = run; return run(...parts); };
}"""
# A pointer's event by hand: the protocol has no such button.
BY_HAND = """({viewport, stage}, [button, buttons]) => {
  const {x, y} = viewport.toScreen(100.5, 100.5);
  const common = {pointerType: "mouse", pointerId: 1, bubbles: true, cancelable: true, clientX: x, clientY: y, button};
  stage.element.dispatchEvent(new PointerEvent("pointerdown", {...common, buttons}));
  stage.element.dispatchEvent(new PointerEvent("pointerup", {...common, buttons: 0}));
}"""


@pytest.fixture(scope="module")
def opened(direct: Gunicorn, browser: Browser, photo_files: list[Path]) -> Iterator[Tab]:
    with one_tab(browser, direct.url, reduced_motion="reduce", has_touch=True) as tab:
        open_photo(tab, photo_files[0])
        yield tab


@pytest.fixture
def page(opened: Tab) -> Page:
    """The editor with a small photograph, all of it kept, and a hard brush of 20 px, in a tab that has seen no pen."""
    reset(opened.page)
    fill(opened.page, 255)
    set_tool(opened.page, "brush", mode="erase", size=20, hardness=1, opacity=1)
    return opened.page


def undone(page: Page) -> None:
    """Undo all that the test did: the cut-out has its first bytes."""
    while depth(page) > 1:
        press(page, "Control+z")
    assert (mask_of(page) == 255).all()


@pytest.mark.long
def test_palm_that_the_system_takes_back_costs_the_pen_no_stroke(page: Page) -> None:
    pointers = Pointers(page)
    pen = {"pointerType": "pen", "force": 1}
    [palm] = on_screen(page, (200, 200))
    pointers.press("mousePressed", (60, 60), **pen, buttons=1)
    pointers.touch("touchStart", palm)
    pointers.press("mouseMoved", (90, 60), **pen, buttons=1)
    pointers.touch("touchCancel")
    pointers.press("mouseMoved", (120, 60), **pen, buttons=1)
    pointers.press("mouseReleased", (120, 60), **pen)
    assert [at(page, x, 60) for x in (60, 90, 120)] == [0, 0, 0]
    assert depth(page) == 2
    # The next stroke takes nothing of it away.
    pointers.pen([(60, 120), (120, 120)])
    assert [at(page, 90, y) for y in (60, 120)] == [0, 0]
    undone(page)


@pytest.mark.long
def test_two_fingers_of_the_palm_do_not_end_the_pens_stroke(page: Page) -> None:
    pointers = Pointers(page)
    pen = {"pointerType": "pen", "force": 1}
    scale = session(page, "({viewport}) => viewport.scale.value")
    fingers = on_screen(page, (180, 180), (200, 200))
    pointers.press("mousePressed", (60, 60), **pen, buttons=1)
    pointers.touch("touchStart", *fingers)
    pointers.touch("touchMove", fingers[0], (fingers[1][0] + 80, fingers[1][1] + 80))
    pointers.press("mouseMoved", (120, 60), **pen, buttons=1)
    pointers.touch("touchEnd")
    pointers.press("mouseReleased", (120, 60), **pen)
    assert session(page, "({viewport}) => viewport.scale.value") == scale
    assert at(page, 120, 60) == 0
    assert depth(page) == 2


def test_pen_draws_where_the_palm_lies_already(page: Page) -> None:
    pointers = Pointers(page)
    [palm] = on_screen(page, (200, 200))
    pointers.touch("touchStart", palm)
    pointers.pen([(60, 60), (120, 60)])
    pointers.touch("touchEnd")
    assert at(page, 90, 60) == 0
    assert at(page, 200, 200) == 255
    assert depth(page) == 2


def test_stroke_ends_where_the_button_was_released_unseen(page: Page) -> None:
    """As where the tab was changed by keys while the button was down."""
    pointers = Pointers(page)
    pointers.press("mousePressed", (60, 60), buttons=1)
    pointers.press("mouseMoved", (90, 60), buttons=1)
    pointers.press("mouseMoved", (90, 150), button="none", buttons=0)
    pointers.press("mouseMoved", (90, 200), button="none", buttons=0)
    assert at(page, 75, 60) == 0
    assert at(page, 90, 180) == 255
    assert depth(page) == 2
    pointers.press("mouseReleased", (90, 200))


@pytest.mark.parametrize("button", [3, 4])
def test_buttons_that_turn_pages_draw_nothing(page: Page, button: int) -> None:
    session(page, BY_HAND, [button, 2**button])
    assert (mask_of(page) == 255).all()
    assert depth(page) == 1


@pytest.mark.long
def test_smart_stroke_stays_where_the_next_one_begins_before_its_edge_is_found(page: Page) -> None:
    session(page, HOLD)
    set_tool(page, "smart", size=30)
    drag(page, (60, 60), (120, 60))
    set_tool(page, "brush", size=20)
    drag(page, (60, 70), (60, 160))
    last = mask_of(page)
    assert [at(page, *place) for place in ((100, 60), (60, 150))] == [0, 0]
    page.evaluate("() => window.release()")
    settle(page)
    assert np.array_equal(mask_of(page), last)
    assert depth(page) == 3
    undone(page)


def test_smart_stroke_is_undone_before_its_edge_is_found(page: Page) -> None:
    session(page, HOLD)
    set_tool(page, "smart", size=30)
    drag(page, (60, 60), (120, 60))
    press(page, "Control+z")
    assert (mask_of(page) == 255).all()
    page.evaluate("() => window.release()")
    settle(page)
    assert (mask_of(page) == 255).all()
    press(page, "Control+y")
    assert at(page, 90, 60) == 0


@pytest.mark.long
def test_smart_stroke_is_kept_where_the_editor_is_left_before_its_edge_is_found(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, photo_files[0])
    fill(page, 255)
    session(page, HOLD)
    set_tool(page, "smart", mode="erase", size=30)
    drag(page, (60, 60), (120, 60))
    address = page.url
    page.get_by_role("button", name="Back").click()
    page.get_by_role("region", name="Photos").wait_for()
    page.goto(address)
    ready(page)
    assert at(page, 90, 60) == 0
    assert depth(page) == 2


def test_shift_draws_a_line_with_the_smart_brush(page: Page) -> None:
    set_tool(page, "smart", size=30)
    click(page, (60, 60))
    poll(lambda: depth(page) == 2, what="the edge", seconds=15)
    page.keyboard.down("Shift")
    click(page, (160, 60))
    page.keyboard.up("Shift")
    poll(lambda: depth(page) == 3, what="the edge", seconds=15)
    assert at(page, 110, 60) == 0


def test_answer_of_a_model_takes_nothing_from_the_stroke_that_is_painted(page: Page) -> None:
    [first, second, last] = on_screen(page, (60, 60), (90, 60), (120, 60))
    page.mouse.move(*first)
    page.mouse.down()
    page.mouse.move(*second)
    session(page, "(editing) => editing.whole((actions) => actions.detectAgain())")
    page.mouse.move(*last)
    page.mouse.up()
    # The stroke until then, the model's cut-out, and the rest of the stroke.
    assert depth(page) == 4
    assert at(page, 120, 60) == 0
    press(page, "Control+z", "Control+z")
    assert at(page, 75, 60) == 0
    undone(page)


@pytest.mark.parametrize("way", ["Escape", "b"])
def test_first_corner_of_a_rectangle_is_dropped(page: Page, way: str) -> None:
    set_tool(page, "rectangle")
    click(page, (60, 60))
    poll(lambda: session(page, "({overlay}) => Boolean(overlay.value?.path)"), what="the corner")
    press(page, way)
    assert not session(page, "({overlay}) => Boolean(overlay.value?.path)")
    expect(page.get_by_role("button", name="Apply", exact=True)).to_have_count(0)


def test_other_screen_with_other_pixels_moves_nothing(page: Page) -> None:
    """A window that is moved to a screen with finer px keeps its size in CSS px."""
    before = seen(page)
    size = page.viewport_size
    assert size
    finer = {"width": size["width"], "height": size["height"], "deviceScaleFactor": 2, "mobile": False}
    browser = page.context.new_cdp_session(page)
    browser.send("Emulation.setDeviceMetricsOverride", finer)
    poll(lambda: page.evaluate("() => devicePixelRatio") == 2, what="the other screen")
    page.mouse.move(*on_screen(page, (100, 100))[0])
    settle(page)
    after = seen(page)
    browser.send("Emulation.clearDeviceMetricsOverride")
    assert after.width == 2 * before.width
    assert difference(before, after) < 2
