"""Accounts: registration, confirmation and reset by email, and what nobody learns from them."""

import re
from collections.abc import Iterator

import pytest

from services.accounts.accounts import Accounts, Post
from services.accounts.errors import BadPassword, BadToken, RegistrationClosed, SignInFailed
from services.accounts.mail import Mailer, SmtpServer
from services.accounts.outbox import Outbox
from services.accounts.passwords import Passwords
from services.accounts.sessions import Sessions
from services.accounts.signed import SignedTokens
from services.accounts.users import disable_user, find_by_email, list_users
from services.persistence.database import Database
from tests.support.servers.smtp import SmtpReceiver
from tests.support.waiting import poll

GOOD = "correct horse battery"
BASE = "https://cut.example"


@pytest.fixture
def smtp() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as server:
        yield server


def make(database: Database, passwords: Passwords, smtp: SmtpReceiver | None = None) -> Accounts:
    post = None
    if smtp:
        mailer = Mailer(SmtpServer.parse(f"smtp://127.0.0.1:{smtp.port}?tls=none"), "n@cut.example")
        post = Post(mailer, Outbox(), BASE)
    sessions = Sessions(database, SignedTokens("a secret of this test"))
    return Accounts(database, sessions, passwords, post=post, registration="open")


@pytest.fixture
def accounts(database: Database, quick: Passwords, smtp: SmtpReceiver) -> Iterator[Accounts]:
    made = make(database, quick, smtp)
    yield made
    made.close()


def mailed(smtp: SmtpReceiver, count: int) -> str:
    """Return the text of the newest of this many emails."""
    poll(lambda: len(smtp.mails) == count, what="the mail")
    return str(smtp.mails[-1].get_content())


def token_in(text: str) -> str:
    found = re.search(r"https://cut\.example/account#\w+=([\w-]+)", text)
    assert found
    return found[1]


def test_account_works_when_its_address_is_confirmed(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("A@x.y", GOOD, "Ann")
    token = token_in(mailed(smtp, 1))
    with pytest.raises(SignInFailed):
        accounts.sign_in("a@x.y", GOOD)
    with pytest.raises(SignInFailed):
        accounts.confirm(token, "another password")
    assert accounts.confirm(token, GOOD).name == "Ann"
    assert accounts.sign_in("a@x.y", GOOD)
    with pytest.raises(BadToken):
        accounts.confirm(token, GOOD)


def test_latest_registration_of_an_unconfirmed_address_counts(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("a@x.y", "a stranger's password")
    first = token_in(mailed(smtp, 1))
    accounts.register("a@x.y", GOOD)
    second = token_in(mailed(smtp, 2))
    with pytest.raises(BadToken):
        accounts.confirm(first, "a stranger's password")
    accounts.confirm(second, GOOD)
    with pytest.raises(SignInFailed):
        accounts.sign_in("a@x.y", "a stranger's password")


def test_known_address_is_mailed_and_nothing_changes(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("a@x.y", GOOD)
    accounts.confirm(token_in(mailed(smtp, 1)), GOOD)
    accounts.register("a@x.y", "another password")
    assert "This address already has one" in mailed(smtp, 2)
    assert accounts.sign_in("a@x.y", GOOD)
    assert len(list_users(accounts.database)) == 1


def test_without_mail_an_account_works_now(database: Database, quick: Passwords) -> None:
    accounts = make(database, quick)
    accounts.register("a@x.y", GOOD)
    accounts.register("a@x.y", "another password")
    assert accounts.sign_in("a@x.y", GOOD)
    accounts.forgot("a@x.y")


def test_reset_replaces_the_password_once_and_ends_sessions(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("a@x.y", GOOD)
    user = accounts.confirm(token_in(mailed(smtp, 1)), GOOD)
    cookie, refresh = accounts.sessions.cookie(user), accounts.sessions.tokens(user).refresh
    accounts.forgot("a@x.y")
    token = token_in(mailed(smtp, 2))
    with pytest.raises(BadPassword):
        accounts.reset(token, "short")
    changed = accounts.reset(token, "another password")
    assert changed.epoch == 1
    assert accounts.sessions.user("session", cookie) is None
    with pytest.raises(BadToken):
        accounts.sessions.refreshed(refresh)
    assert accounts.sessions.user("session", accounts.sessions.cookie(changed))
    assert accounts.sign_in("a@x.y", "another password")
    with pytest.raises(BadToken):
        accounts.reset(token, "a third password")


def test_refused_password_leaves_the_token_valid(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("a.long.address@x.y", GOOD)
    mailed(smtp, 1)
    accounts.forgot("a.long.address@x.y")
    token = token_in(mailed(smtp, 2))
    with pytest.raises(BadPassword, match="the address"):
        accounts.reset(token, "a.long.address@x.y")
    # It also confirms: the email reached its reader.
    assert accounts.reset(token, GOOD).confirmed_at


def test_unknown_and_disabled_addresses_get_no_mail(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("off@x.y", GOOD)
    off = accounts.confirm(token_in(mailed(smtp, 1)), GOOD)
    disable_user(accounts.database, off.id)
    accounts.forgot("off@x.y")
    accounts.forgot("nobody@x.y")
    accounts.register("off@x.y", GOOD)
    accounts.close()
    assert len(smtp.mails) == 1
    with pytest.raises(SignInFailed):
        accounts.sign_in("off@x.y", GOOD)


def test_closed_registration_makes_nothing(database: Database, quick: Passwords) -> None:
    accounts = make(database, quick)
    accounts.registration = "closed"
    with pytest.raises(RegistrationClosed):
        accounts.register("a@x.y", GOOD)
    assert find_by_email(database, "a@x.y") is None


def test_changed_password_needs_the_old_one(database: Database, quick: Passwords) -> None:
    accounts = make(database, quick)
    accounts.register("a@x.y", GOOD)
    user = accounts.sign_in("a@x.y", GOOD)
    with pytest.raises(SignInFailed):
        accounts.change_password(user, "wrong", "another password")
    with pytest.raises(BadPassword):
        accounts.change_password(user, GOOD, "short")
    assert accounts.change_password(user, GOOD, "another password").epoch == 1
    accounts.sign_out_everywhere(user.id)
    found = find_by_email(database, "a@x.y")
    assert found
    assert found.epoch == 2


def test_invited_person_chooses_a_password_once(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.registration = "invited"
    with pytest.raises(RegistrationClosed):
        accounts.register("a@x.y", GOOD)
    _, shown = accounts.invite("a@x.y", role="user", invited_by=None, language="de")
    assert shown is None
    text = mailed(smtp, 1)
    assert "innerhalb von sieben Tagen" in text
    token = token_in(text)
    for bad, password in ((token, "short"), (token, "a@x.y"), ("none", GOOD)):
        with pytest.raises((BadPassword, BadToken)):
            accounts.accept(bad, password)
    assert accounts.accept(token, GOOD, "Ann").name == "Ann"
    assert accounts.sign_in("a@x.y", GOOD)
    with pytest.raises(BadToken):
        accounts.accept(token, "another password")


def test_without_email_the_answer_has_the_link(database: Database, quick: Passwords) -> None:
    accounts = make(database, quick)
    _, token = accounts.invite("a@x.y", role="admin", invited_by="u1", language="en")
    assert token
    accounts.registration = "closed"
    with pytest.raises(RegistrationClosed):
        accounts.accept(token, GOOD)
    with pytest.raises(RegistrationClosed):
        accounts.invite("b@x.y", role="user", invited_by=None, language="en")
    accounts.registration = "invited"
    assert accounts.accept(token, GOOD).role == "admin"


def test_mail_is_in_the_language_that_was_asked_for(accounts: Accounts, smtp: SmtpReceiver) -> None:
    accounts.register("a@x.y", GOOD, language="de")
    assert "Bestätigen Sie Ihre Adresse" in mailed(smtp, 1)
    assert smtp.mails[0]["Content-Language"] == "de"
    accounts.forgot("a@x.y", "de")
    assert "innerhalb einer Stunde" in mailed(smtp, 2)
    accounts.forgot("a@x.y")
    assert "within an hour" in mailed(smtp, 3)
