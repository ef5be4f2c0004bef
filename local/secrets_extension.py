"""What stands in for the AWS Parameters and Secrets extension: on AWS it listens beside each function."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ministack.services.secretsmanager import resolve_secret_string

PATH = "/secretsmanager/get"


async def answer(scope: MutableMapping[str, Any], send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """A secret, as Secrets Manager keeps it; 404 for one that it does not."""
    asked = parse_qs(scope["query_string"].decode()).get("secretId", [""])[0]
    found = resolve_secret_string(asked)
    body = json.dumps({"ARN": asked, "SecretString": found}).encode() if found is not None else b"{}"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 404 if found is None else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
