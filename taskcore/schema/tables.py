"""The tables as SQLModel classes, for Alembic and for queries of administrators.

The library never queries through them: every operation is a SQL function
(``functions/``). Row-level security refuses a query that is not bound to a user. It does
not apply to superusers and roles with BYPASSRLS.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

from taskcore.limits import (
    AFTER_LAST_MOMENT,
    BLANK,
    FIRST_MOMENT,
    MAX_DESCRIPTION,
    MAX_ID,
    MAX_TITLE,
)

SCHEMA = "taskcore"
"""The schema of all objects. In ``public`` Neon grants new tables to other roles."""

metadata = MetaData(schema=SCHEMA)


def _timestamp(name: str) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("now()"))


class UserRow(SQLModel, table=True):
    """A user, from the first task until erased."""

    metadata = metadata
    __tablename__ = "users"
    __table_args__ = (CheckConstraint(f"id BETWEEN 1 AND {MAX_ID}", name="users_id_range"),)

    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime = Field(sa_column=_timestamp("created_at"))
    updated_at: datetime = Field(sa_column=_timestamp("updated_at"))


class TaskRow(SQLModel, table=True):
    """A task. Every key starts with the user, so no constraint reveals another user's row."""

    metadata = metadata
    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint(f"id BETWEEN 1 AND {MAX_ID}", name="tasks_id_range"),
        CheckConstraint(f"char_length(title) <= {MAX_TITLE}", name="tasks_title_length"),
        CheckConstraint(f"title ~ '[^{BLANK}]'", name="tasks_title_not_blank"),
        CheckConstraint(
            f"char_length(description) BETWEEN 1 AND {MAX_DESCRIPTION}",
            name="tasks_description_length",
        ),
        CheckConstraint("version >= 1", name="tasks_version_positive"),
        CheckConstraint(
            f"created_at >= timestamptz '{FIRST_MOMENT}' AND updated_at >= created_at"
            f" AND updated_at < timestamptz '{AFTER_LAST_MOMENT}'",
            name="tasks_times",
        ),
        CheckConstraint(
            f"completed_at IS NULL OR completed AND completed_at >= timestamptz '{FIRST_MOMENT}'"
            f" AND completed_at < timestamptz '{AFTER_LAST_MOMENT}'",
            name="tasks_completed_at",
        ),
        Index("tasks_open", "user_id", "id", postgresql_where=text("NOT completed")),
    )

    user_id: int = Field(
        sa_column=Column(
            "user_id",
            BigInteger,
            ForeignKey("taskcore.users.id", name="tasks_user_id_fkey", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        )
    )
    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    title: str = Field(sa_column=Column("title", Text, nullable=False))
    description: str | None = Field(default=None, sa_column=Column("description", Text))
    completed: bool = Field(
        default=False,
        sa_column=Column("completed", Boolean, nullable=False, server_default=text("false")),
    )
    version: int = Field(
        default=1, sa_column=Column("version", Integer, nullable=False, server_default=text("1"))
    )
    write_id: int = Field(sa_column=Column("write_id", BigInteger, nullable=False))
    created_at: datetime = Field(sa_column=_timestamp("created_at"))
    updated_at: datetime = Field(sa_column=_timestamp("updated_at"))
    completed_at: datetime | None = Field(
        default=None, sa_column=Column("completed_at", DateTime(timezone=True))
    )
