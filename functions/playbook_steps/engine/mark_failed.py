"""The state machine's last Catch: whatever happened, the execution has a recorded end."""

from __future__ import annotations

from typing import Any

from medic_core import config, telemetry
from medic_core.api.events import fields
from medic_core.flows import advance
from medic_core.store.connection import Database

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
LOGGER = telemetry.logger("mark-failed")


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Note that an execution has failed, unless it is over. People hear of it at the next sweep."""
    fields(event, execution_id=int, engine_name=str, outcome=dict)
    error = str(event["outcome"].get("Error", ""))
    LOGGER.error("the state machine gave up", execution_id=event["execution_id"], error=error)
    advance.mark_failed(DATABASE, event["execution_id"], event["engine_name"], error)
    return {}
