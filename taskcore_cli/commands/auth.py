"""``taskctl auth``: tokens, as the REST API would judge them."""

import sys
from typing import Annotated, Any

import typer

from taskcore_cli.exit_codes import FAILED, Failed, say
from taskcore_cli.groups import Group
from taskcore_cli.http import by_default, identity_of, require_http
from taskcore_cli.input.interruption import run, wait_for_input
from taskcore_cli.input.options import Json
from taskcore_cli.output.render import print_json
from taskcore_cli.output.visible import visible
from taskcore_cli.session import session_of

# Loaded on use, so that --help answers at once.
# ruff: noqa: PLC0415

# Longer than every token that is accepted.
_LONGEST = 64 * 1024

app = typer.Typer(
    cls=Group, help="Find out why the REST API accepts or refuses a token.", rich_markup_mode=None
)


@app.callback()
def auth() -> None:
    """Make a group of one command."""


@app.command()
def explain(
    context: typer.Context,
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN",
            help="The token; - reads it from standard input, where other users of this machine "
            "cannot see it.",
        ),
    ] = "-",  # noqa: S107  (standard input)
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not fetch the issuer's keys.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a token as `taskctl serve` does, rule by rule.

    Give it the same settings. The token is sent to nobody. The exit code is 1 if a rule is
    broken. The database is not asked: it can still refuse a caller who is blocked.
    """
    from taskcore.errors import ConfigurationError

    require_http("auth explain")
    bearer = identity_of(by_default(session_of(context).settings()))
    if bearer is None:
        raise ConfigurationError("callers are trusted: no token is checked")
    findings = run(_explain(bearer, _token(token), offline=offline))
    if json:
        print_json([{"rule": f.rule, "outcome": f.outcome, "detail": f.detail} for f in findings])
    else:
        width = max(len(finding.rule) for finding in findings)
        for finding in findings:
            detail = visible(finding.detail)
            typer.echo(f"{finding.outcome:<7}  {finding.rule:<{width}}  {detail}")
    failed = [finding.rule for finding in findings if finding.outcome == "failed"]
    if failed:
        say(f"The token is refused: {', '.join(failed)}.")
        raise typer.Exit(FAILED)


async def _explain(bearer: Any, token: bytes, *, offline: bool) -> list[Any]:
    try:
        found: list[Any] = await bearer.explain(token, offline=offline)
        return found
    finally:
        await bearer.close()


def _token(given: str) -> bytes:
    if given == "-":
        if sys.stdin is None:
            raise Failed("standard input cannot be read: it is closed")
        if sys.stdin.isatty():
            say("Paste the token, then press Enter.")
        wait_for_input(sys.stdin)
        # Bytes: what is no text is explained, too.
        given = sys.stdin.buffer.readline(_LONGEST).decode("latin-1")
    words = given.split()
    # As it stands in the header field.
    if words and words[0].lower() == "bearer":
        words = words[1:]
    return " ".join(words).encode("latin-1", errors="replace")
