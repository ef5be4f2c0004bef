"""Brings the schema up to date: a custom resource of the stack, so that a deploy that cannot migrate fails."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3
from urllib3.util import Retry

from medic_core import config, telemetry
from medic_core.adapters import hashing
from medic_core.adapters.migrations import apply_all
from medic_core.api.events import fields
from medic_core.domain.observing import redaction
from medic_core.errors import NotAnEvent
from medic_core.flows.housekeep import make_partitions
from medic_core.flows.keys import ensure_admin_key
from medic_core.store import schema_lock, session_defaults
from medic_core.store.connection import Database

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
LOGGER = telemetry.logger("migrate")
#: The layer's files lie in /opt on AWS; an emulator puts a layer's folder on the path.
LAYERS = (Path("/opt"), *map(Path, sys.path))
REASON_LIMIT = 500
#: What CloudFormation asks for → whether the schema is brought up to date for it. Nothing is ever rolled back.
REQUESTS = {"Create": True, "Update": True, "Delete": False}
#: It can be told as often as one likes, and waits for long if it is not told.
RETRIES = Retry(
    total=4, status_forcelist={500, 502, 503, 504}, backoff_factor=0.5, redirect=False, raise_on_status=False
)


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Migrate on create and update, do nothing on delete, and tell CloudFormation which it was.

    An operator asks with `{}`, which migrates. Raises NotAnEvent for what nobody would mean by that.
    """
    if "ResponseURL" in fields(event):
        fields(event, ResponseURL=str, StackId=str, RequestId=str, LogicalResourceId=str)
    try:
        applied = _migrate() if _asks_for_it(event) else []
    except Exception as error:
        LOGGER.exception("migration failed")
        _tell(event, "FAILED", f"{type(error).__name__}: {error}")
        raise
    _tell(event, "SUCCESS", f"{len(applied)} migrations applied")
    return {"applied": applied}


def _asks_for_it(event: dict[str, Any]) -> bool:
    request = fields(event, RequestType=str)["RequestType"] if event else "Create"
    if request not in REQUESTS:
        raise NotAnEvent(f"RequestType must be one of {', '.join(REQUESTS)}, not {request[:50]!r}.")
    return REQUESTS[request]


def _migrate() -> list[str]:
    url = SETTINGS.database.full_url()
    with schema_lock.held(url):
        applied = apply_all(url, _folder())
        session_defaults.give_to_role(DATABASE)
        make_partitions(DATABASE)
        admin_key = SETTINGS.admin_api_key.value
        if admin_key:
            ensure_admin_key(DATABASE, admin_key, hashing)
    LOGGER.info("schema is up to date", applied=applied)
    return applied


def _folder() -> Path:
    return next(folder for folder in LAYERS if any(folder.glob("0001.*.sql")))


def _tell(event: dict[str, Any], status: str, reason: str) -> None:
    """Answer CloudFormation, where it is who asked."""
    if "ResponseURL" not in event:
        return
    answer = {
        "Status": status,
        "Reason": redaction.without_secrets(reason)[:REASON_LIMIT],
        "PhysicalResourceId": event.get("PhysicalResourceId") or "medic-schema",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {},
    }
    # CloudFormation's presigned URL refuses a Content-Type that it was not signed with.
    headers = {"Content-Type": ""}
    body = json.dumps(answer).encode()
    answered = urllib3.request("PUT", event["ResponseURL"], body=body, headers=headers, retries=RETRIES, timeout=10)
    if answered.status >= HTTPStatus.BAD_REQUEST:
        # It would wait until its own timeout: who looks finds the reason here.
        raise RuntimeError(f"CloudFormation's URL answered {answered.status}: it does not know that this was {status}")
