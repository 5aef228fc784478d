"""The stage shows what the server makes: grounds, shadows, canvases."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.support.editor import difference, export, open_photo, seen, session, set_options
from tests.support.gunicorn import Gunicorn
from tests.support.studio import Tab, Tabs
from tests.support.waiting import poll

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long

# Mean ΔE2000; people see differences from about 2 on.
BOUND = 2.0


@pytest.fixture
def editor(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> Tab:
    """The editor with a small photograph."""
    tab = tabs.open(direct.url)
    open_photo(tab, photo_files[0])
    session(tab.page, "(session) => { session.compareBy('off'); }")
    return tab


def agrees(tab: Tab) -> float:
    # What follows from the whole mask is made when it has settled.
    session(tab.page, "(session) => { session.look.settle(); }")
    poll(lambda: session(tab.page, "({look}) => look.making === 0"), what="the look")
    shown = seen(tab.page)
    return difference(shown, Image.open(io.BytesIO(export(tab.page))))


@pytest.mark.parametrize(
    "options",
    [
        {"background": "#3b82f6"},
        {"background": "tomato", "crop": "true", "crop_margin": "10%"},
        {"background_gradient": "135 #ffe08a #7a3ff2"},
        {"background_gradient": "90 #ffffff #333333", "canvas": "16:9"},
        {"background_blur": "40"},
        {"background_blur": "10", "canvas": "1:1"},
        {"format": "jpeg", "quality": "95"},
    ],
    ids=str,
)
def test_ground_on_the_stage_is_the_servers(editor: Tab, options: dict[str, str]) -> None:
    set_options(editor.page, **options)
    assert agrees(editor) <= BOUND


@pytest.mark.parametrize("kind", ["drop", "contact"])
@pytest.mark.parametrize("layout", [{}, {"canvas": "800x800", "scale": "70%"}], ids=["photo", "canvas"])
def test_shadow_on_the_stage_is_the_servers(editor: Tab, kind: str, layout: dict[str, str]) -> None:
    set_options(editor.page, background="#ffffff", shadow=kind, shadow_opacity="80", **layout)
    assert agrees(editor) <= BOUND


def test_picture_behind_the_subject_is_the_servers(editor: Tab, photo_files: list[Path]) -> None:
    page = editor.page
    page.get_by_role("group", name="Background").get_by_text("Picture").click()
    page.get_by_label("Choose a picture").set_input_files(photo_files[2])
    poll(lambda: session(page, "({look}) => Boolean(look.picture.value)"), what="the picture")
    assert agrees(editor) <= BOUND
