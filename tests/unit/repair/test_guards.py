"""What keeps a playbook from starting by itself."""

from __future__ import annotations

import pytest

from medic_core.domain.repair.guards import Blocked, Decision, Hold, Situation, Start, decide, is_mass_failure

STOPPED = "kill switch (global), thrown by ann"
UNDER_WAY = Blocked("an execution of this playbook for this service is under way")
MANY = Hold("10 of 20 services of this trigger failed within 5 minutes: somebody must decide for all of them")
BREAKER = Blocked("circuit breaker: 5 executions for this service within an hour")


@pytest.mark.parametrize(
    ("situation", "decision"),
    [
        (Situation(), Start()),
        (Situation(recent=4), Start()),
        (Situation(recent=5), BREAKER),
        (Situation(recent=5, most_recent=6), Start()),
        (Situation(recent=0, most_recent=0), Blocked("circuit breaker: 0 executions for this service within an hour")),
        (Situation(is_active=True), UNDER_WAY),
        (Situation(failing=10, services=20), MANY),
        (Situation(failing=10, services=20, brake_released=True), Start()),
        # The first answer counts: what a person has done, what is under way, what concerns many, what concerns one.
        (Situation(STOPPED, is_active=True, recent=5, failing=10, services=20), Blocked(STOPPED)),
        (Situation(is_active=True, recent=5, failing=10, services=20), UNDER_WAY),
        (Situation(recent=5, failing=10, services=20), MANY),
        (Situation(recent=5, failing=10, services=20, brake_released=True), BREAKER),
    ],
)
def test_the_first_thing_in_the_way_is_the_answer(situation: Situation, decision: Decision) -> None:
    assert decide(situation) == decision


@pytest.mark.parametrize(
    ("failing", "services", "is_one"),
    [
        (4, 4, False),
        (5, 5, True),
        (5, 24, True),
        (5, 25, False),
        (6, 25, True),
        (20, 100, False),
        (21, 100, True),
        (0, 0, False),
    ],
)
def test_many_services_that_fail_at_once_are_no_fault_of_theirs(failing: int, services: int, is_one: bool) -> None:
    assert is_mass_failure(failing, services) is is_one
