"""The `if:` of a step: a language so small that nothing can be done in it but to compare.

    any  = all { "or" all }                          loosest first
    all  = not { "and" not }
    not  = "not" not | comparison
    comparison = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in") operand ]
    operand = number | "text" | 'text' | true | false | null | name | "${" name "}" | "[" operands "]" | "(" any ")"

What is unknown is null. False are: false, null, 0, and whatever is empty. Variables are text, so text that spells a
number, `true` or `false` counts as that wherever the other side is one, and when it stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from medic_core.domain.repair.lookups import PATH, SECRETS, look_up

MOST_CHARACTERS = 500
MOST_NESTING = 20
LONGEST_NUMBER = 40
SPACES = " \t\n\r\f\v"

CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}
KEYWORDS = frozenset({"and", "or", "not", "in", *CONSTANTS})
TOKEN = re.compile(
    rf"""\s*(?:
        (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<name>{PATH}(?![A-Za-z0-9_.-])|\$\{{{PATH}\}})
      | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
#: What people write who come from other languages.
MEANT = {"=": "==", "&": "and", "|": "or", "!": "not", "+": "", "*": "", "/": ""}
UNFINISHED = {'"': 'the closing " is missing', "'": "the closing ' is missing", "$": "a variable is written ${NAME}"}


class ExpressionError(ValueError):
    """An `if:` that cannot be understood. The message says where, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Around:
    """What an expression can see."""

    context: Mapping[str, Any]
    outputs: Mapping[str, Any]


#: A part of an expression, ready to be worked out.
Part = Callable[[Around], Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """An `if:` that was understood. Two are the same when they are spelled the same."""

    text: str
    part: Part = field(repr=False, compare=False)
    #: The registered outputs that it asks for.
    registered: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def is_true(self, context: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
        """Whether it is so. Never raises."""
        return _truth(self.part(Around(context, outputs)))


def parse(text: str) -> Expression:
    """Understand an `if:`. Raises ExpressionError."""
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"an expression has at most {MOST_CHARACTERS} characters; this one has {len(text)}")
    parser = _Parser(_tokens(text))
    part = parser.any_of(0)
    parser.expect_end()
    return Expression(text, part, frozenset(parser.registered))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def wrong(self, message: str) -> ExpressionError:
        return ExpressionError(f"at character {self.at + 1}: {message}")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        found = TOKEN.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip(SPACES))
            raise _Token("other", text[at], at).wrong(_not_understood(text[at]))
        kind = found.lastgroup or "end"
        tokens.append(_Token(kind, found[kind], found.start(kind)))
        at = found.end()
    return tokens


def _not_understood(character: str) -> str:
    if character.isalnum():
        return "a number or a name is spelled wrongly here"
    if character in UNFINISHED:
        return UNFINISHED[character]
    instead = MEANT.get(character)
    return f"{character!r} is not understood" + (f": write {instead}" if instead else "")


class _Parser:
    """Reads tokens from left to right; each method understands one line of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.registered: set[str] = set()

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.next
        self.at += 1
        return token

    def took(self, *words: str) -> bool:
        """Whether the next tokens are these; if so, they are behind us."""
        ahead = self.tokens[self.at : self.at + len(words)]
        matches = [token.text for token in ahead if token.kind in {"name", "sign"}] == list(words)
        self.at += len(words) if matches else 0
        return matches

    def expect_end(self) -> None:
        token = self.next
        if token.text in OPERATORS:
            raise token.wrong("comparisons cannot be chained: join them with and")
        if token.kind != "end":
            raise token.wrong(f"{token.text!r} cannot stand here: join two parts with and, or, or a comparison")

    def any_of(self, depth: int) -> Part:
        parts = [self.all_of(depth)]
        while self.took("or"):
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else lambda around: any(_truth(part(around)) for part in parts)

    def all_of(self, depth: int) -> Part:
        parts = [self.negation(depth)]
        while self.took("and"):
            parts.append(self.negation(depth))
        return parts[0] if len(parts) == 1 else lambda around: all(_truth(part(around)) for part in parts)

    def negation(self, depth: int) -> Part:
        self.deeper(depth)
        if not self.took("not"):
            return self.comparison(depth)
        part = self.negation(depth + 1)
        return lambda around: not _truth(part(around))

    def comparison(self, depth: int) -> Part:
        left = self.operand(depth)
        operator = "not in" if self.took("not", "in") else self.next.text
        if operator not in OPERATORS or self.next.kind == "text":
            return left
        if operator != "not in":
            self.take()
        compare = OPERATORS[operator]
        right = self.operand(depth)
        return lambda around: compare(left(around), right(around))

    def operand(self, depth: int) -> Part:
        self.deeper(depth)
        token = self.take()
        match token.kind, token.text:
            case "number", number:
                return _always(_numeral(token, number))
            case "text", quoted:
                return _always(_unquoted(token, quoted))
            case "name", name:
                return self.name(token, name)
            case "sign", "(":
                part = self.any_of(depth + 1)
                self.expect(")")
                return part
            case "sign", "[":
                return self.list_of(depth + 1)
            case "end", _:
                raise token.wrong("something is missing here: a value, a name, or (")
            case _:
                raise token.wrong(f"{token.text!r} cannot stand here: a value, a name, or ( is expected")

    def name(self, token: _Token, name: str) -> Part:
        path = name.removeprefix("${").removesuffix("}")
        if name in CONSTANTS:
            return _always(CONSTANTS[name])
        if name in KEYWORDS:
            raise token.wrong(f"{name} cannot stand here: a value, a name, or ( is expected")
        if name.lower() in KEYWORDS:
            raise token.wrong(f"write {name.lower()} in lower case, or ${{{name}}} if it is a variable")
        head, dot, _ = path.partition(".")
        if head == SECRETS:
            raise token.wrong("secrets cannot be used in an expression")
        if dot:
            self.registered.add(head)
        return lambda around: look_up(path, around.context, around.outputs)

    def list_of(self, depth: int) -> Part:
        items: list[Part] = []
        while not self.took("]"):
            if items:
                self.expect(",")
            items.append(self.operand(depth))
        return lambda around: [item(around) for item in items]

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            raise self.next.wrong(f"{sign} is expected here")

    def deeper(self, depth: int) -> None:
        if depth > MOST_NESTING:
            raise self.next.wrong(f"nested more than {MOST_NESTING} deep")


def _always(value: Any) -> Part:
    return lambda _: value


def _numeral(token: _Token, text: str) -> int | float:
    number = _number(text)
    if number is None:
        raise token.wrong(f"a number has at most {LONGEST_NUMBER} characters")
    return number


def _unquoted(token: _Token, quoted: str) -> str:
    if "${" in quoted:
        raise token.wrong("variables are not filled in between quotes: write ${NAME} without them")
    return quoted[1:-1]


def _number(value: Any) -> int | float | None:
    """The number that a value is, or that its text spells."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER or not NUMBER.fullmatch(value):
        return None
    return int(value) if value.lstrip("-").isdecimal() else float(value)


def _plain(value: Any) -> Any:
    """What a text spells that stands alone: a number, true or false, or just itself."""
    if not isinstance(value, str):
        return value
    number = _number(value)
    return CONSTANTS.get(value.lower(), value) if number is None else number


def _truth(value: Any) -> bool:
    return bool(_plain(value))


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return _plain(left) is _plain(right)
    if isinstance(left, int | float) or isinstance(right, int | float):
        one, other = _number(left), _number(right)
        return one is not None and one == other
    try:
        return bool(left == right)
    except RecursionError:  # outputs as deep as that are nobody's to compare
        return False


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return compare(left, right)
        one, other = _number(left), _number(right)
        return one is not None and other is not None and compare(one, other)

    return ordered


def _among(left: Any, right: Any) -> bool:
    if isinstance(right, list | tuple):
        return any(_equal(left, item) for item in right)
    return isinstance(left, str) and isinstance(right, str) and left in right


OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "in": _among,
    "not in": lambda left, right: not _among(left, right),
}
