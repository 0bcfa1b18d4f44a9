"""Tasks of many users in one PostgreSQL database, kept apart by the database itself."""

from taskcore.errors import (
    ConfigurationError,
    DatabaseError,
    Forbidden,
    InsufficientScope,
    InvalidToken,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    PoolExhausted,
    SchemaOutdated,
    StoreNotOpen,
    TaskcoreError,
    TaskNotFound,
    TokenNotFound,
    Unauthenticated,
    Unavailable,
    UserNotFound,
    ValidationError,
    VersionConflict,
)
from taskcore.settings import Settings
from taskcore.store import TaskStore
from taskcore.tasks.fields import TaskCreate
from taskcore.tasks.importing import ImportResult
from taskcore.tasks.json_page import JsonPage
from taskcore.tasks.task import Task
from taskcore.tasks.task_import import TaskImport
from taskcore.tasks.task_page import TaskPage
from taskcore.tasks.task_update import TaskChanges, TaskUpdate
from taskcore.tasks.user_tasks import UserTasks
from taskcore.tokens.secret import LinkSecret, SessionSecret, TokenSecret
from taskcore.tokens.sessions import Sessions
from taskcore.tokens.token import NewToken, Token, TokenCreate
from taskcore.tokens.tokens import Tokens
from taskcore.users.identities import Identities
from taskcore.users.identity import Identity
from taskcore.users.identity_move import IdentityMove
from taskcore.users.user import User, UserDetail
from taskcore.users.user_page import UserPage
from taskcore.users.users import Users
from taskcore.version import __version__

__all__ = [
    "ConfigurationError",
    "DatabaseError",
    "Forbidden",
    "Identities",
    "Identity",
    "IdentityMove",
    "ImportResult",
    "InsufficientScope",
    "InvalidToken",
    "JsonPage",
    "LinkSecret",
    "NewToken",
    "NotFound",
    "OutcomeUnknown",
    "PermissionDenied",
    "PoolExhausted",
    "SchemaOutdated",
    "SessionSecret",
    "Sessions",
    "Settings",
    "StoreNotOpen",
    "Task",
    "TaskChanges",
    "TaskCreate",
    "TaskImport",
    "TaskNotFound",
    "TaskPage",
    "TaskStore",
    "TaskUpdate",
    "TaskcoreError",
    "Token",
    "TokenCreate",
    "TokenNotFound",
    "TokenSecret",
    "Tokens",
    "Unauthenticated",
    "Unavailable",
    "User",
    "UserDetail",
    "UserNotFound",
    "UserPage",
    "UserTasks",
    "Users",
    "ValidationError",
    "VersionConflict",
    "__version__",
]
