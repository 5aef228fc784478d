"""Objects that are found by clicks: marks, waiting, failures, and servers without a model for it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Route, expect

from services.inference.catalogue import CATALOGUE, digest
from tests.support import tiny_models
from tests.support.barriers import DESKTOP, PHONE, SCHEMES_AND_SIZES, violations
from tests.support.editor import mask_of, open_photo, session
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.strokes import Pointers, click, depth, fill, on_screen, press, set_tool
from tests.support.studio import Tab, Tabs
from tests.support.waiting import ROOT, poll

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long

# The real `sam` is not available, so the server's catalogue gets the checksums of the tiny one.
PATCH = """
import dataclasses, sys
sys.path.insert(0, {root!r})
from services.inference.catalogue import CATALOGUE
sums = {sums!r}
spec = CATALOGUE["sam"]
files = tuple(dataclasses.replace(file, checksum=sums[file.name]) for file in spec.files)
CATALOGUE["sam"] = dataclasses.replace(spec, files=files)
"""
# A pen's other end by hand: the protocol has no such button.
OTHER_END = """({viewport, stage}, [x, y]) => {
  const at = viewport.toScreen(x, y);
  const pen = {pointerType: "pen", pointerId: 77, pressure: 1, bubbles: true, cancelable: true, button: 5};
  const common = {...pen, clientX: at.x, clientY: at.y};
  stage.element.dispatchEvent(new PointerEvent("pointerdown", {...common, buttons: 32}));
  stage.element.dispatchEvent(new PointerEvent("pointerup", {...common, buttons: 0}));
}"""
# What the page sends with a request.
PROMPTS = """() => {
  const append = FormData.prototype.append;
  window.prompts = [];
  FormData.prototype.append = function (name, ...value) {
    if (name === "prompt") window.prompts.push(value[0]);
    return append.call(this, name, ...value);
  };
}"""


@pytest.fixture(scope="module")
def with_sam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """The service with u2netp and a tiny stand-in for sam, which finds what is bright around the first point."""
    folder, site = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "models/u2netp.onnx", folder)
    tiny_models.sam(folder)
    sums = {file.name: f"sha256:{digest(folder / file.name)}" for file in CATALOGUE["sam"].files}
    (site / "sitecustomize.py").write_text(PATCH.format(root=str(ROOT), sums=sums))
    with Gunicorn(REMBG_SESSION_PATH=folder, MODELS_ENABLED="sam", PYTHONPATH=site, MAX_LOADED_MODELS=2) as running:
        yield running


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    picture = Image.new("RGB", (320, 240), "black")
    ImageDraw.Draw(picture).ellipse((60, 90, 120, 150), fill="white")
    path = tmp_path_factory.mktemp("ball") / "ball.png"
    picture.save(path)
    return path


def answered(tab: Tab) -> None:
    """Wait until the model's answer is on the stage."""
    poll(lambda: not session(tab.page, "({tools}) => tools.get('object').busy.value"), what="the answer", seconds=15)


def test_object_is_found_by_points(with_sam: Gunicorn, tabs: Tabs, ball: Path) -> None:
    tab = tabs.open(with_sam.url)
    page = tab.page
    open_photo(tab, ball, "image/png")
    fill(page, 255)
    poll(lambda: session(page, "({tools}) => tools.has('object')"), what="the tool", seconds=15)
    set_tool(page, "object", mode="keep")
    page.evaluate(PROMPTS)
    for place, button in (((90, 120), "left"), ((200, 30), "right")):
        with page.expect_response("**/matte"):
            click(page, place, button=button)
    sent = [json.loads(prompt) for prompt in page.evaluate("() => window.prompts")]
    assert [[mark["label"] for mark in marks] for marks in sent] == [[1], [1, 0]]
    assert sent[1][0]["data"] == pytest.approx([90, 120], abs=1)
    press(page, "Enter")
    poll(lambda: depth(page) == 2, what="the step")
    found = mask_of(page)
    assert found[120, 90] > 200
    assert found[30, 250] < 60


def test_finger_leaves_a_part_out(with_sam: Gunicorn, tabs: Tabs, ball: Path) -> None:
    """A finger has no other button: a choice beside the tool says what its next touch does."""
    tab = tabs.open(with_sam.url, viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, ball, "image/png")
    page.get_by_role("toolbar", name="Tools").get_by_role("button", name="Object").click()
    page.evaluate(PROMPTS)
    choice = page.get_by_role("radiogroup", name="What a click does")
    assert choice.get_by_role("radio", name="Add").is_checked()
    touch(tab, (90, 120))
    choice.get_by_text("Leave out").tap()
    assert choice.get_by_role("radio", name="Leave out").is_checked()
    touch(tab, (200, 30))
    sent = [json.loads(prompt) for prompt in page.evaluate("() => window.prompts")]
    assert [[mark["label"] for mark in marks] for marks in sent] == [[1], [1, 0]]
    assert sent[1][1]["data"] == pytest.approx([200, 30], abs=2)
    assert session(page, "({overlay}) => overlay.value.marks.map(({adds}) => adds)") == [True, False]
    # The next object begins with what belongs to it.
    page.get_by_role("button", name="Discard").tap()
    assert choice.get_by_role("radio", name="Add").is_checked()
    touch(tab, (90, 120))
    assert [mark["label"] for mark in json.loads(page.evaluate("() => window.prompts.at(-1)"))] == [1]


def test_pen_takes_in_with_its_tip_and_leaves_out_with_its_barrel_or_other_end(
    with_sam: Gunicorn, tabs: Tabs, ball: Path
) -> None:
    tab = tabs.open(with_sam.url, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, ball, "image/png")
    fill(page, 255)
    poll(lambda: session(page, "({tools}) => tools.has('object')"), what="the tool", seconds=15)
    set_tool(page, "object", mode="keep")
    page.evaluate(PROMPTS)
    pointers = Pointers(page)
    with page.expect_response("**/matte"):
        pointers.pen([(90, 120)], force=0.3)
    answered(tab)
    with page.expect_response("**/matte"):
        pointers.pen([(200, 30)], button="right", buttons=2)
    answered(tab)
    with page.expect_response("**/matte"):
        session(page, OTHER_END, [250, 200])
    answered(tab)
    sent = [json.loads(prompt) for prompt in page.evaluate("() => window.prompts")]
    assert [[mark["label"] for mark in marks] for marks in sent] == [[1], [1, 0], [1, 0, 0]]
    assert sent[2][2]["data"] == pytest.approx([250, 200], abs=1)
    # A drag is a box around the object.
    with page.expect_response("**/matte"):
        pointers.pen([(50, 80), (90, 120), (130, 160)])
    answered(tab)
    box = json.loads(page.evaluate("() => window.prompts.at(-1)"))[-1]
    assert (box["type"], box["data"]) == ("rectangle", pytest.approx([50, 80, 130, 160], abs=1))
    press(page, "Enter")
    poll(lambda: depth(page) == 2, what="the step")
    found = mask_of(page)
    assert found[120, 90] > 200
    assert found[30, 250] < 60


def touch(tab: Tab, place: tuple[int, int]) -> None:
    """Touch a place of the picture with a finger, and wait for the model's answer."""
    pointers = Pointers(tab.page)
    with tab.page.expect_response("**/matte"):
        pointers.touch("touchStart", *on_screen(tab.page, place))
        pointers.touch("touchEnd")
    answered(tab)


@SCHEMES_AND_SIZES
def test_no_state_of_the_tool_has_a_barrier(
    with_sam: Gunicorn, tabs: Tabs, ball: Path, scheme: str, viewport: dict[str, int]
) -> None:
    tab = tabs.open(with_sam.url, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    page = tab.page
    tab.expect("503")
    open_photo(tab, ball, "image/png")
    page.get_by_role("toolbar", name="Tools").get_by_role("button", name="Object").click()
    state = {"chosen": violations(tab)}
    held: list[Route] = []
    answers = {"now": held.append}
    page.route("**/matte", lambda route: answers["now"](route))
    click(page, (90, 120))
    page.get_by_text("Looking for the object").wait_for()
    state["asked"] = violations(tab)
    poll(lambda: page.title() and held, what="the request")
    answers["now"] = lambda route: route.continue_()
    held.pop().continue_()
    answered(tab)
    click(page, (200, 30), button="right")
    answered(tab)
    assert session(page, "({overlay}) => overlay.value.marks.map(({adds}) => adds)") == [True, False]
    state["points"] = violations(tab)
    press(page, "Escape")
    refusal = {"error": "No model", "code": "engine_unavailable", "solution": "Install it"}
    answers["now"] = lambda route: route.fulfill(status=503, json=refusal)
    click(page, (90, 120))
    said = page.locator(".ed-toast").get_by_text("can’t cut out photos at the moment")
    said.wait_for()
    state["failed"] = violations(tab)
    assert {name: one for name, one in state.items() if one} == {}
    # The marks are still there: the same is asked once more.
    answers["now"] = lambda route: route.continue_()
    page.get_by_role("button", name="Try again").click()
    poll(lambda: session(page, "({overlay}) => Boolean(overlay.value?.region)"), what="the object", seconds=15)
    expect(said).to_have_count(0)


def test_place_without_an_object_says_so(with_sam: Gunicorn, tabs: Tabs, ball: Path) -> None:
    tab = tabs.open(with_sam.url)
    page = tab.page
    open_photo(tab, ball, "image/png")
    page.route("**/matte", lambda route: route.fulfill(body=nothing(), content_type="image/png"))
    set_tool(page, "object", mode="keep")
    click(page, (200, 30))
    page.locator(".ed-toast").get_by_text("There is no object here").wait_for()
    assert page.get_by_role("button", name="Try again").count() == 0
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".ed-toast")).to_have_count(0)


def nothing() -> bytes:
    return encoded(Image.new("L", (320, 240)), "PNG")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_tool_is_offered_only_where_a_model_takes_points(
    direct: Gunicorn, tabs: Tabs, ball: Path, viewport: dict[str, int]
) -> None:
    tab = tabs.open(direct.url, viewport=viewport, reduced_motion="reduce")
    page = tab.page
    open_photo(tab, ball, "image/png")
    assert page.get_by_role("button", name="Object").count() == 0
    press(page, "g")
    page.locator(".banners").get_by_text("This server has no model that finds objects by clicks").wait_for()
    assert session(page, "({settings}) => settings.tool.value") != "object"
    assert violations(tab) == []
