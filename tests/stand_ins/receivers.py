"""Stand-ins for Slack, PagerDuty and a webhook's receiver: real servers that check what they get, and record it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jsonschema

SLACK_TEXT_LIMIT = 3000
SLACK_BLOCK_LIMIT = 50
#: Names a message in its channel.
SLACK_STAMP = re.compile(r"[0-9]+\.[0-9]+")
#: Events API v2 (developer.pagerduty.com, "Send an alert event").
PAGERDUTY_EVENTS = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "required": ["routing_key", "event_action", "dedup_key"],
        "additionalProperties": False,
        "properties": {
            "routing_key": {"type": "string", "pattern": "^[A-Za-z0-9]{32}$"},
            "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
            "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
            "client": {"type": "string"},
            "client_url": {"type": "string", "pattern": "^https?://"},
            "links": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["href"],
                    "additionalProperties": False,
                    "properties": {"href": {"type": "string", "pattern": "^https?://"}, "text": {"type": "string"}},
                },
            },
            "payload": {
                "type": "object",
                "required": ["summary", "source", "severity"],
                "additionalProperties": False,
                "properties": {
                    "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                    "source": {"type": "string", "minLength": 1},
                    "severity": {"enum": ["critical", "error", "warning", "info"]},
                    "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"},
                    "component": {"type": "string"},
                    "group": {"type": "string"},
                    "class": {"type": "string"},
                    "custom_details": {"type": "object"},
                },
            },
        },
        "if": {"properties": {"event_action": {"const": "trigger"}}},
        "then": {"required": ["payload"]},
    }
)


@dataclass
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    content: Any
    at: float
    body: bytes = b""


@dataclass
class Answer:
    """What a stand-in answers: a status, a body, how long it thinks first, and what it waits for after that."""

    status: int = 200
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    after_seconds: float = 0
    once: Callable[[], bool] = lambda: True


@dataclass
class Receiver:
    """A server that records; gives `answers` in order, then the usual one for ever. `wrong` is what it objects to."""

    check: Callable[[Received], str]
    usual: Callable[[Received], Answer]
    received: list[Received] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    is_closed: bool = False

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._handle(self)

            do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.lock = threading.Lock()
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.is_closed = True
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, count: int, seconds: float = 240) -> list[Received]:
        """Those received once there are `count`, or after `seconds`."""
        until = time.monotonic() + seconds
        while len(self.received) < count and time.monotonic() < until:
            time.sleep(0.05)
        return list(self.received)

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path, headers, _content(body, headers), time.monotonic(), body)
        objection = self.check(received)
        with self.lock:
            answer = self.answers.pop(0) if self.answers else self.usual(received)
            self.received.append(received)
            if objection:
                self.wrong.append(objection)
        self._think(answer)
        text = json.dumps(answer.body).encode()
        request.send_response(answer.status)
        for name, value in {
            "Content-Type": "application/json",
            **answer.headers,
            "Content-Length": str(len(text)),
        }.items():
            request.send_header(name, value)
        # Who waited no longer has gone.
        with suppress(BrokenPipeError, ConnectionResetError):
            request.end_headers()
            request.wfile.write(text)

    def _think(self, answer: Answer) -> None:
        time.sleep(answer.after_seconds)
        while not (answer.once() or self.is_closed):
            time.sleep(0.01)


def _content(body: bytes, headers: dict[str, str]) -> Any:
    if "json" in headers.get("content-type", ""):
        return json.loads(body)
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def _is_block(block: dict[str, Any]) -> bool:
    """Block Kit's limits (api.slack.com/reference/block-kit)."""
    match block["type"]:
        case "section":
            return 0 < len(block["text"]["text"]) <= SLACK_TEXT_LIMIT
        case "context":
            texts = [element["text"] for element in block["elements"]]
            return 0 < len(texts) <= 10 and all(0 < len(text) <= SLACK_TEXT_LIMIT for text in texts)
        case "actions":
            buttons = block["elements"]
            ids = [button["action_id"] for button in buttons]
            return (
                0 < len(buttons) <= 25
                and len(set(ids)) == len(ids)
                and all(len(one) <= 255 for one in ids)
                and all(button["type"] == "button" and button["text"]["type"] == "plain_text" for button in buttons)
                and all(0 < len(button["text"]["text"]) <= 75 for button in buttons)
                and all(len(button["value"]) <= 2000 and len(button.get("url", "")) <= 3000 for button in buttons)
                and all(_is_style(button) and _is_confirmed_well(button.get("confirm")) for button in buttons)
            )
        case _:
            return False


def _is_style(styled: dict[str, Any]) -> bool:
    return styled.get("style", "primary") in {"primary", "danger"}


def _is_confirmed_well(confirm: dict[str, Any] | None) -> bool:
    """The dialog that asks once more (api.slack.com/reference/block-kit/composition-objects#confirm)."""
    if confirm is None:
        return True
    limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
    return (
        set(confirm) - {"style"} == set(limits)
        and _is_style(confirm)
        and all(confirm[name]["type"] == "plain_text" for name in limits)
        and all(0 < len(confirm[name]["text"]) <= most for name, most in limits.items())
    )


def _message_problem(received: Received, token: str) -> str:
    if received.path == "/api/chat.update" and not SLACK_STAMP.fullmatch(received.content.get("ts", "")):
        return "an update wants the ts of a message"
    if not SLACK_STAMP.fullmatch(received.content.get("thread_ts", "1.1")):
        return "invalid_thread_ts"
    if received.headers.get("authorization") != f"Bearer {token}":
        return "not_authed"
    blocks = received.content.get("blocks", [])
    blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
    if not received.content.get("channel") or not received.content.get("text"):
        return "channel and text are required"
    if len(blocks) > SLACK_BLOCK_LIMIT or not all(_is_block(block) for block in blocks):
        return "invalid_blocks"
    return ""


def slack(token: str = "xoxb-test") -> Receiver:
    """Slack's Web API, as far as chat.postMessage and chat.update go, and where presses of buttons are answered."""

    def check(received: Received) -> str:
        if received.path == "/answers":
            return "" if received.content.get("text") else "an answer wants a text"
        if received.path not in {"/api/chat.postMessage", "/api/chat.update"}:
            return f"unknown method {received.path}"
        return _message_problem(received, token)

    def usual(received: Received) -> Answer:
        stamp = f"1790000000.{len(receiver.received):06d}"
        return Answer(200, {"ok": True, "ts": stamp, "channel": received.content.get("channel")})

    receiver = Receiver(check, usual)
    return receiver


def pagerduty(routing_key: str = "R" * 32) -> Receiver:
    """PagerDuty's Events API v2."""

    def check(received: Received) -> str:
        event = received.content
        if event.get("routing_key") != routing_key:
            return "routing_key"
        problem = jsonschema.exceptions.best_match(PAGERDUTY_EVENTS.iter_errors(event))
        return f"{list(problem.path)}: {problem.message}" if problem else ""

    return Receiver(
        check, lambda received: Answer(202, {"status": "success", "dedup_key": received.content["dedup_key"]})
    )


def webhook() -> Receiver:
    """A receiver that wants Standard Webhooks' envelope."""

    def check(received: Received) -> str:
        if not received.headers.get("webhook-id") or not received.headers.get("webhook-timestamp", "").isdigit():
            return "webhook-id and webhook-timestamp are required"
        return "" if {"type", "timestamp", "data"} <= set(received.content) else "type, timestamp, data"

    return Receiver(check, lambda _: Answer())


def remedy(usual: Callable[[Received], Answer]) -> Receiver:
    """Whoever repairs: takes any request that carries an idempotency key, and does what `usual` says."""

    def check(received: Received) -> str:
        is_a_look = received.path.startswith("/health")
        return "" if is_a_look or received.headers.get("idempotency-key") else "Idempotency-Key is required"

    return Receiver(check, usual)
