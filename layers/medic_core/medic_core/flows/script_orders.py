"""What the script runner is told: the script's registered text, and what its step gives it, secrets opened."""

from __future__ import annotations

from medic_core.domain.repair.execution import Progress, Run
from medic_core.domain.repair.orders import Interpreter, ScriptOrder
from medic_core.domain.repair.playbooks import Script
from medic_core.domain.repair.variables import CannotRender, Values, fill_all, secrets_in
from medic_core.flows import secrets
from medic_core.ports import Sealer
from medic_core.store import scripts
from medic_core.store.connection import Transaction
from medic_core.store.executions import Locked


class Unfit(Exception):
    """A step that cannot be done; the message says why, and holds no secret."""


def script_order(tx: Transaction, locked: Locked, run: Run, progress: Progress, sealer: Sealer) -> ScriptOrder:
    """The order for the script step that an execution has come to. Raises Unfit."""
    action = run.playbook.all_steps[progress.position].action
    assert isinstance(action, Script)
    version = locked.scripts.get(action.script)
    found = scripts.read_version(tx, action.script, version) if version is not None else None
    if found is None:
        raise Unfit(f"no script is registered under the name {action.script!r}: register it, then start again")
    wanted = secrets_in(action.parameters)
    opened = secrets.opened(tx, sealer, wanted, locked.execution_id, locked.playbook_id, locked.service_id)
    try:
        parameters = fill_all(dict(action.parameters), Values(run.context, progress.outputs, opened))
    except CannotRender as error:
        raise Unfit(str(error)) from error
    return ScriptOrder(
        execution_id=locked.execution_id,
        playbook_id=locked.playbook_id,
        service_id=locked.service_id,
        step_index=progress.position,
        attempt=progress.attempt,
        name=action.script,
        interpreter=Interpreter(found.interpreter),
        content=found.content,
        sha256=found.sha256,
        parameters=parameters,
        context={name: str(value) for name, value in run.context.items()},
        timeout_seconds=int(action.timeout.total_seconds()),
        hidden=tuple(opened.values()),
    )
