"""Create the tables users and tasks.

Written out, not derived from ``taskcore.schema``: a released revision never changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision, as taskcore_owner."""
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="users_id_range"),
        schema="taskcore",
    )
    op.create_table(
        "tasks",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("completed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("write_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "id", name="tasks_pkey"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["taskcore.users.id"],
            name="tasks_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="tasks_id_range"),
        sa.CheckConstraint("char_length(title) <= 500", name="tasks_title_length"),
        sa.CheckConstraint(
            "title ~ '[^\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]'",
            name="tasks_title_not_blank",
        ),
        sa.CheckConstraint(
            "char_length(description) BETWEEN 1 AND 5000", name="tasks_description_length"
        ),
        sa.CheckConstraint("version >= 1", name="tasks_version_positive"),
        sa.CheckConstraint(
            "created_at >= timestamptz '0001-01-01 00:00:00+00' AND updated_at >= created_at"
            " AND updated_at < timestamptz '10000-01-01 00:00:00+00'",
            name="tasks_times",
        ),
        sa.CheckConstraint(
            "completed_at IS NULL OR completed"
            " AND completed_at >= timestamptz '0001-01-01 00:00:00+00'"
            " AND completed_at < timestamptz '10000-01-01 00:00:00+00'",
            name="tasks_completed_at",
        ),
        schema="taskcore",
    )
    op.create_index(
        "tasks_open",
        "tasks",
        ["user_id", "id"],
        schema="taskcore",
        postgresql_where=sa.text("NOT completed"),
    )
