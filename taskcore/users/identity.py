"""An identity, for administrators."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from taskcore.users.user import Id


class Identity(BaseModel):
    """An issuer's name for a user.

    Attributes:
        issuer: The issuer's URL.
        subject: The issuer's name for the user. It is personal data, and not in the ``repr``.
        user_id: The user; None for a blocked identity that has no user yet.
        created_at: When it was first used, or blocked.
        blocked_at: When it was blocked; None if it is not.
    """

    model_config = ConfigDict(frozen=True)

    issuer: str
    subject: str = Field(repr=False)
    user_id: Id | None
    created_at: datetime
    blocked_at: datetime | None
