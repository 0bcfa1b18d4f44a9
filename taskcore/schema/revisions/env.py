"""Alembic's environment: runs on the connection that ``taskcore.schema.migrate`` hands over."""

from alembic import context

from taskcore.schema.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
)
context.run_migrations()
