"""Files of tasks that other programs read and write: one module for each format."""

from taskcore.formats.ics import read_ics, write_ics
from taskcore.formats.skipped import Skipped

__all__ = ["Skipped", "read_ics", "write_ics"]
