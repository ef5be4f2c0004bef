"""Repairs: what a step costs in statements, transitions and time; how many executions run at once; parsing.

The running system is `python -m local`: Step Functions is the emulator's, in threads of one process, and its functions
are processes on the same cores.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bench import database, measure, routing
from medic_core.domain.repair import language
from medic_core.flows import engine
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import watch_statements
from tests.fixtures.repairing import SECRETS, Engine, Hand, a_playbook, started
from tests.system.conftest import Medic
from tests.system.repairs import Repairs, entered

STEPS = 5
ONE_BY_ONE = 100
AT_ONCE = 200
CADENCE = timedelta(hours=1)
#: Step Functions' price of Standard state transitions (us-east-1), per thousand.
DOLLARS_PER_THOUSAND = 0.025


def report() -> str:
    with database.fresh() as url, routing.receivers() as environment:
        os.environ.update(environment | {"DATABASE_URL": url})
        host = environment["MEDIC_ALLOWED_WEBHOOK_HOSTS"]
        in_process = [_steps(url, host), _first_step(url, host)]
    # The running system has a database of its own.
    del os.environ["DATABASE_URL"]
    with routing.receivers() as environment, running(environment) as repairs:
        at_once = _at_once(repairs, environment["MEDIC_ALLOWED_WEBHOOK_HOSTS"])
    return "\n".join([_parsing(), *in_process, at_once])


def a_call(host: str) -> dict[str, object]:
    return {"type": "webhook", "url": f"http://{host}/do", "body": {"service": "${SERVICE_NAME}"}}


def _steps(url: str, host: str) -> str:
    """Turns of the brain and calls of webhooks, without the state machine."""
    own = Database(url)
    playbook_id = a_playbook(own, *[a_call(host)] * STEPS)
    heard = watch_statements(own)
    Hand(own, started(own, playbook_id), (host,)).to_the_end()
    statements = [text for text in heard if not text.upper().startswith(("BEGIN", "COMMIT", "SET"))]
    own.close()
    own = Database(url)
    hands = iter([Hand(own, started(own, playbook_id), (host,)) for _ in range(ONE_BY_ONE + ONE_BY_ONE // 10)])
    whole = measure.timed(lambda: next(hands).to_the_end(), ONE_BY_ONE)
    own.close()
    return measure.table(
        f"An execution of {STEPS} webhook steps, without the state machine (one process, receivers answer at once)",
        ("statements for a step (turn and call)", "p50", "p99", "executions a second"),
        [
            (
                f"{len(statements) / STEPS:.1f}",
                f"{whole.percentile(0.5):.1f} ms",
                f"{whole.percentile(0.99):.1f} ms",
                f"{whole.per_second:.0f}",
            )
        ],
    )


def _first_step(url: str, host: str) -> str:
    """From the sweep's commit to the arrival of the first step's request."""
    own, waits = Database(url), []
    database.fill(url, 100)
    playbook_id = a_playbook(own, a_call(host))
    with own.autocommit() as connection:
        connection.execute(
            "INSERT INTO medic.playbook_triggers (playbook_id, service_pattern) VALUES (%(id)s, '*')",
            {"id": playbook_id},
        )
    for _ in range(ONE_BY_ONE):
        database.settle_down(url)
        database.make_due(url, 1)
        with own.autocommit() as connection:
            connection.execute("DELETE FROM medic.playbook_executions")
        sweep(own, 0, CADENCE)
        committed = time.time()
        assert consider_alerts(own, Rules(1_000_000)).started == 1
        machine = Engine()
        engine.relay(own, machine, SECRETS)
        (given,) = machine.runs.values()
        hand = Hand(own, int(given["execution_id"]), (host,))
        hand.turn()
        hand.send()
        with own.autocommit() as connection:
            row = connection.execute(
                "SELECT (reported -> 'data' -> 'body' ->> 'at')::float FROM medic.playbook_step_results"
                " ORDER BY result_id DESC LIMIT 1"
            ).fetchone()
        assert row is not None
        waits.append(row[0] - committed)
    own.close()
    found = measure.Timing(waits)
    return measure.table(
        f"From an alert's commit to the first step's request, state machine handed over ({ONE_BY_ONE} alerts)",
        ("p50", "p99"),
        [(f"{found.percentile(0.5):.1f} ms", f"{found.percentile(0.99):.1f} ms")],
    )


def _parsing() -> str:
    steps = [
        {
            "name": f"step-{n}",
            "type": "webhook",
            "url": "https://example.com/x",
            "body": {"n": n, "s": "${SERVICE_NAME}"},
        }
        for n in range(50)
    ]
    text = "name: fifty\nsteps:\n" + "".join(f"  - {json.dumps(step)}\n" for step in steps)
    found = measure.timed(lambda: language.parse(text), 50)
    title = f"Reading a playbook of 50 steps ({len(text) / 1024:.0f} KiB); each version once in an instance"
    return measure.table(title, ("p50",), [(f"{found.percentile(0.5):.1f} ms",)])


@contextmanager
def running(environment: dict[str, str]) -> Iterator[Repairs]:
    """The whole of Medic, as `make run` brings it up."""
    folder = Path(tempfile.mkdtemp(prefix="medic-bench-"))
    folder.chmod(0o755)
    medic = Medic(folder / "data", {**environment, "RATE_LIMIT_EXECUTION_REQUESTS": "1000000"})
    try:
        medic.start()
        yield Repairs(medic)
    finally:
        medic.stop()
        shutil.rmtree(folder)


def _at_once(repairs: Repairs, host: str) -> str:
    content = {"name": "bench", "steps": [{"name": f"step-{n}", **a_call(host)} for n in range(STEPS)]}
    playbook_id = repairs.playbook(content)
    repairs.end_of(repairs.execute(playbook_id), 120)
    (events,) = repairs.histories().values()
    states = sum("stateEnteredEventDetails" in event for event in events)
    began = time.perf_counter()
    for _ in range(AT_ONCE):
        repairs.execute(playbook_id)
    while len(repairs.executions(status="completed")) < AT_ONCE + 1:
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    _, taken = entered(repairs.histories())
    assert ("Choose", "Webhook", "next") in taken
    # What is added by one step more, and what an execution has of its own.
    cost = states * DOLLARS_PER_THOUSAND / 1000
    return measure.table(
        f"{AT_ONCE} executions of {STEPS} webhook steps at once, on one machine (bounded by its cores)",
        ("executions a second", "steps a second", "state transitions of one", "of a step", "on AWS, each"),
        [
            (
                f"{AT_ONCE / seconds:.1f}",
                f"{AT_ONCE * STEPS / seconds:.0f}",
                states,
                f"{(states - 3) / STEPS:.0f}",
                f"${cost:.5f}",
            )
        ],
    )
