"""Filling in what a playbook leaves open: `${NAME}`, `${secrets.NAME}`, `${registered.path.to.field}`.

There is one pass, from left to right. What was filled in is never looked at again, so a service that calls itself
`${secrets.TOKEN}` is called just that. No message of this module holds a secret's value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from medic_core.domain.access.addresses import InvalidUrl, destination, is_excepted
from medic_core.domain.repair.lookups import PATH, SECRETS, look_up

PLACEHOLDER = re.compile(rf"\$\{{({PATH})\}}")
#: What is shown in a secret's place.
HIDDEN = "***"
#: Of the connection; a request that says them itself can be read in two ways.
CONNECTION_HEADERS = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Scheme, host and port, and the character that ends them.
AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\\]*[/?#\\]")
PART_OF_A_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+", re.ASCII)
URL_STARTS = ("http://", "https://", "${")
LONGEST_URL = 2048


class CannotRender(ValueError):
    """A step that cannot be done with the values at hand. The message says why, and never holds a secret."""


@dataclass(frozen=True, slots=True)
class Values:
    """What is filled in. Without `secrets` they are shown as `***`, for dry runs and pages."""

    context: Mapping[str, Any]
    outputs: Mapping[str, Any]
    secrets: Mapping[str, str] | None = field(repr=False)

    def known(self, path: str) -> Any:
        """What a path stands for, None where nothing is known by it. Raises CannotRender for a missing secret."""
        head, _, name = path.partition(".")
        if head != SECRETS or not name:
            return look_up(path, self.context, self.outputs)
        if self.secrets is None:
            return HIDDEN
        if name not in self.secrets:
            raise CannotRender(f"there is no secret {name}: create it, or correct its name in the playbook")
        return self.secrets[name]

    def registered(self, path: str) -> Any:
        """What a path stands for, if that is a registered output."""
        return None if path.startswith(f"{SECRETS}.") else look_up(path, {}, self.outputs)


def fill(template: str, values: Values) -> str:
    """The text with everything known filled in; unknown names stay as they are. Raises CannotRender."""

    def one(found: re.Match[str]) -> str:
        value = values.known(found[1])
        return found[0] if value is None else _as_text(value)

    return PLACEHOLDER.sub(one, template)


def fill_all(value: Any, values: Values) -> Any:
    """A body with everything known filled in, in keys too. Raises CannotRender.

    A text that is nothing but one registered output becomes that output, so that numbers, booleans, lists and mappings
    stay what they are. Variables of the context are text.
    """
    match value:
        case str():
            return _fill_whole(value, values)
        case Mapping():
            filled = {fill(str(key), values): fill_all(item, values) for key, item in value.items()}
            if len(filled) < len(value):
                raise CannotRender("two keys of a mapping become the same: name them apart")
            return filled
        case list() | tuple():
            return [fill_all(item, values) for item in value]
        case _:
            return value


def fill_header(template: str, values: Values) -> str:
    """A header's name or value. Raises CannotRender, also if it would not fit on one line of a request."""
    filled = fill(template, values)
    if CONTROL.search(filled):
        raise CannotRender(f"a header must be one line without control characters; {template!r} becomes more")
    try:
        filled.encode("latin-1")
    except UnicodeEncodeError:
        raise CannotRender(f"a header takes Latin letters only; {template!r} becomes something else") from None
    return filled


def fill_headers(headers: Mapping[str, str], values: Values) -> dict[str, str]:
    """All headers of a request. Raises CannotRender."""
    filled: dict[str, str] = {}
    for template, value in headers.items():
        name = fill_header(template, values)
        problem = header_problem(name, template)
        if problem or name.lower() in {other.lower() for other in filled}:
            raise CannotRender(problem or f"the header {template!r} is named twice")
        filled[name] = fill_header(value, values)
    return filled


def header_problem(name: str, shown: str | None = None) -> str | None:
    """Why a request cannot have a header of this name; `shown` is what the message calls it."""
    if not HEADER_NAME.fullmatch(name):
        return f"{shown or name!r} is no name of a header"
    if name.lower() in CONNECTION_HEADERS:
        return f"{shown or name!r} belongs to the connection and cannot be set: leave it out"
    return None


def fill_url(template: str, values: Values, allowed_hosts: tuple[str, ...]) -> str:
    """A URL that may be called. Raises CannotRender.

    Values are percent-encoded in path and query. They decide scheme, host or port only where the operator has
    excepted the host that comes out (`allowed_hosts`), and secrets never do. A template may begin with a variable:
    that one's value is taken as it is.
    """
    literals, paths = PLACEHOLDER.split(template)[::2], PLACEHOLDER.findall(template)
    if any("${" in literal for literal in literals):
        raise CannotRender("the URL has a ${ that begins no variable: write ${NAME}")
    filled, deciding = literals[0], []
    for path, literal in zip(paths, literals[1:], strict=True):
        if not AUTHORITY.match(filled):
            deciding.append(path)
        filled += _part_of_url(path, values, filled) + literal
    _check_url(filled, paths, deciding, allowed_hosts)
    return filled


def url_problem(template: str) -> str | None:
    """What is wrong with a URL whatever is filled in."""
    if not template.startswith(URL_STARTS):
        return "must begin with http://, https:// or ${"
    if len(template) > LONGEST_URL:
        return f"must have at most {LONGEST_URL} characters"
    if not template.isascii() or not template.isprintable() or " " in template or "\\" in template:
        return "must be ASCII without spaces, control characters or backslashes: percent-encode them"
    if "${" in PLACEHOLDER.sub("", template):
        return "has a ${ that begins no variable: write ${NAME}"
    leading, whole = PLACEHOLDER.match(template), AUTHORITY.match(template)
    authority = (leading or whole or [template])[0]
    if secrets_in(authority):
        return "must not have a secret in its scheme, host or port"
    if leading is None and ("@" in authority or not authority.partition("://")[2].rstrip("/?#")):
        return "must have a host, and nothing before an @"
    return None


def placeholders_in(value: Any) -> frozenset[str]:
    """Everything that a value asks for, as it is written between the braces."""
    match value:
        case str():
            return frozenset(PLACEHOLDER.findall(value))
        case Mapping():
            return frozenset().union(*map(placeholders_in, value.keys()), *map(placeholders_in, value.values()))
        case list() | tuple():
            return frozenset().union(*map(placeholders_in, value))
        case _:
            return frozenset()


def secrets_in(value: Any) -> frozenset[str]:
    """The names of the secrets that a value asks for."""
    return frozenset(name for head, _, name in _parted(value) if head == SECRETS and name)


def unknown_in(value: Any, values: Values) -> frozenset[str]:
    """The variables and outputs that a value asks for and nobody knows; secrets apart."""
    asked = placeholders_in(value) - {f"{SECRETS}.{name}" for name in secrets_in(value)}
    return frozenset(path for path in asked if values.known(path) is None)


def _parted(value: Any) -> Iterator[tuple[str, str, str]]:
    return (path.partition(".") for path in placeholders_in(value))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError, TypeError):
        raise CannotRender("a registered output cannot be written as text") from None


def _fill_whole(template: str, values: Values) -> Any:
    found = PLACEHOLDER.fullmatch(template)
    output = values.registered(found[1]) if found else None
    return output if isinstance(output, bool | int | float | list | dict) else fill(template, values)


def _part_of_url(path: str, values: Values, before: str) -> str:
    """A value as it stands in a URL after what is `before` it."""
    is_secret = path.startswith(f"{SECRETS}.")
    in_authority = not AUTHORITY.match(before)
    if is_secret and in_authority:
        raise CannotRender(f"the secret {path} cannot be a part of a URL's scheme, host or port")
    value = values.known(path)
    if value is None:
        raise CannotRender(f"{path} is unknown, and a URL needs every value")
    text = _as_text(value)
    if not text and "?" not in before:
        raise CannotRender(f"{path} is empty, which would make another URL of it")
    if is_secret and values.secrets is None:
        return text
    return (_raw(before) if in_authority else _encoded)(path, text)


def _raw(before: str) -> Callable[[str, str], str]:
    def raw(path: str, text: str) -> str:
        if before and not PART_OF_A_HOST.fullmatch(text):
            raise CannotRender(f"{path} cannot be a part of a URL's host")
        return text

    return raw


def _encoded(path: str, text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise CannotRender(f"{path} is not proper text, and cannot be a part of a URL") from None


def _check_url(url: str, paths: list[str], deciding: list[str], allowed_hosts: tuple[str, ...]) -> None:
    try:
        where = destination(url, allowed_hosts)
    except InvalidUrl as error:
        raise CannotRender(f"the URL cannot be called: {error}") from None
    if deciding and not is_excepted(where, allowed_hosts):
        raise CannotRender(
            f"{', '.join(deciding)} would decide the host of the URL, and {where.host} is not among the hosts that "
            "the operator allows for that (MEDIC_ALLOWED_WEBHOOK_HOSTS)"
        )
    steps = where.path.partition("?")[0].lower().replace("%2e", ".").split("/")
    if paths and not {".", ".."}.isdisjoint(steps):
        raise CannotRender("the URL would climb to another path by . or ..")
