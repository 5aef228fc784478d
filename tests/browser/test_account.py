"""The page of accounts: signing in, keys, a forgotten password, without a barrier and in two languages."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from services.persistence.database import Database
from tests.support.accounts import PASSWORD, make_user
from tests.support.barriers import SCHEMES_AND_SIZES, violations
from tests.support.gunicorn import Gunicorn
from tests.support.servers.smtp import SmtpReceiver
from tests.support.studio import Tab, Tabs
from tests.support.waiting import free_port, poll

# Changes the answer in the page, since the driver can't resolve the host name of the tests over plain HTTP.
SIGNED_IN_WITHOUT_A_PASSWORD = """() => {
    const send = fetch;
    window.fetch = async (path, init) => {
        const answer = await send(path, init);
        if (!String(path).endsWith("/auth/login")) return answer;
        return Response.json({ ...await answer.json(), has_password: false });
    };
}"""


@pytest.fixture(scope="module")
def smtp() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as server:
        yield server


@pytest.fixture(scope="module")
def here(smtp: SmtpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    folder, port = tmp_path_factory.mktemp("accounts"), free_port()
    url = f"sqlite:///{folder}/a.db"
    database = Database(url)
    for email in ("ann@example.com", "bob@example.com", "eve@example.com"):
        make_user(database, email)
    database.close()
    with Gunicorn(
        port=port,
        ACCOUNTS="local",
        ACCOUNTS_REGISTRATION="open",
        DATABASE_URL=url,
        SMTP_URL=f"smtp://127.0.0.1:{smtp.port}?tls=none",
        MAIL_FROM="noreply@cut.example",
        PUBLIC_URL=f"http://127.0.0.1:{port}",
    ) as server:
        yield server


def sign_in(tab: Tab, email: str, password: str = PASSWORD) -> None:
    tab.page.get_by_label("Email address").fill(email)
    tab.page.get_by_label("Password", exact=True).fill(password)
    tab.page.get_by_role("button", name="Sign in").click()


def linked(smtp: SmtpReceiver, count: int) -> str:
    poll(lambda: len(smtp.mails) == count, what="the mail")
    found = re.search(r"(/account#\S+)", smtp.mails[-1].get_content())
    assert found
    return found[1]


def test_user_signs_in_makes_a_key_and_signs_out(here: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(here.url)
    tab.expect("401")
    tab.page.get_by_role("link", name="Sign in").click()
    sign_in(tab, "ann@example.com", "a wrong password")
    tab.page.get_by_text("The address or the password is wrong").wait_for()
    sign_in(tab, "ann@example.com")
    tab.page.get_by_role("heading", name="My API keys").wait_for()
    tab.page.get_by_label("Name of the new key").fill("web")
    tab.page.get_by_role("button", name="Create a key").click()
    expect(tab.page.locator(".secret")).to_have_text(re.compile("^bgr_"))
    tab.page.get_by_role("button", name="Revoke web").click()
    expect(tab.page.get_by_role("button", name="Revoke web")).to_have_count(0)
    tab.page.get_by_role("link", name="Go to your photos").click()
    tab.page.get_by_role("link", name="Account").click()
    tab.page.get_by_role("button", name="Sign out", exact=True).click()
    tab.page.get_by_role("heading", name="Sign in").wait_for()


def test_new_user_confirms_and_replaces_a_forgotten_password(here: Gunicorn, tabs: Tabs, smtp: SmtpReceiver) -> None:
    sent = len(smtp.mails)
    tab = tabs.open(here.url, "/account")
    tab.page.get_by_role("button", name="Create an account").click()
    tab.page.get_by_label("Email address").fill("new@example.com")
    tab.page.get_by_label("New password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Create the account").click()
    tab.page.get_by_text("an email is on its way").wait_for()
    there = tabs.open(here.url, linked(smtp, sent + 1), context=tab.page.context)
    there.page.get_by_label("Password", exact=True).fill(PASSWORD)
    assert "#" not in there.page.url
    there.page.get_by_role("button", name="Confirm and sign in").click()
    there.page.get_by_role("button", name="Sign out", exact=True).click()
    there.page.get_by_role("button", name="Forgotten").click()
    there.page.get_by_label("Email address").fill("new@example.com")
    there.page.get_by_role("button", name="Send a link").click()
    again = tabs.open(here.url, linked(smtp, sent + 2), context=tab.page.context)
    again.page.get_by_label("New password").fill("another good password")
    again.page.get_by_role("button", name="Save and sign in").click()
    again.page.get_by_text("new@example.com").wait_for()


def test_mail_is_in_the_language_that_the_page_is_set_to(here: Gunicorn, tabs: Tabs, smtp: SmtpReceiver) -> None:
    sent = len(smtp.mails)
    tab = tabs.open(here.url, "/account", locale="en-GB")
    tab.expect("401")
    tab.page.get_by_label("Language").select_option("de")
    tab.page.get_by_role("button", name="Passwort vergessen").click()
    tab.page.get_by_label("E-Mail-Adresse").fill("ann@example.com")
    tab.page.get_by_role("button", name="Link senden").click()
    poll(lambda: len(smtp.mails) == sent + 1, what="the mail")
    assert smtp.mails[-1]["Subject"] == "Wählen Sie ein neues Passwort"


def signed_in(tabs: Tabs, here: Gunicorn, email: str, context: BrowserContext | None = None) -> Tab:
    tab = tabs.open(here.url, "/account", context=context)
    sign_in(tab, email)
    tab.page.get_by_role("heading", name="My API keys").wait_for()
    return tab


def make_key(tab: Tab, name: str) -> None:
    tab.page.get_by_label("Name of the new key").fill(name)
    tab.page.get_by_role("button", name="Create a key").click()
    tab.page.get_by_role("button", name=f"Revoke {name}").wait_for()


def test_next_person_in_the_tab_sees_nothing_of_the_one_before(here: Gunicorn, tabs: Tabs) -> None:
    tab = signed_in(tabs, here, "bob@example.com")
    make_key(tab, "bobs")
    tab.page.get_by_role("button", name="Sign out", exact=True).click()
    tab.expect("ERR_FAILED|/account/keys")
    tab.page.route("**/api/v1/account/keys", lambda route: route.abort())
    sign_in(tab, "eve@example.com")
    tab.page.get_by_text("The server does not answer").wait_for()
    assert tab.page.get_by_role("button", name="Revoke bobs").count() == 0
    assert tab.page.locator(".secret").count() == 0


def test_key_that_is_revoked_twice_is_gone_without_an_error(here: Gunicorn, tabs: Tabs) -> None:
    tab = signed_in(tabs, here, "eve@example.com")
    make_key(tab, "twice")
    tab.expect("404")
    tab.page.get_by_role("button", name="Revoke twice").evaluate("button => { button.click(); button.click(); }")
    expect(tab.page.get_by_role("button", name="Revoke twice")).to_have_count(0)
    # The secret of a key that has ended is not offered any more.
    expect(tab.page.locator(".secret")).to_have_count(0)
    tab.page.wait_for_load_state("networkidle")
    assert tab.page.locator(".wrong").count() == 0


@pytest.mark.long
def test_tab_shows_who_is_signed_in_when_one_comes_back_to_it(here: Gunicorn, tabs: Tabs) -> None:
    tab = signed_in(tabs, here, "bob@example.com")
    other = tabs.open(here.url, "/account", context=tab.page.context)
    other.page.get_by_role("button", name="Sign out", exact=True).click()
    sign_in(other, "eve@example.com")
    other.page.get_by_text("eve@example.com").wait_for()
    come_back = "document.dispatchEvent(new Event('visibilitychange'))"
    tab.page.evaluate(come_back)
    tab.page.get_by_text("eve@example.com").wait_for()
    other.page.get_by_role("button", name="Sign out", exact=True).click()
    other.page.get_by_role("heading", name="Sign in").wait_for()
    tab.expect("401")
    tab.page.evaluate(come_back)
    tab.page.get_by_role("heading", name="Sign in").wait_for()
    tab.page.get_by_role("status").get_by_text("You are not signed in").wait_for()


def test_account_without_a_password_is_deleted_only_by_its_address(here: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(here.url, "/account")
    tab.page.evaluate(SIGNED_IN_WITHOUT_A_PASSWORD)
    sign_in(tab, "eve@example.com")
    button = tab.page.get_by_role("button", name="Delete the account")
    for typed in ("", "eve@example.org", "eve@exampleXcom"):
        tab.page.get_by_label("Your email address, to confirm it").fill(typed)
        button.click()
    assert tab.asked("^DELETE") == []
    tab.page.get_by_label("Your email address, to confirm it").fill("eve@example.com")
    tab.expect("401")
    button.click()
    # She has a password in truth.
    tab.page.get_by_text("The address or the password is wrong").wait_for()
    assert tab.asked("^DELETE") == ["DELETE /api/v1/account"]


def test_link_of_a_mail_works_in_a_tab_that_shows_the_page(here: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(here.url, "/account")
    tab.page.get_by_role("button", name="Forgotten").wait_for()
    tab.page.evaluate(f"location.hash = '#reset={'x' * 43}'")
    tab.page.get_by_role("button", name="Save and sign in").wait_for()


@pytest.mark.long
@SCHEMES_AND_SIZES
def test_account_has_no_barrier(here: Gunicorn, tabs: Tabs, scheme: str, viewport: dict[str, int]) -> None:
    tab = tabs.open(here.url, "/account", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    tab.page.get_by_label("Email address").wait_for()
    found = {"sign in": violations(tab)}
    tab.page.get_by_role("button", name="Create an account").click()
    tab.page.get_by_role("heading", name="Create an account").wait_for()
    found["registration"] = violations(tab)
    tab.page.get_by_label("Email address").fill("somebody@example.com")
    tab.page.get_by_label("New password").fill("somebody@example.com")
    tab.expect("400|401")
    tab.page.get_by_role("button", name="Create the account").click()
    tab.page.get_by_text("that is not your address").wait_for()
    found["refused password"] = violations(tab)
    tab.page.get_by_label("New password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Create the account").click()
    tab.page.get_by_text("an email is on its way").wait_for()
    found["registered"] = violations(tab)
    tab.page.get_by_role("button", name="Back").click()
    tab.page.get_by_role("button", name="Forgotten").click()
    tab.page.get_by_role("button", name="Send a link").wait_for()
    found["forgotten"] = violations(tab)
    for kind in ("confirm", "reset", "invite"):
        link = tabs.open(
            here.url, f"/account#{kind}={'x' * 43}", color_scheme=scheme, viewport=viewport, reduced_motion="reduce"
        )
        link.page.get_by_label("password").wait_for()
        found[kind] = violations(link)
    tab.page.get_by_role("button", name="Back").click()
    sign_in(tab, "ann@example.com")
    tab.page.get_by_role("heading", name="My API keys").wait_for()
    found["account"] = violations(tab)
    tab.page.get_by_label("Name of the new key").fill(f"key-{scheme}-{viewport['width']}")
    tab.page.get_by_role("button", name="Create a key").click()
    tab.page.locator(".secret").wait_for()
    found["new key"] = violations(tab)
    assert {state: one for state, one in found.items() if one} == {}
    assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    tab.page.get_by_label("Language").select_option("de")
    tab.page.get_by_role("heading", name="Meine API-Schlüssel").wait_for()


def test_what_does_not_work_is_said_in_the_pages_language(here: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(here.url, "/account", locale="de-DE")
    tab.expect("400|401|403|ERR_INTERNET_DISCONNECTED")
    tab.page.get_by_role("button", name="Konto anlegen").click()
    tab.page.get_by_label("Neues Passwort").fill(PASSWORD)
    # A browser takes it for an address; the service does not.
    tab.page.get_by_label("E-Mail-Adresse").fill("=?a@example.com")
    tab.page.get_by_role("button", name="Konto anlegen").click()
    tab.page.get_by_text("Eine der Angaben ist ungültig").wait_for()
    tab.page.get_by_role("button", name="Zurück").click()
    tab.page.get_by_label("E-Mail-Adresse").fill("ann@example.com")
    tab.page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    tab.page.get_by_role("button", name="Anmelden").click()
    tab.page.get_by_label("Name des neuen Schlüssels").fill("offline")
    tab.page.get_by_role("button", name="Schlüssel anlegen").click()
    tab.page.get_by_role("button", name="offline widerrufen").wait_for()
    tab.page.context.set_offline(True)
    for name in ("offline widerrufen", "Überall abmelden"):
        tab.page.get_by_role("button", name=name).click()
        tab.page.get_by_role("status").get_by_text("Der Server antwortet nicht").wait_for()
    tab.page.context.set_offline(False)
    # In the words of the page with photos, where this page has none of its own.
    tab.page.context.clear_cookies()
    tab.page.get_by_role("button", name="offline widerrufen").click()
    tab.page.get_by_role("status").get_by_text("Sie sind nicht angemeldet").wait_for()


def test_link_that_has_ended_leads_back_to_signing_in(here: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(here.url, f"/account#reset={'x' * 43}")
    tab.expect("400")
    tab.page.get_by_label("New password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Save and sign in").click()
    tab.page.get_by_text("This link is no longer valid").wait_for()
    tab.page.get_by_role("link", name="Back to signing in").click()
    tab.page.get_by_role("button", name="Forgotten").wait_for()


def test_phones_have_a_way_to_sign_in(here: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(here.url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    tab.page.get_by_role("link", name="Sign in").click()
    tab.page.get_by_role("heading", name="Sign in").wait_for()


@pytest.mark.long
def test_page_without_accounts_shows_no_link(direct: Gunicorn, tabs: Tabs) -> None:
    tab = tabs.open(direct.url)
    tab.page.get_by_role("link", name="API").wait_for()
    tab.page.get_by_role("button", name="Try it with").first.wait_for()
    assert tab.page.get_by_role("link", name="Sign in").count() == 0
