"""Open photos in the page's editor, and read its cut-out, options and view from the page's own modules."""

import base64
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page
from skimage.color import deltaE_ciede2000, rgb2lab

from tests.support.studio import Tab
from tests.support.waiting import poll

ADD: Final = """async ([name, data, type, options]) => {
  const main = document.querySelector("script[type=module]").src;
  const store = await import(main.replace("main.js", "store.js"));
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const [doc] = store.add([{ name, blob: new Blob([bytes], { type }), options }]);
  return doc.id;
}"""
# The page asks for no WebGL where the browser has none.
NO_WEBGL: Final = """
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : context.call(this, kind, ...rest);
};
"""
SHOWN: Final = """async (value) => {
  const main = document.querySelector("script[type=module]").src;
  const { shown } = await import(main.replace("app/main.js", "editor/editor.js"));
  return await (%s)(shown.value, value);
}"""


def add_photo(tab: Tab, path: Path, mimetype: str = "image/jpeg", **options: str) -> str:
    """Add a photo to the page and go to its editor; returns its id."""
    data = base64.b64encode(path.read_bytes()).decode()
    made = str(tab.page.evaluate(ADD, [path.name, data, mimetype, options]))
    tab.page.evaluate("(id) => { location.hash = `#/edit/${id}`; }", made)
    return made


def open_photo(tab: Tab, path: Path, mimetype: str = "image/jpeg", **options: str) -> str:
    """Add a photo to the page and open it in the editor; returns its id when tools and panels are there."""
    made = add_photo(tab, path, mimetype, **options)
    tab.page.get_by_role("toolbar", name="Tools").wait_for()
    poll(lambda: session(tab.page, "({look, complete}) => complete.value && look.making === 0"), what="the look")
    settle(tab.page)
    return made


def stage(page: Page) -> Locator:
    return page.get_by_role("application", name="Stage")


def settle(page: Page) -> None:
    """Wait until two frames were drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def session(page: Page, read: str, value: Any = None) -> Any:
    """Return what a function of the editor's session, written in JavaScript, returns: `(session, value) => …`."""
    return page.evaluate(SHOWN % read, value)


def mask_of(page: Page) -> NDArray[np.uint8]:
    """Return the cut-out's bytes, height × width."""
    read = """({document: {mask}}) => {
      const bytes = mask.toBytes();
      let text = "";
      for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
      return [mask.width, mask.height, btoa(text)];
    }"""
    width, height, data = session(page, read)
    return np.frombuffer(base64.b64decode(data), dtype=np.uint8).reshape(height, width)


def export_while_offline(page: Page) -> bytes:
    """Take the offer of a picture that the browser makes, and return the file's bytes."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Quick PNG (browser)").last.click()
    return Path(waiting.value.path()).read_bytes()


def set_options(page: Page, **options: str) -> None:
    """Set options of the result, and wait until the stage shows them."""
    session(page, "(session, options) => { session.set(options); }", options)
    poll(lambda: session(page, "({look}) => look.making === 0"), what="the look")
    settle(page)


def export(page: Page) -> bytes:
    """Export by the button, and return the file's bytes."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export", exact=True).click()
    return Path(waiting.value.path()).read_bytes()


def frame_on_screen(page: Page) -> tuple[float, float, float, float]:
    """Return left, top, width and height of the result's canvas on the screen, in CSS px."""
    read = """({viewport, look}) => {
      const {frame} = look.layout.value;
      const {x, y} = viewport.toScreen(frame.x, frame.y);
      const whole = (at) => Math.round(at * devicePixelRatio) / devicePixelRatio;
      return [whole(x), whole(y), frame.width * viewport.scale.value, frame.height * viewport.scale.value];
    }"""
    left, top, width, height = session(page, read)
    return left, top, width, height


def seen(page: Page) -> Image.Image:
    """Return the result as the stage draws it, without what lies over it."""
    return on_stage(page, session(page, "({stage}) => { stage.draw(); return stage.renderer.canvas.toDataURL(); }"))


def on_stage(page: Page, url: str) -> Image.Image:
    """Return the result in a picture of the whole stage."""
    across = session(page, "({stage}) => stage.element.clientWidth")
    whole = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    box = stage(page).bounding_box()
    assert box
    ratio = whole.width / across
    left, top, width, height = frame_on_screen(page)
    left, top = left - box["x"], top - box["y"]
    return whole.crop(tuple(round(side * ratio) for side in (left, top, left + width, top + height)))


def difference(shown: Image.Image, made: Image.Image) -> float:
    """Return the mean ΔE2000 between what is shown and what was made, resized to it."""
    size = shown.size
    reduced = made.convert("RGB").resize(
        size, Image.Resampling.BOX if made.width >= size[0] else Image.Resampling.BICUBIC
    )
    one, other = (rgb2lab(np.asarray(picture)) for picture in (shown, reduced))
    return float(deltaE_ciede2000(one, other).mean())
