"""The state machine's only brain: it comes back with ids, and is told what to do next."""

from __future__ import annotations

from typing import Any

from medic_core import config, telemetry
from medic_core.adapters.sealing import sealer
from medic_core.adapters.sqs import SqsQueue
from medic_core.api.events import fields
from medic_core.flows import advance
from medic_core.flows.advance import Call, Means
from medic_core.flows.relay import relay
from medic_core.store.connection import Database
from medic_core.telemetry import Metric

SETTINGS = config.from_environment()
DATABASE = Database(SETTINGS.database)
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)
MEANS = Means(
    sealer(SETTINGS.secrets_key, SETTINGS.former_secrets_keys, SETTINGS.kms_key_id),
    sealer(SETTINGS.orders_key, (), SETTINGS.kms_key_id, "MEDIC_ORDERS_KEY"),
)
LOGGER = telemetry.logger("advance")
COUNTS = telemetry.Counts("advance")


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Take a turn of an execution. Asked again, it answers the same."""
    fields(event, execution_id=int, engine_name=str, seq=int, outcome=dict)
    call = Call(event["execution_id"], event["engine_name"], event["seq"], event["outcome"])
    advanced = advance.advance(DATABASE, call, MEANS)
    if advanced.told:
        _relay()
    if advanced.ended is not None:
        LOGGER.info("execution ended", execution_id=call.execution_id, outcome=advanced.ended.outcome)
        COUNTS.write({Metric.EXECUTIONS_ENDED: 1})
    return dict(advanced.directive)


def _relay() -> None:
    """People hear of it now, not at the next sweep; what does not leave now leaves then."""
    try:
        relay(DATABASE, NOTIFICATIONS)
    except Exception:
        LOGGER.exception("notifications wait for the next sweep")
