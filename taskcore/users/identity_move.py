"""What a move of identities to another issuer did, or would do."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IdentityMove:
    """The outcome of ``store.identities.move``.

    Attributes:
        moved: The number of identities that were moved, or would be.
        done: The number that were moved before.
        unknown: The number of subjects in the map that have no identity.
        conflicts: The old subjects whose new identity already exists. They are not in the ``repr``,
            because subjects are personal data.
    """

    moved: int = 0
    done: int = 0
    unknown: int = 0
    conflicts: tuple[str, ...] = field(default=(), repr=False)
