"""A webhook step, or a look of an `http_ok` condition: the request itself.

1. Note that it may have its effect from now on; a call that was noted before and left no report is in doubt.
2. Send. No transaction is open while the receiver thinks.
3. Keep what was found, secrets masked; the state machine hears only that there is something.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Protocol

from medic_core.domain.observing import traces
from medic_core.domain.observing.traces import Trace
from medic_core.domain.repair.execution import Run
from medic_core.domain.repair.orders import Verdict, as_json, keepable, mask
from medic_core.domain.repair.playbooks import Condition, Method, Step, Webhook
from medic_core.domain.repair.variables import CannotRender, Values, fill_all, fill_headers, fill_url, secrets_in
from medic_core.domain.routing.retries import Answer
from medic_core.flows import parsed_playbooks, secrets
from medic_core.ports import Sealer
from medic_core.store import executions
from medic_core.store.connection import Database, Transaction
from medic_core.store.executions import Locked

#: A look is no long conversation.
PROBE_SECONDS = 10.0
REPEATED = "it was sent before, and there was no answer"


class Http(Protocol):
    """Sends a request to a URL that users set: `adapters.safe_http.request`."""

    def __call__(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        allowed_hosts: tuple[str, ...],
        seconds: float,
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a call is made with."""

    http: Http
    secrets: Sealer
    allowed_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request about to be sent. `hidden` are the secrets in it."""

    result_id: int
    method: str
    url: str = field(repr=False)
    shown_url: str
    body: bytes | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    hidden: tuple[str, ...] = field(repr=False)
    success_codes: tuple[int, ...]
    seconds: float


def call(database: Database, execution_id: int, engine_name: str, seq: int, means: Means) -> bool:
    """Make the call that an execution has come to; False where it is not to be made (any more)."""
    with database.transaction() as tx:
        prepared = _prepare(tx, execution_id, engine_name, seq, means)
    if not isinstance(prepared, Prepared):
        return prepared
    answer = means.http(
        prepared.method, prepared.url, prepared.body, prepared.headers, means.allowed_hosts, prepared.seconds
    )
    with database.transaction() as tx:
        executions.report(tx, prepared.result_id, seq, _report(prepared, answer))
    return True


def _prepare(tx: Transaction, execution_id: int, engine_name: str, seq: int, means: Means) -> Prepared | bool:
    """The request, noted as sent; True where there is a report already, False where nothing is to be done."""
    locked = executions.lock(tx, execution_id)
    if locked is None or locked.is_over or locked.engine_name != engine_name or locked.seq != seq:
        return False
    if locked.reported is not None:
        return True
    result_id = executions.mark_sent(tx, execution_id, engine_name, seq)
    if result_id is None:
        return False
    playbook = parsed_playbooks.of_version(tx, locked.playbook_id, locked.version, locked.sha256)
    step = playbook.all_steps[locked.progress.position]
    if locked.sent_at is not None and not step.is_idempotent:
        executions.report(tx, result_id, seq, _kept(Verdict.UNKNOWN, error=REPEATED))
        return True
    try:
        return _request(tx, locked, Run(playbook, locked.cause, locked.context), step, result_id, means)
    except CannotRender as error:
        executions.report(tx, result_id, seq, _kept(Verdict.FAILED, error=str(error)))
        return True


def _request(tx: Transaction, locked: Locked, run: Run, step: Step, result_id: int, means: Means) -> Prepared:
    action = step.action
    if isinstance(action, Condition):
        url = action.url or ""
        action = Webhook(url, Method.GET, success_codes=action.success_codes)
        seconds = PROBE_SECONDS
    else:
        assert isinstance(action, Webhook)
        seconds = action.timeout.total_seconds()
    wanted = secrets_in([action.url, dict(action.headers), action.body])
    opened = secrets.opened(tx, means.secrets, wanted, locked.execution_id, locked.playbook_id, locked.service_id)
    values = Values(run.context, locked.progress.outputs, opened)
    shown = Values(run.context, locked.progress.outputs, None)
    key = idempotency_key(locked)
    headers = fill_headers(action.headers, values)
    traceparent = trace_of(locked).traceparent(token_hex(8))
    ours = {"Idempotency-Key": key, "webhook-id": key, "traceparent": traceparent}
    if action.body is not None and not any(name.lower() == "content-type" for name in headers):
        ours["Content-Type"] = "application/json"
    return Prepared(
        result_id=result_id,
        method=action.method,
        url=fill_url(action.url, values, means.allowed_hosts),
        shown_url=fill_url(action.url, shown, means.allowed_hosts),
        body=json.dumps(fill_all(action.body, values)).encode() if action.body is not None else None,
        headers={**ours, **headers},
        hidden=tuple(opened.values()),
        success_codes=action.success_codes,
        seconds=seconds,
    )


def idempotency_key(locked: Locked) -> str:
    """The same for every sending of one try of a step, so that a receiver can drop repeats."""
    return f"medic-{locked.execution_id}-{locked.progress.position}-{locked.progress.attempt}"


def trace_of(locked: Locked) -> Trace:
    """The trace that an execution's webhooks are a part of: its request's, else its alert's, else its own."""
    from_outside = traces.parsed(locked.traceparent)
    if from_outside is not None:
        return from_outside
    if locked.alert_id is not None and locked.alert_opened_at is not None:
        return traces.of_alert(locked.alert_id, locked.alert_opened_at)
    return traces.of("execution", locked.execution_id, locked.created_at)


def _report(prepared: Prepared, answer: Answer) -> dict[str, Any]:
    asked = f"{prepared.method} {prepared.shown_url}"
    if answer.status is None:
        verdict = Verdict.UNKNOWN if answer.sent else Verdict.FAILED
        return _kept(verdict, asked, answer.error)
    body = keepable(mask(answer.body, prepared.hidden))
    output = f"{asked} answered {answer.status}" + (f"\n{body}" if body else "")
    data = {"status_code": answer.status, "body": as_json(body, body)}
    if answer.status in prepared.success_codes:
        return _kept(Verdict.DONE, output, data=data)
    expected = ", ".join(map(str, prepared.success_codes))
    return _kept(Verdict.FAILED, output, f"answered {answer.status}, not {expected}", data)


def _kept(verdict: Verdict, output: str = "", error: str = "", data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A report as it is kept."""
    return {"verdict": verdict.value, "output": output, "error": error, "data": dict(data or {})}
