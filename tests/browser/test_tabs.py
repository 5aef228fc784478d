"""Several tabs of one browser: each shows what the others do, and what one begins another can end."""

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.support.batch import docs, hold, made, run, start
from tests.support.gunicorn import Gunicorn
from tests.support.images import pixels
from tests.support.strokes import drag, ready, set_tool
from tests.support.studio import Studio, Tab, Tabs, choose, item, states, wait_for
from tests.support.waiting import poll

# `make browser` and its job in CI run them.
pytestmark = pytest.mark.long

COMPLETED = "Completed"


def test_photos_of_a_closed_tab_go_on_in_another(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    first = tabs.open(with_jobs.url)
    second = tabs.open(with_jobs.url, context=first.page.context)
    held = hold(second, "**/api/jobs/remove-bg-batch", "POST")
    choose(second, *photo_files[:2])
    poll(lambda: states(second) and held, what="the upload")
    poll(lambda: len(states(first)) == 2, what="the photos in the first tab")
    count = "return (await module.list('photos')).length;"
    poll(lambda: run(first, "app/db.js", count) == 2, what="the browser's copies")
    second.page.close()
    wait_for(first, {path.name: COMPLETED for path in photo_files[:2]})


def test_edit_of_a_closed_tab_is_in_the_result_that_another_gives(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    first = tabs.open(with_jobs.url)
    start(first, photo_files[:2])
    second = tabs.open(with_jobs.url, context=first.page.context)
    item(second, "chelsea.jpg").get_by_role("button", name="Edit").click()
    ready(second.page)
    set_tool(second.page, "brush", mode="erase", size=80, hardness=1, opacity=1)
    drag(second.page, (90, 90), (150, 90))
    expect(second.page.get_by_role("status", name="Saved")).to_be_visible()
    expect(item(first, "chelsea.jpg, Completed, Edited")).to_be_visible()
    second.page.close()
    poll(lambda: not any(doc.get("draft") for doc in docs(first)) and made(first), what="the edit")
    with first.page.expect_download() as found:
        item(first, "chelsea.jpg").get_by_role("button", name="Download").click()
    assert pixels(found.value.path().read_bytes())[90, 120, 3] == 0


def test_choice_stays_where_news_of_another_tab_cross_it(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    start(tab, photo_files[:2])
    crossed = """
      const [doc] = module.all();
      const other = new BroadcastChannel("studio");
      module.patch(doc.id, { options: { background: "ffffff" } });
      const { hear } = await load("app/tabs.js");
      const ended = new Promise((heard) => hear("end", heard));
      other.postMessage({ kind: "docs", data: [doc] });
      other.postMessage({ kind: "end" });
      await ended;
      return module.peek(doc.id).options;"""
    assert run(tab, "app/store.js", crossed) == {"background": "ffffff"}


def test_tab_hears_the_others_while_its_texts_are_loaded(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    context = tabs.context(locale="de-DE")
    first = tabs.open(direct.url, context=context)
    first.page.locator("input[type=file]").first.set_input_files(photo_files[:2])
    poll(lambda: [doc["state"] for doc in docs(first)] == ["completed"] * 2, what="the results")
    held: list[Route] = []
    context.route("**/i18n/de.js", lambda route: held.append(route))
    second = Tab(context.new_page(), first.url)
    tabs.open_tabs.append(second)
    second.page.goto(first.url, wait_until="commit")
    poll(lambda: first.page.title() and held, what="the texts")
    poll(lambda: len(docs(second)) == 2, what="the photos in the second tab")
    run(first, "app/store.js", "module.patch(module.all()[0].id, { name: 'other.jpg' });")
    poll(lambda: docs(second)[0]["name"] == "other.jpg", 5, "the news")
    context.unroute("**/i18n/de.js")


def test_deleted_photo_comes_back_neither_to_the_list_nor_to_the_storage(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    """Another tab may have news of it, or an answer of the model for it, on their way."""
    tab = tabs.open(direct.url)
    start(tab, photo_files[:2])
    late = """
      const [doc] = module.all();
      await module.forget([doc.id]);
      const other = new BroadcastChannel("studio");
      const { hear } = await load("app/tabs.js");
      const ended = new Promise((heard) => hear("end", heard));
      other.postMessage({ kind: "docs", data: [doc] });
      other.postMessage({ kind: "end" });
      await ended;
      await (await load("app/photos.js")).keep(doc.id, { matte: new Blob(["late"]) });
      const kept = await (await load("app/db.js")).list("photos");
      return [module.all().length, kept.length];"""
    assert run(tab, "app/store.js", late) == [1, 1]


def test_tab_that_comes_back_shares_its_name_with_no_other(direct: Gunicorn, tabs: Tabs) -> None:
    """A page that the browser has kept alive goes on; a window that is opened from it copies its storage."""
    tab = tabs.open(direct.url)
    # Chromium gives no lock to a page whose script opens a window.
    held = "() => navigator.locks?.query().then(({ held }) => held.length > 0) ?? true"
    poll(lambda: tab.page.evaluate(held), what="the tab's lock")
    with tab.page.context.expect_page() as opened:
        tab.page.evaluate(
            """() => {
              dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
              dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
              open(location.href);
            }"""
        )
    other = Tab(opened.value, tab.url)
    opened.value.wait_for_load_state()
    name = "return module.TAB;"
    assert run(tab, "app/tabs.js", name) != run(other, "app/tabs.js", name)


def test_change_of_the_last_moment_is_there_after_a_reload(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    start(tab, photo_files[:2])
    with tab.page.expect_navigation():
        change = "setTimeout(() => { module.patch(module.all()[0].id, { name: 'other.jpg' }); location.reload(); });"
        run(tab, "app/store.js", change)
    wait_for(tab, {"other.jpg": COMPLETED, "chelsea.jpg": COMPLETED})
