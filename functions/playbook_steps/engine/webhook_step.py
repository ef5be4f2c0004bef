"""A webhook step: the request itself. The state machine hears that there is a report, and never what is in it."""

from __future__ import annotations

from typing import Any

from medic_core import config, telemetry
from medic_core.adapters import safe_http
from medic_core.adapters.sealing import sealer
from medic_core.api.events import fields
from medic_core.flows import call_webhook
from medic_core.flows.call_webhook import Means
from medic_core.store.connection import Database

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
MEANS = Means(
    safe_http.request,
    sealer(SETTINGS.secrets_key, SETTINGS.former_secrets_keys, SETTINGS.kms_key_id),
    SETTINGS.allowed_webhook_hosts,
)
LOGGER = telemetry.logger("webhook-step")


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Make the call that an execution has come to. Asked again, it does not make one twice that may not be."""
    fields(event, execution_id=int, engine_name=str, seq=int)
    called = call_webhook.call(DATABASE, event["execution_id"], event["engine_name"], event["seq"], MEANS)
    return {"reported": called}
