"""Create the table of usage, and add the monthly quota of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "daily_usage",
        sa.Column("caller", sa.String(12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("endpoint", sa.String(100), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("megapixels", sa.Float(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "day", "endpoint", name="pk_daily_usage"),
    )
    op.create_index("ix_daily_usage_day", "daily_usage", ["day"])
    op.add_column("api_keys", sa.Column("monthly_quota", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "monthly_quota")
    op.drop_index("ix_daily_usage_day", "daily_usage")
    op.drop_table("daily_usage")
