"""Task ids on the command line: whole, or as a unique ending such as ``4711``."""

from typing import TYPE_CHECKING

import typer

from taskcore_cli.exit_codes import WrongUsage, say
from taskcore_cli.output.visible import visible

if TYPE_CHECKING:
    from taskcore import Task, UserTasks

SHORTEST = 4
"""The fewest digits of an ending."""
# From here on it is a whole id: those that the store makes have 15 digits or 16.
_WHOLE = 13
_SHOWN = 10


def digits(word: str) -> str:
    """Return a word that may be a task id, or the ending of one.

    Raises:
        typer.BadParameter: It is not a number.
    """
    if not (word.isascii() and word.isdigit()):
        raise typer.BadParameter("it must be an integer")
    return word


async def task_ids(tasks: "UserTasks", words: list[str]) -> list[int]:
    """Return the ids that the words mean, each once.

    A word of 4 to 12 digits is the id itself if the user has that task, or else the ending of
    exactly one id of theirs. Such words read all tasks of the user once.

    Raises:
        WrongUsage: A word is the ending of several ids, which are listed.
        TaskNotFound: A word is the ending of none.
    """
    endings = {word for word in words if SHORTEST <= len(word) < _WHOLE}
    found = await _find(tasks, endings) if endings else {}
    return list(dict.fromkeys(found[word] if word in found else int(word) for word in words))


async def _find(tasks: "UserTasks", endings: set[str]) -> dict[str, int]:
    """Return the task id of each ending."""
    from taskcore import TaskNotFound  # noqa: PLC0415  (--help needs no taskcore)

    matches: dict[str, list[Task]] = {ending: [] for ending in endings}
    lengths = {len(ending) for ending in endings}
    exact = set()
    async for task in tasks.iterate():
        text = str(task.id)
        for ending in {text[-length:] for length in lengths} & endings:
            matches[ending].append(task)
            if ending == text:
                exact.add(ending)
    for ending, several in matches.items():
        if not several:
            raise TaskNotFound(f"no task id ends in {ending}")
        if len(several) > 1 and ending not in exact:
            for task in several[:_SHOWN]:
                say(f"{task.id}  {visible(task.title)}")
            raise WrongUsage(f"{len(several)} task ids end in {ending}: give more digits")
    return {
        ending: int(ending) if ending in exact else several[0].id
        for ending, several in matches.items()
    }


def needed_digits(ids: list[int]) -> dict[int, int]:
    """Return how many digits at the end tell each id from the others, at least 4."""
    texts = sorted(str(task_id)[::-1] for task_id in ids)
    needed = {}
    for index, text in enumerate(texts):
        neighbours = texts[max(index - 1, 0) : index] + texts[index + 1 : index + 2]
        shared = max((_common(text, other) for other in neighbours), default=0)
        needed[int(text[::-1])] = max(shared + 1, SHORTEST)
    return needed


def _common(one: str, other: str) -> int:
    """Return the length of the common beginning."""
    for length, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return length
    return min(len(one), len(other))
