"""Selections and the smart brush on the stage, and what is done to the whole cut-out."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Route

from tests.support.editor import add_photo, mask_of, open_photo, session, stage
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import at, click, depth, drag, fill, press, reset, said, set_tool
from tests.support.studio import Tab, Tabs, one_tab
from tests.support.waiting import poll

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long

SIZE = (320, 240)
# Two green discs on violet.
FIRST, SECOND, RADIUS = (90, 120), (230, 120), 50
ACTIONS = """async ({document, say}, [name, ...values]) => {
  const main = globalThis.document.querySelector("script[type=module]").src;
  const { createActions } = await import(main.replace("app/main.js", "editor/tools/actions.js"));
  await createActions({document, say})[name](...values);
}"""


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    picture = Image.new("RGB", SIZE, (120, 60, 160))
    draw = ImageDraw.Draw(picture)
    for x, y in (FIRST, SECOND):
        draw.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill=(60, 190, 70))
    grain = np.random.default_rng(5).integers(-3, 4, (SIZE[1], SIZE[0], 1))
    path = tmp_path_factory.mktemp("discs") / "discs.png"
    Image.fromarray((np.asarray(picture) + grain).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def opened(direct: Gunicorn, browser: Browser, discs: Path) -> Iterator[Tab]:
    with one_tab(browser, direct.url, reduced_motion="reduce") as tab:
        open_photo(tab, discs, "image/png")
        yield tab


@pytest.fixture
def editor(opened: Tab) -> Tab:
    """The editor with two discs, all kept, after one step."""
    reset(opened.page)
    fill(opened.page, 255)
    return opened


def disc(centre: tuple[int, int], radius: float = RADIUS) -> NDArray[np.bool_]:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    return np.asarray(np.hypot(x - centre[0], y - centre[1]) <= radius)


def pending(tab: Tab) -> bool:
    read = "({tools, settings}) => tools.get(settings.tool.value).pending.value"
    return bool(session(tab.page, read))


def closed(tab: Tab) -> bool:
    return bool(session(tab.page, "({overlay}) => overlay.value?.closed && overlay.value.path.length > 2"))


def apply(tab: Tab, steps: int, enters: int = 1) -> NDArray[np.uint8]:
    """Apply the selection by Enter; returns the cut-out after that many steps in all."""
    poll(lambda: pending(tab), what="a selection", seconds=15)
    press(tab.page, *["Enter"] * enters)
    poll(lambda: depth(tab.page) == steps, what="the step", seconds=15)
    return mask_of(tab.page)


def test_smart_brush_gets_ready_unseen_and_waits_for_nothing_in_its_worker(
    direct: Gunicorn, tabs: Tabs, discs: Path
) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    before = """async () => {
      const main = document.querySelector("script[type=module]").src;
      const { SmartBrush } = await import(main.replace("app/main.js", "editor/tools/smart.js"));
      const warmUp = SmartBrush.prototype.warmUp;
      SmartBrush.prototype.warmUp = async function () {
        const { document } = this.context;
        const run = document.work.run;
        window.asked = [];
        document.work.run = (name, ...parts) => { asked.push(name); return run(name, ...parts); };
        const mask = document.mask.toBytes();
        await warmUp.call(this);
        window.unseen = document.mask.toBytes().every((level, i) => level === mask[i]) && !document.history.depth;
      };
    }"""
    page.evaluate(before)
    open_photo(tab, discs, "image/png")
    poll(lambda: page.evaluate("window.unseen") is True, what="the edges that nobody sees")
    assert page.evaluate("asked") == ["edge"] * 4
    set_tool(page, "smart", mode="erase", size=40, sampleHair=False)
    drag(page, (FIRST[0] - 20, FIRST[1]), (FIRST[0] + 20, FIRST[1]))
    poll(lambda: depth(page) == 1, what="the stroke")
    # Edges are cleaned and edits are saved by a worker of their own.
    poll(lambda: page.title() and workers(page) == 2, what="the other worker")
    assert set(page.evaluate("asked")) == {"edge"}
    page.get_by_role("button", name="Back").click()
    poll(lambda: page.title() and workers(page) == 0, what="the end")


def test_tool_that_is_still_loading_does_what_the_pointer_has_done(direct: Gunicorn, tabs: Tabs, discs: Path) -> None:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    page = tab.page
    held: list[Route] = []
    page.route("**/tools/wand.js", lambda route: held.append(route))
    add_photo(tab, discs, "image/png")
    page.get_by_role("button", name="Magic wand").wait_for()
    fill(page, 255)
    # The brush waits for no other tool.
    set_tool(page, "brush", mode="erase", size=20, hardness=1, opacity=1)
    click(page, SECOND)
    assert (depth(page), at(page, *SECOND)) == (2, 0)
    page.get_by_role("button", name="Magic wand").click()
    click(page, FIRST)
    poll(lambda: page.title() and held, what="the tool's file")
    assert not pending(tab)
    page.unroute("**/tools/wand.js")
    poll(lambda: pending(tab), what="a selection", seconds=15)


def workers(page: Page) -> int:
    """Return how many workers the editor has."""
    return sum(one.url.endswith("/mask.js") for one in page.workers)


@pytest.mark.parametrize("contiguous", [True, False])
def test_wand_takes_one_part_or_all_of_the_colour(editor: Tab, contiguous: bool) -> None:
    set_tool(editor.page, "wand", mode="erase", tolerance=12, contiguous=contiguous)
    click(editor.page, FIRST)
    found = apply(editor, 2)
    # The edge follows the photo's colours and their grain.
    assert found[disc(FIRST, RADIUS - 3)].max() < 6
    second = found[disc(SECOND, RADIUS - 3)]
    assert second.min() == 255 if contiguous else second.max() < 6
    assert found[~disc(FIRST, RADIUS + 3) & ~disc(SECOND, RADIUS + 3)].min() > 249


def test_drag_with_the_wand_changes_the_tolerance_while_it_goes(editor: Tab) -> None:
    page = editor.page
    set_tool(page, "wand", mode="erase", tolerance=2, contiguous=True)
    shown = "({overlay}) => { const {region} = overlay.value ?? {}; return region ? region.width * region.height : 0; }"
    drag(page, FIRST, (SIZE[0] - 5, 120), steps=20)
    assert session(page, "({settings}) => settings.tolerance.value") > 60
    poll(lambda: session(page, shown) == SIZE[0] * SIZE[1], what="all of the picture", seconds=15)
    # The slider goes on from the same place.
    session(page, "({settings}) => { settings.tolerance.value = 12; }")
    poll(lambda: 0 < session(page, shown) < 13000, what="one disc", seconds=15)
    press(page, "Escape")
    assert not pending(editor)
    assert depth(page) == 1


@pytest.mark.parametrize("mode", ["erase", "restore", "keep"])
@pytest.mark.parametrize("tool", ["rectangle", "polygon", "lasso", "ellipse"])
def test_outline_erases_restores_or_keeps(editor: Tab, tool: str, mode: str) -> None:
    page = editor.page
    fill(page, 100)
    set_tool(page, tool, mode=mode)
    corners = [(60, 50), (200, 50), (200, 150), (60, 150)]
    if tool == "polygon":
        for corner in corners:
            click(page, corner)
        # It is closed first, and used by the next Enter.
        press(page, "Enter")
        assert depth(page) == 2
    elif tool == "lasso":
        drag(page, *corners, corners[0])
    else:
        drag(page, corners[0], corners[2])
    found = apply(editor, 3)
    inside, outside = {"erase": (0, 100), "restore": (255, 100), "keep": (100, 0)}[mode]
    assert found[100, 130] == inside
    assert found[200, 300] == found[20, 20] == outside
    # Of an ellipse the corners are outside.
    assert found[53, 63] == (outside if tool == "ellipse" else inside)


def test_rectangle_needs_no_drag(editor: Tab) -> None:
    set_tool(editor.page, "rectangle", mode="erase")
    click(editor.page, (60, 50))
    click(editor.page, (200, 150))
    found = apply(editor, 2)
    assert (found[51:149, 61:199] == 0).all()
    assert (found[:49] == 255).all()


def test_selection_grows_and_gets_a_soft_edge_before_it_is_used(editor: Tab) -> None:
    page = editor.page
    set_tool(page, "rectangle", mode="erase", feather=0, grow=0)
    drag(page, (100, 100), (200, 150))
    session(page, "({settings}) => { settings.grow.value = 10; settings.feather.value = 8; }")
    found = apply(editor, 2)
    assert found[100:150, 100:200].max() < 8
    row = found[125, 60:101].astype(int)
    assert (np.diff(row) <= 0).all()
    assert abs(row[30] - 128) < 30
    set_tool(page, "rectangle", feather=0, grow=0)


def test_corner_of_a_polygon_is_taken_back_moved_and_dropped(editor: Tab) -> None:
    page = editor.page
    set_tool(page, "polygon", mode="erase")
    for corner in [(60, 50), (200, 50), (200, 150), (20, 20)]:
        click(page, corner)
    press(page, "Backspace")
    click(page, (60, 150))
    assert apply(editor, 2, enters=2)[140, 65] == 0
    fill(page, 255)
    for corner in [(60, 50), (200, 50), (200, 150)]:
        click(page, corner)
    # A click on the first corner closes it; then a corner is dragged.
    click(page, (60, 50))
    assert closed(editor)
    drag(page, (200, 150), (60, 150))
    found = apply(editor, depth(page) + 1)
    assert found[140, 65] == 0
    assert found[140, 190] == 255


def test_double_click_closes_a_polygon(editor: Tab) -> None:
    page = editor.page
    set_tool(page, "polygon", mode="erase")
    for corner in [(60, 50), (200, 50), (200, 150), (200, 150)]:
        assert not closed(editor)
        click(page, corner)
    assert closed(editor)
    assert apply(editor, 2)[60, 190] == 0


def test_brush_after_keep_only_erases(editor: Tab) -> None:
    set_tool(editor.page, "rectangle", mode="keep")
    set_tool(editor.page, "brush")
    assert session(editor.page, "({settings}) => settings.mode.value") == "erase"


def test_other_tool_drops_the_selection(editor: Tab) -> None:
    set_tool(editor.page, "rectangle")
    drag(editor.page, (60, 50), (200, 150))
    poll(lambda: pending(editor), what="a selection", seconds=15)
    set_tool(editor.page, "lasso")
    set_tool(editor.page, "rectangle")
    assert not pending(editor)


@pytest.fixture
def smart(editor: Tab) -> Tab:
    """The editor with nothing kept, and the smart brush about as large as a disc's rim is wide."""
    fill(editor.page, 0)
    set_tool(editor.page, "smart", mode="restore", size=40, sampleHair=False)
    return editor


def stroke_inside(tab: Tab) -> None:
    """Paint inside the first disc along its left and lower rim, over the rim in places."""
    drag(tab.page, (62, 95), (56, 120), (66, 146), (90, 158), steps=8)
    poll(lambda: depth(tab.page) == 3, what="the step", seconds=15)


def test_smart_brush_finds_the_edge_beside_the_stroke(smart: Tab) -> None:
    stroke_inside(smart)
    found = mask_of(smart.page).astype(int)
    inside, outside = disc(FIRST, RADIUS - 3), ~disc(FIRST, RADIUS + 3)
    painted = np.zeros(SIZE[::-1], bool)
    painted[90:165, 50:95] = True
    # The stroke's reach goes beyond the disc; nothing of the ground is kept, and the disc's rim is.
    assert found[outside].mean() < 6
    assert found[120, 48] > 150
    assert found[120, 34] < 60
    assert found[painted & inside].mean() > 170


def test_smart_brush_keeps_the_local_edge_where_the_server_refuses(smart: Tab) -> None:
    page = smart.page
    asked: list[str] = []

    def refuse(route: object) -> None:
        asked.append("refine")
        body = json.dumps({"code": "rate_limited", "error": "Too many requests"})
        route.fulfill(status=429, content_type="application/json", headers={"Retry-After": "60"}, body=body)  # type: ignore[attr-defined]

    smart.expect(r"429|refine")
    page.route("**/refine", refuse)
    set_tool(page, "smart", sampleHair=True)
    stroke_inside(smart)
    local = mask_of(page)
    poll(lambda: "quick one is used" in said(page), what="the reason", seconds=15)
    page.unroute("**/refine")
    assert asked
    assert np.array_equal(mask_of(page), local)
    press(page, "Control+z")
    assert not mask_of(page).any()


def test_smart_brush_takes_the_servers_edge_for_hair(smart: Tab) -> None:
    page = smart.page
    set_tool(page, "smart", sampleHair=True)
    with page.expect_response("**/refine") as answer:
        stroke_inside(smart)
    assert answer.value.status == 200
    poll(lambda: depth(page) == 3, what="one step", seconds=15)
    found = mask_of(page)
    assert found[120, 62] > 200
    assert found[120, 20] < 60
    press(page, "Control+z")
    assert not mask_of(page).any()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("invert", [], lambda old: 255 - old),
        ("full", [], lambda old: np.full_like(old, 255)),
        ("empty", [], lambda old: np.zeros_like(old)),
        ("fillHoles", [20], lambda old: np.where(old == 7, 255, old)),
        ("dropSpecks", [30], lambda old: np.where(old == 200, 0, old)),
        ("contrast", [100], lambda old: np.where(old > 127, 255, 0).astype(np.uint8)),
    ],
)
def test_whole_cut_out_is_changed_in_one_step(
    editor: Tab, name: str, values: list[int], expected: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    page = editor.page
    old = np.zeros(SIZE[::-1], np.uint8)
    old[50:200, 50:150] = 255
    # A hole and a speck.
    old[100:104, 100:104], old[20:25, 250:255] = 7, 200
    fill(page, old)
    session(page, ACTIONS, [name, *values])
    assert np.array_equal(mask_of(page), expected(old))
    assert depth(page) == 3
    press(page, "Control+z")
    assert np.array_equal(mask_of(page), old)


def test_models_own_cut_out_comes_back(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    page = tab.page
    open_photo(tab, photo_files[0])
    first = mask_of(page)
    fill(page, 0)
    session(page, ACTIONS, ["reset"])
    assert np.array_equal(mask_of(page), first)
    # Once more only in a part: the rest is ground.
    session(page, ACTIONS, ["detectAgain", {"rect": {"x": 0, "y": 0, "width": 240, "height": 120}}])
    found = mask_of(page)
    assert found[:120].any()
    assert not found[125:].any()
    assert tab.asked("POST /matte") == ["POST /matte"] * 2


def test_opaque_pixels_of_the_export_are_the_photos_after_fifty_edits(editor: Tab, discs: Path) -> None:
    page = editor.page
    paint = """({tools, settings}) => {
      settings.tool.value = "brush";
      for (let i = 0; i < 50; i++) {
        settings.mode.value = i % 2 ? "restore" : "erase";
        Object.assign(settings.size, {value: 10 + i});
        const brush = tools.get("brush");
        brush.begin({x: (i * 67) % 320, y: (i * 41) % 240, pointer: "mouse"});
        brush.move([{x: (i * 97) % 320, y: (i * 29) % 240, pointer: "mouse"}]);
        brush.end({});
      }
    }"""
    session(page, paint)
    mask = mask_of(page)
    with page.expect_download() as waiting:
        press(page, "Control+s")
    exported = Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    assert exported.mode == "RGBA"
    pixels, photo = np.asarray(exported), np.asarray(Image.open(discs).convert("RGB"))
    assert np.array_equal(pixels[..., 3], mask)
    assert 0.2 < (mask == 255).mean() < 0.99
    assert np.array_equal(pixels[mask == 255][:, :3], photo[mask == 255])
    assert stage(page).is_visible()
