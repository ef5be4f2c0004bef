"""A turn of an execution: the state machine comes back, the brain decides, everything that follows is written at once.

1. Lock the execution. A run that is not ours any more is sent away; a turn that was taken before gets its answer again.
2. Find out what happened: what a runner has left in the step's row, what people decided, what a condition sees.
3. Ask the brain, until it needs the state machine.
4. Write progress, steps, audit log, approvals and notices, and the directive that the state machine gets.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from medic_core.domain.repair import advance as brain
from medic_core.domain.repair.execution import (
    Around,
    Began,
    Decided,
    Died,
    Directive,
    DirectiveKind,
    Doing,
    Effect,
    Ended,
    Ending,
    Event,
    ExecutionStatus,
    LookForHeartbeats,
    Lost,
    NotAnswered,
    Outcome,
    Progress,
    Reported,
    Run,
    Seen,
    Woke,
)
from medic_core.domain.repair.language import InvalidPlaybook
from medic_core.domain.repair.orders import ScriptReport, Verdict
from medic_core.domain.watching.names import name_key
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import parsed_playbooks, turn_effects
from medic_core.flows.script_orders import Unfit, script_order
from medic_core.ports import Sealer
from medic_core.store import approvals, executions
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.connection import Database, Transaction
from medic_core.store.executions import Locked

#: What counts as a heartbeat where a condition names no status.
SIGNS_OF_LIFE = (SignalKind.UP, SignalKind.COMPLETED, SignalKind.DEGRADED)
#: The state machine tries for so long to reach a function that Lambda cannot start.
ENGINE_MARGIN = timedelta(minutes=5)
#: Lambda refused to begin, or the script runner did: the script was not run.
NEVER_BEGAN = frozenset({"Lambda.TooManyRequestsException", "NotRun"})
TIMED_OUT = "States.Timeout"
WORDS_OF_ENGINE = {TIMED_OUT: "it did not end in time"}


@dataclass(frozen=True, slots=True)
class Call:
    """The state machine comes back: for which execution, from which run of it, after which turn, and with what."""

    execution_id: int
    engine_name: str
    seq: int
    outcome: Mapping[str, Any] = field(repr=False)

    @property
    def error(self) -> str:
        """What a task ended with, where it failed."""
        return str(self.outcome.get("Error", ""))


@dataclass(frozen=True, slots=True)
class Means:
    """What a turn is made with: who opens secrets, and who closes orders for the script runner."""

    secrets: Sealer
    orders: Sealer


@dataclass(frozen=True, slots=True)
class Advanced:
    """What the state machine is told, how many notifications wait to leave, and how it ended if it did."""

    directive: Mapping[str, Any] = field(repr=False)
    told: int = 0
    ended: Ending | None = None


def advance(database: Database, call: Call, means: Means) -> Advanced:
    """Take a turn. Repeated, it changes nothing and answers the same."""
    with database.transaction() as tx:
        locked = executions.lock(tx, call.execution_id)
        if locked is None or locked.engine_name != call.engine_name or call.seq > locked.seq:
            return Advanced(_sent_away(call))
        if call.seq < locked.seq or locked.is_over:
            return Advanced(_answered_before(locked, call))
        return _turn(tx, locked, call, means)


def _sent_away(call: Call) -> dict[str, Any]:
    return _for_engine({"kind": DirectiveKind.FAIL.value}, call.execution_id, call.engine_name, call.seq)


def _answered_before(locked: Locked, call: Call) -> Mapping[str, Any]:
    if locked.directive is not None and call.seq == locked.seq - 1:
        return locked.directive
    kind = DirectiveKind.SUCCEED if locked.status is ExecutionStatus.COMPLETED else DirectiveKind.FAIL
    return _for_engine({"kind": kind.value}, locked.execution_id, locked.engine_name, locked.seq)


def _turn(tx: Transaction, locked: Locked, call: Call, means: Means) -> Advanced:
    try:
        playbook = parsed_playbooks.of_version(tx, locked.playbook_id, locked.version, locked.sha256)
    except InvalidPlaybook as error:
        return _cannot_go_on(tx, locked, call, f"this version of Medic cannot read the playbook: {error}")
    run = Run(playbook, locked.cause, locked.context)
    around = Around(locked.now, locked.stopped_by, locked.alert_over)
    progress, effects, directive = _walk(tx, locked, run, around, _event(tx, locked, call, means))
    order: dict[str, Any] = {}
    while directive.kind is DirectiveKind.SCRIPT and not order:
        try:
            order = _order(tx, locked, run, progress, means)
        except Unfit as error:
            more = _walk(tx, locked, run, around, Reported(Verdict.FAILED, error=str(error)), progress)
            progress, effects, directive = more[0], [*effects, *more[1]], more[2]
    said = {**executions.directive_to_json(directive), **order}
    return _written(tx, locked, run, progress, effects, directive, said)


def _walk(
    tx: Transaction, locked: Locked, run: Run, around: Around, event: Event, progress: Progress | None = None
) -> tuple[Progress, list[Effect], Directive]:
    """Ask the brain until it needs the state machine."""
    effects: list[Effect] = []
    at = progress or locked.progress
    while True:
        turn = brain.advance(run, at, event, around)
        at = turn.progress
        effects += turn.effects
        if isinstance(turn.next, Directive):
            return at, effects, turn.next
        event = _seen(tx, locked, turn.next)


def _seen(tx: Transaction, locked: Locked, wanted: LookForHeartbeats) -> Seen:
    kinds = [wanted.status] if wanted.status else list(SIGNS_OF_LIFE)
    name = name_key(wanted.service) if wanted.service else None
    count = executions.heard(tx, wanted.since, kinds, locked.service_id or wanted.service_id, name)
    return Seen(count >= wanted.min_count, f"{count} heartbeats since {wanted.since:%H:%M:%S} UTC")


def _event(tx: Transaction, locked: Locked, call: Call, means: Means) -> Event:
    """What happened, from what is kept here; the state machine's word counts where nothing is."""
    match locked.progress.doing:
        case Doing.NOTHING:
            return Began()
        case Doing.APPROVAL:
            return _answer(tx, locked, call)
        case Doing.CALL | Doing.PROBE:
            if locked.reported is not None:
                return reported(locked.reported)
            return Died(_words(call), began=locked.sent_at is not None)
        case Doing.SCRIPT:
            return _script_report(locked, call, means)
        case _:
            return Woke()


def _answer(tx: Transaction, locked: Locked, call: Call) -> Event:
    """The decision. A time that is over is over, also where the state machine has lost sight of it."""
    request = approvals.newest(tx, locked.execution_id)
    if request is not None and request.status in {ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}:
        return Decided(request.status is ApprovalStatus.APPROVED, request.decided_by or "", request.reason)
    if request is not None and (call.error == TIMED_OUT or request.expires_at <= locked.now):
        return NotAnswered(request.delivered)
    return Lost()


def reported(kept: Mapping[str, Any]) -> Reported:
    """A runner's report as it is kept."""
    return Reported(Verdict(kept["verdict"]), kept.get("output", ""), kept.get("error", ""), kept.get("data", {}))


def _script_report(locked: Locked, call: Call, means: Means) -> Event:
    sealed = call.outcome.get("report")
    if not isinstance(sealed, str):
        return Died(_words(call), began=call.error not in NEVER_BEGAN)
    context = sealing_context("script-report", locked.execution_id, locked.seq)
    try:
        report = ScriptReport.from_bytes(means.orders.open(base64.b64decode(sealed, validate=True), context))
    except (ValueError, binascii.Error):
        return Died("the script runner's report cannot be read", began=True)
    return Reported(report.verdict, report.output, report.error, report.data)


def sealing_context(purpose: str, execution_id: int, seq: int) -> dict[str, str]:
    """What an order or a report is bound to."""
    return {"purpose": purpose, "execution": str(execution_id), "seq": str(seq)}


def _words(call: Call) -> str:
    if call.error:
        return WORDS_OF_ENGINE.get(call.error, f"its runner ended without a report ({call.error})")
    return "the state machine lost it"


def _order(tx: Transaction, locked: Locked, run: Run, progress: Progress, means: Means) -> dict[str, str]:
    """The sealed order for the script runner. Raises Unfit where the step cannot be done."""
    order = script_order(tx, locked, run, progress, means.secrets)
    context = sealing_context("script-order", locked.execution_id, locked.seq + 1)
    return {"order": base64.b64encode(means.orders.seal(order.to_bytes(), context)).decode()}


def _written(
    tx: Transaction,
    locked: Locked,
    run: Run,
    progress: Progress,
    effects: list[Effect],
    directive: Directive,
    said: Mapping[str, Any],
) -> Advanced:
    seq = locked.seq + 1
    told = turn_effects.write(tx, locked, run, progress, effects)
    ending = next((effect.ending for effect in effects if isinstance(effect, Ended)), None)
    complete = _for_engine(said, locked.execution_id, locked.engine_name, seq)
    expected_by = _expected_by(locked.now, directive)
    executions.save(tx, locked.execution_id, progress, seq, complete, expected_by, ending)
    return Advanced(complete, told, ending)


def _for_engine(said: Mapping[str, Any], execution_id: int, engine_name: str, seq: int) -> dict[str, Any]:
    """A directive with what the state machine brings along when it comes back."""
    return {**said, "execution_id": execution_id, "engine_name": engine_name, "seq": seq, "outcome": {}}


def _expected_by(now: datetime, directive: Directive) -> datetime | None:
    if directive.until is not None:
        return directive.until + ENGINE_MARGIN
    return now + timedelta(seconds=directive.seconds) + ENGINE_MARGIN if directive.seconds else None


def _cannot_go_on(tx: Transaction, locked: Locked, call: Call, because: str) -> Advanced:
    ending = Ending(ExecutionStatus.FAILED, Outcome.FAILED, because)
    told = end(tx, locked, ending)
    return Advanced(_sent_away(replace(call, seq=locked.seq + 1)), told, ending)


def end(tx: Transaction, locked: Locked, ending: Ending, actor: str | None = None) -> int:
    """End an execution that the brain does not end itself; returns how many notifications that makes."""
    progress = replace(locked.progress, doing=Doing.NOTHING, until=None)
    told = turn_effects.ended(tx, locked, ending, actor)
    directive = _for_engine({"kind": DirectiveKind.FAIL.value}, locked.execution_id, locked.engine_name, locked.seq + 1)
    executions.save(tx, locked.execution_id, progress, locked.seq + 1, directive, None, ending)
    return told


def mark_failed(database: Database, execution_id: int, engine_name: str, error: str) -> int:
    """The state machine gave up on an execution: so it has failed. Returns how many notifications that makes."""
    with database.transaction() as tx:
        locked = executions.lock(tx, execution_id)
        if locked is None or locked.is_over or locked.engine_name != engine_name:
            return 0
        because = f"the state machine could not go on ({error or 'no reason given'})"
        return end(tx, locked, Ending(ExecutionStatus.FAILED, Outcome.FAILED, because))
