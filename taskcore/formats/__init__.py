"""Files of tasks that other programs read and write: one module for each format."""

from taskcore.formats.ics import read_ics, write_ics
from taskcore.formats.skipped import Skipped
from taskcore.formats.taskwarrior import read_taskwarrior, write_taskwarrior
from taskcore.formats.todotxt import fits_todotxt, read_todotxt, write_todotxt

__all__ = [
    "Skipped",
    "fits_todotxt",
    "read_ics",
    "read_taskwarrior",
    "read_todotxt",
    "write_ics",
    "write_taskwarrior",
    "write_todotxt",
]
