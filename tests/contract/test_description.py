"""The OpenAPI document: whole, true to the routes, and what the heartbeat function really takes."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import medic_core
from local.template import Template
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.errors import BadRequest
from medic_core.store.connection import Database
from medic_core.store.health import NEWEST_MIGRATION
from tests.builders import a_service, ping_id
from tests.conftest import ROOT
from tests.fixtures.functions import Functions, gateway_event
from tests.fixtures.postgres import MIGRATIONS

HTTP_METHODS = {"get", "head", "post", "patch", "put", "delete"}
#: DESIGN §5 opens these without a key.
OPEN = re.compile(
    r"/(v2/webhooks/playbooks/{playbook_id}/trigger|health|health/live|health/ready|v1/healthcheck/network|v2/slack/interactions|openapi\.json|docs/swagger\.json|ping/.*|status/.*)"
)


@pytest.fixture
def document(functions: Functions) -> dict[str, Any]:
    found: dict[str, Any] = functions.api("GET", "/openapi.json", key=None).json
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, item in document["paths"].items() for method, one in item.items()]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [value for name, value in part.items() if name == "$ref"] + [
            one for value in part.values() for one in references(value)
        ]
    return [one for value in part for one in references(value)] if isinstance(part, list) else []


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"] == document["info"] | {"title": "Medic", "version": medic_core.__version__}
    for reference in set(references(document)):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_both_addresses_give_it(functions: Functions, document: dict[str, Any]) -> None:
    assert functions.api("GET", "/docs/swagger.json", key=None).json == document


def test_every_operation_says_who_may_how_often_and_what_can_come_of_it(document: dict[str, Any]) -> None:
    ids = [one["operationId"] for _, _, one in operations(document)]
    assert len(ids) == len(set(ids)) > 50
    shapes = [re.sub(r"{\w+}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes))
    named = [tag["name"] for tag in document["tags"]]
    assert set(named) == {tag for _, _, one in operations(document) for tag in one["tags"]}
    for path, method, one in operations(document):
        where = f"{method} {path}"
        assert method in HTTP_METHODS, where
        assert one["summary"], where
        assert one["tags"], where
        assert one["x-rate-limit"]["kind"] in set(Endpoints), where
        assert (one["security"] == []) == bool(OPEN.fullmatch(path)), where
        assert {scope for schemes in one["security"] for scopes in schemes.values() for scope in scopes} <= set(Scope)
        wanted = {"429"} | ({"401", "403", "503"} if one["security"] else set())
        assert wanted <= set(one["responses"]), where
        for status, response in one["responses"].items():
            known = response if "$ref" not in response else document["components"]["responses"][status]
            assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(known["headers"]), where


def test_every_route_is_in_it_and_the_reverse(functions: Functions, document: dict[str, Any]) -> None:
    app = functions.module("management_api").app
    shows = functions.module("dashboard").shows
    served = {(route.openapi_path, route.method) for route in [*app._static_routes, *app._dynamic_routes]}
    unlisted = {
        # What people look at is not what programs call.
        ("/", "GET"),
        *((path, method) for path, method in served if shows(path)),
        ("/docs", "GET"),
        *(("/approvals/{token}", method) for method in ("GET", "HEAD", "POST")),
        *((f"/docs/{name}", "GET") for name in ("start.js", "swagger-ui.js", "swagger-ui.css")),
    }
    of_heartbeats = {("/heartbeat", "POST"), ("/v2/heartbeats", "POST")}
    of_heartbeats |= {(f"/v2/heartbeat/{{service_id}}{said}", "POST") for said in ("", "/start", "/complete", "/fail")}
    of_heartbeats |= {
        (path, method) for path in document["paths"] for method in ("GET", "HEAD", "POST") if "/ping/" in path
    }
    assert {(path, method.upper()) for path, method, _ in operations(document)} == served - unlisted | of_heartbeats


def test_every_field_of_a_request_that_is_not_plain_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    undescribed = [
        f"{name}.{field}"
        for name in ("NewService", "ChangedService", "NewApiKey", "Rotation", "Mute", "Pause", "Snooze", "Registration")
        for field, schema in schemas[name]["properties"].items()
        if not (set(references(schema)) or "description" in str(schema))
    ]
    assert undescribed == []


@pytest.mark.parametrize("said", ["", "/start", "/fail", "/log", "/0", "/255"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_ping_that_is_described_is_taken(
    functions: Functions, database: Database, document: dict[str, Any], method: str, said: str
) -> None:
    target = str(ping_id(database, a_service(database)))
    (parameter,) = document["paths"]["/ping/{ping_id}"]["get"]["parameters"][:1]
    assert re.fullmatch(parameter["schema"]["pattern"], target)
    if said:
        secret, after, *_ = document["paths"]["/ping/{secret}/{said_or_slug}"]["get"]["parameters"]
        last = document["paths"]["/ping/{ping_key}/{slug}/{said}"]["get"]["parameters"][2]
        assert re.fullmatch(secret["schema"]["pattern"], target)
        assert re.fullmatch(after["schema"]["pattern"], said[1:])
        assert re.fullmatch(last["schema"]["pattern"], said[1:])
        assert not re.fullmatch(last["schema"]["pattern"], "256")
    assert functions.ping(f"{target}{said}", method).status == 200


texts = st.one_of(
    st.text(max_size=8), st.sampled_from(["UP", "DOWN", "up", "nightly", " nightly ", "x" * 201, "a\x00b"])
)
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts, st.just([]), st.just({}))
bodies = st.dictionaries(st.sampled_from(["heartbeat_name", "status", "service_name", "other"]), values, max_size=4)


def test_the_description_of_a_heartbeat_is_what_is_taken(functions: Functions) -> None:
    """Accepted double: the hot path reads bodies by hand, the document by a model."""
    functions.module("door")
    from medic_core.api.request import Request  # noqa: PLC0415
    from models.signals import PostedHeartbeat  # noqa: PLC0415

    heartbeats = functions.module("bodies")

    @settings(max_examples=400, suppress_health_check=list(HealthCheck))
    @given(body=bodies)
    def agree(body: dict[str, Any]) -> None:
        request = Request.from_event(gateway_event("POST", "/heartbeat", json.dumps(body), {}))
        try:
            heartbeats.heartbeat(request)
            taken = True
        except BadRequest:
            taken = False
        try:
            PostedHeartbeat.model_validate(json.loads(json.dumps(body)))
            described = True
        except ValidationError:
            described = False
        assert taken == described, body

    agree()


def test_facts_that_are_said_twice_are_the_same() -> None:
    newest = max(path.name for path in MIGRATIONS.glob("*.sql") if ".rollback." not in path.name)
    assert newest == f"{NEWEST_MIGRATION}.sql"
    template = Template(ROOT / "infra" / "template.yaml")
    assert template.content["Resources"]["Migrations"]["Properties"]["Version"] == NEWEST_MIGRATION
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == medic_core.__version__


def test_the_page_runs_nothing_but_its_own_two_scripts(functions: Functions) -> None:
    page = functions.api("GET", "/docs", key=None)
    assert re.findall(r"<script[^>]*>[^<]*", page.body) == [
        '<script src="/docs/swagger-ui.js">',
        '<script src="/docs/start.js">',
    ]
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    for name in ("swagger-ui.js", "swagger-ui.css", "start.js"):
        assert functions.api("GET", f"/docs/{name}", key=None).status == 200
