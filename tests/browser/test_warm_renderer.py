"""The renderer that has the photo before the cut-out is there: without WebGL, left early, with a lost context."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from tests.support.editor import (
    add_photo,
    difference,
    export,
    mask_of,
    on_stage,
    open_photo,
    seen,
    session,
    set_options,
)
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.strokes import ready
from tests.support.studio import Tab, Tabs
from tests.support.waiting import poll

# Counts the contexts that live.
CONTEXTS: Final = """
window.contexts = [];
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const made = context.call(this, kind, ...rest);
  if (kind === "webgl2" && made && !contexts.includes(made)) contexts.push(made);
  return made;
};
"""
ALIVE: Final = "contexts.filter((one) => !one.isContextLost()).length"
# The context is there, but no shader becomes a program.
BROKEN: Final = "WebGL2RenderingContext.prototype.getProgramParameter = () => false;"
MIDDLE: Final = """(canvas) =>
  [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]"""
# What is drawn from the moment on that the graphics card has nothing.
FRAMES: Final = """async ({stage: {renderer}}) => {
  const draw = renderer.draw.bind(renderer);
  window.frames = [];
  renderer.draw = (scene) => {
    const more = draw(scene);
    frames.push({more, url: renderer.canvas.toDataURL()});
    return more;
  };
  const loss = renderer.gl.getExtension("WEBGL_lose_context");
  loss.loseContext();
  await new Promise((done) => setTimeout(done, 50));
  loss.restoreContext();
}"""


@pytest.fixture
def tab(direct: Gunicorn, tabs: Tabs) -> Tab:
    context = tabs.context()
    context.add_init_script(CONTEXTS)
    return tabs.open(direct.url, context=context)


@contextmanager
def held_matte(tab: Tab) -> Iterator[list[Route]]:
    """Hold the requests for cut-outs until the block ends."""
    held: list[Route] = []
    tab.page.route("**/matte", lambda route: held.append(route))
    yield held
    for route in held:
        route.continue_()
    tab.page.unroute("**/matte")


def warmed(tab: Tab) -> None:
    poll(lambda: tab.page.evaluate(ALIVE) == 1, what="the renderer")


@pytest.mark.long
def test_graphics_card_without_working_shaders_is_not_used(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    context = tabs.context()
    context.add_init_script(BROKEN)
    tab = tabs.open(direct.url, context=context)
    add_photo(tab, photo_files[0])
    ready(tab.page)
    assert session(tab.page, "({stage}) => stage.renderer.kind") == "2d"


@pytest.mark.long
def test_editor_left_before_the_cut_out_is_there_gives_its_context_back(tab: Tab, photo_files: list[Path]) -> None:
    page = tab.page
    with held_matte(tab):
        made = add_photo(tab, photo_files[0])
        warmed(tab)
        page.get_by_role("button", name="Back").first.click()
        expect(page.get_by_role("region", name="Editor")).to_have_count(0)
        assert page.evaluate(ALIVE) == 0
    page.evaluate("(id) => { location.hash = `#/edit/${id}`; }", made)
    ready(page)
    assert session(page, "({stage}) => stage.renderer.kind") == "webgl2"
    assert page.evaluate(ALIVE) == 1


@pytest.mark.parametrize("shaders", ["", pytest.param(BROKEN, marks=pytest.mark.long)])
def test_photo_is_seen_while_the_model_works(direct: Gunicorn, tabs: Tabs, tmp_path: Path, shaders: str) -> None:
    context = tabs.context()
    context.add_init_script(shaders)
    tab = tabs.open(direct.url, context=context)
    path = tmp_path / "large.png"
    path.write_bytes(encoded(Image.new("RGB", (2300, 1530), (200, 60, 20)), "PNG"))
    with held_matte(tab):
        add_photo(tab, path, "image/png")
        waiting = tab.page.get_by_role("region", name="Editor").locator("canvas")
        expect(waiting).to_be_visible()
        assert waiting.evaluate(MIDDLE) == [200, 60, 20, 255]
        # As large as the photo itself would be, of which it is a small copy.
        box = waiting.bounding_box()
        assert box
        assert box["width"] == 1000
    ready(tab.page)
    expect(waiting).to_have_count(2)


@pytest.mark.long
def test_photo_is_seen_on_a_phone_while_the_model_works(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    with held_matte(tab):
        add_photo(tab, photo_files[0])
        image = tab.page.get_by_role("region", name="Editor").locator("img")
        expect(image).to_be_visible()
        poll(lambda: image.evaluate("(image) => image.naturalWidth > 0"), what="the photo")
    ready(tab.page)


@pytest.mark.parametrize("back", ["before", pytest.param("after", marks=pytest.mark.long)])
def test_context_lost_before_the_cut_out_is_there_comes_back(tab: Tab, photo_files: list[Path], back: str) -> None:
    page = tab.page
    restore = "loss.restoreContext(); new Promise((done) => setTimeout(done, 50))"
    with held_matte(tab):
        add_photo(tab, photo_files[0])
        warmed(tab)
        page.evaluate(
            "window.loss = contexts.at(-1).getExtension('WEBGL_lose_context'); loss.loseContext(); "
            "new Promise((done) => setTimeout(done, 50))"
        )
        if back == "before":
            page.evaluate(restore)
    ready(page)
    if back == "after":
        page.evaluate(restore)
    poll(lambda: page.evaluate(ALIVE) == 1, what="the context")
    session(page, "(session) => { session.compareBy('off'); session.viewport.actual(); }")
    set_options(page, background="#3b82f6")
    exported = Image.open(io.BytesIO(export(page)))
    # Edges are cleaned by a worker after the first frame.
    poll(lambda: difference(seen(page), exported) <= 2, what="a stage like the export")


@pytest.mark.long
def test_cut_out_of_another_size_than_the_photo_gets_its_own_renderer(tab: Tab, photo_files: list[Path]) -> None:
    page = tab.page
    mask = encoded(Image.new("L", (120, 120), 200), "PNG")
    page.route("**/matte", lambda route: route.fulfill(body=mask, content_type="image/png"))
    add_photo(tab, photo_files[0])
    ready(page)
    assert mask_of(page).shape == (120, 120)
    assert session(page, "({stage}) => stage.renderer.source.mask.width") == 120
    assert page.evaluate(ALIVE) == 1


@pytest.mark.long
def test_large_photo_is_shown_whole_before_its_tiles_are_there(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "large.jpg"
    with Image.open(photo_files[0]) as photo:
        path.write_bytes(encoded(photo.convert("RGB").resize((2300, 1530)), "JPEG"))
    tab = tabs.open(direct.url)
    page = tab.page
    open_photo(tab, path)
    set_options(page, background="#3b82f6")
    session(page, "(session) => session.compareBy('off')")
    exported = Image.open(io.BytesIO(export(page)))
    session(page, FRAMES)
    poll(lambda: page.evaluate("frames.length && !frames.at(-1).more"), what="every tile")
    first, *_, last = page.evaluate("frames")
    # The first frame has no tile, as that of a new photo.
    assert first["more"]
    assert difference(on_stage(page, first["url"]), exported) <= 3
    assert difference(on_stage(page, last["url"]), exported) <= 2
