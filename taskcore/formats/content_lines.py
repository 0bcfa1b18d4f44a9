"""Content lines of iCalendar (RFC 5545, section 3.1), read one at a time."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self

from taskcore.limits import MAX_JSON

_BOM = b"\xef\xbb\xbf"
_VALUE = r'(?:"[^"]*+"|[^";:,]*+)'
_PARAMETER = rf"([^=;:\",]++)(?:=({_VALUE}(?:,{_VALUE})*+))?+"
_LINE = re.compile(
    rf"([A-Za-z0-9_-]++)((?:;{_PARAMETER.replace('([', '(?:[').replace('=(', '=(?:')})*+):(.*)",
    re.DOTALL,
)
_PARAMETERS = re.compile(f";{_PARAMETER}")
# Most lines have only a name and a value.
_PLAIN = re.compile(r"([A-Za-z0-9_-]++):(.*)", re.DOTALL)
_NOT_IN_LINES = re.compile("[\r\n]")

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\\;,]")
_LINE_END = re.compile("\r\n?|\n")
# Section 3.1: CONTROL, but not the tab.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ContentLine:
    """A property, or the ``BEGIN`` or ``END`` of a component.

    Attributes:
        number: The number of its first line in the file, counted from 1.
        text: The line, unfolded.
        name: The name, in upper case.
        parameters: The parameters, their names in upper case and their values without quotes.
        value: The value as it is in the file.
    """

    number: int
    text: str
    name: str
    parameters: Mapping[str, str]
    value: str

    @classmethod
    def parsed(cls, number: int, text: str) -> Self | None:
        """Return the line, or None if it is not well-formed."""
        if _NOT_IN_LINES.search(text):
            return None
        if found := _PLAIN.match(text):
            return cls(number, text, found[1].upper(), {}, found[2])
        if found := _LINE.fullmatch(text):
            parameters = {
                name.strip().upper(): value.replace('"', "")
                for name, value in _PARAMETERS.findall(found[2])
            }
            return cls(number, text, found[1].upper(), parameters, found[3])
        return None

    @property
    def component(self) -> str:
        """The name of the component that begins or ends here."""
        return self.value.strip().upper()


def unfolded(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each unfolded line, without line ends, and the number of its first line in the file.

    Lines are folded between bytes, even within a character. The end of a line that is longer than
    ``MAX_JSON`` bytes is dropped.
    """
    line = bytearray()
    number = begin = 0
    # Whether the next piece continues a line of the file that is longer than a piece.
    is_rest = False
    while piece := file.readline(MAX_JSON):
        part = piece
        if not is_rest:
            number += 1
            if number == 1:
                part = piece.removeprefix(_BOM)
            if line and piece[0] in b" \t":
                part = piece[1:]
            else:
                if line:
                    yield begin, bytes(line)
                line.clear()
                begin = number
        is_rest = not piece.endswith(b"\n")
        if len(line) <= MAX_JSON:
            line += part.rstrip(b"\r\n")
    if line:
        yield begin, bytes(line)


def are_whole(lines: Iterable[ContentLine]) -> bool:
    """Tell whether each component that begins in these lines ends in them."""
    open_: list[str] = []
    for line in lines:
        if line.name == "BEGIN":
            open_.append(line.component)
        elif line.name == "END" and (not open_ or open_.pop() != line.component):
            return False
    return not open_


def text_in(value: str) -> str:
    r"""Return the text that a value of type TEXT stands for: ``\n`` is a line end."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def texts_in(value: str) -> Sequence[str]:
    """Return the texts of a list, which commas separate."""
    return [text_in(one) for one in re.findall(r"(?:\\.|[^\\,])+", value, re.DOTALL)]


def value_of(text: str) -> str:
    """Return a text as a value of type TEXT. Control characters become spaces."""
    escaped = _TO_ESCAPE.sub(lambda found: "\\" + found[0], text)
    return _CONTROL.sub(" ", _LINE_END.sub(r"\\n", escaped))
