"""Plain words: for numbers, and for the errors of Typer and of Pydantic inside it."""

import re
from typing import Any

import typer

# The message, and what replaces it after the name of the option or argument.
_WORDS = (
    (r"Input should be a valid integer.*", "must be an integer"),
    (r"Input should be greater than or equal to (\S+)", r"must be at least \1"),
    (r"Input should be less than or equal to (\S+)", r"must be at most \1"),
    (r"(?:Value error, )?'.*' is not one of (.*)\.", r"must be one of \1"),
    (r"file '(.*)' does not exist\.?", r"names a file that does not exist: \1"),
    (r"it (must .*)", r"\1"),
)
_INVALID = re.compile(r"Invalid value for ('.+?'(?: \(env var: '\w+'\))?): (.*)", re.DOTALL)
_EXTRA = re.compile(r"Got unexpected extra argument(?:s|\(s\))? ?\((.*)\)", re.DOTALL)
_MISSING = re.compile(r"Missing (?:option|argument) (.+?)\.?")


def counted(number: int, one: str, many: str) -> str:
    """Return a number with the words for it: ``1 task``, ``2 tasks``."""
    return f"{number} {one if number == 1 else many}"


def plain(exc: typer.TyperException) -> str:
    """Return the message of an error in words that do not need to know Typer."""
    text: Any = exc.format_message()
    if more := _EXTRA.fullmatch(text):
        return f"more arguments than expected ({more[1]}): put text with spaces in quotes"
    if (option := getattr(exc, "option_name", None)) and getattr(exc, "ctx", None):
        return f"{text.rstrip('.')}{_place(exc, option)}"
    if missing := _MISSING.fullmatch(text):
        return f"{_named(missing[1])} is required"
    if (invalid := _INVALID.fullmatch(text)) is None:
        return str(text)
    for pattern, words in _WORDS:
        if found := re.fullmatch(pattern, invalid[2]):
            return f"{_named(invalid[1])} {found.expand(words)}"
    return str(text)


def _place(exc: Any, option: str) -> str:
    """Return a hint about where a misplaced option belongs, or an empty text."""
    root = exc.ctx.find_root()
    if option in _options(root.command):
        return f": it goes before the command, as in `{root.info_name} {option} … tasks list`"
    tasks = root.command.commands.get("tasks")
    if (
        tasks
        and option in _options(tasks.commands["list"])
        and hasattr(exc.ctx.command, "commands")
    ):
        return f": it goes after the command, as in `{root.info_name} tasks list {option} …`"
    return ""


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def _named(hint: str) -> str:
    """Return an option as it is typed: ``--user (or TASKCTL_USER)``."""
    names = re.findall(r"'([^']+)'", hint)
    variable = re.search(r"\(env var: '(\w+)'\)", hint)
    name = str(names[0] if names else hint).removesuffix("...")
    return f"{name} (or {variable[1]})" if variable else name
