"""Identities, for administrators: the database role must be a member of taskcore_admin."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from taskcore.database.database import Database
from taskcore.errors import NotFound, ValidationError
from taskcore.limits import MAX_IDENTITY, MAX_PAGE
from taskcore.rows import columns_of, reader_of
from taskcore.users.administration import administered
from taskcore.users.identity import Identity
from taskcore.users.identity_move import IdentityMove
from taskcore.validation import validate_id, validate_name

_LIST = f"SELECT {columns_of(Identity)} FROM taskcore.identity_list_v1($1, $2, $3, $4)"  # noqa: S608
_BLOCK = f"SELECT {columns_of(Identity)} FROM taskcore.identity_block_v1($1, $2, $3)"  # noqa: S608

_MOVE = (
    "SELECT m.subject, taskcore.identity_move_v1($1, m.subject, $2, m.to_subject, $5)"
    " FROM unnest($3::text[], $4::text[]) AS m(subject, to_subject)"
)

_identities_from_rows = reader_of(Identity)

_AFTER_ALL = "\U0010ffff" * MAX_IDENTITY
"""No subject comes after this one in the order of bytes."""


class Identities:
    """The names that issuers have for the users, as ``store.identities``.

    Every method raises `PermissionDenied` with the application's role, as those of `Users` do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def iterate(self, *, user_id: int | None = None) -> AsyncIterator[Identity]:
        """Yield every identity, or those of one user, by issuer and subject, in constant memory.

        Raises:
            ValidationError: The user's id is not an integer from 1 to 2^53-1.
        """
        if user_id is not None:
            validate_id(user_id, field="user_id")
        after: tuple[str | None, str | None] = (None, None)
        while True:
            rows = await administered(self._database.fetch(_LIST, user_id, *after, MAX_PAGE))
            for identity in _identities_from_rows(rows):
                yield identity
                after = identity.issuer, identity.subject
            if len(rows) < MAX_PAGE:
                return

    async def issuers(self) -> tuple[str, ...]:
        """Return the issuers of all identities, in the order of their bytes.

        This takes one round trip for each issuer and one more, however many identities there are.
        """
        found: list[str] = []
        after: tuple[str | None, str | None] = (None, None)
        while rows := await administered(self._database.fetch(_LIST, None, *after, 1)):
            (identity,) = _identities_from_rows(rows)
            found.append(identity.issuer)
            after = identity.issuer, _AFTER_ALL
        return tuple(found)

    async def move(
        self,
        from_issuer: str,
        to_issuer: str,
        subjects: Mapping[str, str] | None = None,
        *,
        dry_run: bool = False,
    ) -> IdentityMove:
        """Move identities to another issuer, for example after a change of identity provider.

        Each identity keeps its user and its block. All of them are checked first: if the new
        identity of one already exists, nothing is moved. Then they are moved in batches of 1,000.
        If that fails, for example because a new identity has signed up since the check, the earlier
        batches stay moved, and another call moves the rest.

        Args:
            from_issuer: The present issuer.
            to_issuer: The new issuer.
            subjects: The new subject for each old one. Identities that are not named are not moved.
                None: all identities of the issuer move and keep their subjects.
            dry_run: Only check, and return the conflicts.

        Raises:
            ValidationError: A name is not a text of 1 to 255 characters; the issuers are the same;
                two subjects would become the same; or, without ``dry_run``, a new identity already
                exists.
        """
        validate_name(from_issuer, field="from_issuer")
        validate_name(to_issuer, field="to_issuer")
        if from_issuer == to_issuer:
            raise ValidationError(
                "to_issuer must be another issuer", field="to_issuer", constraint="other"
            )
        if subjects is not None:
            _check_subjects(subjects)
        done = set[str]()
        checked = await self._move(from_issuer, to_issuer, subjects, done, dry_run=True)
        if dry_run:
            return checked
        if not checked.conflicts:
            return await self._move(from_issuer, to_issuer, subjects, done, dry_run=False)
        count = len(checked.conflicts)
        exist = "1 new identity exists" if count == 1 else f"{count} new identities exist"
        raise ValidationError(
            f"{exist} already: nothing was moved",
            field="to_issuer",
            constraint="exists",
        )

    async def _move(
        self,
        from_issuer: str,
        to_issuer: str,
        subjects: Mapping[str, str] | None,
        done: set[str],
        *,
        dry_run: bool,
    ) -> IdentityMove:
        """Move identities, or check what a move would do.

        Args:
            from_issuer: As for `move`.
            to_issuer: As for `move`.
            subjects: As for `move`.
            done: The subjects of the map that were moved before. The check adds them.
            dry_run: Only check.
        """
        counts = Counter[str]()
        conflicts: list[str] = []
        async for batch in self._batches(from_issuer, subjects):
            old, new = map(list, zip(*batch, strict=True))
            arguments = (from_issuer, to_issuer, old, new, dry_run)
            repeated = False
            if dry_run:
                rows = await administered(self._database.fetch(_MOVE, *arguments))
                done.update(subject for subject, outcome in rows if outcome == "done")
                conflicts += (subject for subject, outcome in rows if outcome == "conflict")
            else:
                rows, repeated = await administered(self._database.write(_MOVE, *arguments))
            for subject, outcome in rows:
                # A lost attempt of this call may have moved it.
                ours = outcome == "done" and repeated and subject not in done
                counts["moved" if ours else outcome] += 1
        return IdentityMove(counts["moved"], counts["done"], counts["unknown"], tuple(conflicts))

    async def _batches(
        self, issuer: str, subjects: Mapping[str, str] | None
    ) -> AsyncIterator[list[tuple[str, str]]]:
        if subjects is not None:
            for batch in _batched(subjects.items()):
                yield batch
            return
        after = ""
        while True:
            rows = await administered(self._database.fetch(_LIST, None, issuer, after, MAX_PAGE))
            found = [one.subject for one in _identities_from_rows(rows) if one.issuer == issuer]
            if found:
                yield [(subject, subject) for subject in found]
                after = found[-1]
            if len(found) < MAX_PAGE:
                return

    async def block(self, issuer: str, subject: str) -> Identity:
        """Block an identity, whether or not it has a user yet; its next call is refused.

        Tasks stay. Deleting the user also deletes the block: block the identity again, or block
        the user instead.

        Raises:
            ValidationError: The issuer or the subject is not a text of 1 to 255 characters.
        """
        rows, _ = await self._write(issuer, subject, blocked=True)
        return _identities_from_rows(rows)[0]

    async def unblock(self, issuer: str, subject: str) -> None:
        """Let a blocked identity in again. One of a user that is not blocked stays as it is.

        Raises:
            NotFound: The identity has no user and is not blocked.
            ValidationError: The issuer or the subject is not a text of 1 to 255 characters.
        """
        rows, repeated = await self._write(issuer, subject, blocked=False)
        if not rows and not repeated:
            raise NotFound("identity not found")

    async def _write(self, issuer: str, subject: str, *, blocked: bool) -> tuple[list[Any], bool]:
        validate_name(issuer, field="issuer")
        validate_name(subject, field="subject")
        return await administered(self._database.write(_BLOCK, issuer, subject, blocked))


def _check_subjects(subjects: Mapping[str, str]) -> None:
    for old, new in subjects.items():
        validate_name(old, field="subjects")
        validate_name(new, field="subjects")
    if len(set(subjects.values())) < len(subjects):
        raise ValidationError(
            "subjects must not map two subjects to the same one",
            field="subjects",
            constraint="unique",
        )


def _batched(items: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    rest = iter(items)
    while batch := list(islice(rest, MAX_PAGE)):
        yield batch
