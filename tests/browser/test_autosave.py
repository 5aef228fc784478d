"""Edits are kept in the browser: after a reload, when a tab is killed, without room, beside a second tab."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.support.batch import run
from tests.support.editor import mask_of, open_photo, session, set_options
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import click, depth, drag, press, ready, said, set_tool
from tests.support.studio import Tab, Tabs, choose
from tests.support.waiting import poll

# Strokes that each change the cut-out.
PAINT = """({tools, settings}, count) => {
  settings.size.value = 12;
  const brush = tools.get("brush");
  for (let i = 0; i < count; i++) {
    settings.mode.value = i % 2 ? "restore" : "erase";
    const at = {x: 20 + (i >> 1) * 5, y: 120, pointer: "mouse"};
    brush.begin(at);
    brush.end(at);
  }
}"""

# The number of a document's records of tiles.
KEPT = """async (id) => {
  const main = document.querySelector("script[type=module]").src;
  const db = await import(main.replace("main.js", "db.js"));
  return (await db.list("tiles", id)).length;
}"""
EXPORTED = """async () => {
  const main = document.querySelector("script[type=module]").src;
  const db = await import(main.replace("main.js", "db.js"));
  return (await db.list("docs")).filter(({exportedAt}) => exportedAt).length;
}"""


def exported(tab: Tab) -> int:
    return int(tab.page.evaluate(EXPORTED))


@pytest.fixture
def editor(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> Tab:
    tab = tabs.open(direct.url, reduced_motion="reduce")
    open_photo(tab, photo_files[0])
    set_tool(tab.page, "brush", mode="erase", size=24, hardness=1, opacity=1)
    return tab


def saved(tab: Tab) -> bool:
    return str(session(tab.page, "({document}) => document.saved.value")) == "saved"


def wait_saved(tab: Tab) -> None:
    poll(lambda: saved(tab), what="the save", seconds=15)


def reload(tab: Tab) -> None:
    tab.page.reload()
    ready(tab.page)


def test_edit_is_there_after_a_reload(editor: Tab) -> None:
    page = editor.page
    first = mask_of(page)
    session(page, PAINT, 60)
    set_options(page, background="#ff0000")
    session(page, "({viewport}) => { viewport.restore({scale: 3, x: 100, y: 80}); }")
    last = mask_of(page)
    wait_saved(editor)
    reload(editor)
    assert np.array_equal(mask_of(page), last)
    assert session(page, "({options}) => options.value.background") == "#ff0000"
    scale, x, y = session(page, "({viewport: {scale, x, y}}) => [scale.value, x.value, y.value]")
    assert (scale, x, y) == (3, 100, 80)
    assert depth(page) == 50
    session(page, "({document: {history}}) => { while (history.undo()); }")
    # The ten oldest of sixty steps are no longer there.
    assert not np.array_equal(mask_of(page), last)
    assert session(page, "({document: {history}}) => { let n = 0; while (history.redo()) n++; return n; }") == 50
    assert np.array_equal(mask_of(page), last)
    assert not np.array_equal(first, last)
    # The model was asked once in all.
    assert editor.asked("POST /matte") == ["POST /matte"]


@pytest.mark.long
def test_undone_steps_can_be_done_again_after_a_reload(editor: Tab) -> None:
    page = editor.page
    session(page, PAINT, 4)
    last = mask_of(page)
    press(page, "Control+z", "Control+z")
    wait_saved(editor)
    reload(editor)
    assert depth(page) == 2
    press(page, "Control+y", "Control+y")
    assert np.array_equal(mask_of(page), last)


@pytest.mark.long
def test_killed_tab_loses_one_stroke_at_most(editor: Tab, tabs: Tabs) -> None:
    page = editor.page
    click(page, (60, 60))
    wait_saved(editor)
    one = mask_of(page)
    # A stroke that has not ended when the tab is closed.
    drag_start = session(page, "({viewport}) => { const at = viewport.toScreen(150, 150); return [at.x, at.y]; }")
    page.mouse.move(*drag_start)
    page.mouse.down()
    address = page.url
    page.close()
    other = tabs.open(editor.url, path="/#" + address.partition("#")[2], context=page.context)
    ready(other.page)
    assert np.array_equal(mask_of(other.page), one)


@pytest.mark.long
def test_work_goes_on_when_the_storage_is_full(editor: Tab) -> None:
    page = editor.page
    page.evaluate(
        """() => {
          IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };
        }"""
    )
    click(page, (60, 60))
    poll(lambda: session(page, "({document}) => document.saved.value") == "off", what="the failed save", seconds=15)
    assert "room" in said(page)
    banner = page.get_by_role("complementary", name="Storage")
    expect(banner).to_contain_text("Download what is finished")
    banner.get_by_role("button", name="OK").click()
    click(page, (120, 120))
    assert depth(page) == 2
    press(page, "Control+z")
    assert depth(page) == 1
    # Read once, it is not in the way again.
    expect(banner).to_have_count(0)


@pytest.mark.long
def test_browser_that_keeps_nothing_says_so_with_the_first_photo(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    context = tabs.context()
    context.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };")
    tab = tabs.open(direct.url, context=context)
    banner = tab.page.get_by_role("complementary", name="Storage")
    expect(banner).to_have_count(0)
    choose(tab, photo_files[0])
    expect(banner).to_contain_text("download what is finished first")
    ready(tab.page)
    # It covers nothing of the editor.
    above, below = banner.bounding_box(), tab.page.get_by_role("region", name="Editor").bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    banner.get_by_role("button", name="OK").click()
    expect(banner).to_have_count(0)
    click(tab.page, (60, 60))
    assert depth(tab.page) == 1


@pytest.mark.long
def test_second_tab_sees_the_edit_and_takes_it_over(editor: Tab, tabs: Tabs) -> None:
    page = editor.page
    click(page, (60, 60))
    wait_saved(editor)
    other = tabs.open(editor.url, path="/#" + page.url.partition("#")[2], context=page.context)
    ready(other.page)
    assert session(other.page, "({document}) => document.readOnly.value")
    click(other.page, (160, 60))
    assert "Another tab" in said(other.page)
    assert np.array_equal(mask_of(other.page), mask_of(page))
    # What the first tab does in the meantime is taken over with the rest.
    click(page, (100, 160))
    last = mask_of(page)
    with other.page.expect_event("load"):
        other.page.get_by_role("button", name="Edit it here").click()
    ready(other.page)
    assert not session(other.page, "({document}) => document.readOnly.value")
    assert np.array_equal(mask_of(other.page), last)
    assert session(page, "({document}) => document.readOnly.value")
    click(page, (30, 30))
    assert np.array_equal(mask_of(page), last)


@pytest.mark.long
def test_tab_that_was_asleep_does_not_overwrite_another_ones_edit(editor: Tab, tabs: Tabs) -> None:
    page = editor.page
    click(page, (60, 120))
    wait_saved(editor)
    # It does not answer the second tab, as a frozen one does not.
    page.evaluate("() => { BroadcastChannel.prototype.postMessage = () => {}; }")
    other = tabs.open(editor.url, path="/#" + page.url.partition("#")[2], context=page.context)
    ready(other.page)
    assert not session(other.page, "({document}) => document.readOnly.value")
    set_tool(other.page, "brush", mode="erase", size=24)
    click(other.page, (120, 120))
    wait_saved(other)
    last = mask_of(other.page)
    click(page, (100, 200))
    poll(lambda: session(page, "({document}) => document.readOnly.value"), what="the notice", seconds=15)
    reload(other)
    assert np.array_equal(mask_of(other.page), last)


def test_everything_is_forgotten(editor: Tab) -> None:
    page = editor.page
    click(page, (60, 60))
    wait_saved(editor)
    count = """async () => {
      const open = indexedDB.open("studio");
      const database = await new Promise((done) => { open.onsuccess = () => done(open.result); });
      const names = ["docs", "photos", "tiles", "history", "outbox"];
      const counts = await Promise.all(names.map((name) => new Promise((done) => {
        const asked = database.transaction(name).objectStore(name).count();
        asked.onsuccess = () => done(asked.result);
      })));
      database.close();
      return counts;
    }"""
    assert page.evaluate(count)[2] > 1
    path = f"/api/jobs/{'0' * 32}"
    run(editor, "library/deletion.js", "await module.remember([value]);", path)
    editor.expect("404")
    press(page, "?")
    page.get_by_role("button", name="Forget everything").click()
    page.get_by_role("button", name="Forget everything").last.click()
    page.get_by_role("region", name="Photos").or_(page.get_by_text("Choose photos").first).first.wait_for()
    poll(lambda: page.evaluate(count) == [0, 0, 0, 0, 0], what="empty stores", seconds=15)
    # What the server has still to delete is not forgotten.
    poll(lambda: page.evaluate(count) and editor.asked(f"DELETE {path}"), what="the deletion on the server", seconds=15)


@pytest.mark.long
def test_stroke_by_drag_is_saved_by_itself(editor: Tab) -> None:
    page = editor.page
    drag(page, (60, 60), (120, 90))
    last = mask_of(page)
    wait_saved(editor)
    reload(editor)
    assert np.array_equal(mask_of(page), last)


@pytest.mark.long
def test_exported_photos_make_room_and_leave_after_a_week(editor: Tab, photo_files: list[Path]) -> None:
    page = editor.page
    click(page, (120, 120))
    with page.expect_download():
        press(page, "Control+s")
    poll(lambda: exported(editor) == 1, what="the note of the export", seconds=15)
    first = page.url.rpartition("/")[2]
    open_photo(editor, photo_files[1])
    ready(page)
    # Room for the new edit is made by the one that was exported.
    page.evaluate(
        """() => {
          const put = IDBObjectStore.prototype.put;
          let failures = 1;
          IDBObjectStore.prototype.put = function (...value) {
            if (this.name === "tiles" && failures-- > 0) throw new DOMException("full", "QuotaExceededError");
            return put.apply(this, value);
          };
        }"""
    )
    set_tool(page, "brush", mode="erase", size=24)
    click(page, (110, 90))
    wait_saved(editor)
    assert exported(editor) == 0
    assert not page.evaluate(KEPT, first)
    with page.expect_download():
        press(page, "Control+s")
    poll(lambda: exported(editor) == 1, what="the note of the export", seconds=15)
    second = page.url.rpartition("/")[2]
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 8 * 24 * 3600 * 1000; }")
    open_photo(editor, photo_files[2])
    ready(page)
    poll(lambda: not page.evaluate(KEPT, second), what="forgetting", seconds=15)
