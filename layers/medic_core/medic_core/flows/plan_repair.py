"""What a playbook would do: the same rendering that executions go by, secrets masked, nothing sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medic_core.domain.repair import rendering
from medic_core.domain.repair.rendering import PlannedStep
from medic_core.domain.repair.variables import Values
from medic_core.flows import edit_playbooks, parsed_playbooks, start_repair
from medic_core.store import executions, scripts, secrets
from medic_core.store.connection import Transaction


def planned(
    tx: Transaction, playbook_id: int, service_id: int | None, variables: Mapping[str, Any], hosts: tuple[str, ...]
) -> tuple[tuple[PlannedStep, ...], list[str]]:
    """Each step as it would run, and what would be in its way. Raises NotFound, BadRequest."""
    row = edit_playbooks.existing(tx, playbook_id)
    context, _ = start_repair.context_by_hand(tx, service_id, variables)
    context = {**context, "PLAYBOOK_ID": str(playbook_id), "PLAYBOOK_NAME": row.name, "EXECUTION_ID": "0"}
    steps = rendering.plan(parsed_playbooks.parsed(row.yaml_content), Values(context, {}, None), hosts)
    problems = [f"step {step.name!r}: {problem}" for step in steps for problem in step.problems]
    problems += _missing("no script is registered under the name", row.scripts, scripts.newest(tx, row.scripts))
    problems += _missing("there is no secret", row.secrets, secrets.existing(tx, row.secrets))
    stopped_by = executions.stopped_by(tx, playbook_id, service_id)
    return steps, [*problems, *([stopped_by] if stopped_by else [])]


def _missing(what: str, wanted: list[str], known: Mapping[str, Any] | frozenset[str]) -> list[str]:
    return [f"{what} {name!r}" for name in wanted if name not in known]
