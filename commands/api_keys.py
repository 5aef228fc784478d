"""Makes, lists and revokes API keys."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from commands.database import open_database
from commands.explained import Explained

if TYPE_CHECKING:
    from services.persistence.database import Database

# Takes a limit away.
NONE: Final = "none"
MAX_DIGITS: Final = 100


class _IdOrName(click.ParamType[str]):
    """The id or name of a key: a text that can be one."""

    name = "id_or_name"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        from services.api_keys.keys import KEY_NAME

        if not KEY_NAME.fullmatch(value):
            self.fail(f"{value[:100]!r} can't be a key's id or name; `keys list` lists them", param, context)
        return value


ID_OR_NAME: Final = _IdOrName()


@click.group()
def keys() -> None:
    """API keys: make, list and revoke them."""


@keys.command("create", cls=Explained)
@click.option("--name", required=True, help="A unique name, for lists, logs and metrics.")
@click.option("--owner", default="", help="The holder: a person, a team or an address.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["remove", "jobs", "admin"]),
    multiple=True,
    default=("remove",),
    show_default=True,
    help="What the key may do; repeat for several.",
)
@click.option(
    "--limit", help="One quota for all endpoints together, such as 1000/hour; without it, the quota of each endpoint."
)
@click.option("--monthly-quota", type=click.IntRange(0), help="Images a calendar month (UTC); without it, any number.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="When it expires, in UTC.")
def create_api_key(
    name: str,
    owner: str,
    scopes: tuple[str, ...],
    limit: str | None,
    monthly_quota: int | None,
    expires: datetime | None,
) -> None:
    """Make a key and print it. It cannot be shown again."""
    from services.api_keys.keys import create_key

    database = open_database()
    existed = database.exists()
    text, key = create_key(
        database,
        name=name,
        owner=owner,
        scopes=scopes,
        rate_limit=limit,
        monthly_quota=monthly_quota,
        expires_at=expires.replace(tzinfo=UTC) if expires else None,
    )
    click.echo(f"Key {key.id} ({key.name}) is stored in {database.shown_url}.", err=True)
    if not existed:
        click.echo("That database is new: a service with another DATABASE_URL does not know this key.", err=True)
    click.echo("This is the only time that the key is shown:", err=True)
    click.echo(text)


@keys.command("list", cls=Explained)
def list_api_keys() -> None:
    """Every key, without its secret."""
    from services.api_keys.keys import list_keys

    database = open_database()
    found = list_keys(database)
    users = _users(database, {key.user_id for key in found if key.user_id})
    head = ("ID", "NAME", "OWNER", "SCOPES", "LIMIT", "QUOTA", "CREATED", "LAST USED", "USES", "EXPIRES", "REVOKED")
    rows = [
        (
            *(key.id, key.name, users.get(key.user_id or "", key.owner) or "-"),
            *(",".join(key.scopes), key.rate_limit or "-"),
            "-" if key.monthly_quota is None else str(key.monthly_quota),
            *(_moment(key.created_at), _moment(key.last_used_at), str(key.uses)),
            *(_moment(key.expires_at), _moment(key.revoked_at)),
        )
        for key in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@keys.command("limit", cls=Explained)
@click.argument("id_or_name", type=ID_OR_NAME)
@click.option("--limit", help="One quota for all endpoints together, such as 1000/hour; none removes it.")
@click.option("--monthly-quota", help="Images in a calendar month (UTC); none removes it.")
def limit_api_key(id_or_name: str, limit: str | None, monthly_quota: str | None) -> None:
    """Change a key's limits; running servers use them within a second."""
    from services.api_keys.keys import set_limits
    from services.api_keys.limits import Limits

    changed: Limits = {}
    if limit is not None:
        changed["rate_limit"] = None if limit == NONE else limit
    if monthly_quota is not None:
        changed["monthly_quota"] = None if monthly_quota == NONE else _whole(monthly_quota)
    if not changed:
        raise click.UsageError("give --limit, --monthly-quota or both")
    key = set_limits(open_database(), id_or_name, changed)
    if key is None:
        raise _unknown(id_or_name)
    quota = "none" if key.monthly_quota is None else key.monthly_quota
    click.echo(f"{key.id} ({key.name}): limit {key.rate_limit or NONE}, monthly quota {quota}")


@keys.command("revoke", cls=Explained)
@click.argument("id_or_name", type=ID_OR_NAME)
def revoke_api_key(id_or_name: str) -> None:
    """End a key for good; running servers refuse it within a second."""
    from services.api_keys.keys import revoke_key

    key = revoke_key(open_database(), id_or_name)
    if key is None:
        raise _unknown(id_or_name)
    click.echo(f"{key.id} ({key.name}) is revoked")


def _users(database: "Database", ids: set[str]) -> dict[str, str]:
    """Return the addresses of users by their ids; a deleted user is named by the id."""
    if not ids:
        return {}
    from services.accounts.users import emails_of

    return {user_id: user_id for user_id in ids} | emails_of(database, ids)


def _unknown(id_or_name: str) -> click.ClickException:
    return click.ClickException(f"there is no key {id_or_name!r} that is not revoked; `keys list` lists them")


def _whole(text: str) -> int:
    # Python reads no number of more than 4300 digits.
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError(f"the monthly quota is {text[:100]!r}: allowed is a whole number, or {NONE}")
    return int(text)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"
