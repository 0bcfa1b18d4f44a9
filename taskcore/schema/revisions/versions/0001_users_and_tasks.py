"""Create the tables users, identities, tokens and tasks.

Written out, not derived from ``taskcore.schema``: a released revision never changes.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A character that is not white space.
_TEXT = "'[^\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]'"

# PostgreSQL parses an expression of a CHECK anew for each statement, and compiles this
# function once for each session: a third less of a create's time in the server.
_TASK_IS_VALID = """
CREATE FUNCTION taskcore.task_is_valid(t taskcore.tasks) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    -- On its own: PostgreSQL evaluates an expression without a subquery in a tenth of the time.
    IF t.tags <> '{}' THEN
        IF array_ndims(t.tags) <> 1 OR cardinality(t.tags) > 20 OR t.tags <> ARRAY(
            SELECT DISTINCT tag COLLATE "C" FROM unnest(t.tags) AS tag
            WHERE char_length(tag) BETWEEN 1 AND 50 AND tag !~ '[\x01-\x1f\x7f-\x9f,]'
            ORDER BY 1)
        THEN
            RETURN false;
        END IF;
    END IF;
    RETURN t.id BETWEEN 1 AND 9007199254740991
        AND char_length(t.title) <= 500
        AND t.title ~ %(text)s
        AND (t.description IS NULL OR char_length(t.description) BETWEEN 1 AND 5000)
        AND (t.due IS NULL
             OR t.due ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?$'
                AND left(t.due, 10)::date IS NOT NULL)
        AND (t.due_zone IS NULL
             OR COALESCE(char_length(t.due), 0) > 10
                AND t.due_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]{0,63}$')
        AND t.priority BETWEEN 0 AND 9
        AND (t.project IS NULL
             OR char_length(t.project) BETWEEN 1 AND 100
                AND t.project ~ %(text)s)
        AND (t.extra IS NULL
             OR jsonb_typeof(t.extra) = 'object'
                AND t.extra <> '{}'
                AND octet_length(t.extra::text) <= 4096
                AND NOT jsonb_path_exists(
                    t.extra, 'strict $.**{32} ? (@.type() == "object" || @.type() == "array")'))
        AND (t.key IS NULL
             OR char_length(t.key) BETWEEN 1 AND 200
                AND t.key ~ %(text)s
                AND t.key !~ '[\x01-\x1f\x7f-\x9f]')
        AND (t.find IS NULL
             OR char_length(t.find) <= 50000
                AND cardinality(string_to_array(t.find, chr(10)))
                    = 2 + GREATEST(cardinality(t.tags), 1))
        AND t.version >= 1
        AND t.created_at >= timestamptz '0001-01-01 00:00:00+00'
        AND t.updated_at >= t.created_at
        AND t.updated_at < timestamptz '10000-01-01 00:00:00+00'
        AND (t.completed_at IS NULL
             OR t.completed
                AND t.completed_at >= timestamptz '0001-01-01 00:00:00+00'
                AND t.completed_at < timestamptz '10000-01-01 00:00:00+00');
END
$$
""".replace("%(text)s", _TEXT)
# An administrator who copies rows writes them too.
_GRANT = "GRANT EXECUTE ON FUNCTION taskcore.task_is_valid TO taskcore_definer, taskcore_admin"
_REVOKE = "REVOKE ALL ON FUNCTION taskcore.task_is_valid FROM PUBLIC"


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
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="users_id_range"),
        schema="taskcore",
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("issuer", "subject", name="identities_pkey"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["taskcore.users.id"],
            name="identities_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "char_length(issuer) BETWEEN 1 AND 255", name="identities_issuer_length"
        ),
        sa.CheckConstraint(
            "char_length(subject) BETWEEN 1 AND 255", name="identities_subject_length"
        ),
        # A row without a user blocks an identity that has no user yet.
        sa.CheckConstraint(
            "user_id IS NOT NULL OR blocked_at IS NOT NULL", name="identities_user_or_block"
        ),
        schema="taskcore",
    )
    # For the cascade, and for the list of a user's identities.
    op.create_index("identities_user", "identities", ["user_id"], schema="taskcore")
    op.create_table(
        "tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        # How long it was to last; null: for ever. A token that replaces it lasts as long.
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_replaced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        # A day, not a moment: it is written at most once a day.
        sa.Column("last_used_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("hash", name="tokens_pkey"),
        # For the list of a user's tokens, and for the cascade.
        sa.UniqueConstraint("user_id", "id", name="tokens_user_id_id_key"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["taskcore.users.id"],
            name="tokens_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("octet_length(hash) = 32", name="tokens_hash_length"),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="tokens_id_range"),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="tokens_name_length"),
        sa.CheckConstraint(
            "cardinality(scopes) > 0"
            " AND scopes <@ ARRAY['tasks:read', 'tasks:write', 'tokens', 'sign-in']",
            name="tokens_scopes_known",
        ),
        sa.CheckConstraint("minutes BETWEEN 1 AND 527040", name="tokens_minutes_range"),
        sa.CheckConstraint("minutes IS NULL OR expires_at IS NOT NULL", name="tokens_expiry"),
        schema="taskcore",
    )
    op.create_table(
        "tasks",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        # A date, or a local date and time, as it was written.
        sa.Column("due", sa.Text(collation="C"), nullable=True),
        sa.Column("due_zone", sa.Text(collation="C"), nullable=True),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("tags", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        # The client's own name of the task.
        sa.Column("extra", postgresql.JSONB(), nullable=True),
        sa.Column("key", sa.Text(collation="C"), nullable=True),
        # Search reads this column where PostgreSQL cannot compute the text itself.
        sa.Column("find", sa.Text(collation="C"), nullable=True),
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
        schema="taskcore",
    )
    for statement in (_TASK_IS_VALID, _REVOKE, _GRANT):
        op.execute(statement)
    op.create_check_constraint(
        "tasks_valid", "tasks", "taskcore.task_is_valid(tasks)", schema="taskcore"
    )
    op.create_index(
        "tasks_open",
        "tasks",
        ["user_id", "id"],
        schema="taskcore",
        postgresql_where=sa.text("NOT completed"),
    )
    op.create_index(
        "tasks_key",
        "tasks",
        ["user_id", "key"],
        unique=True,
        schema="taskcore",
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    # For lists in other orders. Open and completed tasks are apart, because most lists show
    # the open ones, and the completed ones have the earliest due dates.
    op.create_index(
        "tasks_due",
        "tasks",
        ["user_id", "completed", "due", sa.text("id DESC")],
        schema="taskcore",
        postgresql_where=sa.text("due IS NOT NULL"),
    )
    op.create_index(
        "tasks_priority",
        "tasks",
        ["user_id", "completed", "priority", sa.text("id DESC")],
        schema="taskcore",
        postgresql_where=sa.text("priority > 0"),
    )
