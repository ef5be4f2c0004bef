"""Whatever people and signals do to a service, in whatever order: its row, its alerts and its deadline agree."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from medic_core.domain.watching.signals import SignalKind
from medic_core.errors import BadRequest, Conflict, NotFound
from medic_core.flows import attend, change
from medic_core.flows.change import By
from medic_core.flows.restore import restore
from medic_core.flows.sweep import sweep
from medic_core.store import snapshots
from medic_core.store.connection import Database, Transaction
from tests.builders import a_service, hears, rows, time_passes

BY = By("a person")
#: What can be done, each by its name so that a failure reads as a story.
SIGNALS = [kind.value for kind in SignalKind if kind is not SignalKind.IGNORED]
PEOPLE = ["pause", "pause until heard", "resume", "deactivate", "mute", "unmute", "new schedule", "delete", "restore"]
ALERTS = ["acknowledge", "snooze", "resolve"]
TIME = ["10 seconds", "a minute and a half", "an hour", "sweep"]
stories = st.lists(st.sampled_from([*SIGNALS, *SIGNALS, *PEOPLE, *ALERTS, *TIME, *TIME]), min_size=1, max_size=25)

#: A service, what its row says, and what its open alerts say.
TRUTH = """
SELECT s.active, s.paused_at IS NOT NULL AS paused, st.paused, st.health, st.settled, st.alert_after, st.troubles,
       ARRAY(SELECT kind FROM medic.alerts a WHERE a.service_id = s.service_id AND resolved_at IS NULL ORDER BY kind),
       (SELECT count(*) FROM medic.job_runs r WHERE r.service_id = s.service_id AND r.status = 'STARTED' AND NOT named),
       st.unnamed_run
  FROM medic.services s JOIN medic.service_state st USING (service_id) WHERE s.heartbeat_name = %(name)s
"""
DELETED_BUT_OPEN = """
SELECT count(*) FROM medic.alerts WHERE service_id IS NULL AND kind <> 'ingest_silent' AND resolved_at IS NULL
"""
UNTOLD = """
SELECT count(*) FROM medic.alerts a WHERE told_at IS NULL AND resolved_at IS NULL AND status = 'open'
   AND NOT EXISTS (SELECT FROM medic.services s WHERE s.service_id = a.service_id AND s.muted_until > now())
   AND (next_look_at IS NULL OR next_look_at > now())
"""


def happens(database: Database, name: str, what: str) -> None:
    if what in TIME:
        passes = {"10 seconds": 10, "a minute and a half": 90, "an hour": 3600, "sweep": 0}[what]
        time_passes(database, timedelta(seconds=passes))
        sweep(database, 0, timedelta(seconds=15))
    elif what in SIGNALS:
        hears(database, name, SignalKind(what))
    else:
        with database.transaction() as tx:
            people_do(database, tx, name, what)


def people_do(database: Database, tx: Transaction, name: str, what: str) -> None:
    found = tx.execute(
        "SELECT service_id FROM medic.services WHERE heartbeat_name = %(name)s", {"name": name}
    ).fetchone()
    if what == "restore":
        restore(tx, snapshots.read(tx)[0].snapshot_id, "a person")
    elif what in ALERTS:
        attend_to(tx, what)
    elif found is not None:
        changes: dict[str, dict[str, Any]] = {
            "pause": change.pause(tx, resume_on_heartbeat=False),
            "pause until heard": change.pause(tx, resume_on_heartbeat=True),
            "resume": change.resume(),
            "deactivate": {"active": False},
            "mute": change.mute(tx),
            "unmute": change.unmute(),
            "new schedule": {"every_seconds": 45},
        }
        change.delete(tx, found[0], BY) if what == "delete" else change.change(tx, found[0], changes[what], BY)


def attend_to(tx: Transaction, what: str) -> None:
    query = "SELECT alert_id, now() FROM medic.alerts WHERE resolved_at IS NULL ORDER BY alert_id DESC LIMIT 1"
    found = tx.execute(query).fetchone()
    if found is None:
        return
    match what:
        case "acknowledge":
            attend.acknowledge(tx, found[0], "a person")
        case "snooze":
            attend.snooze(tx, found[0], found[1] + timedelta(minutes=5), "a person")
        case _:
            attend.resolve(tx, found[0], "a person")


def check(database: Database, name: str) -> None:
    assert rows(database, DELETED_BUT_OPEN) == [(0,)]
    for active, paused, repeated, health, settled, alert_after, troubles, alerts, unnamed, run in rows(
        database, TRUTH, name=name
    ):
        assert repeated == paused
        assert sorted(troubles) == sorted(alerts)
        assert (unnamed == 1) == (run is not None)
        if not active or paused:
            assert (alert_after, alerts) == (None, [])
        elif troubles:
            assert (alert_after, settled) == (None, False)
        else:
            # Nothing is known to be wrong, so something is waited for.
            assert alert_after is not None
        if settled:
            assert health in {"up", "degraded"}


def test_row_alerts_and_deadline_agree(database: Database) -> None:
    made = iter(range(1_000_000))

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(story=stories)
    def hold(story: list[str]) -> None:
        name = f"service-{next(made)}"
        with database.transaction() as tx:
            tx.execute("TRUNCATE medic.services, medic.service_snapshots, medic.alerts CASCADE")
            tx.execute(
                "UPDATE medic.monitor_state SET last_sweep_at = now(), spool_waiting_since = NULL, gap_start = NULL"
            )
        a_service(database, name)
        for what in story:
            # Deleted, inactive, restored already, nothing to restore.
            with suppress(NotFound, Conflict, BadRequest, IndexError):
                happens(database, name, what)
            check(database, name)
        # In the end everything that is open and silent is silent for a reason, and what falls silent is found.
        if rows(database, TRUTH, name=name) and not rows(database, TRUTH, name=name)[0][7]:
            with database.transaction() as tx:
                people_do(database, tx, name, "resume")
            happens(database, name, "an hour")
            assert rows(database, TRUTH, name=name)[0][7] != []
        happens(database, name, "sweep")
        assert rows(database, UNTOLD) == [(0,)]

    hold()
