"""A script step: opens its order, runs the script behind the wall, seals what came of it.

Around it is nothing worth having: no database, no queue, no key but the one for orders and reports. The state machine
carries both sealed, and sees nothing of them.

What a script leaves is removed. Where something resists (a process that cannot be killed, a file that cannot be
removed, a keeper that was killed), the answer is given, and this process ends a moment later. Lambda may freeze the
environment before that: then the next call is refused before it begins (`NotRun`, which the brain repeats), and the
process ends then. Either way Lambda resets the environment: it kills all its processes and starts this one anew. What
is in /tmp it leaves there, so a file that could not be removed stays as long as the environment does.
"""

from __future__ import annotations

import base64
import os
import threading
from dataclasses import dataclass
from typing import Any

import jail
from medic_core import config, telemetry
from medic_core.adapters.sealing import sealer
from medic_core.api.events import fields
from medic_core.domain.repair.orders import ScriptOrder

SETTINGS = config.from_environment()
SEALER = sealer(SETTINGS.orders_key, (), SETTINGS.kms_key_id, "MEDIC_ORDERS_KEY")
LOGGER = telemetry.logger("script-step")
#: Time for the answer to leave.
ENDS_AFTER_SECONDS = 1.0

jail.harden()


class NotRun(Exception):
    """The script was not started, and nothing was done. The brain knows this by its name."""


@dataclass
class Environment:
    """This process. `is_spent`: something of a script is left in it, and it must not run another."""

    is_spent: bool = False

    def spend(self) -> None:
        """Run no more scripts here, and end soon."""
        self.is_spent = True
        timer = threading.Timer(ENDS_AFTER_SECONDS, os._exit, (1,))
        timer.daemon = True
        timer.start()


ENVIRONMENT = Environment()


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Run the script of an order; the order and the report are bound to this execution and turn. Raises NotRun."""
    fields(event, execution_id=int, seq=int, order=str)
    if ENVIRONMENT.is_spent:
        raise NotRun("Something of another script is left here: this process ends, and another one goes on.")
    bound = {"execution": str(event["execution_id"]), "seq": str(event["seq"])}
    ran = jail.run(_order(event["order"], bound), SETTINGS.additional_script_variables)
    if ran.left:
        LOGGER.error("this process ends: a script left something", execution_id=event["execution_id"], left=ran.left)
        ENVIRONMENT.spend()
    sealed = SEALER.seal(ran.report.to_bytes(), {"purpose": "script-report", **bound})
    return {"report": base64.b64encode(sealed).decode()}


def _order(sealed: str, bound: dict[str, str]) -> ScriptOrder:
    try:
        content = SEALER.open(base64.b64decode(sealed, validate=True), {"purpose": "script-order", **bound})
        return ScriptOrder.from_bytes(content)
    except Exception as error:
        # Those of ours show nothing of an order; others might.
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise NotRun(f"The order cannot be opened: {why}") from None
