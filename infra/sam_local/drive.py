"""The HTTP API as `sam local start-api` serves it, used as a person would."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from local.console import Refused

#: A container's first request waits until it has started.
PATIENCE_SECONDS = 180
NAME = "sam-local"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Api:
    """The API at a URL, asked with a key."""

    url: str
    key: str

    def ask(self, method: str, path: str, body: object = None, key: str | None = None) -> Reply:
        headers = {"X-API-Key": self.key if key is None else key, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=PATIENCE_SECONDS) as answer:
                return Reply(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read().decode())


#: Past any proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Step = tuple[str, Callable[[], str | None]]


def steps(api: Api) -> Iterator[Step]:
    """What is done and how: each is asked when its turn has come, and says what was wrong, None where nothing was."""
    service = {"heartbeat_name": NAME, "service_name": "SAM local", "alert_interval": 1}
    beat = {"heartbeat_name": NAME, "status": "UP"}
    down = {"heartbeat_name": NAME, "status": "DOWN"}
    yield "POST /service registers (201)", lambda: _wrong(api.ask("POST", "/service", service), 201)
    yield "POST /heartbeat is taken (201)", lambda: _wrong(api.ask("POST", "/heartbeat", beat), 201)
    yield "GET its ping URL answers OK", lambda: _pinged(api)
    yield "GET /service/… says UP", lambda: _state(api, "up")
    yield "POST /heartbeat DOWN is taken (201)", lambda: _wrong(api.ask("POST", "/heartbeat", down), 201)
    yield "GET /service/… says DOWN", lambda: _state(api, "down")
    yield "GET an unknown path (404)", lambda: _wrong(api.ask("GET", "/nothing/here"), 404)
    yield (
        "a heartbeat of nobody (404)",
        lambda: _wrong(api.ask("POST", "/heartbeat", beat | {"heartbeat_name": "x"}), 404),
    )
    yield "a wrong key (401)", lambda: _wrong(api.ask("POST", "/heartbeat", beat, key="mdk_nobody_" + "x" * 43), 401)
    yield "GET /health without a key (200)", lambda: _wrong(api.ask("GET", "/health", key=""), 200)


def _wrong(reply: Reply, wanted: int) -> str | None:
    return None if reply.status == wanted else f"answered {reply.status}: {reply.text[:200]}"


def _known(api: Api) -> dict[str, Any]:
    reply = api.ask("GET", f"/service/{NAME}")
    if reply.status != 200 or not reply.json["results"]:
        raise Refused(f"{NAME} is not known: {reply.text[:200]}")
    return dict(reply.json["results"][0])


def _pinged(api: Api) -> str | None:
    reply = api.ask("GET", urlsplit(_known(api)["ping_url"]).path, key="")
    return _wrong(reply, 200) or (None if reply.text == "OK" else f"answered {reply.text[:200]}")


def _state(api: Api, wanted: str) -> str | None:
    status = _known(api)["status"]
    return None if status == wanted else f"it says {status}"
