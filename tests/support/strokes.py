"""Paint on the editor's stage: by mouse, pen, fingers and keys, at positions in px of the picture."""

import base64
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import CDPSession, Page

from tests.support.editor import session, stage
from tests.support.waiting import poll

Place = tuple[float, float]


def set_tool(page: Page, tool: str, **settings: Any) -> None:
    """Choose a tool and its settings: mode, size, hardness, opacity, tolerance, feather, grow ..."""
    change = """({settings}, [tool, values]) => {
      settings.tool.value = tool;
      for (const [name, value] of Object.entries(values)) settings[name].value = value;
    }"""
    session(page, change, [tool, settings])


def on_screen(page: Page, *places: Place) -> list[Place]:
    """Return where px of the picture are in the window."""
    read = (
        "({viewport}, places) => places.map(([x, y]) => { const at = viewport.toScreen(x, y); return [at.x, at.y]; })"
    )
    return [(x, y) for x, y in session(page, read, [list(place) for place in places])]


def drag(page: Page, *places: Place, button: Any = "left", steps: int = 4) -> None:
    """Drag the mouse along places of the picture."""
    screen = on_screen(page, *places)
    page.mouse.move(*screen[0])
    page.mouse.down(button=button)
    for place in screen[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up(button=button)


def click(page: Page, place: Place, button: Any = "left") -> None:
    drag(page, place, button=button)


def press(page: Page, *keys: str) -> None:
    """Press keys while the stage has the focus."""
    stage(page).focus()
    for key in keys:
        page.keyboard.press(key)


def at(page: Page, x: int, y: int) -> int:
    """Return the cut-out's level of a pixel."""
    return int(session(page, "({document}, [x, y]) => document.mask.at(x, y)", [x, y]))


def depth(page: Page) -> int:
    """Return how many steps can be undone."""
    return int(session(page, "({document}) => document.history.depth"))


def ready(page: Page) -> None:
    """Wait until the editor can be used."""
    stage(page).wait_for()
    poll(lambda: session(page, "(session) => Boolean(session?.complete.value)"), what="the editor", seconds=20)


def said(page: Page) -> str:
    """Return what the page has said last."""
    return page.locator("p[role=status]").inner_text()


class Pointers:
    """Pens and fingers, by the browser's own protocol."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._browser: CDPSession = page.context.new_cdp_session(page)

    def pen(self, places: Sequence[Place], force: float = 1, button: str = "left", buttons: int = 1) -> None:
        """Draw with a pen: `force` 0 to 1; button "right" is the barrel's."""
        how: dict[str, Any] = {"pointerType": "pen", "button": button}
        self.press("mousePressed", places[0], **how, force=force, buttons=buttons)
        for place in places[1:]:
            self.press("mouseMoved", place, **how, force=force, buttons=buttons)
        self.press("mouseReleased", places[-1], **how, force=0)

    def press(self, kind: str, place: Place, **how: Any) -> None:
        """Send mousePressed, mouseMoved or mouseReleased of a mouse or a pen at a place of the picture."""
        [(x, y)] = on_screen(self._page, place)
        event = {"button": "left", "clickCount": 1, "type": kind, "x": x, "y": y, **how}
        self._browser.send("Input.dispatchMouseEvent", event)

    def touch(self, kind: str, *fingers: Place) -> None:
        """Send touchStart, touchMove, touchEnd or touchCancel with the fingers' places in the window."""
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(fingers)]
        self._browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


FILL: Final = """({document: {mask, history}}, [level, data]) => {
  const step = history.begin("test");
  mask.tiles.forEach((_, n) => step.touch(n));
  const rect = {x: 0, y: 0, width: mask.width, height: mask.height};
  const even = new Uint8Array(mask.width * mask.height).fill(level);
  const bytes = data ? Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)) : even;
  mask.write(rect, bytes);
  mask.changed(rect);
  step.commit();
}"""


def fill(page: Page, levels: int | NDArray[np.uint8]) -> None:
    """Give the whole cut-out one level, or the levels of an array, in one step."""
    data = "" if isinstance(levels, int) else base64.b64encode(levels.tobytes()).decode()
    session(page, FILL, [levels if isinstance(levels, int) else 0, data])


def reset(page: Page) -> None:
    """Drop selections and all steps, and erase everything."""
    session(
        page,
        """({tools, viewport, document}) => {
          for (const tool of tools.values()) tool.discard?.();
          const {mask, history} = document;
          mask.tiles.forEach((tile) => tile.fill(0));
          mask.changed({x: 0, y: 0, width: mask.width, height: mask.height});
          history.restore([], 0);
          viewport.fit();
        }""",
    )
