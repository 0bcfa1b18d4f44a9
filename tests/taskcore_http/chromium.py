"""Chromium, which the tests of pages need."""

import shutil

# The shell without a window makes a profile in a third of the time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)
"""The path of the program; None: there is none."""

ARGUMENTS = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
"""Run as root, and find no other host."""
