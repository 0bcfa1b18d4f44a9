"""The objects of a JSON array, or of JSON Lines, one at a time and in constant memory."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from taskcore.limits import MAX_JSON
from taskcore.tasks.files import BadLine

_BOM = b"\xef\xbb\xbf"
_NOT_JSON = "line is not well-formed JSON"
_BETWEEN = re.compile(rb"[\s\[\],]*")
_IN_TEXT = re.compile(rb'["\\\n]')
_OUTSIDE = re.compile(rb'["{}]')


def objects(file: BinaryIO) -> Iterator[tuple[int, bytes] | BadLine]:
    """Yield the text of each object, and the number of the line where it begins.

    After a malformed object, reading continues with the next object that begins a line.
    """
    scanner = _Scanner()
    number, is_rest = 0, False
    while piece := file.readline(MAX_JSON):
        if not is_rest:
            number += 1
            if number == 1:
                piece = piece.removeprefix(_BOM)
        yield from scanner.scan(number, piece, begins_line=not is_rest)
        is_rest = not piece.endswith(b"\n")
    yield from scanner.end()


class _Scanner:
    """Finds where objects begin and end. It looks only at braces and strings."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_text = False
        self._escaped = False
        self._begin = self._indent = 0
        self._text = bytearray()
        # After a malformed object: the most indentation that the next object may have.
        self._lost: int | None = None

    def scan(
        self, number: int, piece: bytes, *, begins_line: bool
    ) -> Iterator[tuple[int, bytes] | BadLine]:
        """Take a line, or a piece of a long one, and yield the objects that end in it."""
        at = 0
        while at < len(piece):
            if self._depth:
                begin, at = at, self._inside(piece, at)
                if len(self._text) <= MAX_JSON:
                    self._text += piece[begin:at]
                if not self._depth:
                    yield self._found()
                elif self._in_text and piece[at - 1 : at] == b"\n":
                    yield self._broken()
                continue
            between = _BETWEEN.match(piece, at)
            at = between.end() if between else at
            if at == len(piece):
                return
            is_first = begins_line and not piece[:at].strip(b" \t[,")
            if self._lost is not None and not (is_first and at <= self._lost):
                return
            if piece[at : at + 1] != b"{":
                if self._lost is None:
                    yield BadLine(number, _NOT_JSON)
                    self._lost = MAX_JSON
                return
            self._lost = None
            self._depth, self._in_text = 1, False
            self._begin, self._indent = number, at
            self._text = bytearray(b"{")
            at += 1

    def end(self) -> Iterator[BadLine]:
        """Yield an error if an object has no end."""
        if self._depth:
            yield self._broken()

    def _inside(self, piece: bytes, at: int) -> int:
        """Return the place after the object, or after this piece if the object goes on."""
        while at < len(piece) and self._depth:
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = (_IN_TEXT if self._in_text else _OUTSIDE).search(piece, at)
            if found is None:
                return len(piece)
            at = found.end()
            match found[0]:
                case b'"':
                    self._in_text = not self._in_text
                case b"\\":
                    self._escaped = True
                case b"\n":
                    # A string of JSON has no line break: the object is malformed.
                    return at
                case bracket:
                    self._depth += 1 if bracket == b"{" else -1
        return at

    def _found(self) -> tuple[int, bytes] | BadLine:
        text, self._text = bytes(self._text), bytearray()
        if len(text) > MAX_JSON:
            return BadLine(self._begin, f"object must have at most {MAX_JSON} bytes")
        return self._begin, text

    def _broken(self) -> BadLine:
        self._depth, self._in_text, self._lost = 0, False, self._indent
        self._text = bytearray()
        return BadLine(self._begin, _NOT_JSON)
