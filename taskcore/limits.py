"""The limits of the data model; the database repeats them as CHECK constraints."""

MAX_TITLE = 500
"""Longest title, in characters (code points), after stripping."""

MAX_DESCRIPTION = 5_000
"""Longest description, in characters (code points)."""

MAX_ID = 2**53 - 1
"""Largest user or task id: JSON and JavaScript carry integers exactly up to here.

https://www.rfc-editor.org/rfc/rfc8259#section-6
"""

DEFAULT_PAGE = 100
"""Tasks or users in a page, unless told otherwise."""

MAX_PAGE = 1_000
"""Most tasks or users in a page."""

MAX_BATCH = 10_000
"""Most tasks created by one call of ``create_many``."""

MAX_JSON = 128 * 1024
"""Longest JSON document of one task, in bytes.

The longest description takes 5,000 x 12 of them when every character is escaped.
"""

MAX_VERSION = 2**31 - 1
"""Largest version: a PostgreSQL ``integer``."""
