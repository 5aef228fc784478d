"""Photos are removed at once, can be brought back for some seconds, and are gone for good after them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from playwright.sync_api import BrowserContext, Locator, Route, expect

from tests.support.batch import hold, run
from tests.support.gunicorn import Gunicorn
from tests.support.studio import Studio, Tab, Tabs, choose, item, states, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"
TWO = {"astronaut.jpg": COMPLETED, "chelsea.jpg": COMPLETED}
THREE = {**TWO, "coffee.jpg": COMPLETED}


# How many photos are removed in the browser's database.
MARKED = """async () => {
  const main = document.querySelector("script[type=module]").src;
  const db = await import(main.replace("main.js", "db.js"));
  return (await db.list("docs")).filter(({ removed }) => removed).length;
}"""


def remove(tab: Tab, name: str) -> None:
    item(tab, name).get_by_role("button", name="Remove").click()


def undo(tab: Tab) -> Locator:
    return tab.page.get_by_role("button", name="Undo")


def leave_network(tab: Tab) -> None:
    tab.expect("ERR_INTERNET_DISCONNECTED")
    tab.page.context.set_offline(True)


def jobs(tab: Tab) -> set[str]:
    """Return the ids of the jobs that the page has followed."""
    followed = [url.partition("?id=")[2].split("&id=") for url in tab.urls if "/api/jobs/events?id=" in url]
    return {job for ids in followed for job in ids}


def answers(running: Studio, tab: Tab) -> list[int]:
    """Return the server's answers about the jobs of the page."""
    return [requests.get(f"{running.url}/api/jobs/{job}", timeout=10).status_code for job in sorted(jobs(tab))]


def status_of(running: Studio, job: str, name: str) -> tuple[int, str]:
    """Return the server's answer about a photo as it was sent, and the state that it has in its job."""
    shown = requests.get(f"{running.url}/api/jobs/{job}", timeout=10).json()
    (image,) = [image for image in shown["items"] if image["name"] == name]
    original = requests.get(f"{running.url}/api/jobs/{job}/items/{image['item_id']}/original", timeout=10)
    return original.status_code, image["status"]


def hold_answer(tab: Tab, pattern: str) -> tuple[list[str], Callable[[], None]]:
    """Hold back answers of the server; returns the requests that it has answered, and what lets the answers through."""
    session = tab.page.context.new_cdp_session(tab.page)
    held: list[str] = []
    session.on("Fetch.requestPaused", lambda event: held.append(event["requestId"]))
    session.send("Fetch.enable", {"patterns": [{"urlPattern": pattern, "requestStage": "Response"}]})

    def release() -> None:
        for request in held:
            session.send("Fetch.continueRequest", {"requestId": request})

    return held, release


def with_clock(tabs: Tabs) -> BrowserContext:
    """Make a profile in which time can be put forward."""
    context = tabs.context(reduced_motion="reduce")
    context.clock.install()
    return context


def test_removed_photo_comes_back_to_its_place(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *photo_files[:3])
    wait_for(tab, THREE)
    place = item(tab, "astronaut.jpg").bounding_box()
    remove(tab, "chelsea.jpg")
    wait_for(tab, {"astronaut.jpg": COMPLETED, "coffee.jpg": COMPLETED})
    expect(tab.page.get_by_role("complementary", name="Removed photos")).to_contain_text("chelsea.jpg was removed")
    expect(tab.page.get_by_role("status")).to_contain_text("chelsea.jpg was removed")
    tab.page.get_by_role("button", name="All 2").wait_for()
    # The offer moves nothing: a second click meets what one sees.
    assert item(tab, "astronaut.jpg").bounding_box() == place
    # Those that are removed one after another come back together.
    remove(tab, "astronaut.jpg")
    tab.page.get_by_text("2 photos were removed.", exact=True).wait_for()
    undo(tab).click()
    wait_for(tab, THREE)
    assert list(states(tab)) == list(THREE)
    assert undo(tab).count() == 0
    assert set(answers(with_jobs, tab)) == {200}
    with tab.page.expect_download():
        item(tab, "chelsea.jpg").get_by_role("button", name="Download").click()
    tab.page.reload()
    wait_for(tab, THREE)


def test_photo_is_removed_and_brought_back_by_keyboard(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    choose(tab, *photo_files[:2])
    wait_for(tab, TWO)
    item(tab, "astronaut.jpg").get_by_role("button", name="Remove").focus()
    tab.page.keyboard.press("Enter")
    wait_for(tab, {"chelsea.jpg": COMPLETED})
    # The focus goes to the photo that takes the place.
    expect(item(tab, "chelsea.jpg").get_by_role("button", name="Remove")).to_be_focused()
    tab.page.keyboard.press("Control+z")
    wait_for(tab, TWO)
    expect(tab.page.get_by_role("status")).to_contain_text("1 photo is back")
    # The last photo takes the list with it; it comes back with the list.
    for name in TWO:
        item(tab, name).get_by_role("button", name="Remove").focus()
        tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name="Remove the background").wait_for()
    undo(tab).focus()
    tab.page.keyboard.press("Enter")
    wait_for(tab, TWO)


def test_photos_are_gone_for_good_after_some_seconds(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url, context=with_clock(tabs))
    choose(tab, *photo_files[:2])
    wait_for(tab, TWO)
    remove(tab, "astronaut.jpg")
    undo(tab).wait_for()
    # A person who has reached the button has all the time that is needed.
    undo(tab).focus()
    tab.page.clock.fast_forward(30_000)
    assert undo(tab).count() == 1
    undo(tab).evaluate("(button) => button.blur()")
    tab.page.clock.fast_forward(11_000)
    undo(tab).wait_for(state="detached")
    # The job has another photo, which stays.
    (job,) = jobs(tab)
    poll(lambda: status_of(with_jobs, job, "astronaut.jpg") == (410, "deleted"), what="the photo's end on the server")
    assert status_of(with_jobs, job, "chelsea.jpg") == (200, "finished")
    with tab.page.expect_download():
        item(tab, "chelsea.jpg").get_by_role("button", name="Download").click()
    remove(tab, "chelsea.jpg")
    undo(tab).wait_for()
    assert answers(with_jobs, tab) == [200]
    assert len(tab.asked("DELETE")) == 1
    tab.page.clock.fast_forward(11_000)
    poll(lambda: answers(with_jobs, tab) == [404], what="the job's end")
    tab.page.reload()
    tab.page.get_by_role("heading", name="Remove the background").wait_for()


@pytest.mark.long
def test_closed_page_removes_for_good(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    choose(tab, *photo_files[:2])
    wait_for(tab, TWO)
    remove(tab, "astronaut.jpg")
    wait_for(tab, {"chelsea.jpg": COMPLETED})
    remove(tab, "chelsea.jpg")
    undo(tab).wait_for()
    poll(lambda: tab.page.evaluate(MARKED) == 2, what="the browser's database")
    tab.page.close()
    poll(lambda: answers(with_jobs, tab) == [404], what="the job's end")
    other = tabs.open(with_jobs.url, context=tabs.contexts[0])
    # What the closing tab had no time for is done now; the server may have deleted the job before.
    other.expect("404")
    other.page.get_by_role("button", name="Try it with").first.wait_for()
    assert undo(other).count() == 0


def test_photo_that_is_removed_while_it_is_sent_is_not_kept_by_the_server(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url, context=with_clock(tabs))
    held = hold(tab, "**/api/jobs/remove-bg-batch", "POST")
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and held, what="the request")
    remove(tab, "astronaut.jpg")
    undo(tab).wait_for()
    tab.page.clock.fast_forward(11_000)
    undo(tab).wait_for(state="detached")
    held[0].continue_()
    wait_for(tab, {"chelsea.jpg": COMPLETED})
    (job,) = jobs(tab)
    poll(lambda: status_of(with_jobs, job, "astronaut.jpg") == (410, "deleted"), what="the photo's end on the server")
    assert status_of(with_jobs, job, "chelsea.jpg") == (200, "finished")


def test_photos_that_are_removed_before_the_server_answers_are_not_kept_by_it(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url, context=with_clock(tabs))
    answered, release = hold_answer(tab, "*/api/jobs/remove-bg-batch")
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and answered, what="the server's answer")
    for path in photo_files[:2]:
        remove(tab, path.name)
    tab.page.clock.fast_forward(11_000)
    undo(tab).wait_for(state="detached")
    release()
    poll(lambda: not states(tab) and tab.asked("DELETE /api/jobs/"), what="the job's deletion")
    (asked,) = tab.asked("DELETE")
    poll(lambda: requests.get(with_jobs.url + asked.split()[1], timeout=10).status_code == 404, what="the job's end")


def test_photo_that_is_wanted_again_before_the_server_answers_is_sent_once(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    # The other photo may have ended before it is stopped.
    tab.expect("409")
    answered, release = hold_answer(tab, "*/api/jobs/remove-bg-batch")
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and answered, what="the server's answer")
    for path in photo_files[:2]:
        item(tab, path.name).get_by_role("button", name="Stop").click()
    item(tab, "astronaut.jpg").get_by_role("button", name="Retry").click()
    wait_for(tab, {"astronaut.jpg": "Queued", "chelsea.jpg": "Cancelled"})
    release()
    wait_for(tab, {"astronaut.jpg": COMPLETED, "chelsea.jpg": "Cancelled"})
    assert len(tab.asked("POST /api/jobs/remove-bg-batch")) == 1


@pytest.mark.long
def test_photo_that_is_sent_once_more_is_not_kept_twice(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(with_jobs.url)
    # The page hears nothing of its job, which ends before it is stopped.
    tab.expect("409")
    held = hold(tab, "**/api/jobs/events*", "GET")
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and held, what="the stream")
    (job,) = jobs(tab)
    poll(lambda: status_of(with_jobs, job, "astronaut.jpg") == (200, "finished"), what="the first result")
    item(tab, "astronaut.jpg").get_by_role("button", name="Stop").click()
    retry = item(tab, "astronaut.jpg").get_by_role("button", name="Retry")
    retry.wait_for()
    tab.page.unroute("**/api/jobs/events*")
    retry.click()
    poll(lambda: states(tab)["astronaut.jpg"] == COMPLETED, what="the second result")
    poll(lambda: status_of(with_jobs, job, "astronaut.jpg") == (410, "deleted"), what="the first one's end")


@pytest.mark.long
def test_what_is_removed_without_a_connection_is_deleted_when_the_server_answers(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url, context=with_clock(tabs))
    choose(tab, *photo_files[:2])
    wait_for(tab, TWO)
    remove(tab, "astronaut.jpg")
    undo(tab).wait_for()
    leave_network(tab)
    tab.page.clock.fast_forward(11_000)
    (job,) = jobs(tab)
    notice = tab.page.get_by_role("complementary", name="Notice")
    expect(notice).to_contain_text("its copies are deleted as soon as it does")
    assert status_of(with_jobs, job, "astronaut.jpg") == (200, "finished")
    tab.page.context.set_offline(False)
    poll(lambda: status_of(with_jobs, job, "astronaut.jpg") == (410, "deleted"), what="the photo's end on the server")
    # A visit that ends before the server answers leaves it to the next one.
    run(tab, "library/delete.js", "return true;")
    leave_network(tab)
    tab.page.get_by_role("button", name="Delete now").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    tab.page.get_by_role("heading", name="Remove the background").wait_for()
    expect(notice).to_contain_text("its copies are deleted as soon as it does")
    tab.page.close()
    assert answers(with_jobs, tab) == [200]
    tab.page.context.set_offline(False)
    tabs.open(with_jobs.url, context=tabs.contexts[0])
    poll(lambda: answers(with_jobs, tab) == [404], what="the job's end")


@pytest.mark.long
def test_other_tabs_follow_a_removal_and_its_undoing(with_jobs: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    one = tabs.open(with_jobs.url)
    choose(one, *photo_files[:2])
    wait_for(one, TWO)
    other = tabs.open(with_jobs.url, context=tabs.contexts[0])
    wait_for(other, TWO)
    remove(one, "astronaut.jpg")
    wait_for(other, {"chelsea.jpg": COMPLETED})
    # A tab that is opened meanwhile does not forget what the first may bring back.
    late = tabs.open(with_jobs.url, context=tabs.contexts[0])
    wait_for(late, {"chelsea.jpg": COMPLETED})
    assert undo(other).count() == undo(late).count() == 0
    undo(one).click()
    for tab in (one, other, late):
        wait_for(tab, TWO)
    assert list(states(other)) == list(TWO)


def test_photo_that_is_removed_while_it_waits_goes_on_when_it_is_back(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    held: list[Route] = []
    answers = {"now": held.append}
    tab.page.route("**/matte", lambda route: answers["now"](route))
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and held, what="the request")
    for path in photo_files[:2]:
        remove(tab, path.name)
    tab.page.get_by_text("2 photos were removed.", exact=True).wait_for()
    answers["now"] = lambda route: route.continue_()
    for route in held:
        route.continue_()
    undo(tab).click()
    wait_for(tab, TWO)
    assert len(tab.asked("POST /matte")) == 2
