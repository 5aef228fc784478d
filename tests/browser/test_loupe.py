"""The magnifier beside a finger that paints."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.editor import open_photo, session, settle, stage
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import Pointers, at, on_screen, set_tool
from tests.support.studio import Tabs

# How much of the circle around a place of the stage, in CSS px, is covered by what lies over the picture.
COVERED = """({stage}, [x, y]) => {
  const {context, canvas} = stage.overlay;
  const ratio = canvas.width / canvas.clientWidth;
  const side = Math.round(40 * ratio);
  const {data} = context.getImageData(x * ratio - side / 2, y * ratio - side / 2, side, side);
  let covered = 0;
  for (let at = 3; at < data.length; at += 4) covered += data[at] === 255;
  return covered / (side * side);
}"""


@pytest.fixture
def page(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> Page:
    phone = {"width": 390, "height": 844}
    tab = tabs.open(direct.url, viewport=phone, has_touch=True, is_mobile=True)
    open_photo(tab, photo_files[0])
    set_tool(tab.page, "brush", mode="erase", size=30, hardness=1, opacity=1)
    session(tab.page, "(session) => { session.compareBy('off'); }")
    return tab.page


def covered(page: Page, finger: tuple[float, float], side: int) -> float:
    """Return how much is covered beside a finger: `side` -1 is the left, 1 the right."""
    settle(page)
    box = stage(page).bounding_box()
    assert box
    place = [finger[0] - box["x"] + side * 104, max(64, finger[1] - box["y"] - 78)]
    return float(session(page, COVERED, place))


@pytest.mark.long
def test_finger_has_a_magnifier_while_it_paints(page: Page) -> None:
    fingers = Pointers(page)
    near, left = on_screen(page, (190, 120), (20, 120))
    fingers.touch("touchStart", near)
    fingers.touch("touchMove", near)
    assert covered(page, near, -1) == 1
    # At the edge it moves to the other side.
    fingers.touch("touchMove", left)
    assert covered(page, left, 1) == 1
    fingers.touch("touchEnd")
    assert covered(page, left, 1) == 0
    assert at(page, 190, 120) == 0


@pytest.mark.long
def test_mouse_needs_no_magnifier(page: Page) -> None:
    (near,) = on_screen(page, (190, 120))
    page.mouse.move(*near)
    page.mouse.down()
    page.mouse.move(near[0] + 2, near[1])
    assert covered(page, near, -1) == 0
    page.mouse.up()
