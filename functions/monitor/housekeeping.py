"""Daily: partitions ahead, partitions away."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from medic_core import config, telemetry
from medic_core.flows.housekeep import housekeep
from medic_core.store.connection import Database

DATABASE = Database(config.from_environment().database)
LOGGER = telemetry.logger("housekeeping")


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """A failure rises: the next day's run, or an operator's, does all that this one did not."""
    kept = asdict(housekeep(DATABASE))
    LOGGER.info("kept house", **kept)
    return kept
