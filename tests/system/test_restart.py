"""The whole system is stopped and started again, and the engine with it, which forgets all that it ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.system.conftest import Medic, until
from tests.system.repairs import Repairs

ASKS = {"type": "approval", "message": "may I?", "timeout": "1h"}


@pytest.fixture
def repairs(start_medic: Callable[..., Medic]) -> Iterator[Repairs]:
    found = Repairs(start_medic(RATE_LIMIT_EXECUTION_REQUESTS="1000000"))
    yield found
    found.close()


def waiting(repairs: Repairs, name: str) -> int:
    """An execution that waits for people, in a run that waits for their decision."""
    steps = [{"name": "ask", **ASKS}, {"name": "rest", "type": "wait", "duration": "1s"}]
    execution_id = repairs.execute(repairs.playbook({"name": name, "steps": steps}))
    repairs.until_it(execution_id, lambda execution: execution["status"] == "pending_approval")
    assert until(lambda: has_token(repairs, execution_id))
    return execution_id


def has_token(repairs: Repairs, execution_id: int) -> bool:
    with repairs.database() as database:
        query = "SELECT task_token IS NOT NULL FROM medic.approval_requests WHERE execution_id = %s"
        found = database.execute(query, [execution_id]).fetchone()
    return found == (True,)


def run_of(repairs: Repairs, execution_id: int) -> str:
    with repairs.database() as database:
        query = "SELECT engine_name FROM medic.playbook_executions WHERE execution_id = %s"
        found = database.execute(query, [execution_id]).fetchone()
    assert found is not None
    return str(found[0])


def listed(repairs: Repairs) -> set[int]:
    return {item["execution_id"] for item in repairs.asked("GET", "/v2/approvals?limit=250")["items"]}


def approves(repairs: Repairs, execution_id: int) -> None:
    repairs.asked("POST", f"/v2/executions/{execution_id}/approve", {"reason": "go"})


def stops_outside(repairs: Repairs, execution_id: int) -> None:
    """Somebody stops the run in the engine's own console."""
    arn = repairs.machine_arn().replace(":stateMachine:", ":execution:") + f":{run_of(repairs, execution_id)}"
    repairs.machine().stop_execution(executionArn=arn)


def test_what_waits_for_people_outlives_a_restart_and_goes_on_at_once(repairs: Repairs) -> None:
    first, second, third = (waiting(repairs, name) for name in ("first", "second", "third"))
    before = {one: run_of(repairs, one) for one in (first, second, third)}

    # Stopped outside, and approved: the engine does not take the decision; the run goes on elsewhere at once.
    stops_outside(repairs, third)
    approves(repairs, third)
    assert repairs.end_of(third)["outcome"] == "succeeded"
    assert repairs.audited(third).count("decision_refused") == repairs.audited(third).count("execution_resumed") == 1

    # By itself the monitor would not look today.
    with repairs.database() as database:
        database.execute("UPDATE medic.playbook_executions SET next_look_at = now() + interval '1 day'")
    assert repairs.medic.stop() == 0
    repairs.medic.start()

    # The engine has lost both; whoever decides first need not wait for the monitor to find out.
    approves(repairs, second)
    assert repairs.end_of(second)["outcome"] == "succeeded"
    assert listed(repairs) == {first}
    assert until(lambda: run_of(repairs, first) != before[first] and has_token(repairs, first))
    assert repairs.execution(first)["status"] == "pending_approval"
    approves(repairs, first)
    assert repairs.end_of(first)["outcome"] == "succeeded"
    for one in (first, second):
        assert (repairs.audited(one).count("execution_resumed"), run_of(repairs, one) != before[one]) == (1, True)
        assert repairs.audited(one).count("approved") == 1


def test_a_run_that_was_stopped_outside_is_found_and_goes_on_where_it_stood(repairs: Repairs) -> None:
    execution_id = waiting(repairs, "stopped")
    former = run_of(repairs, execution_id)
    stops_outside(repairs, execution_id)
    # By itself within two minutes; here the time for it has come.
    with repairs.database() as database:
        database.execute("UPDATE medic.playbook_executions SET next_look_at = now()")
    assert until(lambda: run_of(repairs, execution_id) != former and has_token(repairs, execution_id))
    assert listed(repairs) == {execution_id}
    approves(repairs, execution_id)
    assert repairs.end_of(execution_id)["outcome"] == "succeeded"
    assert repairs.audited(execution_id).count("execution_resumed") == 1
