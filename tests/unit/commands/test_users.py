"""The command line's `users`: the first administrator, and what an operator changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from commands.api_keys import keys
from commands.users import users
from services.accounts.invited_users import open_invitations
from services.accounts.own_keys import create_own_key
from services.accounts.passwords import Passwords
from services.accounts.users import User, find_by_email
from services.api_keys.keys import create_key
from services.jobs.store import JobStore
from services.persistence.database import Database
from tests.support.accounts import make_user
from tests.support.jobs import insert_job
from tests.support.servers.smtp import SmtpReceiver
from tests.support.waiting import free_port


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    monkeypatch.setenv("STORAGE_URL", f"file:{tmp_path}/objects")
    monkeypatch.setenv("BGREMOVE_HOME", str(tmp_path))
    yield Database(f"sqlite:///{tmp_path}/a.db")
    # The commands send the log to standard error.
    structlog.reset_defaults()


def call(*words: str, text: str = "") -> Result:
    return CliRunner().invoke(users, words, input=text)


def stored(database: Database, email: str) -> User:
    found = find_by_email(database, email)
    assert found
    return found


@pytest.mark.slow
def test_first_administrator_gets_a_password_that_works(database: Database) -> None:
    done = call("create", "Chief@x.y", "--name", "Chief", "--role", "admin")
    assert done.exit_code == 0, done.output
    user = stored(database, "chief@x.y")
    assert (user.role, user.name, user.confirmed_at is not None) == ("admin", "Chief", True)
    assert Passwords().matches(done.stdout.strip(), user.password_hash)
    assert "chief@x.y" in call("list").output
    again = call("create", "chief@x.y")
    # No password of an account that was not made.
    assert (again.exit_code, "has an account" in again.output, again.stdout) == (1, True, "")


@pytest.mark.slow
def test_password_may_come_from_standard_input(database: Database) -> None:
    assert "10 or more" in call("create", "a@x.y", "--password-stdin", text="short\n").output
    assert call("create", "a@x.y", "--password-stdin", text="correct horse\n").stdout == ""
    done = call("reset", "a@x.y", "--password-stdin", text="another horse\n")
    assert (done.exit_code, done.stdout) == (0, "")
    user = stored(database, "a@x.y")
    assert user.epoch == 1
    assert Passwords().matches("another horse", user.password_hash)


@pytest.mark.slow
def test_operator_changes_roles_and_disables(database: Database) -> None:
    for email in ("a@x.y", "b@x.y"):
        assert call("create", email, "--no-password").exit_code == 0
    assert stored(database, "a@x.y").password_hash is None
    assert call("set-role", "a@x.y", "admin").output == "a@x.y is admin\n"
    assert "only administrator" in call("disable", "a@x.y").output
    assert call("disable", "b@x.y").exit_code == 0
    assert stored(database, "b@x.y").disabled_at
    assert call("disable", "b@x.y", "--undo").output == "b@x.y is enabled\n"
    assert stored(database, "b@x.y").disabled_at is None


@pytest.mark.slow
def test_deleted_user_is_gone(database: Database) -> None:
    call("create", "a@x.y", "--no-password")
    assert call("delete", "a@x.y", text="n\n").exit_code == 1
    assert call("delete", "a@x.y", "--yes").stdout == "a@x.y is deleted, with 0 jobs\n"
    assert find_by_email(database, "a@x.y") is None


@pytest.mark.slow
def test_account_is_kept_while_its_results_can_not_be_deleted(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("create", "a@x.y", "--no-password")
    insert_job(JobStore(database, result_seconds=60), owner=stored(database, "a@x.y").id)
    monkeypatch.setenv("STORAGE_URL", "s3://bucket")
    monkeypatch.setenv("S3_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert call("delete", "a@x.y", "--yes").exit_code == 1
    assert find_by_email(database, "a@x.y")
    monkeypatch.setenv("STORAGE_URL", f"file:{tmp_path}/objects")
    assert call("delete", "a@x.y", "--yes").stdout == "a@x.y is deleted, with 1 jobs\n"
    assert find_by_email(database, "a@x.y") is None


@pytest.mark.slow
def test_operators_word_counts_more_than_a_registration_that_nobody_confirmed(database: Database) -> None:
    make_user(database, "a@x.y", confirmed=False)
    assert call("reset", "a@x.y").exit_code == 0
    assert stored(database, "a@x.y").confirmed_at
    stranger = make_user(database, "b@x.y", confirmed=False)
    assert call("create", "b@x.y", "--role", "admin", "--no-password").exit_code == 0
    assert (stored(database, "b@x.y").role, stored(database, "b@x.y").id != stranger.id) == ("admin", True)


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("create", "nobody"), 2, "'nobody': it is not an email address"),
        (("delete", "nobody"), 2, "'nobody': it is not an email address"),
        (("create", "a@x.y", "--role", "root"), 2, "'user', 'admin'"),
        (("create", "a@x.y", "--no-password", "--password-stdin"), 2, "not both"),
        (("set-role", "a@x.y", "root"), 2, "'user', 'admin'"),
        (("disable", "a@x.y"), 1, "there is no account"),
        (("set-role", "a@x.y", "admin"), 1, "there is no account"),
    ],
)
def test_mistake_is_explained(database: Database, words: tuple[str, ...], code: int, problem: str) -> None:
    done = call(*words)
    assert done.exit_code == code
    assert problem in done.output
    assert done.stdout == ""


def test_list_of_keys_names_the_users_whose_they_are(database: Database) -> None:
    call("create", "a@x.y", "--no-password")
    user = stored(database, "a@x.y")
    create_own_key(database, user.id, name="web", scopes=("remove",))
    create_key(database, name="shop", owner="Ann")
    create_key(database, name="old", user_id="u00000000000")
    rows = CliRunner().invoke(keys, ["list"]).stdout.splitlines()[1:]
    assert [row.split()[1:3] for row in rows] == [["web", "a@x.y"], ["shop", "Ann"], ["old", "u00000000000"]]


@pytest.mark.slow
def test_operator_invites_by_a_link_or_by_mail(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ACCOUNTS_REGISTRATION" in call("invite", "a@x.y").output
    monkeypatch.setenv("ACCOUNTS_REGISTRATION", "invited")
    done = call("invite", "a@x.y", "--role", "admin")
    assert (done.exit_code, done.stdout.startswith("/account#invite=")) == (0, True), done.output
    assert "below the address of your service" in done.stderr
    with SmtpReceiver() as smtp:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{smtp.port}?tls=none")
        monkeypatch.setenv("MAIL_FROM", "n@cut.example")
        monkeypatch.setenv("PUBLIC_URL", "https://cut.example")
        assert call("invite", "b@x.y", "--language", "de").exit_code == 0
        assert "https://cut.example/account#invite=" in smtp.mails[0].get_content()
        assert smtp.mails[0]["Subject"] == "Sie sind eingeladen"
        smtp.refuses = True
        lost = call("invite", "c@x.y")
    assert (lost.exit_code, "nobody is invited" in lost.output) == (1, True)
    assert [one.email for one in open_invitations(database)] == ["a@x.y", "b@x.y"]
