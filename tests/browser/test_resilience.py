"""What a person sees of a server that dies, is busy, asks for a key or takes no jobs: photos go on by themselves."""

import contextlib
import json
import os
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import redis
import requests
from playwright.sync_api import Route
from sqlalchemy import select

from services.api_keys.keys import JOBS, REMOVE, create_key
from services.jobs.tables import FINISHED, JobItem
from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, Worker
from tests.support.studio import Studio, Tab, Tabs, choose, item, states, studio, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"
GONE = "ERR_|Failed to load resource: net::|502|503|409"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Studio]:
    """A service with jobs of its own for a test that stops parts of it."""
    with studio(tmp_path / "studio") as running:
        yield running


@pytest.fixture
def many(tmp_path: Path, small: bytes) -> list[Path]:
    """Forty different small photos."""
    folder = tmp_path / "many"
    folder.mkdir()
    paths = [folder / f"{number:03}.jpg" for number in range(40)]
    for number, path in enumerate(paths):
        path.write_bytes(small + number.to_bytes(2))
    return paths


def items_of(own: Studio) -> list[str]:
    """Return the ids of all items that the service has made."""
    database = Database(own.settings["DATABASE_URL"])
    with database.session() as session:
        found = list(session.scalars(select(JobItem.id)))
    database.close()
    return found


def all_done(tab: Tab, files: list[Path], seconds: float = 120) -> None:
    """Wait until all are completed; none may fail on the way."""

    def over() -> bool:
        words = states(tab)
        assert "Failed" not in words.values(), words
        return words == {path.name: COMPLETED for path in files}

    poll(over, seconds, "all photos")


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(20)


def kill_server(server: Gunicorn) -> None:
    """Kill Gunicorn and its workers as the kernel does for want of memory."""
    workers = server.workers()
    kill(server.process)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.long
def test_batch_survives_a_killed_server(own: Studio, tabs: Tabs, many: list[Path]) -> None:
    tab = tabs.open(own.url)
    tab.expect(GONE)
    choose(tab, *many)
    poll(lambda: COMPLETED in states(tab).values(), what="the first result")
    kill_server(own.server)
    tab.page.get_by_text("Reconnecting").wait_for()
    assert "Failed" not in states(tab).values()
    with Gunicorn(port=own.server.port, **own.settings):
        all_done(tab, many)
        tab.page.get_by_text("Reconnecting").wait_for(state="detached")
        assert len(items_of(own)) == len(many)


@pytest.mark.long
def test_batch_survives_a_killed_worker(own: Studio, tabs: Tabs, many: list[Path]) -> None:
    tab = tabs.open(own.url)
    tab.expect(GONE)
    choose(tab, *many)
    poll(lambda: COMPLETED in states(tab).values(), what="the first result")
    kill(own.worker.process)
    with Worker(**own.settings):
        all_done(tab, many)


@pytest.mark.long
def test_batch_of_two_hundred_survives_a_wiped_queue_and_the_end_of_server_and_worker(
    own: Studio, tabs: Tabs, tmp_path: Path, small: bytes
) -> None:
    files = [tmp_path / f"{number:03}.jpg" for number in range(200)]
    for number, path in enumerate(files):
        path.write_bytes(small + number.to_bytes(2))
    tab = tabs.open(own.url)
    tab.expect(GONE)
    choose(tab, *files)
    poll(lambda: len(completed(own)) >= 10, 60, "the first results")
    with redis.Redis(port=own.valkey.port) as queue:
        queue.flushall()
    poll(lambda: len(completed(own)) >= 60, 120, "results after the queue was wiped")
    kill(own.worker.process)
    with Worker(**own.settings):
        poll(lambda: len(completed(own)) >= 100, 180, "results of the new worker")
        kill_server(own.server)
        with Gunicorn(port=own.server.port, **own.settings):
            poll(lambda: len(completed(own)) == len(files), 240, "the results")
            tab.page.get_by_text("Reconnecting").wait_for(state="detached")
            tab.page.get_by_role("progressbar").wait_for(state="detached", timeout=60_000)
            assert set(states(tab).values()) == {COMPLETED}
            assert tab.page.get_by_role("region", name="Failed photos").count() == 0
            # One item for each photo, and none with a second result.
            assert len(items_of(own)) == len(files)


def completed(own: Studio) -> list[str]:
    """Return the ids of the finished items."""
    database = Database(own.settings["DATABASE_URL"])
    with database.session() as session:
        found = list(session.scalars(select(JobItem.id).where(JobItem.state == FINISHED)))
    database.close()
    return found


@pytest.mark.long
def test_photos_go_on_after_a_reload(own: Studio, tabs: Tabs, many: list[Path]) -> None:
    tab = tabs.open(own.url)
    tab.expect(GONE)
    choose(tab, *many)
    # While the first are sent, as soon as the browser has them all; and while they are worked on.
    tab.page.get_by_role("progressbar").wait_for()
    poll(lambda: leaves_silently(tab), what="the browser's database")
    tab.page.reload()
    poll(lambda: COMPLETED in states(tab).values(), what="the first result")
    tab.page.reload()
    all_done(tab, many)
    assert len(items_of(own)) == len(many)


def leaves_silently(tab: Tab) -> bool:
    """Return whether the browser would close or reload the page without a question."""
    return bool(tab.page.evaluate('dispatchEvent(new Event("beforeunload", { cancelable: true }))'))


def test_page_that_is_the_only_one_to_have_a_photo_asks_before_it_is_closed(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect(GONE)
    assert leaves_silently(tab)
    # Neither the server nor the browser's database gets the photos.
    tab.page.route("**/api/jobs/remove-bg-batch", lambda route: route.abort())
    tab.page.evaluate(
        """() => new Promise((resolve) => {
          indexedDB.open("studio").onsuccess = ({ target: { result: database } }) => {
            const photos = database.transaction("photos", "readwrite").objectStore("photos");
            const occupy = () => { if (!globalThis.released) photos.count().onsuccess = occupy; };
            occupy();
            resolve();
          };
        })"""
    )
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: "Queued" for path in photo_files[:2]})
    assert not leaves_silently(tab)
    tab.page.evaluate("() => { globalThis.released = true; }")
    poll(lambda: leaves_silently(tab), what="the browser's database")
    tab.page.reload()
    tab.page.unroute("**/api/jobs/remove-bg-batch")
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})


@pytest.mark.long
def test_page_whose_browser_keeps_nothing_asks_until_the_server_has_the_photos(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    context = tabs.context()
    context.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };")
    tab = tabs.open(with_jobs.url, context=context)
    tab.expect(GONE)
    tab.page.route("**/api/jobs/remove-bg-batch", lambda route: route.abort())
    choose(tab, *photo_files[:2])
    tab.page.get_by_text("Reconnecting").wait_for()
    assert not leaves_silently(tab)
    tab.page.unroute("**/api/jobs/remove-bg-batch")
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    assert leaves_silently(tab)


def kept(tab: Tab, store: str) -> int:
    """Return how many records a store of the browser's database has."""
    return int(
        tab.page.evaluate(
            """(store) => new Promise((resolve) => {
              indexedDB.open("studio").onsuccess = ({ target: { result: database } }) => {
                const asked = database.transaction(store).objectStore(store).count();
                asked.onsuccess = () => { database.close(); resolve(asked.result); };
              };
            })""",
            store,
        )
    )


@pytest.mark.long
def test_photos_lost_with_the_tab_are_sent_when_they_are_dropped_again(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(with_jobs.url)
    tab.expect(GONE)
    tab.page.route("**/api/jobs/remove-bg-batch", lambda route: route.abort())
    names = [path.name for path in photo_files[:2]]
    choose(tab, *photo_files[:2])
    tab.page.get_by_text("Reconnecting").wait_for()
    poll(lambda: kept(tab, "docs") == kept(tab, "photos") == len(names), what="the browser's database")
    tab.page.reload()
    # Kept in the browser, so not lost.
    wait_for(tab, dict.fromkeys(names, "Queued"))
    tab.page.evaluate(
        """() => new Promise((resolve) => {
          indexedDB.open("studio").onsuccess = ({ target: { result: database } }) => {
            const change = database.transaction("photos", "readwrite");
            change.objectStore("photos").clear();
            change.oncomplete = () => { database.close(); resolve(); };
          };
        })"""
    )
    tab.page.reload()
    wait_for(tab, dict.fromkeys(names, "Failed"))
    tab.page.get_by_text("was lost when the tab was closed").wait_for()
    tab.page.unroute("**/api/jobs/remove-bg-batch")
    choose(tab, *photo_files[:3])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:3]})


@pytest.mark.long
def test_second_tab_shows_the_same_and_asks_no_more(with_jobs: Studio, tabs: Tabs, many: list[Path]) -> None:
    first = tabs.open(with_jobs.url)
    choose(first, *many)
    second = tabs.open(with_jobs.url, context=first.page.context)
    all_done(first, many)
    all_done(second, many, 10)
    assert not second.asked("/api/jobs/events")
    item(second, many[0].name).get_by_role("button", name="Remove").click()
    poll(lambda: many[0].name not in states(first), what="the removal in the first tab")


@pytest.mark.long
def test_photos_of_a_second_tab_are_followed_by_the_first(
    with_jobs: Studio, tabs: Tabs, photo_files: list[Path]
) -> None:
    first = tabs.open(with_jobs.url)
    second = tabs.open(with_jobs.url, context=first.page.context)
    choose(second, *photo_files[:2])
    wait_for(second, {path.name: COMPLETED for path in photo_files[:2]})
    wait_for(first, {path.name: COMPLETED for path in photo_files[:2]})
    assert not second.asked("/api/jobs/events")


def test_without_jobs_photos_go_one_by_one(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    choose(tab, *photo_files)
    wait_for(tab, {path.name: COMPLETED for path in photo_files})
    assert len(tab.asked("POST /matte")) == len(photo_files)
    assert not tab.asked("/api/jobs")
    tab.page.get_by_role("radio", name="White").check(force=True)
    tab.page.get_by_role("button", name="JPEG").click()
    tab.page.get_by_role("button", name="Apply to all").click()
    with tab.page.expect_download() as found:
        tab.page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(BytesIO(Path(found.value.path()).read_bytes())) as archive:
        assert sorted(archive.namelist()) == sorted(path.name for path in photo_files)
        same = requests.post(
            f"{direct.url}/remove-background",
            files={"file": photo_files[0].read_bytes()},
            data={"background": "ffffff", "format": "jpeg"},
            timeout=30,
        )
        # What the page gives is what every caller gets.
        assert archive.read(photo_files[0].name) == same.content
    # A change of the ground called no model.
    assert len(tab.asked("POST /matte")) == len(photo_files)


@pytest.mark.long
def test_lost_queue_is_replaced_by_the_model_itself(own: Studio, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(own.url)
    tab.expect("503")
    own.valkey.stop()
    choose(tab, *photo_files[:3])
    tab.page.get_by_text("The server's queue does not answer").wait_for()
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:3]}, 90)
    assert len(tab.asked("POST /matte")) == 3
    own.valkey.start()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gunicorn, str]]:
    """A service that asks for keys, and a key."""
    url = f"sqlite:///{tmp_path_factory.mktemp('locked')}/keys.db"
    database = Database(url)
    key = create_key(database, name="ann", scopes=(JOBS, REMOVE))[0]
    database.close()
    with Gunicorn(AUTH_REQUIRED="true", DATABASE_URL=url) as running:
        yield running, key


def test_key_is_asked_for_once_and_the_request_goes_on(
    locked: tuple[Gunicorn, str], tabs: Tabs, photo_files: list[Path]
) -> None:
    server, key = locked
    tab = tabs.open(server.url)
    tab.expect("401")
    choose(tab, *photo_files[:2])
    dialog = tab.page.get_by_role("dialog", name="This server needs a key")
    dialog.get_by_label("API key").fill("bg_wrong")
    dialog.get_by_role("button", name="Use this key").click()
    dialog.get_by_text("does not recognise this key").wait_for()
    dialog.get_by_label("API key").fill(key)
    dialog.get_by_role("button", name="Use this key").click()
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    assert tab.page.evaluate("[sessionStorage.getItem('api-key'), localStorage.getItem('api-key')]") == [key, None]


@pytest.mark.long
def test_only_retry_asks_again_for_a_key_that_was_not_given(
    locked: tuple[Gunicorn, str], tabs: Tabs, photo_files: list[Path]
) -> None:
    server, key = locked
    tab = tabs.open(server.url)
    tab.expect("401")
    asked = tab.page.get_by_role("dialog", name="This server needs a key")
    names = [path.name for path in photo_files]
    choose(tab, *photo_files)
    asked.wait_for()
    tab.page.keyboard.press("Escape")
    wait_for(tab, dict.fromkeys(names, "Failed"))
    assert not asked.is_visible()
    tab.page.get_by_role("button", name="Retry failed").click()
    asked.get_by_label("API key").fill(key)
    tab.page.keyboard.press("Enter")
    wait_for(tab, dict.fromkeys(names, COMPLETED))


@pytest.mark.long
def test_quota_is_a_countdown_and_no_failure(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    tab.expect("429")
    refusals = [3, 3]

    def answer(route: Route) -> None:
        if not refusals:
            route.continue_()
            return
        seconds = refusals.pop()
        body = {"error": "Too many", "code": "rate_limited", "details": "", "solution": "Wait"}
        route.fulfill(status=429, headers={"Retry-After": str(seconds)}, json=body)

    tab.page.route("**/matte", answer)
    choose(tab, *photo_files[:2])
    tab.page.get_by_text("Continues in").wait_for()
    assert set(states(tab).values()) <= {"Queued", "Processing"}
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    tab.page.get_by_text("Continues in").wait_for(state="detached")


@pytest.mark.long
def test_busy_server_is_asked_again_without_a_word(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    tab.expect("503")
    refusals = [1, 1]

    def answer(route: Route) -> None:
        if not refusals:
            route.continue_()
            return
        refusals.pop()
        body = json.dumps({"error": "Busy", "code": "busy"})
        route.fulfill(status=503, headers={"Retry-After": "1", "Content-Type": "application/json"}, body=body)

    tab.page.route("**/matte", answer)
    choose(tab, *photo_files[:2])
    poll(lambda: states(tab) and not refusals, what="the refusals")
    assert tab.page.get_by_text("Continues in").count() == 0
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})


def test_lost_connection_is_shown_until_it_is_back(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url)
    tab.expect(GONE)
    context = tab.page.context
    # The page loads this ahead, a second after its first view.
    tab.page.evaluate("import(document.querySelector('script').src.replace('app/main', 'library/batch'))")
    context.set_offline(True)
    choose(tab, *photo_files[:2])
    tab.page.get_by_text("Reconnecting").wait_for()
    assert "Failed" not in states(tab).values()
    context.set_offline(False)
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    tab.page.get_by_text("Reconnecting").wait_for(state="detached")
