"""The tables as SQLModel classes, for Alembic and for queries of administrators.

The library never queries through them: every operation is a SQL function
(``functions/``). Row-level security refuses a query that is not bound to a user. It does
not apply to superusers and roles with BYPASSRLS.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from taskcore.limits import MAX_ID, MAX_IDENTITY, MAX_TOKEN_DAYS, MAX_TOKEN_NAME, MINUTES_A_DAY

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
    blocked_at: datetime | None = Field(
        default=None, sa_column=Column("blocked_at", DateTime(timezone=True))
    )


class IdentityRow(SQLModel, table=True):
    """An issuer's name for a user, or for somebody who is blocked before they are a user.

    The key is the credential that a look-up is bound to. Bytes are compared: subjects are
    case-sensitive (OpenID Connect Core 1.0, section 2).
    """

    metadata = metadata
    __tablename__ = "identities"
    __table_args__ = (
        *(
            CheckConstraint(
                f"char_length({name}) BETWEEN 1 AND {MAX_IDENTITY}",
                name=f"identities_{name}_length",
            )
            for name in ("issuer", "subject")
        ),
        CheckConstraint(
            "user_id IS NOT NULL OR blocked_at IS NOT NULL", name="identities_user_or_block"
        ),
        Index("identities_user", "user_id"),
    )

    issuer: str = Field(sa_column=Column("issuer", Text(collation="C"), primary_key=True))
    subject: str = Field(sa_column=Column("subject", Text(collation="C"), primary_key=True))
    user_id: int | None = Field(
        sa_column=Column(
            "user_id",
            BigInteger,
            ForeignKey("taskcore.users.id", name="identities_user_id_fkey", ondelete="CASCADE"),
        )
    )
    created_at: datetime = Field(sa_column=_timestamp("created_at"))
    blocked_at: datetime | None = Field(
        default=None, sa_column=Column("blocked_at", DateTime(timezone=True))
    )


class TokenRow(SQLModel, table=True):
    """An API token, session or sign-in link, by the SHA-256 of its secret.

    The key is the credential that a look-up is bound to.
    """

    metadata = metadata
    __tablename__ = "tokens"
    __table_args__ = (
        UniqueConstraint("user_id", "id", name="tokens_user_id_id_key"),
        CheckConstraint("octet_length(hash) = 32", name="tokens_hash_length"),
        CheckConstraint(f"id BETWEEN 1 AND {MAX_ID}", name="tokens_id_range"),
        CheckConstraint(
            f"char_length(name) BETWEEN 1 AND {MAX_TOKEN_NAME}", name="tokens_name_length"
        ),
        CheckConstraint(
            "cardinality(scopes) > 0"
            " AND scopes <@ ARRAY['tasks:read', 'tasks:write', 'tokens', 'sign-in']",
            name="tokens_scopes_known",
        ),
        CheckConstraint(
            f"minutes BETWEEN 1 AND {MAX_TOKEN_DAYS * MINUTES_A_DAY}", name="tokens_minutes_range"
        ),
        CheckConstraint("minutes IS NULL OR expires_at IS NOT NULL", name="tokens_expiry"),
    )

    hash: bytes = Field(sa_column=Column("hash", LargeBinary, primary_key=True))
    user_id: int = Field(
        sa_column=Column(
            "user_id",
            BigInteger,
            ForeignKey("taskcore.users.id", name="tokens_user_id_fkey", ondelete="CASCADE"),
            nullable=False,
        )
    )
    id: int = Field(sa_column=Column("id", BigInteger, nullable=False))
    name: str = Field(sa_column=Column("name", Text, nullable=False))
    scopes: list[str] = Field(sa_column=Column("scopes", ARRAY(Text), nullable=False))
    minutes: int | None = Field(default=None, sa_column=Column("minutes", Integer))
    created_at: datetime = Field(sa_column=_timestamp("created_at"))
    expires_at: datetime | None = Field(
        default=None, sa_column=Column("expires_at", DateTime(timezone=True))
    )
    is_replaced: bool = Field(
        default=False,
        sa_column=Column("is_replaced", Boolean, nullable=False, server_default=text("false")),
    )
    last_used_on: date | None = Field(default=None, sa_column=Column("last_used_on", Date))


class TaskRow(SQLModel, table=True):
    """A task. Every key starts with the user, so no constraint reveals another user's row."""

    metadata = metadata
    __tablename__ = "tasks"
    __table_args__ = (
        # The limits of every field; revision 0001 says why they are in a function.
        CheckConstraint("taskcore.task_is_valid(tasks)", name="tasks_valid"),
        Index("tasks_open", "user_id", "id", postgresql_where=text("NOT completed")),
        # Partial: a task without a key, a due date or a priority costs them nothing.
        Index(
            "tasks_key",
            *("user_id", "key"),
            unique=True,
            postgresql_where=text("key IS NOT NULL"),
        ),
        Index(
            "tasks_due",
            *("user_id", "completed", "due", text("id DESC")),
            postgresql_where=text("due IS NOT NULL"),
        ),
        Index(
            "tasks_priority",
            *("user_id", "completed", "priority", text("id DESC")),
            postgresql_where=text("priority > 0"),
        ),
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
    due: str | None = Field(default=None, sa_column=Column("due", Text(collation="C")))
    due_zone: str | None = Field(default=None, sa_column=Column("due_zone", Text(collation="C")))
    priority: int = Field(
        default=0,
        sa_column=Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    )
    project: str | None = Field(default=None, sa_column=Column("project", Text))
    tags: list[str] = Field(
        default_factory=list,
        sa_column=Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    )
    extra: dict[str, Any] | None = Field(default=None, sa_column=Column("extra", JSONB))
    key: str | None = Field(default=None, sa_column=Column("key", Text(collation="C")))
    find: str | None = Field(default=None, sa_column=Column("find", Text(collation="C")))
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
