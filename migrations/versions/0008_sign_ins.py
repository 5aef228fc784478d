"""Create the table of sign-ins, whose refresh tokens are stored no more."""

import sqlalchemy as sa
from alembic import op

from services.persistence.database import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("user_id", sa.String(12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("exchanged_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sign_ins_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
    )
    for column in ("user_id", "expires_at"):
        op.create_index(f"ix_sign_ins_{column}", "sign_ins", [column])
    # They belong to no sign-in.
    op.execute("DELETE FROM one_time_tokens WHERE purpose = 'refresh'")


def downgrade() -> None:
    op.drop_table("sign_ins")
