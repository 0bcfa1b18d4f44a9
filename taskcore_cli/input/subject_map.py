"""The map of ``taskctl identities move``: a CSV file of old and new subjects."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from taskcore_cli.exit_codes import Failed
from taskcore_cli.input.files import opened_for_reading, unreadable

COLUMNS = ("from_subject", "to_subject")


@dataclass(frozen=True, slots=True)
class SubjectMap:
    """The new subjects of identities, and where a file names them.

    Attributes:
        subjects: The new subject for each old one.
        lines: The line of the file that names each old subject.
    """

    subjects: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read_subject_map(file: Path) -> SubjectMap:
    """Read a map, which is kept in memory: about 400 bytes a line. ``-`` is standard input.

    Raises:
        Failed: The file cannot be read, or a line cannot be used. The message names the line.
    """
    # Loaded on use: --help does not need taskcore.
    from taskcore.errors import ValidationError  # noqa: PLC0415
    from taskcore.validation import validate_name  # noqa: PLC0415

    read = SubjectMap()
    taken: dict[str, int] = {}
    for line, row in _rows(file):
        try:
            old, new = (validate_name(row.get(name, ""), field=name) for name in COLUMNS)
        except ValidationError as exc:
            raise Failed(f"{_name(file)}, line {line}: {exc}") from exc
        for name, value, earlier in zip(COLUMNS, (old, new), (read.lines, taken), strict=True):
            if value in earlier:
                raise Failed(
                    f"{_name(file)}, line {line}: line {earlier[value]} has the same {name}"
                )
        read.subjects[old] = new
        read.lines[old] = taken[new] = line
    return read


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the number of its first line. Empty lines are skipped, but count."""
    # Loaded on use: --help needs none.
    import csv  # noqa: PLC0415
    import io  # noqa: PLC0415

    line = 1
    rows = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        names = next(rows, [])
        if any(names.count(name) != 1 for name in COLUMNS):
            raise Failed(f"{_name(file)}, line 1: it must name {' and '.join(COLUMNS)}, each once")
        line = rows.line_num + 1
        for values in rows:
            if len(values) > len(names):
                raise Failed(
                    f"{_name(file)}, line {line}: it has more values than line 1; "
                    "put a value with a comma in quotes"
                )
            if values:
                yield line, dict(zip(names, values, strict=False))
            line = rows.line_num + 1
    except csv.Error as exc:
        raise Failed(f"{_name(file)}, line {line}: {exc}") from exc


def _text(file: Path) -> str:
    try:
        with opened_for_reading(file, twice=False) as source:
            return source.read().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        # The byte may be the first of its line.
        before = exc.object[: exc.start] + b"?"
        raise Failed(f"{_name(file)}, line {len(before.splitlines())}: it is not UTF-8") from exc
    except OSError as exc:
        raise unreadable(file, exc) from exc


def _name(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file)
