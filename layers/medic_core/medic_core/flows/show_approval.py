"""An approval as people are shown it before they decide: what it is about, and every step as it would run."""

from __future__ import annotations

from dataclasses import dataclass

from medic_core.domain.repair import rendering
from medic_core.domain.repair.playbooks import Playbook
from medic_core.domain.repair.rendering import PlannedStep
from medic_core.domain.repair.variables import Values
from medic_core.errors import NotFound
from medic_core.flows import parsed_playbooks
from medic_core.store import approval_pages, approvals
from medic_core.store.approval_pages import About
from medic_core.store.approvals import Request
from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Shown:
    """All of it. `steps` are those of the version that runs, `first` the index of the one that an approval begins."""

    request: Request
    about: About
    playbook: Playbook
    steps: tuple[PlannedStep, ...]

    @property
    def first(self) -> int:
        return 0 if self.request.step_index is None else self.request.step_index + 1


def show(tx: Transaction, request_id: int, hosts: tuple[str, ...]) -> Shown:
    """Read an approval. Secrets are masked: none is opened for it. Raises NotFound."""
    request = approvals.read(tx, request_id)
    about = approval_pages.about(tx, request.execution_id) if request is not None else None
    if request is None or about is None:
        raise NotFound
    playbook = parsed_playbooks.of_version(tx, about.playbook_id, about.version, about.sha256)
    steps = rendering.plan(playbook, Values(about.context, about.outputs, None), hosts)
    return Shown(request, about, playbook, steps)
