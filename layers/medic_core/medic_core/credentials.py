"""Settings that are secret: written out, as on a laptop, or kept by Secrets Manager, as on AWS.

A setting that is kept elsewhere names its place as ECS does: the secret's ARN, and after it, where the secret is a JSON
object, the field: `arn:aws:secretsmanager:eu-west-1:123456789012:secret:medic-AbCdEf:SLACK_API_TOKEN`.

Nothing is read before it is needed, and what was read is remembered for a while. The AWS Parameters and Secrets
extension is asked first, where there is one: it needs no library. boto3 takes a quarter of a second to import.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from medic_core.errors import Unavailable

#: A secret that was changed is known to every instance within this time; a database's that is refused, at once.
REMEMBERED_SECONDS = 300.0
#: Nobody who is refused again and again has Secrets Manager asked more often: each time costs, and takes its time.
ANEW_SECONDS = 5.0
EXTENSION_PATIENCE_SECONDS = 2.0
REFERENCE = re.compile(r"(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+)(?::([^:]*))?(?::[^:]*){0,2}")


@dataclass
class Keeper:
    """Secrets Manager, with a memory. `port` and `token` are the extension's; without a port there is none."""

    port: str = ""
    token: str = ""
    _known: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)
    _anew: dict[str, float] = field(default_factory=dict, repr=False)

    def read(self, arn: str) -> str:
        """A secret, as it was a while ago at most. Raises Unavailable."""
        text, until = self._known.get(arn, ("", 0.0))
        if time.monotonic() < until:
            return text
        try:
            return self._remember(arn, (self._from_extension(arn) if self.port else None) or _from_service(arn))
        except Unavailable:
            # One that may have changed serves better than none: who it opens nothing for says so.
            if until:
                return self._remember(arn, text)
            raise

    def read_anew(self, arn: str) -> str:
        """A secret as it is now, or was a few seconds ago, past every other memory. Raises Unavailable."""
        if time.monotonic() < self._anew.get(arn, 0.0):
            return self.read(arn)
        self._anew[arn] = time.monotonic() + ANEW_SECONDS
        return self._remember(arn, _from_service(arn))

    def _remember(self, arn: str, text: str) -> str:
        self._known[arn] = (text, time.monotonic() + REMEMBERED_SECONDS)
        return text

    def _from_extension(self, arn: str) -> str | None:
        """None where it cannot say: it is starting, or has trouble of its own."""
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415  (who has no secrets does not pay)

        connection = HTTPConnection("localhost", int(self.port), timeout=EXTENSION_PATIENCE_SECONDS)
        headers = {"X-Aws-Parameters-Secrets-Token": self.token}
        try:
            connection.request("GET", f"/secretsmanager/get?secretId={quote(arn, safe='')}", headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            return str(json.loads(content)["SecretString"]) if answer.status == 200 else None
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            return None
        finally:
            connection.close()


def _from_service(arn: str) -> str:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    try:
        client = boto3.client("secretsmanager", config=config)
        return str(client.get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError, KeyError) as error:
        raise Unavailable(f"A secret cannot be read: {type(error).__name__}.") from error


class SecretText:
    """A secret setting. It never shows itself: `value` must be asked for."""

    def __init__(self, written: str, keeper: Keeper) -> None:
        match = REFERENCE.fullmatch(written)
        self._written, self._keeper = written, keeper
        self._arn, self._key = (match[1], match[2] or "") if match else ("", "")

    def __bool__(self) -> bool:
        """Whether it was set, here or to be found elsewhere."""
        return bool(self._written)

    def __repr__(self) -> str:
        return f"SecretText({'elsewhere' if self._arn else 'here' if self._written else 'none'})"

    @property
    def is_elsewhere(self) -> bool:
        """Whether it can change while we run."""
        return bool(self._arn)

    @property
    def value(self) -> str:
        """What it is, as of a while ago at most; empty where there is none. Raises Unavailable."""
        return self._read(self._keeper.read(self._arn)) if self._arn else self._written

    def renewed(self) -> str:
        """What it is now. Raises Unavailable."""
        return self._read(self._keeper.read_anew(self._arn)) if self._arn else self._written

    def _read(self, kept: str) -> str:
        if not self._key:
            return kept
        found = _fields(kept).get(self._key)
        return "" if found is None else str(found).strip()


@dataclass(frozen=True)
class Server:
    """Where a server is, and who we are to it.

    `credentials`, where they are set, are a JSON object with `username` and `password`. `is_pooled`: a proxy shares its
    connections out (RDS Proxy, PgBouncer), so that nothing may be left in a session.
    """

    url: str
    credentials: SecretText
    is_pooled: bool = False

    def __bool__(self) -> bool:
        return bool(self.url)

    def full_url(self) -> str:
        """The URL with the credentials in it. Raises Unavailable."""
        return self._with(self.credentials.value)

    def renewed_url(self) -> str:
        """The same with the credentials as they are now. Raises Unavailable."""
        return self._with(self.credentials.renewed())

    def _with(self, credentials: str) -> str:
        known = _fields(credentials) if credentials else {}
        if not known:
            return self.url
        who = ":".join(quote(str(known[name]), safe="") for name in ("username", "password") if name in known)
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{who}@{parts.netloc.rpartition('@')[2]}"))


def here(url: str) -> Server:
    """A server whose URL says all."""
    return Server(url, SecretText("", Keeper()))


def _fields(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable("A secret cannot be read: it must be a JSON object.")
    return found
