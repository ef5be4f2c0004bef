"""Before Postgres stands a proxy that shares connections out a transaction at a time, as RDS Proxy and PgBouncer do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from medic_core.credentials import Keeper, SecretText, Server
from medic_core.store import session_defaults
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.built.conftest import PASSWORD, Account
from tests.built.driving import Start, ask, beat, until
from tests.fixtures.pooler import CONNECTIONS, Pooler
from tests.fixtures.repairing import a_playbook, started

#: Enough that a statement would be prepared: psycopg does so the sixth time.
OFTEN = 12
OURS = "SELECT pid FROM pg_stat_activity WHERE usename = %(role)s"


@pytest.fixture
def pooler(start_pooler: Callable[[str, str, str], Pooler], account: Account, database_url: str) -> Pooler:
    with psycopg.connect(database_url, autocommit=True) as admin:
        # What a server has whose operator lives there: times would be wrong that were taken for UTC.
        name = admin.info.dbname
        admin.execute(f"ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'")
    return start_pooler(database_url, account.role, PASSWORD)


@pytest.fixture
def start_behind(start: Start, pooler: Pooler) -> Start:
    """Start a function that knows the pooler alone."""
    return lambda name, **changed: start(
        name, **{"DATABASE_URL": pooler.url, "MEDIC_DATABASE_POOLED": "true", **changed}
    )


@pytest.fixture
def pooled(pooler: Pooler, account: Account) -> Iterator[Database]:
    """Medic's own way to the pooler."""
    credentials = SecretText(json.dumps({"username": account.role, "password": PASSWORD}), Keeper())
    database = Database(Server(pooler.url, credentials, is_pooled=True))
    yield database
    database.close()


def test_functions_share_its_connections_and_all_of_them_work(
    start_behind: Start, database: Database, account: Account, pooled: Database
) -> None:
    a_service(database)
    hears(database)
    functions = [start_behind("HeartbeatFunction") for _ in range(3)]
    management = start_behind("ManagementFunction")
    beats = [lambda one=one: beat(one) for one in functions]
    work = [*beats, lambda: ask(management, "GET", "/v2/services")["statusCode"]]
    # Side by side, each one event after the other, as Lambda does.
    with ThreadPoolExecutor(len(work)) as clients:
        answers = list(clients.map(lambda one: [one() for _ in range(OFTEN)], work))
    assert answers == [[201] * OFTEN] * len(functions) + [[200] * OFTEN]
    assert len(rows(database, OURS, role=account.role)) <= CONNECTIONS
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(3 * OFTEN + 1,)]


def test_changes_sweeps_and_turns_work_through_it(start_behind: Start, database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    time_passes(database, timedelta(hours=1))
    monitor, management = start_behind("MonitorFunction", MEDIC_SWEEP_SECONDS="60"), start_behind("ManagementFunction")
    assert monitor.invoke({}).payload["opened"] == 1
    for number in range(OFTEN):
        body = {"heartbeat_name": f"new-{number}", "service_name": "new", "alert_interval": 5}
        assert ask(management, "POST", "/service", body)["statusCode"] == 201
    execution_id = started(database, a_playbook(database, {"type": "wait", "duration": "1h"}), service_id)
    ((engine_name,),) = rows(
        database, "SELECT engine_name FROM medic.playbook_executions WHERE execution_id = %(id)s", id=execution_id
    )
    event = {"execution_id": execution_id, "engine_name": engine_name, "seq": 0, "outcome": {}}
    advance = start_behind("AdvanceFunction")
    directives = [advance.invoke(event).payload for _ in range(OFTEN)]
    assert directives == [directives[0]] * OFTEN
    assert directives[0]["kind"] == "wait"


def test_sessions_that_it_opens_are_as_those_that_medic_opens_itself(
    database: Database, account: Account, pooled: Database
) -> None:
    def shown(name: str) -> str:
        with pooled.autocommit() as connection:
            return str(connection.execute(f"SHOW {name}").fetchone()[0])  # type: ignore[index]

    assert shown("statement_timeout") == "0"
    assert shown("TimeZone") == "UTC", "what the role lacks is set, so that times are right"
    session_defaults.give_to_role(pooled)
    pooled.close()
    account.cut_connections()
    assert (shown("TimeZone"), shown("statement_timeout"), shown("lock_timeout")) == ("UTC", "20s", "10s")


def test_times_are_right_also_before_the_role_has_its_defaults(start_behind: Start, database: Database) -> None:
    a_service(database)
    assert beat(start_behind("HeartbeatFunction")) == 201
    ago = "SELECT now() - received_at < interval '1 minute' FROM medic.heartbeat_events"
    assert rows(database, ago) == [(True,)]
    listed = json.loads(ask(start_behind("ManagementFunction"), "GET", "/v2/services")["body"])
    assert "+09:00" not in json.dumps(listed)


def test_who_is_not_told_of_it_is_turned_away_and_the_log_says_why(start_behind: Start, database: Database) -> None:
    a_service(database)
    not_told = {"MEDIC_DATABASE_POOLED": "false"}
    management = start_behind("ManagementFunction", **not_told)
    assert ask(management, "GET", "/v2/services")["statusCode"] == 503
    monitor = start_behind("MonitorFunction", MEDIC_SWEEP_SECONDS="60", **not_told)
    assert monitor.invoke({}).payload["held"] == "the database is away"
    assert "unsupported startup parameter: options" in monitor.written()
    migrate = start_behind("MigrateFunction", **not_told)
    assert migrate.invoke({}).error


def test_connections_cut_behind_it_are_made_again(start_behind: Start, database: Database, account: Account) -> None:
    a_service(database)
    heartbeat = start_behind("HeartbeatFunction")
    assert beat(heartbeat) == 201
    account.cut_connections()
    until(lambda: beat(heartbeat) == 201)
