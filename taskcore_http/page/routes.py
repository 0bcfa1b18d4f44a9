"""``create_page``: the page and what it loads, from this package alone.

The scripts are the ES modules in ``assets``, without their comments and indentation. Their path has
the hash of their contents, so that a browser loads them once, and never an old one with a new one.
"""

import html
import json
from collections.abc import Mapping
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from string import Template
from typing import NamedTuple

from rcssmin import cssmin
from rjsmin import jsmin
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from taskcore import ConfigurationError

_HERE = Path(str(resources.files("taskcore_http.page")))
_ASSETS = _HERE / "assets"
_SCRIPT = "text/javascript"

_HEADERS = {
    # Nothing is loaded from elsewhere, and no text becomes a script or markup: a script cannot
    # even try (https://www.w3.org/TR/trusted-types/).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # It names the scripts of this release.
    "Cache-Control": "no-cache",
}


# The path never has other contents (RFC 8246).
_FOREVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


class _Asset(NamedTuple):
    """A file that the page loads."""

    name: str
    content: str
    media_type: str

    async def show(self, _request: Request) -> Response:
        """Return the answer to a request."""
        return Response(self.content, headers=_FOREVER, media_type=self.media_type)


def create_page(
    *,
    api: str,
    sessions: bool = False,
    sign_in: str | None = None,
    sign_out: str | None = None,
    texts: Mapping[str, str | Mapping[str, str]] | None = None,
    language: str = "en",
    direction: str = "ltr",
) -> Starlette:
    """Make the page as an ASGI application, for your own application to mount.

    ::

        app.include_router(create_router(store, identity=identify), prefix="/api")
        app.mount("/tasks", create_page(api="/api", sign_in="/login"))

    The page calls the API from the browser, with the cookies that the browser has. Your identity
    says whose they are, and must refuse requests that pages of other sites cause.

    Args:
        api: The path of the API on the same host, such as ``/api``, as a browser sees it.
        sessions: Whether ``Bearer(sessions=True)`` is the identity: the page then signs in with a
            link and signs out.
        sign_in: The path of your own sign-in page, if there is one.
        sign_out: The path of your own sign-out page, if there is one.
        texts: Translations of the texts in ``taskcore_http/page/texts/en.json``. The ones that are
            missing stay English. The forms of a plural are those of CLDR, such as ``one`` and
            ``other`` (https://cldr.unicode.org/index/cldr-spec/plural-rules).
        language: The language of the texts, for dates, numbers and screen readers, such as ``de``
            (BCP 47).
        direction: ``ltr``, or ``rtl`` for a language that is written from right to left.

    Raises:
        ConfigurationError: A text is unknown, or a path is no path.
    """
    for name, path in (("api", api), ("sign_in", sign_in), ("sign_out", sign_out)):
        if path is not None and (not path.startswith("/") or path.startswith("//")):
            raise ConfigurationError(f"{name} must be a path such as /api, not {path!r}")
    return Starlette(
        routes=page_routes(
            api=api.rstrip("/"),
            sessions=sessions,
            sign_in=sign_in,
            sign_out=sign_out,
            texts=texts,
            language=language,
            direction=direction,
        )
    )


def page_routes(
    *,
    api: str,
    sessions: bool,
    sign_in: str | None = None,
    sign_out: str | None = None,
    texts: Mapping[str, str | Mapping[str, str]] | None = None,
    language: str = "en",
    direction: str = "ltr",
) -> list[BaseRoute]:
    """Make the routes of the page at ``/``; the arguments are those of `create_page`."""
    files = _assets()
    digest = blake2b(repr(files).encode(), digest_size=8)
    assets = f"page/{digest.hexdigest()}"
    shown = _texts(texts)
    values = {name: html.escape(text) for name, text in shown.items() if isinstance(text, str)}
    page = Template((_HERE / "index.html").read_text("utf-8")).substitute(
        values,
        api=html.escape(api),
        assets=assets,
        direction=html.escape(direction),
        language=html.escape(language),
        preloads="\n".join(
            f'<link rel="modulepreload" href="{assets}/{file.name}">'
            for file in files
            if file.media_type == _SCRIPT
        ),
        sessions="true" if sessions else "",
        sign_in=html.escape(sign_in or ""),
        sign_out=html.escape(sign_out or ""),
        # "<" would end the element.
        texts=json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c"),
    )

    async def show(_request: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    return [Route("/", show), *(Route(f"/{assets}/{file.name}", file.show) for file in files)]


def _assets() -> list[_Asset]:
    """Return the files of the page. Scripts and styles are minified; names are kept."""
    kinds = {".js": (jsmin, _SCRIPT), ".css": (cssmin, "text/css"), ".svg": (str, "image/svg+xml")}
    files = list[_Asset]()
    for path in sorted(_ASSETS.iterdir()):
        shorten, media_type = kinds[path.suffix]
        files.append(_Asset(path.name, shorten(path.read_text("utf-8")), media_type))
    return files


def _texts(
    given: Mapping[str, str | Mapping[str, str]] | None,
) -> dict[str, str | Mapping[str, str]]:
    """Return all texts, translated where there is a translation.

    Raises:
        ConfigurationError: A text has a name that the page does not have.
    """
    english: dict[str, str | Mapping[str, str]] = json.loads(
        (_HERE / "texts" / "en.json").read_text("utf-8")
    )
    for name in given or {}:
        if name not in english:
            raise ConfigurationError(f"texts has {name!r}, which the page does not have")
    return english | dict(given or {})
