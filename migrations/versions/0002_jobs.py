"""Create the tables of jobs and their items."""

import sqlalchemy as sa
from alembic import op

from services.persistence.database import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(12), nullable=True),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("background_key", sa.String(200), nullable=True),
        sa.Column("idempotency_key", sa.String(200), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("removed_at", UTCDateTime(), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("callback_attempts", sa.Integer(), nullable=False),
        sa.Column("callback_due_at", UTCDateTime(), nullable=True),
        sa.Column("callback_status", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("uq_jobs_caller_idempotency_key", "jobs", ["caller", "idempotency_key"], unique=True)
    op.create_index("ix_jobs_owner_created_at", "jobs", ["owner", "created_at", "id"])
    op.create_index("ix_jobs_state_expires_at", "jobs", ["state", "expires_at"])
    op.create_index("ix_jobs_callback_due_at", "jobs", ["callback_due_at"])
    op.create_table(
        "job_items",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("stage", sa.String(16), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("queued_at", UTCDateTime(), nullable=True),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("lease_owner", sa.String(200), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("error_code", sa.String(64), nullable=True),
        sa.Column("error_details", sa.Text(), nullable=True),
        sa.Column("original_key", sa.String(200), nullable=False),
        sa.Column("original_bytes", sa.Integer(), nullable=False),
        sa.Column("result_key", sa.String(200), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_items_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_job_items"),
    )
    op.create_index("ix_job_items_job_id_position", "job_items", ["job_id", "position"], unique=True)
    op.create_index("ix_job_items_caller_state", "job_items", ["caller", "state", "queued_at", "created_at"])
    op.create_index("ix_job_items_state_lease_until", "job_items", ["state", "lease_until"])
    op.create_index("ix_job_items_state_finished_at", "job_items", ["state", "finished_at"])


def downgrade() -> None:
    op.drop_table("job_items")
    op.drop_table("jobs")
