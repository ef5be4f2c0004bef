from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.sam_local import variables
from infra.sam_local.variables import Addresses

EXAMPLE = (Path(__file__).parents[3] / "env.json.example").read_text()
ADDRESSES = Addresses(
    database="postgresql://medic@172.17.0.1:1/medic",
    redis="redis://172.17.0.1:2/0",
    endpoint="http://172.17.0.1:3",
    queues={name: f"http://172.17.0.1:3/{name}" for name in variables.queue_names(EXAMPLE)},
)


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("postgresql://medic@127.0.0.1:5432/medic", "postgresql://medic@172.17.0.1:15432/medic"),
        ("redis://127.0.0.1:6379/0", "redis://172.17.0.1:16379/0"),
        ("http://localhost:4566/000000000000/spool", "http://172.17.0.1:14566/000000000000/spool"),
    ],
)
def test_a_url_is_moved_to_where_somebody_else_sees_its_server(url: str, elsewhere: str) -> None:
    assert variables.moved(url, lambda port: ("172.17.0.1", port + 10_000)) == elsewhere


def test_only_what_has_a_port_can_be_moved() -> None:
    with pytest.raises(ValueError, match="names no port"):
        variables.moved("http://localhost/spool", lambda port: ("172.17.0.1", port))


def test_the_queues_are_those_that_the_example_names() -> None:
    assert variables.queue_names(EXAMPLE) == ["notifications", "slow-notifications", "spool", "spool-dead-letters"]


def test_the_example_is_filled_with_what_is_there() -> None:
    made = variables.variables(EXAMPLE, ADDRESSES, "http://127.0.0.1:3000", "mdk_a_b")
    shared = made["Parameters"]
    assert shared["DATABASE_URL"] == ADDRESSES.database
    assert shared["REDIS_URL"] == ADDRESSES.redis
    assert shared["MEDIC_BASE_URL"] == "http://127.0.0.1:3000"
    assert shared["AWS_ENDPOINT_URL"] == ADDRESSES.endpoint
    assert shared["MEDIC_SPOOL_URL"] == "http://172.17.0.1:3/spool"
    assert made["MigrateFunction"] == {"MEDIC_ADMIN_API_KEY": "mdk_a_b"}
    assert "https://sqs." not in json.dumps(made)
    # The recorded order of a script is sealed with it.
    assert shared["MEDIC_ORDERS_KEY"] == json.loads(EXAMPLE)["Parameters"]["MEDIC_ORDERS_KEY"]


def test_functions_may_be_told_where_aws_is_and_be_slow_and_nothing_else_changes() -> None:
    template = {
        "Resources": {
            "Told": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"Environment": {"Variables": {"DATABASE_URL": "x"}}, "Timeout": 15},
            },
            "Bare": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b"}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        }
    }
    before = json.dumps(template)
    resources = variables.for_here(template)["Resources"]
    told = {"DATABASE_URL": "x", "AWS_ENDPOINT_URL": ""}
    assert resources["Told"]["Properties"] == {"Environment": {"Variables": told}, "Timeout": 300}
    bare = {"Handler": "a.b", "Environment": {"Variables": {"AWS_ENDPOINT_URL": ""}}, "Timeout": 300}
    assert resources["Bare"]["Properties"] == bare
    assert resources["Queue"] == template["Resources"]["Queue"]
    assert json.dumps(template) == before


def test_a_recorded_event_is_sent_by_whoever_has_the_key() -> None:
    assert variables.with_key('{"x-api-key": "mdk_<id>_<secret>"}', "mdk_a_b") == '{"x-api-key": "mdk_a_b"}'
