"""Presets, passport guides and edits of a batch, from the page to the file."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.editor import export, mask_of, open_photo, session, settle, stage
from tests.support.gunicorn import Gunicorn
from tests.support.studio import Studio, Tabs

# `make browser` and its job in CI run them: `make test` has the page's first steps, brush and autosave.
pytestmark = pytest.mark.long


def choose_preset(page: Page, name: str) -> None:
    page.get_by_role("group", name="Preset").get_by_role("combobox").select_option(name)
    settle(page)


def test_amazon_preset_makes_amazons_picture(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    open_photo(tab, photo_files[2])
    choose_preset(tab.page, "amazon")
    group = tab.page.get_by_role("group", name="Preset")
    expect(group.get_by_text("check the marketplace's own page")).to_be_visible()
    assert session(tab.page, "({look}) => [look.layout.value.width, look.layout.value.height]") == [2000, 2000]
    data = export(tab.page)
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "JPEG"
    assert picture.size == (2000, 2000)
    pixels = np.asarray(picture.convert("L"))
    for corner in (pixels[:40, :40], pixels[:40, -40:], pixels[-40:, :40], pixels[-40:, -40:]):
        assert (corner == 255).all()
    # The subject's longer side, by what is not white.
    rows, columns = np.nonzero(pixels < 245)
    filled = max(np.ptp(rows), np.ptp(columns)) + 1
    assert abs(filled / 2000 - 0.85) <= 0.01


def test_passport_guides_say_whether_the_head_fits(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    open_photo(tab, photo_files[0])
    page = tab.page
    choose_preset(page, "passport")
    group = page.get_by_role("group", name="Preset")
    crown, chin = group.get_by_role("slider", name="Crown"), group.get_by_role("slider", name="Chin")
    assert session(page, "({lines}) => lines.value.length") == 2
    box = session(page, "({look}) => look.subject.value")
    # A small head: no scale makes it large enough.
    crown.fill(str(box["y"]))
    chin.fill(str(round(box["y"] + 0.3 * box["height"])))
    expect(group.get_by_text("is required")).to_be_visible()
    # A head that fills most of the subject fits by its scale.
    chin.fill(str(round(box["y"] + 0.96 * box["height"])))
    group.get_by_role("button", name="Fit the head").click()
    expect(group.get_by_text("that fits")).to_be_visible()
    picture = Image.open(io.BytesIO(export(page)))
    assert picture.size == (827, 1063)
    assert round(float(picture.info["dpi"][0])) == 600
    choose_preset(page, "")
    assert session(page, "({lines}) => lines.value.length") == 0


def test_edit_of_a_batchs_photo_is_in_its_zip(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    page = tab.page
    page.get_by_label("Choose photos").set_input_files(photo_files[:2])
    photos = page.get_by_role("region", name="Photos").get_by_role("listitem")
    expect(photos).to_have_count(2)
    for photo in photos.all():
        expect(photo).to_have_accessible_name(re.compile("Completed"), timeout=60_000)
    photos.first.hover()
    photos.first.get_by_role("button", name="Edit").or_(photos.first.get_by_role("link", name="Edit")).first.click()
    page.get_by_role("toolbar", name="Tools").wait_for()
    before = mask_of(page)
    box = stage(page).bounding_box()
    assert box
    session(page, "(session) => { session.settings.size.value = 60; session.compareBy('off'); }")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2 + 30, steps=4)
    page.mouse.up()
    after = mask_of(page)
    assert (before != after).any()
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        page.get_by_role("button", name="Back").click()
    expect(photos.first).to_have_accessible_name(re.compile("Completed"))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        pictures = [name for name in archive.namelist() if name.startswith("astronaut")]
        result = np.asarray(Image.open(io.BytesIO(archive.read(pictures[0]))))
    assert (result[..., 3] == after).all()
