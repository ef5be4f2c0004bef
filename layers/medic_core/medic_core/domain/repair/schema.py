"""JSON Schema of the playbook format, for editors. `language` says more than a schema can."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from medic_core.domain.repair import playbooks as is_
from medic_core.domain.repair.durations import spelled
from medic_core.domain.repair.expressions import MOST_CHARACTERS
from medic_core.domain.repair.fields import OWN
from medic_core.domain.repair.lookups import NAME
from medic_core.domain.repair.playbooks import Check, Method, OnFailure, OnTimeout, StepType
from medic_core.domain.repair.variables import LONGEST_URL
from medic_core.domain.watching.names import MAX_NAME_LENGTH

Schema = dict[str, Any]

VALUES = "Takes ${NAME}, ${registered.path} and ${secrets.NAME}."
FLAG = {"type": ["boolean", "null"]}


def _described(schema: Schema, description: str, default: Any = None) -> Schema:
    return {**schema, "description": description, **({} if default is None else {"default": default})}


def _any_case(*words: str) -> str:
    """A pattern of words in whatever case: JSON Schema's patterns have no flag for it."""
    spellings = ("".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in word) for word in words)
    return "|".join(spellings)


def _choice(choices: type[StrEnum], description: str, default: str | None = None) -> Schema:
    schema: Schema = {
        "type": ["string", "null"],
        "anyOf": [{"enum": [*map(str, choices), None]}, {"pattern": f"^\\s*({_any_case(*choices)})\\s*$"}],
    }
    return _described(schema, description, default)


def _text(description: str, most: int | None = None, **more: Any) -> Schema:
    limit = {} if most is None else {"maxLength": most}
    return _described({"type": ["string", "number", "boolean", "null"], **limit, **more}, description)


def _needed(description: str, most: int | None = None, **more: Any) -> Schema:
    return _text(description, most, **more) | {"type": ["string", "number", "boolean"], "minLength": 1}


def _duration(description: str, default: Any = None, longest: Any = None, *words: str, lowest: int = 1) -> Schema:
    seconds = {"type": "integer", "minimum": lowest, "maximum": int(longest.total_seconds())}
    zero = "" if lowest == 0 else "(?!0+[smh]?\\s*$)"
    pattern = "|".join([f"{zero}[0-9]{{1,9}}[smh]?", *map(_any_case, words)])
    schema = {"anyOf": [seconds, {"type": "string", "pattern": f"^\\s*({pattern})\\s*$"}, {"type": "null"}]}
    until = f"{description} Like 30s, 5m or 1h, or whole seconds; {spelled(longest)} at most."
    return _described(schema, until, default and spelled(default))


def _whole(description: str, lowest: int, highest: int, default: int | None = None) -> Schema:
    number = {"type": "integer", "minimum": lowest, "maximum": highest}
    return _described(
        {"anyOf": [number, {"type": "string", "pattern": "^[0-9]{1,9}$"}, {"type": "null"}]}, description, default
    )


def _codes(default: tuple[int, ...]) -> Schema:
    items = {
        "anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string", "pattern": "^[1-5][0-9]{2}$"}]
    }
    return _described(
        {"type": ["array", "null"], "items": items, "minItems": 1}, "Answers that are a success.", list(default)
    )


def _mapping(description: str, **more: Any) -> Schema:
    return _described({"type": ["object", "null"], **more}, description)


def _fields(properties: Schema, *needed: str) -> Schema:
    """A mapping of these fields, and of the author's own; others are mistakes."""
    return {
        "type": ["object", "null"],
        "properties": properties,
        "required": list(needed),
        "patternProperties": {f"^{OWN}": True},
        "additionalProperties": False,
    }


URL = _needed(
    f"Where to. {VALUES} Values are percent-encoded; scheme, host and port must be written out, unless the operator "
    "has excepted the host.",
    LONGEST_URL,
    pattern="^(https?://|\\$\\{)[!-\\[\\]-~]*$",
)
APPROVERS = _described(
    {
        "type": ["array", "null"],
        "items": _needed("A key's name or a Slack user id.", MAX_NAME_LENGTH),
        "minItems": 1,
        "maxItems": is_.MOST_APPROVERS,
    },
    "Who may agree. Left out: whoever may approve at all.",
)
APPROVERS_REQUIRED = _whole(
    "How many of them must agree, each for themselves. Not together with what approves when nobody answers.",
    1,
    is_.MOST_APPROVERS,
    1,
)
FOUR_EYES = _described(
    FLAG,
    "Whoever asked for the execution cannot approve it. Not together with what approves when nobody answers.",
    default=False,
)
IDEMPOTENT = _described(
    FLAG, "Doing it twice does no harm, so it is tried again when its outcome is unknown.", default=False
)
MESSAGE = "Takes ${NAME} and ${registered.path}, no secrets."

RETRY = _described(
    _fields(
        {
            "attempts": _whole("How often it is tried altogether.", 1, is_.MOST_ATTEMPTS) | {"not": {"type": "null"}},
            "delay": _duration(
                "How long it is waited before the second try.", is_.Retry().delay, is_.LONGEST_DELAY, lowest=0
            ),
            "backoff": _described(
                {"type": ["number", "null"], "minimum": 1, "maximum": is_.HIGHEST_BACKOFF},
                "By how much the wait grows with each try.",
                is_.Retry().backoff,
            ),
        }
    )
    | {"if": {"type": "object", "minProperties": 1}, "then": {"required": ["attempts"]}},
    "Whether and how a step that fails is tried again.",
)

REGISTER = f"^(?=.*[a-z])(?!secrets$){NAME}$"

COMMON: Schema = {
    "name": _needed("What people see. No two steps have the same.", MAX_NAME_LENGTH),
    "type": _choice(StepType, "What kind of step it is.") | {"type": "string"},
    "if": _text(
        'Done only if this is so: `restart.status == "failed" and CONSECUTIVE_FAILURES >= 3`.', MOST_CHARACTERS
    ),
    "on_failure": _choice(
        OnFailure,
        "fail: the playbook fails. continue: it goes on. escalate: it fails, and people are told.",
        OnFailure.FAIL,
    ),
    "retry": RETRY,
    "register": _described(
        {"type": ["string", "null"], "pattern": REGISTER, "maxLength": is_.LONGEST_REGISTER},
        "A name for the outcome, for later steps: ${name.status}, ${name.output.field}.",
    ),
}

PARAMETERS: dict[Check, Schema] = {
    Check.HEARTBEAT_RECEIVED: _fields(
        {
            "min_count": _whole("How many heartbeats since the step began.", 1, is_.MOST_HEARTBEATS, 1),
            "status": _text("Only those of this status.", MAX_NAME_LENGTH),
            "service": _text("Heartbeat name of another service than the execution's.", MAX_NAME_LENGTH),
            "service_id": _whole("Id of the service, where the execution has none.", 1, 2**63 - 1),
        }
    ),
    Check.HTTP_OK: _fields({"url": URL, "success_codes": _codes(is_.HTTP_OK_CODES)}, "url"),
    Check.ALERT_RESOLVED: _fields({}),
}

BY_TYPE: dict[StepType, tuple[Schema, tuple[str, ...]]] = {
    StepType.WEBHOOK: (
        {
            "url": URL,
            "method": _choice(Method, "How it is called.", Method.POST),
            "headers": _mapping(
                f"{VALUES} What belongs to the connection (Host, Content-Length …) cannot be set.",
                additionalProperties={"type": ["string", "number", "boolean", "null"]},
                maxProperties=is_.MOST_HEADERS,
            ),
            "body": _mapping(f"Sent as JSON. {VALUES}"),
            "success_codes": _codes(is_.SUCCESS_CODES),
            "timeout": _duration("How long an answer is waited for.", is_.WEBHOOK_TIMEOUT, is_.LONGEST_WEBHOOK),
            "idempotent": IDEMPOTENT,
        },
        ("url",),
    ),
    StepType.SCRIPT: (
        {
            "script": _text("Name of a registered script.", MAX_NAME_LENGTH),
            "script_name": _text("The same as script.", MAX_NAME_LENGTH),
            "parameters": _mapping(f"Reach the script as environment variables and as JSON on stdin. {VALUES}"),
            "timeout": _duration("How long it may run.", is_.SCRIPT_TIMEOUT, is_.LONGEST_SCRIPT),
            "idempotent": IDEMPOTENT,
        },
        (),
    ),
    StepType.WAIT: (
        {"duration": _duration("How long.", None, is_.LONGEST_WAIT) | {"not": {"type": "null"}}},
        ("duration",),
    ),
    StepType.CONDITION: (
        {
            "check": _choice(Check, "What is waited for.") | {"type": "string"},
            "timeout": _duration("How long at most.", is_.CONDITION_TIMEOUT, is_.LONGEST_CONDITION),
            "parameters": {"description": "What exactly; see the checks."},
        },
        ("check",),
    ),
    StepType.NOTIFY: (
        {
            "message": _needed(f"What is told. {MESSAGE}", is_.LONGEST_MESSAGE),
            "title": _text(MESSAGE, MAX_NAME_LENGTH),
        },
        ("message",),
    ),
    StepType.APPROVAL: (
        {
            "message": _text(f"What is asked. {MESSAGE}", is_.LONGEST_MESSAGE),
            "approvers": APPROVERS,
            "approvers_required": APPROVERS_REQUIRED,
            "four_eyes": FOUR_EYES,
            "timeout": _duration("How long people have.", is_.APPROVAL_TIMEOUT, is_.LONGEST_PLAYBOOK),
            "on_timeout": _choice(OnTimeout, "What silence means.", OnTimeout.FAIL),
        },
        (),
    ),
}


def _is(field: str, value: str) -> Schema:
    return {"properties": {field: {"pattern": f"^\\s*{_any_case(value)}\\s*$"}}, "required": [field]}


def _rule(kind: StepType) -> Schema:
    """What a step of this type has, apart from what all have."""
    properties, needed = BY_TYPE[kind]
    none_at_all = {"maxProperties": 0}
    common = {key: none_at_all if key == "retry" and kind is StepType.APPROVAL else True for key in COMMON}
    then: Schema = _fields({**common, **properties}, *needed)
    if kind is StepType.SCRIPT:
        then["oneOf"] = [
            {"required": [key], "properties": {key: {"type": ["string", "number", "boolean"], "minLength": 1}}}
            for key in ("script", "script_name")
        ]
    if kind is StepType.CONDITION:
        then["allOf"] = [
            {"if": _is("check", check), "then": {"properties": {"parameters": schema}}}
            for check, schema in PARAMETERS.items()
        ]
        then["allOf"].append(
            {
                "if": _is("check", Check.HTTP_OK),
                "then": {"required": ["parameters"], "properties": {"parameters": {"type": "object"}}},
            }
        )
    return {"if": _is("type", kind), "then": then}


STEP: Schema = {
    "type": "object",
    "properties": COMMON,
    "required": ["name", "type"],
    "allOf": [_rule(kind) for kind in StepType],
}
FINAL: Schema = {"allOf": [{"$ref": "#/$defs/step"}, {"not": _is("type", StepType.APPROVAL)}]}

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A playbook of Medic",
    "description": "What is done when a service is silent, step by step.",
    **_fields(
        {
            "name": _needed("What it is called.", MAX_NAME_LENGTH),
            "description": _text("What it does, for people who are asked to approve it."),
            "approval": _described(
                {
                    "type": ["string", "null"],
                    "pattern": f"^\\s*({_any_case('none', 'required', 'timeout:')[:-1]}:0*[1-9][0-9]{{0,5}}[mM])\\s*$",
                },
                "Whether somebody must agree first: none, required, or timeout:15m (approves itself after 15 minutes).",
                "none",
            ),
            "approvers": APPROVERS,
            "approvers_required": APPROVERS_REQUIRED,
            "four_eyes": FOUR_EYES,
            "version": _whole("Yours to count; Medic counts its own.", 0, 2**31 - 1, 1),
            "trigger": {"description": "Taken, and not read: triggers are set apart."},
            "metadata": {"description": "Yours."},
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1, "maxItems": is_.MOST_STEPS},
            "finally": _described(
                {
                    "type": ["array", "null"],
                    "items": {"$ref": "#/$defs/final_step"},
                    "minItems": 1,
                    "maxItems": is_.MOST_STEPS,
                },
                "Done at the end, however it ends but by cancelling.",
            ),
            "timeout": _duration(
                "For all of it, waiting for people included.", is_.PLAYBOOK_TIMEOUT, is_.LONGEST_PLAYBOOK
            ),
            "verify": _duration(
                "How soon the heartbeat must come back for it to count as a cure; none asks for no proof.",
                is_.VERIFY_WITHIN,
                is_.LONGEST_CONDITION,
                "none",
            ),
        },
        "name",
        "steps",
    ),
    "type": "object",
    "$defs": {"step": STEP, "final_step": FINAL},
}
