"""``taskctl doctor``: examine a live database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from taskcore_cli.exit_codes import FAILED, say
from taskcore_cli.http import identity_of, require_http
from taskcore_cli.input.interruption import run
from taskcore_cli.input.options import Json
from taskcore_cli.output.render import print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import embedded, session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from taskcore import Settings
    from taskcore.doctor import Check

_STATUS_WIDTH = len("failure")


def doctor(context: typer.Context, *, json: Json = False) -> None:
    """Examine the database: does it keep users apart as this release requires?

    Use the URL that the application will use, because its role is examined too. With
    TASKCORE_ISSUER the issuer's keys and clock are examined as well. Nothing is changed. The
    exit code is 1 if there is a failure. Warnings are not failures.
    """
    from taskcore.doctor import diagnose

    settings = session_of(context).settings()
    with _url(settings) as url:
        checks = run(diagnose(url, embedded=settings.database_url is None))
    if settings.issuer is not None:
        require_http("the check of the issuer")
        checks += run(_of_issuer(identity_of(settings)))
        checks.append(_other_issuers(context, settings.issuer))
    if json:
        print_json(
            [
                {"name": c.name, "status": c.status, "finding": c.finding, "advice": c.advice}
                for c in checks
            ]
        )
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            _print(check, width)
    failures = sum(check.status == "failure" for check in checks)
    if failures:
        say(f"{failures} of {len(checks)} checks failed.")
        raise typer.Exit(FAILED)


async def _of_issuer(bearer: Any) -> "list[Check]":
    found: list[Check] = await bearer.examine()
    return found


def _other_issuers(context: typer.Context, issuer: str) -> "Check":
    """Check, as an administrator, that no other issuer has stored identities."""
    from taskcore import PermissionDenied, TaskcoreError
    from taskcore.doctor.check import ok, warning

    name = "issuers of identities"
    try:
        with session_of(context).open_as_owner() as opened:
            stored = opened.run(opened.store.identities.issuers())
    except PermissionDenied:
        return ok(
            name,
            "not examined: the application's role cannot list them; run `taskctl doctor` with the "
            "URL of the role that migrated the database",
        )
    except TaskcoreError as exc:
        # The other checks say why. An exception would hide them.
        return warning(
            name, [f"not examined: {exc}"], "first correct what the other checks have found"
        )
    others = [visible(one) for one in stored if one != issuer]
    if not others:
        return ok(name, "only the configured issuer" if stored else "there are no identities")
    advice = (
        "their tokens are not accepted; if the configured issuer has replaced them, run "
        "`taskctl identities move`"
    )
    return warning(name, others, advice)


@contextmanager
def _url(settings: "Settings") -> Iterator[str]:
    """Return the application's URL."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded(settings) as server:
        yield server.application_url


def _print(check: "Check", width: int) -> None:
    indent = " " * (_STATUS_WIDTH + 2)
    first, *more = check.finding.split("\n")
    typer.echo(f"{check.status:<{_STATUS_WIDTH}}  {check.name:<{width}}  {visible(first)}")
    for line in more:
        typer.echo(f"{indent}{'':<{width}}  {visible(line)}")
    if check.advice:
        typer.echo(f"{indent}{'':<{width}}  -> {visible(check.advice)}")
