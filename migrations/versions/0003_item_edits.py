"""Add the visitor that made a job, and the revision of an item's result."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("visitor", sa.String(32), nullable=True))
    op.create_index("ix_jobs_visitor_created_at", "jobs", ["visitor", "created_at", "id"])
    op.add_column("job_items", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("job_items", "revision")
    op.drop_index("ix_jobs_visitor_created_at", "jobs")
    op.drop_column("jobs", "visitor")
