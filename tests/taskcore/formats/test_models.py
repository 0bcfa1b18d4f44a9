"""Tasks of a store with ``TaskStore(extra=Model)``, written in each format."""

import io
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, computed_field

from taskcore import Task, TaskImport
from taskcore.formats import (
    fits_todotxt,
    read_ics,
    read_taskwarrior,
    write_ics,
    write_taskwarrior,
    write_todotxt,
)
from taskcore.formats.own_fields import DEFAULTS
from taskcore.tasks.extra_model import ExtraModel
from tests.taskcore.formats.samples import stored


class Model(BaseModel):
    day: date | None = None
    ical: list[str] = []
    taskwarrior: dict[str, Any] = {}


PLAIN = {"day": "2026-11-30", "ical": ["RRULE:FREQ=DAILY"], "taskwarrior": {"wait": "x"}}
(AS_DICTIONARY,) = stored([TaskImport(title="a", extra=PLAIN)])
AS_MODEL = Task[Model].model_validate(dict(AS_DICTIONARY) | {"extra": PLAIN})


@pytest.mark.parametrize(
    ("write", "read"), [(write_ics, read_ics), (write_taskwarrior, read_taskwarrior)]
)
def test_the_model_is_written_as_it_is_stored(write: Any, read: Any) -> None:
    """TK-404, TK-413"""
    assert isinstance(AS_MODEL.extra, Model)
    file = write([AS_MODEL])
    assert file == write([AS_DICTIONARY])
    (found,) = read(io.BytesIO(file))
    assert found.extra == PLAIN


def test_a_line_of_todotxt_has_no_place_for_a_model() -> None:
    """TK-422, TK-433"""
    assert write_todotxt([AS_MODEL]) == write_todotxt([AS_DICTIONARY])
    assert not fits_todotxt(AS_MODEL)


class Named(BaseModel):
    name: str

    @computed_field
    def initial(self) -> str:
        return self.name[0]


def test_what_the_model_refuses_is_written_as_it_is_stored() -> None:
    """TK-118: no export fails because of one task."""
    unfit = AS_DICTIONARY.model_copy(update={"extra": {"more": 1}})
    read = ExtraModel(Named).read('{"more": 1}')
    as_model = unfit.model_copy(update={"extra": read})
    for write in (write_ics, write_taskwarrior, write_todotxt):
        assert write([as_model]) == write([unfit])


def test_a_title_alone_has_no_fields_of_its_own() -> None:
    """TK-404: what every reader gets without being told."""
    (bare,) = stored([TaskImport(title="a")])
    assert DEFAULTS["extra"] == bare.extra == {}
