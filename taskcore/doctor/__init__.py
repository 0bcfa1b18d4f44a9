"""Examinations of a live database (``taskctl doctor``)."""

from taskcore.doctor.check import Check
from taskcore.doctor.diagnosis import diagnose

__all__ = ["Check", "diagnose"]
