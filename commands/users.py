"""Makes, lists and changes the accounts of people. They matter with ACCOUNTS=local or oidc."""

import secrets
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from commands.database import open_database
from commands.explained import Explained

if TYPE_CHECKING:
    from services.accounts.users import Role, User
    from services.persistence.database import Database

ROLE: Final = click.Choice(["user", "admin"])


class _Email(click.ParamType[str]):
    """An email address, as it is stored."""

    name = "email"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        from services.accounts.users import normal_email

        try:
            return normal_email(value)
        except ValueError as exc:
            self.fail(f"{value!r}: {exc}", param, context)


EMAIL: Final = _Email()


@click.group()
def users() -> None:
    """Accounts of people: make, list, disable and change them."""


@users.command("create", cls=Explained)
@click.argument("email", type=EMAIL)
@click.option("--name", default="", help="The person's name.")
@click.option("--role", type=ROLE, default="user", show_default=True, help="An admin administers keys and jobs.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="For ACCOUNTS=oidc: the provider knows the person.")
def create_user(email: str, name: str, role: "Role", password_stdin: bool, no_password: bool) -> None:
    """Make an account. Its address counts as confirmed. Without an option a random password is printed."""
    from services.accounts.passwords import Passwords
    from services.accounts.users import add_user, drop_unconfirmed, new_user

    if password_stdin and no_password:
        raise click.UsageError("give --password-stdin or --no-password, not both")
    user, database = new_user(email, name, role=role, confirmed=True), open_database()
    password = "" if no_password else _chosen_password(email, password_stdin)
    if password:
        user.password_hash = Passwords().hash(password)
    user_id = user.id
    # Somebody may have registered the address without being able to read its mail.
    drop_unconfirmed(database, email)
    if not add_user(database, user):
        raise click.ClickException(f"{email} already has an account; `users list` lists them")
    click.echo(f"{user_id} ({email}), {role}, is stored in {database.shown_url}.", err=True)
    if password and not password_stdin:
        _show(password)


@users.command("invite", cls=Explained)
@click.argument("email", type=EMAIL)
@click.option("--role", type=ROLE, default="user", show_default=True, help="An admin administers keys and jobs.")
@click.option("--language", default="en", type=click.Choice(["en", "de"]), show_default=True, help="Of the email.")
def invite_user(email: str, role: "Role", language: Literal["en", "de"]) -> None:
    """Send a link to make an account. It works once, for seven days; without SMTP_URL it is printed."""
    from config import load_settings
    from services.accounts import messages
    from services.accounts.invited_users import invite, withdraw_invitation
    from services.accounts.mail import Mailer, SmtpServer

    settings, database = load_settings(), open_database()
    if settings.accounts_registration == "closed":
        raise click.ClickException("ACCOUNTS_REGISTRATION is 'closed': set it to 'invited', or use `users create`")
    token, invitation = invite(database, email, role=role)
    message = messages.invite(language, settings.public_base, token, at_provider=settings.accounts == "oidc")
    if not settings.smtp_url:
        where = "" if settings.public_base else "below the address of your service, "
        click.echo(f"Pass on this link, {where}which works once, until {_moment(invitation.expires_at)}:", err=True)
        click.echo(message.link)
        return
    try:
        Mailer(SmtpServer.parse(settings.smtp_url), settings.mail_from).send(invitation.email, message)
    except OSError as exc:
        withdraw_invitation(database, invitation.id)
        raise click.ClickException(f"the email was not sent ({type(exc).__name__}); nobody is invited") from exc
    click.echo(f"{invitation.email} is invited until {_moment(invitation.expires_at)}", err=True)


@users.command("list", cls=Explained)
def list_all_users() -> None:
    """List every account."""
    from services.accounts.users import list_users

    head = ("ID", "EMAIL", "NAME", "ROLE", "CREATED", "CONFIRMED", "DISABLED")
    rows = [
        (
            *(user.id, user.email, user.name or "-", user.role),
            *map(_moment, (user.created_at, user.confirmed_at, user.disabled_at)),
        )
        for user in list_users(open_database())
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@users.command("disable", cls=Explained)
@click.argument("email", type=EMAIL)
@click.option("--undo", is_flag=True, help="Let the user in again.")
def disable(email: str, undo: bool) -> None:
    """Lock a user out: sessions, tokens and keys end within a second."""
    from services.accounts.users import disable_user

    database = open_database()
    disable_user(database, _found(database, email).id, disabled=not undo)
    click.echo(f"{email} is {'enabled' if undo else 'disabled'}")


@users.command("set-role", cls=Explained)
@click.argument("email", type=EMAIL)
@click.argument("role", type=ROLE)
def change_role(email: str, role: "Role") -> None:
    """Make a user an administrator (admin), or not (user)."""
    from services.accounts.users import set_role

    database = open_database()
    set_role(database, _found(database, email).id, role)
    click.echo(f"{email} is {role}")


@users.command("reset", cls=Explained)
@click.argument("email", type=EMAIL)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def reset_password(email: str, password_stdin: bool) -> None:
    """Set another password. It is printed unless it was given, and all sessions end."""
    from services.accounts.accounts import Accounts
    from services.accounts.passwords import Passwords
    from services.accounts.sessions import Sessions
    from services.accounts.signed import SignedTokens

    database = open_database()
    user = _found(database, email)
    # It begins no session, so it needs no secret.
    accounts = Accounts(database, Sessions(database, SignedTokens("")), Passwords())
    password = _chosen_password(email, password_stdin)
    accounts.set_password(user.id, password)
    click.echo(f"{email} has a new password; all sessions have ended", err=True)
    if not password_stdin:
        _show(password)


@users.command("delete", cls=Explained)
@click.argument("email", type=EMAIL)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(email: str, yes: bool) -> None:
    """Delete an account with its keys, jobs, results and usage."""
    from services.accounts.users import check_deletable, delete_user

    database = open_database()
    user = _found(database, email)
    if not yes:
        click.confirm(f"{user.email} with all keys, jobs and results will be deleted. Continue?", abort=True, err=True)
    check_deletable(database, user.id)
    # An error leaves the account, so that this can be repeated; the second time erases what was made meanwhile.
    erased = _erase_jobs(user.id)
    delete_user(database, user.id)
    erased += _erase_jobs(user.id)
    click.echo(f"{user.email} is deleted, with {erased} jobs")


def _erase_jobs(user_id: str) -> int:
    """Erase the jobs of a user who is deleted; return how many."""
    from bootstrap.jobs import make_job_services
    from bootstrap.stores import make_storage
    from config import load_settings

    settings = load_settings()
    return make_job_services(settings, make_storage(settings), open_database()).retention.erase_all_of(user_id)


def _found(database: "Database", email: str) -> "User":
    from services.accounts.users import find_by_email

    user = find_by_email(database, email)
    if user is None:
        raise click.ClickException(f"there is no account for {email!r}; `users list` lists them")
    return user


def _chosen_password(email: str, from_stdin: bool) -> str:
    """Return the password on standard input, checked, or a random one."""
    from services.accounts.passwords import check_password

    if not from_stdin:
        return secrets.token_urlsafe(12)
    password = sys.stdin.readline().rstrip("\r\n")
    check_password(password, email)
    return password


def _show(password: str) -> None:
    click.echo("This is the only time that the password is shown:", err=True)
    click.echo(password)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"
