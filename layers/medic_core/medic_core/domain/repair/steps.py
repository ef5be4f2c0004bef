"""Reading one step of a playbook: what every step has, and what its type asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from medic_core.domain.repair import playbooks as is_
from medic_core.domain.repair.expressions import KEYWORDS, Expression, ExpressionError
from medic_core.domain.repair.expressions import parse as parse_expression
from medic_core.domain.repair.fields import Section, joined
from medic_core.domain.repair.lookups import IDENTIFIER, SECRETS
from medic_core.domain.repair.playbooks import Action, Check, Method, OnFailure, OnTimeout, Retry, Step, StepType
from medic_core.domain.repair.reading import Mapped, Node, Problem, Scalar, plain, shown
from medic_core.domain.repair.variables import header_problem, placeholders_in, secrets_in, url_problem

ZERO = timedelta(0)
#: Where secrets may be named: they are opened for what is sent, and for nothing that people read.
TAKES_SECRETS = {
    StepType.WEBHOOK: frozenset({"url", "headers", "body"}),
    StepType.SCRIPT: frozenset({"parameters"}),
    StepType.CONDITION: frozenset({"parameters"}),
}
#: Of the context, whoever starts an execution.
OF_THE_CONTEXT = frozenset({"trigger", "source_ip"})


@dataclass(slots=True)
class Seen:
    """What the steps before have taken for themselves."""

    problems: list[Problem]
    #: Names of steps, and where they stand.
    steps: dict[str, int] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)


def read_step(node: Node, label: str, seen: Seen, *, is_final: bool) -> Step | None:
    """The step that a node describes. `label` names it where it does not name itself."""
    if not isinstance(node, Mapped):
        seen.problems.append(Problem("must be a mapping with name and type", node.line, label))
        return None
    named = node.entries.get("name")
    has_name = isinstance(named, Scalar) and named.value is not None and bool(named.text.strip())
    section = Section(node, seen.problems, plain_name(named) if has_name else label)
    name = _unique_name(section, seen)
    kind = _type(section)
    if kind is None:
        return None
    action = ACTIONS[kind](section, seen)
    _check_secrets(section, kind)
    if is_final and kind is StepType.APPROVAL:
        section.wrong("an approval cannot be among the steps of finally: nobody is waited for at the end", "type")
    retry = _retry(section, kind)
    only_if, on_failure = _only_if(section, seen), section.choice("on_failure", OnFailure, OnFailure.FAIL)
    register = _register(section, seen)
    section.close()
    return Step(name, action, only_if, on_failure, retry, register)


def plain_name(node: Node | None) -> str:
    """A step's name as problems call it."""
    return node.text.strip()[:200] if isinstance(node, Scalar) else ""


def secrets_of(action: Action) -> frozenset[str]:
    """The names of the secrets that a step uses."""
    match action:
        case is_.Webhook(url=url, headers=headers, body=body):
            return secrets_in([url, headers, body])
        case is_.Script(parameters=parameters):
            return secrets_in(parameters)
        case is_.Condition(url=url):
            return secrets_in(url)
        case _:
            return frozenset()


def _unique_name(section: Section, seen: Seen) -> str:
    name = section.name("name")
    if name and name in seen.steps:
        section.wrong(f"the step at line {seen.steps[name]} has that name already: give each its own", "name")
    seen.steps.setdefault(name, section.node.line)
    return name


def _type(section: Section) -> StepType | None:
    text = section.text("type").strip().lower()
    if text in set(StepType):
        return StepType(text)
    problem = f"must be one of {', '.join(StepType)}" if text else f"is missing: one of {', '.join(StepType)}"
    if isinstance(section.node.entries.get("type"), Scalar | None):
        section.wrong(problem, "type")
    return None


def _webhook(section: Section, seen: Seen) -> Action:
    method = section.choice("method", Method, Method.POST)
    return is_.Webhook(
        url=_url(section, seen),
        method=method,
        headers=_headers(section),
        body=section.mapping("body"),
        success_codes=section.codes("success_codes", is_.SUCCESS_CODES),
        timeout=section.duration("timeout", is_.WEBHOOK_TIMEOUT, is_.LONGEST_WEBHOOK),
        idempotent=section.flag("idempotent"),
    )


def _script(section: Section, _: Seen) -> Action:
    key = "script_name" if "script_name" in section.node.entries else "script"
    if {"script", "script_name"} <= section.node.entries.keys():
        section.take("script")
        section.wrong("means the same as script: leave one of them out", "script_name")
    script = section.name(key)
    if placeholders_in(script):
        section.wrong("must be the name of a registered script: variables are not filled in here", key)
    return is_.Script(
        script=script,
        parameters=section.mapping("parameters") or {},
        timeout=section.duration("timeout", is_.SCRIPT_TIMEOUT, is_.LONGEST_SCRIPT),
        idempotent=section.flag("idempotent"),
    )


def _wait(section: Section, _: Seen) -> Action:
    if section.take("duration") is None:
        section.wrong("is missing", "duration")
    return is_.Wait(section.duration("duration", is_.WEBHOOK_TIMEOUT, is_.LONGEST_WAIT))


def _condition(section: Section, seen: Seen) -> Action:
    is_given = section.take("check") is not None
    if not is_given:
        section.wrong(f"is missing: one of {', '.join(Check)}", "check")
    check = section.choice("check", Check, Check.HEARTBEAT_RECEIVED)
    timeout = section.duration("timeout", is_.CONDITION_TIMEOUT, is_.LONGEST_CONDITION)
    of = section.section("parameters")
    for key, node in of.node.entries.items():
        if key != "url" and secrets_in(plain(node)):
            of.wrong("secrets cannot be used here", key)
    if not is_given:
        return is_.Condition(check, timeout)
    condition = CONDITIONS[check](of, timeout, seen)
    of.close()
    return condition


def _heartbeat_received(of: Section, timeout: timedelta, _: Seen) -> Action:
    return is_.Condition(
        Check.HEARTBEAT_RECEIVED,
        timeout,
        min_count=of.whole("min_count", 1, 1, is_.MOST_HEARTBEATS),
        status=of.name("status", is_needed=False) or None,
        service=of.name("service", is_needed=False) or None,
        service_id=of.whole("service_id", 0, 1, 2**63 - 1) or None,
    )


def _http_ok(of: Section, timeout: timedelta, seen: Seen) -> Action:
    return is_.Condition(
        Check.HTTP_OK, timeout, url=_url(of, seen), success_codes=of.codes("success_codes", is_.HTTP_OK_CODES)
    )


def _alert_resolved(_: Section, timeout: timedelta, __: Seen) -> Action:
    return is_.Condition(Check.ALERT_RESOLVED, timeout)


def _notify(section: Section, _: Seen) -> Action:
    message = section.text("message", most=is_.LONGEST_MESSAGE, is_needed=True)
    return is_.Notify(message, section.name("title", is_needed=False) or None)


def _approval(section: Section, _: Seen) -> Action:
    on_timeout = section.choice("on_timeout", OnTimeout, OnTimeout.FAIL)
    return is_.Ask(
        message=section.text("message", most=is_.LONGEST_MESSAGE),
        approvers=read_approvers(section, silence="on_timeout: approve" if on_timeout is OnTimeout.APPROVE else None),
        timeout=section.duration("timeout", is_.APPROVAL_TIMEOUT, is_.LONGEST_PLAYBOOK),
        on_timeout=on_timeout,
    )


def read_approvers(section: Section, silence: str | None) -> is_.Approvers:
    """Who may agree. `silence` is what takes nobody's answer for a yes: it cannot speak for several, or for others."""
    found = is_.Approvers(
        names=section.names("approvers", is_.MOST_APPROVERS),
        required=section.whole("approvers_required", 1, 1, is_.MOST_APPROVERS),
        four_eyes=section.flag("four_eyes"),
    )
    named = len(set(found.names))
    if 0 < named < found.required:
        section.wrong(f"only {named} approvers are named: name more, or ask for fewer", "approvers_required")
    if silence and found.required > 1:
        section.wrong(f"nobody's answer is not {found.required} people's: leave out {silence}", "approvers_required")
    if silence and found.four_eyes:
        section.wrong(f"nobody's answer is nobody's four eyes: leave out {silence}", "four_eyes")
    return found


ACTIONS: Mapping[StepType, Callable[[Section, Seen], Action]] = {
    StepType.WEBHOOK: _webhook,
    StepType.SCRIPT: _script,
    StepType.WAIT: _wait,
    StepType.CONDITION: _condition,
    StepType.NOTIFY: _notify,
    StepType.APPROVAL: _approval,
}
CONDITIONS: Mapping[Check, Callable[[Section, timedelta, Seen], Action]] = {
    Check.HEARTBEAT_RECEIVED: _heartbeat_received,
    Check.HTTP_OK: _http_ok,
    Check.ALERT_RESOLVED: _alert_resolved,
}


def _url(section: Section, seen: Seen) -> str:
    url = section.text("url", is_needed=True)
    problem = url_problem(url) if url else None
    if problem:
        section.wrong(problem, "url")
    asked = frozenset(path.partition(".")[0] for path in placeholders_in(url) if "." in path)
    _check_registered(section, "url", asked - {SECRETS}, seen)
    return url


def _headers(section: Section) -> dict[str, str]:
    headers: dict[str, str] = {}
    given = section.take("headers")
    if given is not None and not isinstance(given, Mapped):
        section.wrong("must be a mapping, like {name: value}", "headers")
    entries = list(given.entries.items()) if isinstance(given, Mapped) else []
    if len(entries) > is_.MOST_HEADERS:
        section.wrong(f"must be at most {is_.MOST_HEADERS}", "headers")
    for name, node in entries[: is_.MOST_HEADERS]:
        problem = None if placeholders_in(name) else header_problem(name)
        if not isinstance(node, Scalar) or not node.text.replace("\t", " ").isprintable():
            problem = f"{shown(name)} must be one line of text"
        elif name.lower() in map(str.lower, headers):
            problem = f"{shown(name)} is there twice"
        if problem:
            section.wrong(problem, "headers", node.line)
        elif isinstance(node, Scalar):
            headers[name] = node.text
    return headers


def _check_secrets(section: Section, kind: StepType) -> None:
    """Secrets are named where they may be, and by names that secrets can have."""
    for key in sorted(section.taken & section.node.entries.keys()):
        names = secrets_in(plain(section.node.entries[key]))
        if names and key not in TAKES_SECRETS.get(kind, ()):
            section.wrong("secrets cannot be used here: only in what a webhook or a script is given", key)
        impossible = frozenset(name for name in names if not IDENTIFIER.fullmatch(name))
        if impossible:
            section.wrong(f"no secret can be called {joined(impossible)}: letters, digits and _ only", key)


def _check_registered(section: Section, key: str, asked: frozenset[str], seen: Seen) -> None:
    unknown = asked - seen.registered
    if unknown:
        section.wrong(f"no step before this one has register: {joined(unknown)}", key)


def _retry(section: Section, kind: StepType) -> Retry:
    of, once = section.section("retry"), Retry()
    if not of.node.entries:
        return once
    if kind is StepType.APPROVAL:
        section.wrong("an approval cannot be retried: give it a longer timeout", "retry")
    if of.take("attempts") is None:
        of.wrong("is missing: how often the step is tried altogether", "attempts")
    retry = Retry(
        attempts=of.whole("attempts", once.attempts, 1, is_.MOST_ATTEMPTS),
        delay=of.duration("delay", once.delay, is_.LONGEST_DELAY, shortest=ZERO),
        backoff=of.number("backoff", once.backoff, 1, is_.HIGHEST_BACKOFF),
    )
    of.close()
    return retry


def _only_if(section: Section, seen: Seen) -> Expression | None:
    text = section.text("if")
    if not isinstance(section.take("if"), Scalar):
        return None
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        section.wrong(str(error), "if")
        return None
    _check_registered(section, "if", expression.registered, seen)
    return expression


def _register(section: Section, seen: Seen) -> str | None:
    name = section.text("register") or None
    if name is None:
        return None
    problem = _register_problem(name, seen)
    if problem:
        section.wrong(problem, "register")
    seen.registered.add(name)
    return name


def _register_problem(name: str, seen: Seen) -> str | None:
    if not IDENTIFIER.fullmatch(name) or len(name) > is_.LONGEST_REGISTER:
        return f"must be a name of at most {is_.LONGEST_REGISTER} letters, digits and _, like restart_result"
    if name == SECRETS or name.lower() in KEYWORDS or name in OF_THE_CONTEXT:
        return f"{name} has a meaning of its own here: choose another name"
    if name == name.upper():
        return "must have lower case letters: variables of the context are all upper case"
    if name in seen.registered:
        return f"{name} is registered by a step before: give each its own"
    return None
