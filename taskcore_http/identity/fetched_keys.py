"""The keys of one issuer, kept up to date: fetched when needed, and shared by all requests."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from taskcore_http.identity.discovery import discover_keys
from taskcore_http.identity.fetch import MAX_CONTENT, TIMEOUT, Fetch, FetchFailed, fetch_url
from taskcore_http.identity.key_set import InvalidKeySet, KeySet, parse_key_set
from taskcore_http.identity.refusal import KeysUnavailable
from taskcore_http.identity.rules import IssuerRules
from taskcore_http.identity.signatures import VerificationKey

logger = logging.getLogger("taskcore.http.identity")

COOLDOWN = 30.0
"""The fewest seconds between two fetches, however many unknown key ids arrive."""

REVALIDATE_AFTER = 600.0
"""Seconds until a key set is fetched again, unless the issuer names another time."""

_SHORTEST, _LONGEST = 60.0, 12 * 3600.0
"""The limits of the time that the issuer names. The longest leaves 12 hours for an outage."""

MAX_AGE = 24 * 3600.0
"""Seconds after which a key set that could not be fetched again is not used any more."""


class FetchedKeys:
    """The public keys of an issuer.

    Asking for the generation starts a fetch in the background when one is due, so that keys are
    revalidated even if every token comes from the cache.

    At most one fetch runs at a time, and at most one begins in 30 seconds. All requests that
    need it wait for the same one. A key set is used while a newer one is fetched, and after a
    fetch that failed or found no key.
    """

    def __init__(
        self, rules: IssuerRules, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules = rules
        self._fetch = fetch
        self.uses_built_in_client = fetch is fetch_url
        self._clock = clock
        self._keys: KeySet | None = None
        self._generation = 0
        self._fetched = self._attempted = -math.inf
        self._due = -math.inf
        self._task: asyncio.Task[None] | None = None

    def generation(self) -> int | None:
        """Return a number that changes when a key is withdrawn; None if the keys are too old."""
        if self._clock() < self._due:
            return self._generation
        if self._current() is None:
            return None
        self._start()
        return self._generation

    async def find(self, key_id: str | None, algorithm: str) -> VerificationKey | None:
        """Return the key for a token, or None if the issuer has no such key.

        An unknown key id causes a fetch, because the issuer may have added a key.

        Raises:
            KeysUnavailable: The keys cannot be fetched, and none are cached.
        """
        keys = self._current()
        if keys is not None:
            key = keys.choose(key_id, algorithm)
            if key is not None:
                return key
        await self._refresh()
        keys = self._current()
        if keys is None:
            wait = max(1.0, COOLDOWN - (self._clock() - self._attempted))
            raise KeysUnavailable(self._rules.issuer, retry_after=math.ceil(wait))
        return keys.choose(key_id, algorithm)

    async def prefetch(self) -> None:
        """Fetch the keys if there are none. A failure is logged."""
        if self._current() is None:
            await self._refresh()

    async def download(self) -> KeySet:
        """Return the keys that the issuer publishes now; they are not kept.

        Raises:
            FetchFailed: A document cannot be fetched.
            InvalidKeySet: There are no keys in it that can be used.
        """
        found, _max_age = await self._download()
        return found

    async def close(self) -> None:
        """Stop a fetch that is running."""
        task = self._running()
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    def _current(self) -> KeySet | None:
        return self._keys if self._clock() - self._fetched < MAX_AGE else None

    async def _refresh(self) -> None:
        """Wait for the running fetch, or for a new one if enough time has passed."""
        self._start()
        task = self._running()
        if task is not None:
            # Unlike `await task`: a request that is cancelled does not cancel the fetch.
            await asyncio.wait((task,))

    def _start(self) -> None:
        """Start a fetch, unless one is running or the last one began too recently."""
        if self._running() is None and self._clock() - self._attempted >= COOLDOWN:
            self._attempted = self._clock()
            self._task = asyncio.get_running_loop().create_task(self._load())

    def _running(self) -> asyncio.Task[None] | None:
        """Return the fetch that is running."""
        task = self._task
        if task is None or (task.done() and not task.cancelled()):
            return None
        if task.cancelled() or task.get_loop() is not asyncio.get_running_loop():
            # It was stopped, perhaps with its event loop: another may begin at once.
            self._task, self._attempted = None, -math.inf
        return self._task

    async def _load(self) -> None:
        """Fetch the keys and use them, or log why they cannot be had."""
        try:
            self._use(*await self._download())
        except (FetchFailed, InvalidKeySet) as exc:
            self._warn(str(exc))

    async def _download(self) -> tuple[KeySet, float | None]:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._found()
        except (FetchFailed, InvalidKeySet):
            raise
        except TimeoutError:
            raise FetchFailed(f"no answer within {TIMEOUT:g} seconds") from None
        except Exception as exc:  # noqa: BLE001  (the host's fetch may raise anything)
            raise FetchFailed(type(exc).__name__) from None

    async def _found(self) -> tuple[KeySet, float | None]:
        url = self._rules.jwks_url
        if url is None:
            url = await discover_keys(self._rules.issuer, self._content)
        content, max_age = await self._content(url)
        return parse_key_set(content, self._rules.algorithms), max_age

    async def _content(self, url: str) -> tuple[bytes, float | None]:
        content, max_age = await self._fetch(url)
        if len(content) > MAX_CONTENT:
            raise FetchFailed(f"the content has more than {MAX_CONTENT} bytes")
        return content, max_age

    def _use(self, keys: KeySet, max_age: float | None) -> None:
        wait = REVALIDATE_AFTER if max_age is None else min(max(max_age, _SHORTEST), _LONGEST)
        if self._keys is not None and not self._keys.identities() <= keys.identities():
            # A key was withdrawn: tokens that it verified must be verified again.
            self._generation += 1
        self._keys = keys
        self._fetched = self._clock()
        self._due = self._fetched + wait

    def _warn(self, reason: str) -> None:
        logger.warning("keys of %s cannot be fetched: %s", self._rules.issuer, reason)
