"""The real store and the real monitor against a reference model: same state, same alerts, same notifications.

Signals, steps of the clock, edits, mutes, pauses, maintenance, runs, in whatever order; and signals that arrive
shuffled and twice.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import change, maintain
from medic_core.flows.change import By
from medic_core.flows.settle import replay_signal
from medic_core.flows.sweep import sweep
from tests.builders import a_service, a_signal, hears, rows
from tests.fixtures.clock import Clock
from tests.reference_model import Model, Schedule

#: Each of up to 60 steps; more of them by hand.
LIVES = int(os.environ.get("MEDIC_LIVES", "100"))
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BY = By("a person")
SCHEDULES = [
    Schedule(MINUTE),
    Schedule(5 * MINUTE, 3, 30 * SECOND),
    Schedule(expression="*/5 * * * *", timezone="Australia/Lord_Howe", grace=20 * SECOND),
    Schedule(expression="30 1 * * *", timezone="Europe/London", grace=10 * MINUTE),
]
#: Not long before the clocks change in London, both ways, and on Lord Howe.
BEGINNINGS = [
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 14, tzinfo=UTC),
]
STEPS = [SECOND, 10 * SECOND, 29 * SECOND, 61 * SECOND, 5 * MINUTE, 20 * MINUTE, HOUR, 7 * HOUR]
TRUTH = """
SELECT st.health, st.last_heartbeat_at, st.alert_after, ARRAY(SELECT unnest(st.troubles) ORDER BY 1), s.muted_until,
       st.flapping_until, s.paused_at IS NOT NULL,
       ARRAY(SELECT kind FROM medic.alerts a WHERE a.service_id = s.service_id AND resolved_at IS NULL ORDER BY kind),
       (SELECT count(*) FROM medic.heartbeat_events e WHERE e.service_id = s.service_id)
  FROM medic.services s JOIN medic.service_state st USING (service_id)
"""
NOTES = """
SELECT event, kind FROM medic.outbox JOIN medic.alert_events ON subject_id = alert_event_id JOIN medic.alerts
 USING (alert_id) ORDER BY outbox_id
"""


def columns(schedule: Schedule) -> dict[str, Any]:
    grace = int(schedule.grace.total_seconds())
    if schedule.expression:
        return {
            "every_seconds": None, "threshold": 1, "cron_expression": schedule.expression,
            "timezone": schedule.timezone, "grace_period_seconds": grace,
        }  # fmt: skip
    return {
        "every_seconds": int(schedule.every.total_seconds()), "threshold": schedule.threshold,
        "cron_expression": None, "timezone": None, "grace_period_seconds": grace,
    }  # fmt: skip


class Life(RuleBasedStateMachine):
    """One service and what happens to it, twice: in Medic and in the model."""

    clock: Clock

    @initialize(
        schedule=st.sampled_from(SCHEDULES),
        begins=st.sampled_from(BEGINNINGS),
        tolerance=st.sampled_from([1, 2]),
        limit=st.sampled_from([None, 30 * SECOND, 10 * MINUTE]),
        flaps_after=st.sampled_from([None, 2, 3]),
    )
    def is_registered(
        self, schedule: Schedule, begins: datetime, tolerance: int, limit: timedelta | None, flaps_after: int | None
    ) -> None:
        with self.clock.database.transaction() as tx:
            tx.execute(
                "TRUNCATE medic.services, medic.service_snapshots, medic.alerts, medic.outbox, medic.heartbeat_events"
                " RESTART IDENTITY CASCADE"
            )
            tx.execute("DELETE FROM medic.maintenance_windows")
        self.clock.shows(begins)
        self.name = "s"
        self.service_id = a_service(
            self.clock.database, self.name, failure_tolerance=tolerance, flapping_max_changes=flaps_after,
            max_duration_ms=int(limit / SECOND * 1000) if limit else None, **columns(schedule),
        )  # fmt: skip
        self.model = Model(schedule, begins, tolerance, limit, flaps_after, HOUR)
        self.heard, self.runs, self.told = 0, iter(range(1000)), 0
        self.under_way: list[str] = []
        self.windows: list[int] = []

    @rule(by=st.sampled_from(STEPS), looks=st.booleans())
    def time_passes(self, by: timedelta, *, looks: bool) -> None:
        self.model.now = self.clock.passes(by)
        if looks:
            self.monitor_looks()

    def _a_second_goes_by(self) -> None:
        """Of two signals in one and the same instant nobody can say which came first."""
        self.model.now = self.clock.passes(SECOND)

    @rule()
    def monitor_looks(self) -> None:
        with self.clock.database.autocommit() as connection:
            # It was there all the while: that it was away is another test's.
            connection.execute("UPDATE medic.monitor_state SET last_sweep_at = now()")
        sweep(self.clock.database, 0, MINUTE)
        self.model.sweeps()

    @rule(kind=st.sampled_from(["UP", "UP", "DEGRADED", "DOWN", "COMPLETED", "FAILED", "STARTED"]))
    def is_heard(self, kind: str) -> None:
        self._a_second_goes_by()
        hears(self.clock.database, self.name, SignalKind(kind))
        self.model.hears(kind)
        self.heard += 1

    @rule()
    def a_named_run_begins(self) -> None:
        self._a_second_goes_by()
        run = f"run-{next(self.runs)}"
        hears(self.clock.database, self.name, SignalKind.STARTED, run_id=run)
        self.model.hears("STARTED", run)
        self.under_way.append(run)
        self.heard += 1

    @precondition(lambda self: bool(self.under_way))
    @rule(kind=st.sampled_from(["COMPLETED", "FAILED"]), which=st.integers(0, 100), repeated=st.booleans())
    def a_named_run_ends(self, kind: str, which: int, *, repeated: bool) -> None:
        self._a_second_goes_by()
        run = self.under_way.pop(which % len(self.under_way))
        for _ in range(2 if repeated else 1):
            hears(self.clock.database, self.name, SignalKind(kind), run_id=run)
            self.heard += 1
        self.model.hears(kind, run)

    @rule(kind=st.sampled_from(["UP", "DOWN", "FAILED"]), copies=st.integers(2, 4))
    def one_signal_comes_several_times(self, kind: str, copies: int) -> None:
        """The same receipt, replayed: its answer had been lost."""
        self._a_second_goes_by()
        signal = a_signal(self.name, SignalKind(kind), signal_id=uuid4(), received_at=self.clock.now)
        if kind == "FAILED":
            signal = a_signal(
                self.name,
                SignalKind.FAILED,
                signal_id=uuid4(),
                run_id=f"run-{next(self.runs)}",
                received_at=self.clock.now,
            )
        for _ in range(copies):
            replay_signal(self.clock.database, signal)
        self.model.hears(kind, signal.run_id)
        self.heard += 1

    @precondition(lambda self: not self.model.paused and not self._counts_first_reports())
    @rule(
        kinds=st.lists(st.sampled_from(["UP", "DEGRADED", "DOWN", "RUN"]), min_size=2, max_size=5),
        seed=st.integers(0, 1000),
    )
    def signals_arrive_shuffled_and_twice(self, kinds: list[str], seed: int) -> None:
        """Said within a few seconds, all of it late. How often people hear of it may differ; where it ends does not."""
        said: list[tuple[str, str | None]] = []
        for kind in kinds:
            run = f"run-{next(self.runs)}"
            said += [("STARTED", run), ("COMPLETED", run)] if kind == "RUN" else [(kind, None)]
        begin = self.clock.now
        self.model.now = self.clock.passes((len(said) + 1) * SECOND)
        signals = [
            a_signal(self.name, SignalKind(kind), run_id=run, received_at=begin + (index + 1) * SECOND)
            for index, (kind, run) in enumerate(said)
        ]
        dice = random.Random(seed)
        arriving = [*signals, *dice.choices(signals, k=2)]
        dice.shuffle(arriving)
        for signal in arriving:
            replay_signal(self.clock.database, signal)
        for (kind, run), signal in zip(said, signals, strict=True):
            self.model.hears(kind, run, signal.received_at)
        self.heard += len(signals)
        self._take_over_what_people_heard()

    def _counts_first_reports(self) -> bool:
        """The one window that does depend on the order: the first reports where several are wanted."""
        return "never_reported" in self.model.troubles and self.model.schedule.threshold > 1

    def _take_over_what_people_heard(self) -> None:
        model = self.model
        query = """SELECT kind, told_at IS NOT NULL, remind_at, reminders, recovery_held, resolved_at IS NULL
                     FROM medic.alerts ORDER BY alert_id"""
        from tests.reference_model import Alert  # noqa: PLC0415

        open_before = model.troubles
        model.alerts = [Alert(*row) for row in rows(self.clock.database, query)]
        assert model.troubles == open_before
        found = rows(self.clock.database, "SELECT health_changes, flapping_until FROM medic.service_state")
        model.flips, model.flapping_until = sorted(found[0][0]), found[0][1]
        ((model.muted_until,),) = rows(self.clock.database, "SELECT muted_until FROM medic.services")
        model.notes = list(rows(self.clock.database, NOTES))
        self.told = len(model.notes)

    @rule(schedule=st.sampled_from(SCHEDULES))
    def schedule_changes(self, schedule: Schedule) -> None:
        if schedule != self.model.schedule:
            self._changed(columns(schedule))
            self.model.has_schedule(schedule)

    @rule(minutes=st.sampled_from([1, 30, 600]))
    def is_muted(self, minutes: int) -> None:
        until = self.clock.now + minutes * MINUTE
        self._changed({"muted_at": self.clock.now, "muted_until": until})
        self.model.muted_until = until

    @rule()
    def is_unmuted(self) -> None:
        self._changed(change.unmute())
        self.model.muted_until = None

    @rule()
    def is_paused(self) -> None:
        if not self.model.paused:
            self._changed({"paused_at": self.clock.now})
            self.model.pauses()

    @rule()
    def is_resumed(self) -> None:
        self._changed(change.resume())
        self.model.resumes()

    @rule(starts_in=st.sampled_from([0, 0, 10, 90]), minutes=st.sampled_from([1, 30, 600]))
    def a_window_is_made(self, starts_in: int, minutes: int) -> None:
        start = self.clock.now + starts_in * MINUTE
        end = start + minutes * MINUTE
        wanted = {"start_time": start, "end_time": end, "recurrence": None, "timezone": "UTC", "notify": False}
        whom = {"service_ids": [self.service_id], "tags": []}
        with self.clock.database.transaction() as tx:
            made = maintain.create(tx, {**wanted, **whom, "name": f"window {uuid4()}"}, "a person")
        self.windows.append(made.window_id)
        self.model.windows.append((start, end))

    @precondition(lambda self: bool(self.windows))
    @rule(which=st.integers(0, 100))
    def a_window_is_removed(self, which: int) -> None:
        which %= len(self.windows)
        with self.clock.database.transaction() as tx:
            maintain.delete(tx, self.windows.pop(which), None)
        self.model.window_is_removed(which)

    @rule(by=st.sampled_from(STEPS[3:]))
    def maintenance_is_cut_short(self, by: timedelta) -> None:
        """What falls due in it is put off to its end, which does not come."""
        self.a_window_is_made(0, 600)
        self.time_passes(by, looks=True)
        self.a_window_is_removed(len(self.windows) - 1)

    def _changed(self, changes: dict[str, Any]) -> None:
        with self.clock.database.transaction() as tx:
            change.change(tx, self.service_id, changes, BY)

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        ((health, last, deadline, troubles, muted, flapping, paused, alerts, heard),) = rows(self.clock.database, TRUTH)
        assert alerts == troubles
        said = (health, last, deadline, set(troubles), muted, flapping, paused, heard)
        expected = (
            model.health, model.last, model.deadline, model.troubles, model.muted_until, model.flapping_until,
            model.paused, self.heard,
        )  # fmt: skip
        assert said == expected
        notes = rows(self.clock.database, NOTES)
        # Within one step the order of several is nobody's promise.
        assert sorted(notes[self.told :]) == sorted(model.notes[self.told :])
        self.told, model.notes = len(notes), list(notes)


@pytest.fixture
def life(clock: Clock) -> type[Life]:
    class OnItsClock(Life):
        pass

    OnItsClock.clock = clock
    return OnItsClock


@pytest.mark.timeout(6 * LIVES)
def test_medic_and_the_model_agree_whatever_happens(life: type[Life]) -> None:
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=60,
            deadline=None,
            # Shrinking such stories takes minutes; the seed is printed.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
