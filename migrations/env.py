"""Runs the migrations for Alembic, on the given connection or (from its own command) on `DATABASE_URL`."""

from alembic import context
from sqlalchemy import Connection, create_engine

# Every module with a table is imported here, so that Alembic can compare them.
import services.accounts.invitations
import services.accounts.one_time
import services.accounts.sign_ins
import services.accounts.users
import services.api_keys.keys
import services.api_keys.usage
import services.jobs.tables  # noqa: F401
from services.persistence.database import Base


def run(connection: Connection) -> None:
    """Run all migrations in one transaction, on SQLite too; tables it can't alter in place are copied."""
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
# `alembic revision --autogenerate` while developing.
else:
    from config import load_settings
    from services.persistence.database import parse_url

    with create_engine(parse_url(load_settings().database_url)).begin() as made:
        run(made)
