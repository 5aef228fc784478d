"""Create the tables of users and of their one-time tokens, and add the user to API keys."""

import sqlalchemy as sa
from alembic import op

from services.persistence.database import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LIVE = "revoked_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=True),
        sa.Column("issuer", sa.String(255), nullable=True),
        sa.Column("subject", sa.String(255), nullable=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
        sa.Column("disabled_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("uq_users_email", "users", ["email"], unique=True)
    op.create_index("uq_users_issuer_subject", "users", ["issuer", "subject"], unique=True)
    op.create_table(
        "one_time_tokens",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(12), nullable=False),
        sa.Column("purpose", sa.String(8), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_one_time_tokens_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_one_time_tokens"),
    )
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens", ["user_id"])
    op.create_index("ix_one_time_tokens_expires_at", "one_time_tokens", ["expires_at"])
    op.add_column("api_keys", sa.Column("user_id", sa.String(12), nullable=True))
    op.add_column("api_keys", sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.drop_index("uq_api_keys_live_name", "api_keys")
    _unique("uq_api_keys_live_name", ["name"], f"{LIVE} AND user_id IS NULL")
    _unique("uq_api_keys_live_user_name", ["user_id", "name"], f"{LIVE} AND user_id IS NOT NULL")


def downgrade() -> None:
    # An older version would take the keys of users for the operator's.
    op.execute("DELETE FROM api_keys WHERE user_id IS NOT NULL")
    op.drop_index("uq_api_keys_live_user_name", "api_keys")
    op.drop_index("uq_api_keys_live_name", "api_keys")
    _unique("uq_api_keys_live_name", ["name"], LIVE)
    op.drop_index("ix_api_keys_user_id", "api_keys")
    op.drop_column("api_keys", "disabled")
    op.drop_column("api_keys", "user_id")
    op.drop_table("one_time_tokens")
    op.drop_table("users")


def _unique(name: str, columns: list[str], where: str) -> None:
    clause = sa.text(where)
    op.create_index(name, "api_keys", columns, unique=True, sqlite_where=clause, postgresql_where=clause)
