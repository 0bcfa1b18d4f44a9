"""The REST API with a `Bearer`: issuers name the users, and events happen to other users."""

import json
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from taskcore import NotFound, TaskStore
from taskcore.access import SCOPES
from taskcore.testing import ChangeToken, Event, Observation, Operation, RestFace
from taskcore_http import Bearer, Issuer, create_app
from taskcore_http.identity.fetched_keys import FetchedKeys
from tests.isolation.faces import renamed
from tests.taskcore_http.client import client_of
from tests.taskcore_http.identity.issuing import (
    AUDIENCE,
    Clock,
    Publisher,
    claims,
    ec_key,
    header,
    token,
)

_NAMES = ("https://one.example/", "https://two.example/")
# Longer than the pause between two fetches of an issuer's keys.
_PAUSE = 31.0


class _Issuer:
    """An issuer with two keys. One stays; `rotate` replaces the other one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._replaced = 0
        self.publisher = Publisher()
        self._publish()

    @property
    def rules(self) -> Issuer:
        return Issuer(self.name, audience=AUDIENCE, jwks_url=f"{self.name}keys")

    def rotate(self) -> None:
        self._replaced += 1
        self._publish()

    def sign(self, subject: str, key_id: str | None = None) -> str:
        """Sign a token with the named key, or with the newest one."""
        now = int(time.time())
        key_id = key_id or f"{self._replaced}"
        payload = claims(iss=self.name, sub=subject, iat=now, exp=now + 3600)
        return token(payload, header(alg="ES256", kid=key_id), key=self._key(key_id)).decode()

    def _publish(self) -> None:
        self.publisher.keys = [
            self._key(key_id).jwk(kid=key_id, alg="ES256")
            for key_id in ("stays", f"{self._replaced}")
        ]

    def _key(self, key_id: str) -> Any:
        return ec_key(name=f"{self.name} {key_id}")


class BearerFace(RestFace):
    """The REST API, where issuers name the users, and where they make API tokens.

    Each of two issuers names every second user, so that some others have the observed user's
    issuer. A user's tokens are signed by the key that stays. After an event has replaced the other
    key, they are signed by the new one.

    Attributes:
        happened: How often each event and each change of tokens took effect.
        answered: How often a user got each status after each kind of event.
    """

    operations: Collection[type[Operation]] = frozenset({*RestFace.operations, ChangeToken, Event})

    def __init__(self, url: str, owner_url: str) -> None:
        self._named = [_Issuer(name) for name in _NAMES]
        self._administration = TaskStore(owner_url)
        self._clock = Clock(0)
        bearer = Bearer(*(one.rules for one in self._named), api_tokens=True, fetch=self._fetch)
        for _rules, keys in bearer._issuers.values():
            assert isinstance(keys, FetchedKeys)
            keys._clock = self._clock
        app = create_app(url, identity=bearer)
        super().__init__(client_of(app), app=app, headers=self._credentials)
        self._signed: dict[int, str] = {}
        self._tokens: dict[int, tuple[int, str]] = {}
        self._blocked: dict[int, int | None] = {}
        self._arrived = 0
        self.happened: Counter[str] = Counter()
        self.answered: Counter[tuple[str, int]] = Counter()

    async def __aenter__(self) -> Self:
        await self._administration.open()
        return await super().__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(exc_type, exc, traceback)
        await self._administration.close()

    async def _fetch(self, url: str) -> tuple[bytes, float | None]:
        (publisher,) = (one.publisher for one in self._named if url.startswith(one.name))
        return await publisher.fetch(url)

    def path_of(self, user_id: int) -> str:  # noqa: ARG002  (the token names the user)
        return "/me"

    def _issuer_of(self, user_id: int) -> _Issuer:
        return self._named[user_id % len(self._named)]

    def _credentials(self, user_id: int) -> dict[str, str]:
        if user_id in self._tokens:
            return _field(self._tokens[user_id][1])
        return _field(self._signed_for(user_id))

    def _signed_for(self, user_id: int) -> str:
        """Return the issuer's token for a user, the same until an event replaces it."""
        if user_id not in self._signed:
            self._signed[user_id] = self._issuer_of(user_id).sign(_subject(user_id), "stays")
        return self._signed[user_id]

    async def perform(self, user_id: int, operation: Operation, target: int | None) -> Observation:
        match operation:
            case Event(kind):
                await self._happen(user_id, kind)
                return Observation("happened")
            case ChangeToken(change):
                return await self._change_token(user_id, change)
        observation = await super().perform(user_id, operation, target)
        own = await self._user_id(user_id)
        # The user's own id is random, so it is renamed. Another user's id would stay visible.
        return replace(observation, value=renamed(observation.value, own, user_id))

    async def _user_id(self, user_id: int) -> int | None:
        """Return the id in the database; None if there is none, or if the user is refused."""
        me = await self._send(user_id, "GET", "/me")
        found: int | None = json.loads(me.content)["user_id"] if me.status_code == 200 else None
        return found

    # API tokens.

    async def _change_token(self, user_id: int, change: str) -> Observation:
        if change != "create" and user_id not in self._tokens:
            await self._change_token(user_id, "create")
        # A user who is refused has no token: any id will do.
        newest, _secret = self._tokens.get(user_id, (7, ""))
        method, path, body = {
            "create": ("POST", "/me/tokens", {"name": "x", "scopes": list(SCOPES)}),
            "rotate": ("POST", f"/me/tokens/{newest}/rotate", None),
            "revoke": ("DELETE", f"/me/tokens/{newest}", None),
        }[change]
        signed = _field(self._signed_for(user_id))
        answer = await self._request(method, path, signed, body)
        content = answer.json()
        listed = await self._request("GET", "/me/tokens", signed)
        if answer.is_success:
            self.happened[change] += 1
            self._tokens.pop(user_id, None)
            if "token" in content:
                self._tokens[user_id] = content["id"], content["token"]
        shown = [(one["name"], one["scopes"]) for one in listed.json()] if listed.is_success else []
        return Observation(
            str(answer.status_code),
            {"error": content.get("error"), "listed": listed.status_code, "tokens": shown},
        )

    # Events.

    async def _happen(self, user_id: int, kind: str) -> None:
        issuer = self._issuer_of(user_id)
        match kind:
            case "sign up":
                self._arrived += 1
                signed = issuer.sign(f"{_subject(user_id)} {self._arrived}", "stays")
                await self._request("POST", "/me/tasks", _field(signed), {"title": "x"})
            case "rotate keys":
                issuer.rotate()
                self._clock.advance(_PAUSE)
                self._signed[user_id] = issuer.sign(_subject(user_id))
                self._tokens.pop(user_id, None)
            case "forge":
                head = header(alg="ES256", kid="nobody's")
                forged = token(claims(iss=issuer.name), head, key=ec_key(name="nobody's"))
                await self._request("GET", "/me/tasks", _field(forged.decode()))
            case _:
                if not await self._administer(user_id, kind):
                    return
        self.happened[kind] += 1

    async def _administer(self, user_id: int, kind: str) -> bool:
        """Block, unblock or delete a user. Return whether there was one."""
        own = self._blocked.get(user_id) or await self._user_id(user_id)
        try:
            if not await self._administered(user_id, kind, own):
                return False
        except NotFound:
            # If the API is broken on purpose, the id may be another user's, who was deleted.
            return False
        # Not with an API token: a block of the user ends it, a block of the identity does not.
        signed = self._issuer_of(user_id).sign(_subject(user_id), "stays")
        listed = await self._request("GET", "/me/tasks", _field(signed))
        self.answered[kind, listed.status_code] += 1
        return True

    async def _administered(self, user_id: int, kind: str, own: int | None) -> bool:
        users, identities = self._administration.users, self._administration.identities
        identity = self._issuer_of(user_id).name, _subject(user_id)
        match kind:
            case "block identity":
                await identities.block(*identity)
                self._blocked[user_id] = own
            case "block user" if own is not None:
                await users.block(own)
                self._blocked[user_id] = own
            case "delete" if own is not None:
                await users.delete(own)
                self._tokens.pop(user_id, None)
                self._blocked.pop(user_id, None)
            case "unblock" if user_id in self._blocked:
                del self._blocked[user_id]
                await identities.unblock(*identity)
                if own is not None:
                    await users.unblock(own)
            case _:
                return False
        return True

    async def _request(
        self, method: str, path: str, fields: dict[str, str], body: Any = None
    ) -> Any:
        client: Any = self._client
        return await client.request(method, path, headers=fields, json=body)


def _subject(user_id: int) -> str:
    return f"user {user_id}"


def _field(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials}"}
