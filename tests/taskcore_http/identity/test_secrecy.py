"""Nothing of a token leaves the verification: no log line, exception or representation."""

import logging
import traceback
from types import FrameType

import pytest

from taskcore import Forbidden, Settings, TaskStore, Unavailable
from taskcore_http.identity.refusal import KeysUnavailable, TokenRefused
from taskcore_http.identity.token import parse_token
from tests.ports import free_port
from tests.taskcore_http.identity.inputs import REFUSED, VALID
from tests.taskcore_http.identity.issuing import (
    ISSUER,
    SUBJECT,
    Service,
    claims,
    headers,
    service,
    token,
)

_PIECE = 12


def _texts(exc: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    logged = [
        f"{record.getMessage()} {record.args} {record.exc_info} {record.__dict__}"
        for record in caplog.records
    ]
    return "\n".join([*traceback.format_exception(exc), repr(exc), repr(exc.__dict__), *logged])


def _pieces(credentials: bytes) -> set[str]:
    """The subject, and pieces of the token, none of which may be found anywhere."""
    text = credentials.decode("latin-1")
    pieces = {text[start : start + _PIECE] for start in range(0, len(text) - _PIECE, _PIECE)}
    return pieces | {SUBJECT, "victim"}


def _frames(exc: BaseException) -> list[FrameType]:
    return [frame for frame, _line in traceback.walk_tb(exc.__traceback__)]


@pytest.mark.parametrize(("credentials", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_shows_nothing_of_the_token(
    credentials: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """ID-110: fastapi-azure-auth 5.3.0."""
    caplog.set_level(logging.DEBUG)
    tested = service()

    with pytest.raises(TokenRefused) as refused:
        await tested.bearer.authenticate(headers(credentials))

    exc = refused.value
    assert exc.reason == reason
    texts = _texts(exc, caplog) + tested.bearer.challenge(exc) + repr(tested)
    assert [piece for piece in _pieces(credentials) if piece in texts] == []
    assert exc.__cause__ is None
    assert exc.__context__ is None
    # The frames of the parser, whose variables hold the token, are cut off.
    assert [frame.f_code.co_name for frame in _frames(exc)][1:] == ["authenticate"]
    assert [name for frame in _frames(exc)[1:] for name in frame.f_locals] == ["self"]


async def test_an_outage_shows_nothing_of_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """ID-108, ID-110."""
    caplog.set_level(logging.DEBUG)
    tested = service()
    tested.publisher.failure = OSError("down")

    with pytest.raises(KeysUnavailable) as unavailable:
        await tested.subject(VALID)

    texts = _texts(unavailable.value, caplog) + repr(tested)
    assert [piece for piece in _pieces(VALID) if piece in texts] == []
    assert unavailable.value.__context__ is None
    names = [name for frame in _frames(unavailable.value) for name in frame.f_locals]
    assert "headers" not in names
    assert ISSUER in str(unavailable.value)


@pytest.mark.parametrize("failure", ["unreachable", "refused"])
async def test_an_error_of_the_database_does_not_show_the_subject(
    store: TaskStore, failure: str
) -> None:
    """ID-110: not in the variables of any frame, those of the driver included."""
    if failure == "unreachable":
        address = f"postgresql://taskcore_app@127.0.0.1:{free_port()}/taskcore"
        store = TaskStore(address, settings=Settings(operation_timeout=0.5))
        await store.open(connect=False)
    tasks = store.for_identity(ISSUER, SUBJECT, provision="never")

    with pytest.raises((Unavailable, Forbidden)) as failed:
        await tasks.list()

    # The traceback of an error has those of its causes.
    shown = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    text = "".join(shown.format())
    assert "asyncpg" in text
    assert SUBJECT not in text
    await store.close()


async def test_what_is_accepted_is_not_shown_either(caplog: pytest.LogCaptureFixture) -> None:
    """ID-110."""
    caplog.set_level(logging.DEBUG)
    tested = service()
    principal = await tested.bearer.authenticate(headers(VALID))

    ((_digest, entry),) = tested.bearer._verified._entries.items()
    shown = repr((principal, tested, tested.bearer._verified, entry, parse_token(VALID)))
    assert [piece for piece in _pieces(VALID) if piece in shown] == []
    assert [record.name for record in caplog.records if record.name != "asyncio"] == []


async def _logged(
    tested: Service, credentials: bytes, caplog: pytest.LogCaptureFixture
) -> list[tuple[str, int, str]]:
    caplog.clear()
    await tested.reason(credentials)
    return caplog.record_tuples


async def test_each_refusal_is_one_line_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """ID-111: the issuer is named if it is a configured one."""
    caplog.set_level(logging.INFO)
    tested, name = service(), "taskcore.http.identity"
    await tested.subject(VALID)

    assert await _logged(tested, token(claims(aud="x")), caplog) == [
        (name, logging.INFO, f"refused: aud (issuer: {ISSUER})")
    ]
    assert await _logged(tested, token(claims(iss="https://evil.example/")), caplog) == [
        (name, logging.INFO, "refused: iss (issuer: unknown)")
    ]
    assert await _logged(tested, b"x", caplog) == [
        (name, logging.INFO, "refused: form (issuer: unknown)")
    ]
    tested.clock.advance(3600 + 30)
    assert await _logged(tested, VALID, caplog) == [
        (name, logging.INFO, f"refused: exp (issuer: {ISSUER})")
    ]
