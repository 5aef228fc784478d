"""Let an address have one invitation; the newest is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    invitations = sa.table("invitations", sa.column("id"), sa.column("email"), sa.column("created_at"))
    other = invitations.alias()
    newer = (other.c.created_at > invitations.c.created_at) | (
        (other.c.created_at == invitations.c.created_at) & (other.c.id > invitations.c.id)
    )
    has_newer = sa.exists().where(other.c.email == invitations.c.email, newer)
    op.execute(sa.delete(invitations).where(has_newer))
    op.drop_index("ix_invitations_email", "invitations")
    op.create_index("ix_invitations_email", "invitations", ["email"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_invitations_email", "invitations")
    op.create_index("ix_invitations_email", "invitations", ["email"])
