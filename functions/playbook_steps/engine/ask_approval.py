"""Behind waitForTaskToken: keeps, sealed, what lets the state machine go on once people have decided."""

from __future__ import annotations

from typing import Any

from medic_core import config, telemetry
from medic_core.adapters.sealing import sealer
from medic_core.api.events import fields
from medic_core.flows import engine
from medic_core.store.connection import Database

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
SEALER = sealer(SETTINGS.secrets_key, SETTINGS.former_secrets_keys, SETTINGS.kms_key_id)
LOGGER = telemetry.logger("ask-approval")


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Keep the token. People were asked in the turn before."""
    fields(event, execution_id=int, engine_name=str, task_token=str)
    engine.keep_token(DATABASE, event["execution_id"], event["engine_name"], event["task_token"], SEALER)
    return {}
