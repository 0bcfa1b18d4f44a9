"""Settings, from arguments and the environment; for ``taskctl`` also from files."""

import os
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from taskcore.errors import ConfigurationError

_PREFIX = "TASKCORE_"
_URLS = ("TASKCORE_DATABASE_URL", "DATABASE_URL")
# RFC 6454, section 6.2: scheme, host and port.
_ORIGIN = re.compile(r"\*|https?://[^/\s?#@]+")
# RFC 3986, section 3.2.2, without escapes and signs that no name in use has.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]")


class Settings(BaseSettings):
    """The database, and how to connect to it.

    Every field can be set by the environment variable ``TASKCORE_<FIELD>``; the
    database URL also by ``DATABASE_URL``. Without a URL the embedded server is used.

    Raises:
        ConfigurationError: A keyword, or a variable that begins with ``TASKCORE_``, is not a
            setting.
        pydantic.ValidationError: A value is invalid.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    database_url: SecretStr | None = Field(default=None, validation_alias=AliasChoices(*_URLS))
    """``postgresql://role:password@host/database``; on Neon with the pooled host."""

    direct_url: SecretStr | None = None
    """The URL for migrations, if its host cannot be derived from ``database_url``."""

    home: Path | None = None
    """Folder of the embedded server's data; by default the platform's folder for user data."""

    pool_max_size: int = Field(default=10, ge=1, le=1000)
    """The most connections of one store. The pool starts empty."""

    pool_timeout: float = Field(default=18.0, gt=0, allow_inf_nan=False)
    """Seconds to wait for a free connection, or for a new one to be set up."""

    pool_idle_lifetime: float = Field(default=240.0, gt=0, allow_inf_nan=False)
    """Seconds until an idle connection is closed. Neon closes it after 300."""

    connect_timeout: float = Field(default=15.0, gt=0, allow_inf_nan=False)
    """Seconds for one attempt to connect. A suspended Neon compute has to wake up."""

    command_timeout: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds for one attempt of a statement."""

    operation_timeout: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    """Seconds for a whole operation, including every attempt and wait.

    If the last attempt is cancelled, up to one second more for the server to acknowledge.
    """

    retry_wait_initial: float = Field(default=0.05, gt=0, allow_inf_nan=False)
    """The longest wait before the second attempt, in seconds; doubled for each later one.

    The wait is random, up to this limit.
    """

    retry_wait_max: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """The longest wait between two attempts, in seconds."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of web pages that may call the REST API, such as ``https://app.example.org``.

    In the environment separated by commas; ``*`` for every page. Used by ``taskctl serve``
    and ``app_from_environment``.
    """

    compression: bool = False
    """Compress lists of tasks. Used as ``cors_origins`` is."""

    metrics: bool = False
    """Serve metrics for Prometheus at ``/metrics``. Used as ``cors_origins`` is.

    It needs the extra ``observability``.
    """

    tracing: bool = False
    """Send OpenTelemetry spans, as the variables ``OTEL_…`` say. Used as ``cors_origins`` is.

    It needs the extra ``observability``.
    """

    request_ids: bool = False
    """Give each request an ``X-Request-ID``, also in the log. Used as ``cors_origins`` is.

    It needs the extra ``observability``.
    """

    log_format: Literal["text", "json"] = "text"
    """The form of the log lines of ``taskctl serve``. ``json`` needs ``observability``."""

    issuer: str | None = None
    """The OpenID Connect issuer whose tokens the REST API accepts: the exact ``iss``.

    This setting and those of its tokens are used by ``taskctl serve`` and
    ``app_from_environment``.
    """

    audience: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of this API in ``aud``, in the environment separated by commas."""

    authorized_parties: Annotated[tuple[str, ...], NoDecode] = ()
    """Accepted values of ``azp``, for issuers whose tokens have no ``aud``, such as Clerk."""

    client_ids: Annotated[tuple[str, ...], NoDecode] = ()
    """Accepted values of ``client_id``, for issuers whose tokens have no ``aud``: Cognito."""

    jwks_url: str | None = None
    """The URL of the issuer's keys. By default it is found by OpenID Connect Discovery."""

    jwt_secret: SecretStr | None = None
    """The secret of an issuer that signs with HS256, at least 32 bytes, instead of keys."""

    subject_is_user_id: bool = False
    """The issuer's ``sub`` is the user's id, 1 to 2^52-1: for an application's own tokens."""

    resource: str | None = None
    """The URL of this API. With it the metadata of RFC 9728 are served."""

    provision: Literal["on_write", "never"] = "on_write"
    """When an unknown caller gets a user: with the first task, or never."""

    api_tokens: bool = False
    """Accept API tokens, beside the tokens of an issuer or alone; ``taskctl tokens`` makes them."""

    sessions: bool = False
    """Accept the session cookies of browsers, which a one-time link of ``store.sessions`` signs in.

    If no setting says whom to accept, ``taskctl serve`` sets it and ``api_tokens``, and prints a
    link. Of the two it leaves what is set to false.
    """

    trust_callers: bool = False
    """Believe every caller who they are, because something in front of the server knows it."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts that the server answers for, such as ``tasks.example.org`` or ``[::1]``; not ports.

    By default all; ``taskctl serve`` answers only for this machine if it listens on loopback and
    verifies nobody, or prints a link. In the environment separated by commas. Used as
    ``cors_origins`` is.
    """

    require_restricted_role: bool = False
    """Refuse a role that bypasses row-level security, instead of logging a warning."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings calls it)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Refuse a name that is not a setting: a typo must not be ignored."""
        assert isinstance(init_settings, InitSettingsSource)
        for name in init_settings.init_kwargs:
            if name not in (*cls.model_fields, *_URLS):
                raise _unknown(name, cls.model_fields)
        _check_variables(os.environ, cls)
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @field_validator(
        "cors_origins",
        "audience",
        "authorized_parties",
        "client_ids",
        "allowed_hosts",
        mode="before",
    )
    @classmethod
    def _separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise PydanticCustomError(
                    "origin", "must be origins such as https://app.example.org, without a path"
                )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise PydanticCustomError(
                    "host",
                    "must be hosts such as tasks.example.org, 192.0.2.1 or [2001:db8::1], "
                    "without a port, a path or *; leave it out to answer for all",
                )
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser().absolute() if value else None
        except RuntimeError as exc:
            raise ValueError(str(exc)) from exc


def _check_variables(variables: Iterable[str], settings: type[BaseSettings]) -> None:
    """Refuse a variable that begins as ours do, and that no setting has."""
    names = [f"{_PREFIX}{name.upper()}" for name in settings.model_fields]
    for variable in variables:
        if variable.upper().startswith(_PREFIX) and variable.upper() not in names:
            raise _unknown(variable, names)


def _unknown(name: str, names: Iterable[str]) -> ConfigurationError:
    near = get_close_matches(name, list(names), 1)
    hint = f": did you mean {near[0]}?" if near else ""
    return ConfigurationError(f"{ascii(name)[1:-1]} is not a setting{hint}")


def load_settings(*, env_files: Sequence[Path] = (), **values: object) -> Settings:
    """Read the settings: values first, then the environment, then the files.

    Args:
        env_files: Files of ``NAME=value`` lines, the most important first. A file that does
            not exist is ignored.
        values: Fields of `Settings`; None means "not given".

    Raises:
        ConfigurationError: Names the invalid or unknown setting, never its value.
    """
    given = {name: value for name, value in values.items() if value is not None}
    for file in env_files:
        if not file.exists():
            continue
        variables = {name.upper(): value for name, value in dotenv_values(file).items() if value}
        _check_variables(variables, Settings)
        # The database has two names, so a less important file could win by the other one.
        if not any(os.environ.get(name) for name in _URLS):
            urls = [variables[name] for name in _URLS if name in variables]
            if urls:
                given.setdefault("database_url", urls[0])
    try:
        return Settings(_env_file=tuple(reversed(env_files)), **given)  # type: ignore[arg-type]
    except pydantic.ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in error["loc"]).upper()
        name = name if name.endswith("DATABASE_URL") else f"TASKCORE_{name}"
    raise ConfigurationError(f"{name}: {error['msg']}")
