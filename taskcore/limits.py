"""The limits of the data model; the database repeats them as CHECK constraints."""

MAX_TITLE = 500
"""Longest title, in characters (code points), including the white space that is removed."""

BLANK = "\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The characters that ``str.strip`` removes, as ranges for a regular expression.

PostgreSQL's own classes of characters depend on the database's locale.
"""

MAX_DESCRIPTION = 5_000
"""Longest description, in characters (code points)."""

MAX_PRIORITY = 9
"""The lowest priority: 1 is the highest, 0 is none (RFC 5545, section 3.8.1.9)."""

MAX_PROJECT = 100
"""Longest name of a project, in characters, including the white space that is removed."""

MAX_KEY = 200
"""Longest key of a task, in characters, including the white space that is removed."""

MAX_EXTRA = 4096
"""The most bytes of a task's ``extra``, as the text of a PostgreSQL ``jsonb``, in UTF-8."""

MAX_EXTRA_DEPTH = 32
"""How deep a task's ``extra`` may be nested, itself included."""

MAX_SEARCH = 200
"""Longest text to search for, in characters."""

MAX_FOLDED = 20_000
"""The most characters of a folded text that a search reads.

Few characters become more than two, but one becomes 18 (U+FDFA), and each of them costs every
search of its user.
"""

MAX_TAGS = 20
"""The most tags of a task."""

MAX_TAG = 50
"""Longest tag, in characters."""

MAX_ID = 2**53 - 1
"""Largest user or task id: JSON and JavaScript carry integers exactly up to here.

https://www.rfc-editor.org/rfc/rfc8259#section-6
"""

FIRST_RANDOM_USER_ID = 2**52
"""Smallest id of a user whom the database creates for an identity. Hosts choose lower ones."""

PLACES = 1024
"""Places of users, by which a router finds them: ``taskcore/schema/functions/places.sql``."""

MAX_IDENTITY = 255
"""Longest issuer and longest subject of an identity, in characters.

OpenID Connect Core 1.0, section 2, has this limit for subjects. An entry of the index that holds
both must be shorter than 2,704 bytes.
"""

MAX_TOKENS = 100
"""The most API tokens, sessions and sign-in links of one user. Expired ones do not count."""

MAX_TOKEN_NAME = 100
"""Longest name of an API token, in characters."""

MINUTES_A_DAY = 24 * 60

MAX_TOKEN_DAYS = 366
"""The most days that an API token lasts, unless it is to last for ever."""

DEFAULT_TOKEN_DAYS = 90
"""How many days an API token lasts by default."""

SIGN_IN_LINK_MINUTES = 10
"""How long a sign-in link can be used."""

SESSION_MINUTES = 7 * MINUTES_A_DAY
"""How long a browser stays signed in."""

DEFAULT_PAGE = 100
"""Tasks or users in a page by default."""

MAX_PAGE = 1_000
"""The most tasks or users in a page."""

MAX_BATCH = 10_000
"""The most tasks in one call of ``create_many``, ``update_many`` or ``delete_many``."""

MAX_BATCH_BYTES = 128 * 1024 * 1024
"""The most bytes of the JSON that one call of ``create_many`` sends. A ``jsonb`` holds 256 MiB."""

MAX_JSON = 128 * 1024
"""Longest JSON document of one task, in bytes.

The longest description takes 5,000 x 12 bytes if every character is escaped.
"""

MAX_VERSION = 2**31 - 1
"""Largest version, a PostgreSQL ``integer``: the next change makes it 1 again."""

FIRST_MOMENT = "0001-01-01 00:00:00+00"
"""The first moment of a Python ``datetime`` in UTC. PostgreSQL has earlier ones."""

AFTER_LAST_MOMENT = "10000-01-01 00:00:00+00"
"""The first moment that is too late for a Python ``datetime`` in UTC."""
