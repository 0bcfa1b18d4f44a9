"""What a move of identities to another issuer did, or would do."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IdentityMove:
    """The outcome of ``store.identities.move``.

    Attributes:
        moved: The identities that were moved, or would be.
        done: Those that were moved before.
        unknown: Subjects of the map that nobody has.
        conflicts: The old subjects whose new identity is there already. Subjects are personal
            data, and not in the ``repr``.
    """

    moved: int = 0
    done: int = 0
    unknown: int = 0
    conflicts: tuple[str, ...] = field(default=(), repr=False)
