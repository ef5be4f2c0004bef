"""Numbers in Prometheus' text format 0.0.4. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from medic_core.domain.observing.metrics import Family, Kind, Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: What must not stand in a label's value as it is.
ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
ESCAPES_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. Of a histogram: the count of one bucket (`le`) without those below it, or the sum."""

    name: str
    labels: Labels
    value: float


def render(families: Iterable[Family], samples: Iterable[Sample]) -> str:
    """All families, those without a number too; what is not declared is not shown."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.name, []).append(sample)
    return "".join(f"{line}\n" for family in families for line in _lines(family, found))


def _lines(family: Family, found: Mapping[str, list[Sample]]) -> Iterator[str]:
    yield f"# HELP {family.name} {family.about.translate(ESCAPES_IN_HELP)}"
    yield f"# TYPE {family.name} {family.kind.value}"
    of_it = found.get(family.name, [])
    if family.kind is Kind.HISTOGRAM:
        yield from _histogram(family, of_it, found.get(family.sum_name, []))
        return
    series = {_key(family, labels): 0.0 for labels in _always(family)}
    series |= {_key(family, one.labels): one.value for one in of_it}
    for key, value in series.items():
        yield _line(family.name, dict(zip(family.labels, key, strict=True)), value)


def _always(family: Family) -> tuple[Labels, ...]:
    is_plain_counter = family.kind is Kind.COUNTER and not family.labels
    return ({},) if is_plain_counter else family.always


def _histogram(family: Family, buckets: Iterable[Sample], sums: Iterable[Sample]) -> Iterator[str]:
    counts: dict[tuple[str, ...], dict[str, float]] = {}
    for one in buckets:
        counts.setdefault(_key(family, one.labels), {})[one.labels["le"]] = one.value
    total = {_key(family, one.labels): one.value for one in sums}
    for key, found in counts.items():
        labels, count = dict(zip(family.labels, key, strict=True)), 0.0
        for bound in (*(f"{bound:g}" for bound in family.bounds), "+Inf"):
            count += found.get(bound, 0.0)
            yield _line(f"{family.name}_bucket", {**labels, "le": bound}, count)
        yield _line(f"{family.name}_sum", labels, total.get(key, 0.0))
        yield _line(f"{family.name}_count", labels, count)


def _key(family: Family, labels: Labels) -> tuple[str, ...]:
    return tuple(labels[name] for name in family.labels)


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{text.translate(ESCAPES)}"' for label, text in labels.items())
    number = f"{value:.0f}" if value == int(value) else repr(float(value))
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"
