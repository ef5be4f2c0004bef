"""How far an execution has come: the steps of its playbook, each with what was tried of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medic_core.domain.repair.playbooks import Playbook
from medic_core.store.execution_lists import StepResultRow

#: What is shown of an output at once; all of it can be opened.
SHORT = 160


@dataclass(frozen=True, slots=True)
class Step:
    """A step, and what was tried of it, oldest first. `state` is that of the last try, or that there was none."""

    name: str
    type: str
    state: str
    is_last_resort: bool
    tries: list[StepResultRow]


def progress(playbook: Playbook, tries: Sequence[StepResultRow], *, is_over: bool) -> list[Step]:
    """The steps in their order, those that run at the end, whatever happens, last."""
    by_step: dict[int, list[StepResultRow]] = {}
    for one in tries:
        by_step.setdefault(one.step_index, []).append(one)
    untried = "not_done" if is_over else "to_come"
    return [
        Step(
            name=step.name,
            type=step.type.value,
            state=by_step[index][-1].status if index in by_step else untried,
            is_last_resort=index >= len(playbook.steps),
            tries=by_step.get(index, []),
        )
        for index, step in enumerate(playbook.all_steps)
    ]


def is_long(text: str) -> bool:
    """Whether only its beginning is shown at once."""
    return len(text) > SHORT or "\n" in text.strip()


def beginning(text: str) -> str:
    """The first line, or as much of it as is shown at once."""
    first = text.strip().split("\n", 1)[0]
    return first if len(first) <= SHORT else first[:SHORT] + "…"
