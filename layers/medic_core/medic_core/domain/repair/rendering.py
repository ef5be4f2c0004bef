"""What a playbook would do, for people to read: dry runs, observing, and pages that ask for approval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from medic_core.domain.repair.durations import spelled
from medic_core.domain.repair.playbooks import (
    Action,
    Ask,
    Check,
    Condition,
    Notify,
    Playbook,
    Script,
    Step,
    StepType,
    Wait,
    Webhook,
)
from medic_core.domain.repair.variables import (
    CannotRender,
    Values,
    fill,
    fill_all,
    fill_headers,
    fill_url,
    unknown_in,
)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as it would run with what is known now. Secrets are `***`; `problems` is why it would fail."""

    index: int
    name: str
    type: StepType
    only_if: str | None
    shown: Mapping[str, Any]
    problems: tuple[str, ...]


def plan(playbook: Playbook, values: Values, allowed_hosts: tuple[str, ...]) -> tuple[PlannedStep, ...]:
    """All steps, those of `finally` last. Opens no secret, whatever `values` brings along."""
    masked = replace(values, secrets=None)
    registered: frozenset[str] = frozenset()
    planned = []
    for index, step in enumerate(playbook.all_steps):
        planned.append(_planned(index, step, _Renderer(masked, allowed_hosts, registered)))
        registered |= {step.register} if step.register else frozenset()
    return tuple(planned)


def _planned(index: int, step: Step, renderer: _Renderer) -> PlannedStep:
    shown = renderer.shown(step.action)
    return PlannedStep(
        index=index,
        name=step.name,
        type=step.type,
        only_if=step.only_if.text if step.only_if else None,
        shown=shown,
        problems=tuple(dict.fromkeys(renderer.problems)),
    )


class _Renderer:
    """Renders one step, and notes what is wrong with it."""

    def __init__(self, values: Values, allowed_hosts: tuple[str, ...], registered: frozenset[str]) -> None:
        self.values = values
        self.allowed_hosts = allowed_hosts
        #: What steps before will have registered by then.
        self.registered = registered
        self.problems: list[str] = []

    def shown(self, action: Action) -> Mapping[str, Any]:
        match action:
            case Webhook():
                return self.webhook(action)
            case Script():
                return {
                    "script": action.script,
                    "parameters": self.filled(action.parameters, fill_all),
                    "timeout": spelled(action.timeout),
                }
            case Wait():
                return {"duration": spelled(action.duration)}
            case Condition():
                return self.condition(action)
            case Notify():
                return {
                    "message": self.filled(action.message, fill),
                    "title": action.title and self.filled(action.title, fill),
                }
            case Ask():
                return {
                    "message": self.filled(action.message, fill),
                    "approvers": list(action.approvers.names),
                    **({"approvers_required": required} if (required := action.approvers.required) > 1 else {}),
                    **({"four_eyes": True} if action.approvers.four_eyes else {}),
                    "timeout": spelled(action.timeout),
                    "on_timeout": str(action.on_timeout),
                }

    def webhook(self, action: Webhook) -> Mapping[str, Any]:
        return {
            "url": self.url(action.url),
            "method": str(action.method),
            "headers": self.filled(action.headers, fill_headers),
            "body": self.filled(action.body, fill_all),
            "success_codes": list(action.success_codes),
            "timeout": spelled(action.timeout),
        }

    def condition(self, action: Condition) -> Mapping[str, Any]:
        shown: dict[str, Any] = {"check": str(action.check), "timeout": spelled(action.timeout)}
        match action.check:
            case Check.HEARTBEAT_RECEIVED:
                shown["min_count"] = action.min_count
                named = {"status": action.status, "service": action.service, "service_id": action.service_id}
                shown |= {key: value for key, value in named.items() if value is not None}
            case Check.HTTP_OK:
                shown |= {"url": self.url(action.url or ""), "success_codes": list(action.success_codes)}
            case Check.ALERT_RESOLVED:
                pass
        return shown

    def url(self, template: str) -> str:
        if self.waits_for(template):
            return template
        rendered: str = self.attempted(template, lambda: fill_url(template, self.values, self.allowed_hosts))
        return rendered

    def filled(self, template: Any, how: Callable[[Any, Values], Any]) -> Any:
        unknown = unknown_in(template, self.values) - self.waits_for(template)
        self.problems += [f"{path} is unknown, and stays as it is: ${{{path}}}" for path in sorted(unknown)]
        return self.attempted(template, lambda: how(template, self.values))

    def waits_for(self, template: Any) -> frozenset[str]:
        """What a template asks for that a step before it is going to register."""
        unknown = unknown_in(template, self.values)
        return frozenset(
            path for path in unknown if path.partition(".")[0] in self.registered - self.values.outputs.keys()
        )

    def attempted(self, template: Any, render: Callable[[], Any]) -> Any:
        try:
            return render()
        except CannotRender as error:
            self.problems.append(str(error))
            return template
