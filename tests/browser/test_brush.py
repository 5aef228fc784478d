"""The brush on the stage: bytes, modes, opacity, undo, pens and fingers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

from tests.support.editor import mask_of, open_photo, session, settle
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import Pointers, at, click, depth, drag, fill, on_screen, press, reset, set_tool
from tests.support.studio import Tab, Tabs, one_tab
from tests.web.brush_reference import Brush, Point, painted


@pytest.fixture(scope="module")
def opened(direct: Gunicorn, browser: Browser, photo_files: list[Path]) -> Iterator[Tab]:
    with one_tab(browser, direct.url, reduced_motion="reduce") as tab:
        open_photo(tab, photo_files[0])
        yield tab


@pytest.fixture
def editor(opened: Tab) -> Tab:
    """The editor with a small photograph, all of it kept a bit more than half, and a hard brush of 20 px."""
    reset(opened.page)
    fill(opened.page, 200)
    set_tool(opened.page, "brush", mode="erase", size=20, hardness=1, opacity=1)
    return opened


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of what differs."""
    rows, columns = np.nonzero(before != after)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_stroke_has_the_bytes_of_its_definition(editor: Tab) -> None:
    page = editor.page
    before = mask_of(page)
    read = """({tools}) => {
      const brush = tools.get("brush");
      window.points = [];
      for (const name of ["begin", "move"]) {
        const run = brush[name].bind(brush);
        brush[name] = (parts) => {
          if (name === "move") window.points.push(...parts.map(({x, y}) => [x, y]));
          run(parts);
        };
      }
    }"""
    session(page, read)
    set_tool(page, "brush", hardness=0.4, opacity=0.7)
    drag(page, (40, 50), (120, 70), (90, 130))
    points = [Point(x, y) for x, y in page.evaluate("() => window.points")]
    assert len(points) > 5
    width = before.shape[1]
    expected = painted(before.tobytes(), width, points, Brush(0, 20, 0.4, 0.7))
    assert mask_of(page).tobytes() == expected


def test_erase_takes_away_and_restore_brings_back(editor: Tab) -> None:
    page = editor.page
    click(page, (100.5, 100.5))
    assert at(page, 100, 100) == 0
    assert changed(np.full_like(mask_of(page), 200), mask_of(page)) == (90, 90, 111, 111)
    set_tool(page, "brush", mode="restore")
    click(page, (100.5, 100.5))
    assert at(page, 100, 100) == 255
    # The other button does the opposite, and so does Alt.
    click(page, (100.5, 100.5), button="right")
    assert at(page, 100, 100) == 0
    set_tool(page, "brush", mode="erase")
    page.keyboard.down("Alt")
    click(page, (100.5, 100.5))
    page.keyboard.up("Alt")
    assert at(page, 100, 100) == 255


@pytest.mark.parametrize(("opacity", "level"), [(1, 0), (0.5, 100), (0.25, 150), (0.01, 198)])
def test_opacity_takes_its_share(editor: Tab, opacity: float, level: int) -> None:
    set_tool(editor.page, "brush", opacity=opacity)
    click(editor.page, (100.5, 100.5))
    assert abs(at(editor.page, 100, 100) - level) <= 1


def test_hard_brush_ends_within_a_pixel_and_a_soft_one_falls_evenly(editor: Tab) -> None:
    page = editor.page
    set_tool(page, "brush", size=40)
    click(page, (60.5, 60.5))
    hard = mask_of(page)[60, 60:90]
    assert ((hard > 0) & (hard < 200)).sum() <= 1
    set_tool(page, "brush", hardness=0)
    click(page, (150.5, 60.5))
    soft = mask_of(page)[60, 150:180].astype(int)
    assert (np.diff(soft) >= 0).all()
    assert ((soft > 0) & (soft < 200)).sum() > 14


def test_crossing_stroke_is_not_darker(editor: Tab) -> None:
    page = editor.page
    set_tool(page, "brush", opacity=0.5)
    drag(page, (60, 100), (140, 100), (100, 60), (100, 140))
    levels = set(np.unique(mask_of(page)[92:109, 92:109]))
    assert at(page, 100, 100) == at(page, 70, 100) == 100
    assert min(levels) == 100


def test_stroke_that_leaves_the_stage_goes_on(editor: Tab) -> None:
    page = editor.page
    session(page, "({viewport}) => viewport.actual()")
    places = on_screen(page, (100, 100), (130, 60))
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(2, 2, steps=6)
    page.mouse.move(*places[1], steps=6)
    page.mouse.up()
    assert depth(page) == 2
    assert at(page, 100, 100) == at(page, 130, 60) == 0


def test_shift_draws_a_straight_line_from_the_last_stroke(editor: Tab) -> None:
    page = editor.page
    click(page, (40, 40))
    page.keyboard.down("Shift")
    click(page, (160, 100))
    page.keyboard.up("Shift")
    assert at(page, 100, 70) == 0
    assert at(page, 100, 100) == 200
    assert depth(page) == 3


@pytest.mark.long
def test_two_hundred_steps_are_undone_and_done_again(editor: Tab) -> None:
    page = editor.page
    first = mask_of(page)
    paint = """({tools, settings}, count) => {
      const brush = tools.get("brush");
      for (let i = 0; i < count; i++) {
        settings.mode.value = i % 2 ? "restore" : "erase";
        brush.begin({x: 20 + (i * 37) % 200, y: 20 + (i * 53) % 200, pointer: "mouse"});
        brush.end({x: 0, y: 0});
      }
    }"""
    session(page, paint, 200)
    last = mask_of(page)
    assert depth(page) == 201
    for _ in range(5):
        press(page, "Control+z")
    session(page, "({document}) => { for (let i = 0; i < 195; i++) document.history.undo(); }")
    assert depth(page) == 1
    assert np.array_equal(mask_of(page), first)
    session(page, "({document}) => { while (document.history.redo()); }")
    assert np.array_equal(mask_of(page), last)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Redo").click()
    assert np.array_equal(mask_of(page), last)


@pytest.mark.long
def test_oldest_steps_leave_when_the_history_is_full(editor: Tab) -> None:
    page = editor.page
    session(page, "({document}) => { document.history.budget = 1500; }")
    for x in range(30, 200, 20):
        click(page, (x, 100))
    session(page, "({document}) => document.history.settled()")
    assert 1 <= depth(page) < 9
    assert session(page, "({document}) => document.history.size") <= 1500
    while depth(page):
        press(page, "Control+z")
    session(page, "({document}) => { document.history.budget = 64e6; }")
    # Nothing breaks where there is nothing more to undo.
    press(page, "Control+z")
    assert page.get_by_role("button", name="Undo").is_disabled()


def test_pen_presses_harder_and_its_barrel_does_the_opposite(editor: Tab) -> None:
    page = editor.page
    pointers = Pointers(page)
    set_tool(page, "brush", size=60)
    before = mask_of(page)
    pointers.pen([(60.5, 60.5)], force=0.3)
    left, _, right, _ = changed(before, mask_of(page))
    assert 16 <= right - left <= 22
    # Its opacity is less as well.
    assert 100 < at(page, 60, 60) < 200
    pointers.pen([(160.5, 60.5)], force=1, button="right", buttons=2)
    assert at(page, 160, 60) == 255


@pytest.mark.long
def test_finger_draws_until_a_pen_was_seen_and_then_moves_the_picture(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, has_touch=True)
    page = tab.page
    open_photo(tab, photo_files[0])
    fill(page, 200)
    set_tool(page, "brush", mode="erase", size=20, hardness=1, opacity=1)
    pointers = Pointers(page)
    (place, next_place) = on_screen(page, (100, 100), (120, 100))
    for kind, fingers in (("touchStart", [place]), ("touchMove", [next_place]), ("touchEnd", [])):
        pointers.touch(kind, *fingers)
    assert at(page, 110, 100) == 0
    pointers.pen([(40.5, 40.5)])
    steps, x = depth(page), session(page, "({viewport}) => viewport.x.value")
    for kind, fingers in (("touchStart", [place]), ("touchMove", [next_place]), ("touchEnd", [])):
        pointers.touch(kind, *fingers)
    assert depth(page) == steps
    assert session(page, "({viewport}) => viewport.x.value") < x


@pytest.mark.long
def test_two_fingers_zoom_and_take_back_what_the_first_has_begun(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url, has_touch=True)
    page = tab.page
    open_photo(tab, photo_files[0])
    set_tool(page, "brush", mode="erase", size=20)
    before, steps = mask_of(page), depth(page)
    pointers = Pointers(page)
    (a, b) = on_screen(page, (100, 100), (140, 100))
    scale = session(page, "({viewport}) => viewport.scale.value")
    pointers.touch("touchStart", a, b)
    pointers.touch("touchMove", (a[0] - 40, a[1]), (b[0] + 40, b[1]))
    pointers.touch("touchEnd")
    assert np.array_equal(mask_of(page), before)
    assert depth(page) == steps
    assert session(page, "({viewport}) => viewport.scale.value") > 1.3 * scale


def test_wheel_keeps_the_point_under_the_cursor(editor: Tab) -> None:
    page = editor.page
    session(page, "({viewport}) => viewport.fit()")
    # A wheel's event says whole px of the screen.
    cursor = [round(place) for place in on_screen(page, (70, 90))[0]]
    page.mouse.move(*cursor)
    fixed = session(page, "({viewport}, [x, y]) => { const at = viewport.toImage(x, y); return [at.x, at.y]; }", cursor)
    scales = set()
    for turn in (-200, -400, -600, 300, 500):
        page.mouse.wheel(0, turn)
        settle(page)
        scales.add(session(page, "({viewport}) => viewport.scale.value"))
        now = on_screen(page, fixed)[0]
        assert abs(now[0] - cursor[0]) <= 0.5
        assert abs(now[1] - cursor[1]) <= 0.5
    assert len(scales) == 5
