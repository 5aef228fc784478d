"""Upgrades and downgrades the tables of the database."""

import re
import sys
from typing import Any, Final

import click

from config import load_settings
from services.errors import ServiceError

# `head`, `base` or a number as 0008, or how many steps from there or from now.
REVISION: Final = re.compile(r"(head|base|[0-9]{4})([+-][0-9]{1,3})?|[+-][0-9]{1,3}", re.ASCII)


class _Revision(click.ParamType[str]):
    """A revision of the tables, as Alembic takes it."""

    name = "revision"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        if not REVISION.fullmatch(value):
            self.fail(f"{value[:100]!r}: allowed is head, base or a number such as 0008", param, context)
        return value


@click.group()
def db() -> None:
    """The database's tables. The service upgrades them by itself; this is for doing it beforehand, or undoing it."""


@db.command("upgrade")
@click.argument("revision", type=_Revision(), default="head")
def upgrade_database(revision: str) -> None:
    """Bring the tables to REVISION, the newest by default."""
    _migrate("upgrade", revision)


@db.command("downgrade")
@click.argument("revision", type=_Revision())
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade_database(revision: str, yes: bool) -> None:
    """Bring the tables back to REVISION; base removes them with all they hold."""
    if not yes:
        lost = "ALL TABLES, with every key and job," if revision == "base" else f"All that came after {revision}"
        click.confirm(f"{lost} will be removed from {open_database().shown_url}. Continue?", abort=True, err=True)
    _migrate("downgrade", revision)


def _migrate(direction: str, revision: str) -> None:
    from alembic.util.exc import CommandError

    try:
        getattr(open_database(), direction)(revision)
    except (ServiceError, CommandError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{direction}d to {revision}", err=True)


def open_database() -> Any:
    import structlog

    from services.persistence.database import Database

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # a key alone on standard output
    return Database(load_settings().database_url)
