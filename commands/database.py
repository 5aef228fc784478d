"""Upgrades and downgrades the tables of the database."""

import sys
from typing import Any

import click

from config import load_settings
from services.errors import ServiceError


@click.group()
def db() -> None:
    """The database's tables. The service upgrades them by itself; this is for doing it beforehand, or undoing it."""


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade_database(revision: str) -> None:
    """Bring the tables to REVISION, the newest by default."""
    _migrate("upgrade", revision)


@db.command("downgrade")
@click.argument("revision")
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
