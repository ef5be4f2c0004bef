"""Deploys migrate: as often as they like, at once, killed in the middle; and CloudFormation hears how it went."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from medic_core.adapters.migrations import roll_back
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.cloudformation import CloudFormation
from tests.built.conftest import Account
from tests.built.driving import Start
from tests.built.test_bad_events import content
from tests.fixtures.postgres import MIGRATIONS

NAMES = sorted(path.stem for path in MIGRATIONS.glob("*.sql") if "rollback" not in path.name)
#: The migration that makes `counters` and has `alert_events` counted.
METRICS = NAMES.index("0010.metrics")
TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'medic'"
APPLIED = "SELECT migration_id FROM public._yoyo_migration ORDER BY migration_id"
NOBODY = "postgresql://127.0.0.1:1/none"


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    found = CloudFormation()
    yield found
    found.close()
    assert found.wrong == []


def status(cloudformation: CloudFormation) -> list[str]:
    return [answer["Status"] for answer in cloudformation.answers]


def test_create_update_and_delete_are_answered_and_nothing_is_ever_rolled_back(
    start: Start, database: Database, database_url: str, cloudformation: CloudFormation
) -> None:
    roll_back(database_url, MIGRATIONS)
    function = start("MigrateFunction")
    assert function.invoke(cloudformation.asks("Create")).payload == {"applied": NAMES}
    assert function.invoke(cloudformation.asks("Update")).payload == {"applied": []}
    a_service(database)
    before = content(database)
    assert function.invoke(cloudformation.asks("Delete")).payload == {"applied": []}
    assert status(cloudformation) == ["SUCCESS"] * 3
    assert {answer["PhysicalResourceId"] for answer in cloudformation.answers} == {"medic-schema"}
    assert content(database) == before


def test_a_stack_can_be_deleted_whose_database_is_gone(start: Start, cloudformation: CloudFormation) -> None:
    answer = start("MigrateFunction", DATABASE_URL=NOBODY).invoke(cloudformation.asks("Delete"))
    assert (answer.payload, status(cloudformation)) == ({"applied": []}, ["SUCCESS"])


def test_two_deploys_at_once_apply_each_migration_once(
    start: Start, database: Database, database_url: str, cloudformation: CloudFormation
) -> None:
    roll_back(database_url, MIGRATIONS)
    functions = [start("MigrateFunction"), start("MigrateFunction")]
    with ThreadPoolExecutor(2) as deploys:
        answers = list(deploys.map(lambda one: one.invoke(cloudformation.asks("Create")).payload, functions))
    assert [answer for answer in answers if "applied" not in answer] == []
    assert sorted(len(answer["applied"]) for answer in answers) == [0, len(NAMES)]
    assert status(cloudformation) == ["SUCCESS", "SUCCESS"]
    assert rows(database, APPLIED) == [(name,) for name in NAMES]


def test_a_deploy_that_cannot_migrate_fails_with_the_reason_and_keeps_what_was_applied(
    start: Start, account: Account, database: Database, database_url: str, cloudformation: CloudFormation
) -> None:
    roll_back(database_url, MIGRATIONS, len(NAMES) - METRICS + 1)
    with database.autocommit() as connection:
        # Somebody else's, where a migration wants its own.
        connection.execute("CREATE TABLE medic.counters (mine int)")
    function = start("MigrateFunction")
    assert function.invoke(cloudformation.asks("Update")).error
    (answer,) = cloudformation.answers
    assert (answer["Status"], "counters" in answer["Reason"]) == ("FAILED", True)
    assert rows(database, APPLIED) == [(name,) for name in NAMES[:METRICS]]
    with database.autocommit() as connection:
        connection.execute("DROP TABLE medic.counters")
    assert function.invoke(cloudformation.asks("Update")).payload == {"applied": NAMES[METRICS:]}


def test_a_database_that_is_away_is_a_reason(start: Start, cloudformation: CloudFormation) -> None:
    function = start("MigrateFunction", DATABASE_URL=NOBODY)
    assert function.invoke(cloudformation.asks("Create")).error
    (answer,) = cloudformation.answers
    assert (answer["Status"], "connection" in answer["Reason"].lower()) == ("FAILED", True)


def test_an_unknown_request_is_refused_and_changes_nothing(
    start: Start, database: Database, cloudformation: CloudFormation
) -> None:
    before = content(database)
    assert start("MigrateFunction").invoke(cloudformation.asks("Rollback")).error == "NotAnEvent"
    assert status(cloudformation) == ["FAILED"]
    assert "Rollback" in cloudformation.answers[0]["Reason"]
    assert content(database) == before


def test_an_answer_that_is_not_taken_at_once_is_given_again(start: Start, cloudformation: CloudFormation) -> None:
    cloudformation.troubles = [503, 500]
    assert start("MigrateFunction").invoke(cloudformation.asks("Update")).payload == {"applied": []}
    assert status(cloudformation) == ["SUCCESS"]


def test_an_answer_that_is_refused_is_an_error_that_says_so(start: Start, cloudformation: CloudFormation) -> None:
    cloudformation.troubles = [403]
    answer = start("MigrateFunction").invoke(cloudformation.asks("Update"))
    assert "403" in answer.payload["errorMessage"]


def test_one_killed_in_the_middle_leaves_nothing_half_done_and_the_next_goes_on(
    start: Start, database: Database, database_url: str, cloudformation: CloudFormation
) -> None:
    """A migration waits for a lock when the function is killed at its timeout."""
    roll_back(database_url, MIGRATIONS, len(NAMES) - METRICS)
    function = start("MigrateFunction", AWS_LAMBDA_FUNCTION_TIMEOUT="8")
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE medic.alert_events IN ACCESS EXCLUSIVE MODE")
        killed: Any = function.invoke(cloudformation.asks("Update")).payload
        assert "timed out" in str(killed)
        assert rows(database, APPLIED) == [(name,) for name in NAMES[:METRICS]]
    assert start("MigrateFunction").invoke(cloudformation.asks("Update")).payload == {"applied": NAMES[METRICS:]}
    assert status(cloudformation) == ["SUCCESS"]
    assert rows(database, APPLIED) == [(name,) for name in NAMES]
