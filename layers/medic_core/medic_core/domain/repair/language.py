"""The playbook language: YAML in, a playbook out, or everything that is to be corrected at once."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

from medic_core.domain.repair import playbooks as is_
from medic_core.domain.repair.fields import Section
from medic_core.domain.repair.playbooks import Approval, ApprovalMode, Playbook, Script, Step
from medic_core.domain.repair.reading import Listed, Mapped, Problem, Scalar, read
from medic_core.domain.repair.steps import Seen, read_approvers, read_step, secrets_of

__all__ = ["InvalidPlaybook", "Problem", "parse", "problems"]

AFTER = re.compile(r"timeout:([0-9]{1,6})m", re.ASCII)
NO_PROOF = "none"
HIGHEST_VERSION = 2**31 - 1
#: Known to the reference's users, and read by nobody.
IGNORED = ("trigger", "metadata")


class InvalidPlaybook(Exception):
    """A playbook that cannot be taken. `problems` are all that is wrong with it, in the order of the lines."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


def parse(text: str) -> Playbook:
    """The playbook that a text describes. Raises InvalidPlaybook, and nothing else."""
    found: list[Problem] = []
    playbook = _playbook(text, found)
    if found or playbook is None:
        raise InvalidPlaybook(_in_order(found))
    return playbook


def problems(text: str) -> tuple[Problem, ...]:
    """Everything that is wrong with a playbook; nothing, if it can be taken."""
    found: list[Problem] = []
    _playbook(text, found)
    return _in_order(found)


def _in_order(found: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(found, key=lambda problem: problem.line))


def _playbook(text: str, found: list[Problem]) -> Playbook | None:
    root = read(text, found)
    if not isinstance(root, Mapped):
        if root is not None:
            found.append(Problem("a playbook is a mapping: begin with name: and steps:", root.line))
        return None
    top = Section(root, found)
    name, description = top.name("name"), top.text("description")
    approval, version = _approval(top), top.whole("version", 1, 0, HIGHEST_VERSION)
    timeout = top.duration("timeout", is_.PLAYBOOK_TIMEOUT, is_.LONGEST_PLAYBOOK)
    verify = _verify(top)
    steps, finally_steps = _steps(top)
    top.close(*IGNORED)
    actions = [step.action for step in steps + finally_steps]
    return Playbook(
        name=name,
        steps=steps,
        description=description,
        approval=approval,
        version=version,
        finally_steps=finally_steps,
        timeout=timeout,
        verify=verify,
        secrets=frozenset().union(*map(secrets_of, actions)),
        scripts=frozenset(action.script for action in actions if isinstance(action, Script)),
    )


def _approval(top: Section) -> Approval:
    text = top.text("approval", ApprovalMode.NONE).strip().lower()
    approvers = read_approvers(top, silence="approval: timeout" if AFTER.fullmatch(text) else None)
    if text == ApprovalMode.NONE:
        rules = (approvers.names, approvers.required > 1, approvers.four_eyes)
        for key in itertools.compress(("approvers", "approvers_required", "four_eyes"), rules):
            top.wrong("nobody is asked without approval: add approval: required, or leave this out", key)
        return Approval()
    if text == ApprovalMode.REQUIRED:
        return Approval(ApprovalMode.REQUIRED, approvers=approvers)
    found = AFTER.fullmatch(text)
    after = timedelta(minutes=int(found[1])) if found else timedelta(0)
    if not timedelta(0) < after <= is_.LONGEST_PLAYBOOK:
        most = is_.LONGEST_PLAYBOOK // timedelta(minutes=1)
        top.wrong(f"must be none, required, or timeout:<minutes>m like timeout:15m, {most} at most", "approval")
        return Approval()
    return Approval(ApprovalMode.TIMEOUT, after, approvers)


def _verify(top: Section) -> timedelta | None:
    node = top.take("verify")
    if isinstance(node, Scalar) and node.text.strip().lower() == NO_PROOF:
        return None
    return top.duration("verify", is_.VERIFY_WITHIN, is_.LONGEST_CONDITION)


def _steps(top: Section) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps, and those of `finally`. Of too many none is read."""
    lists = {key: top.take(key) for key in ("steps", "finally")}
    for key, node in lists.items():
        if node is None and key == "steps":
            top.wrong("is missing: a list of what to do", key)
        elif node is not None and not (isinstance(node, Listed) and node.items):
            top.wrong("must be a list of steps, with one at least", key)
    nodes = {key: node.items if isinstance(node, Listed) else [] for key, node in lists.items()}
    if sum(map(len, nodes.values())) > is_.MOST_STEPS:
        top.wrong(f"a playbook has at most {is_.MOST_STEPS} steps, those of finally among them", "steps")
        return (), ()
    seen = Seen(top.problems)
    steps = [read_step(node, f"step {at}", seen, is_final=False) for at, node in enumerate(nodes["steps"], 1)]
    finals = [
        read_step(node, f"step {at} of finally", seen, is_final=True) for at, node in enumerate(nodes["finally"], 1)
    ]
    return tuple(filter(None, steps)), tuple(filter(None, finals))
