"""The optional data stack gives what the main one asks of it, and sets sessions as Medic itself would."""

from __future__ import annotations

import json
import re
from typing import Any

from local.template import Template
from medic_core.store.connection import SESSION
from tests.conftest import ROOT

DATA = Template(ROOT / "infra" / "data.yaml").content
MEDIC = Template(ROOT / "infra" / "template.yaml").content
RESOURCES: dict[str, Any] = DATA["Resources"]


def properties(logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[logical_id]["Properties"]
    return found


def test_it_gives_what_is_asked_of_it() -> None:
    asked = set(re.findall(r'"Data", "Outputs\.(\w+)"', json.dumps(MEDIC, default=str)))
    assert len(asked) >= 6
    assert asked <= set(DATA["Outputs"])


def test_it_takes_what_it_is_given() -> None:
    assert set(MEDIC["Resources"]["Data"]["Properties"]["Parameters"]) <= set(DATA["Parameters"])


def test_its_urls_hold_no_password() -> None:
    for name in ("DatabaseUrl", "DatabaseAdminUrl", "RedisUrl"):
        assert "@" not in json.dumps(DATA["Outputs"][name]["Value"])


def test_the_proxy_gives_a_session_what_medic_gives_one_that_it_opens_itself() -> None:
    query = properties("ProxyTargets")["ConnectionPoolConfigurationInfo"]["InitQuery"]
    settings = dict(re.findall(r"SET (\w+) TO '?(\w+)'?", query))
    assert settings == SESSION
    assert str(properties("DatabaseParameters")["Parameters"]["timezone"]) == SESSION["TimeZone"]


def test_nothing_travels_or_lies_in_the_clear() -> None:
    assert properties("Proxy")["RequireTLS"] is True
    assert properties("DatabaseParameters")["Parameters"]["rds.force_ssl"] == "1"
    assert properties("Database")["StorageEncrypted"] is True
    assert "sslmode=verify-full" in json.dumps(DATA["Outputs"]["DatabaseUrl"])
    assert json.dumps(DATA["Outputs"]["RedisUrl"]["Value"]).count("rediss://") == 1


def test_what_was_stored_outlives_the_stack() -> None:
    assert RESOURCES["Database"]["DeletionPolicy"] == "Snapshot"
    assert RESOURCES["DatabaseKey"]["DeletionPolicy"] == "Retain"
    assert properties("Database")["DeletionProtection"] is True
    assert MEDIC["Resources"]["Data"]["DeletionPolicy"] == "Retain"


def test_a_heartbeat_that_is_spooled_needs_no_internet() -> None:
    services = {
        one["Properties"]["ServiceName"]["Fn::Sub"].rpartition(".")[2]
        for one in RESOURCES.values()
        if one["Type"] == "AWS::EC2::VPCEndpoint"
    }
    assert services == {"sqs", "secretsmanager", "kms", "states"}
