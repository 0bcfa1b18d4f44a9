"""A page of users."""

from taskcore.pages import Page
from taskcore.users.user import User


class UserPage(Page[User]):
    """Some users, by rising id."""
