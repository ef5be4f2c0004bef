"""What is rendered, read back by Prometheus' own parser."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from medic_core.domain.observing import metrics
from medic_core.domain.observing.exposition import Sample, render
from medic_core.domain.observing.metrics import FAMILIES, Family, Kind, bucket

SIZES = Family("medic_sizes", Kind.HISTOGRAM, "How large", ("kind",), bounds=(0.5, 1, 10))
NAMES = Family("medic_names_total", Kind.COUNTER, 'A \\ and a\nline and "quotes"', ("name", "other"))


def read(text: str) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    """Families with their samples, as Prometheus understands them."""
    return {
        family.name: [(one.name, one.labels, one.value) for one in family.samples]
        for family in text_string_to_metric_families(text)
    }


@given(st.text(), st.text(), st.floats(min_value=0, allow_infinity=False))
def test_any_label_and_any_number_come_back_as_they_were(name: str, other: str, value: float) -> None:
    text = render([NAMES], [Sample(NAMES.name, {"name": name, "other": other}, value)])
    # The parser goes by any line's end, the format by \n alone.
    if not re.search(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]", name + other):
        assert read(text) == {"medic_names": [(NAMES.name, {"name": name, "other": other}, value)]}
    assert len(text.split("\n")) == 4


def test_help_and_type_stand_before_the_numbers_once() -> None:
    text = render([NAMES], [Sample(NAMES.name, {"name": one, "other": ""}, 1) for one in "ab"])
    assert text.split("\n")[:2] == [
        '# HELP medic_names_total A \\\\ and a\\nline and "quotes"',
        "# TYPE medic_names_total counter",
    ]
    assert text.count("# TYPE") == 1


def test_buckets_are_stored_each_for_itself_and_shown_cumulated() -> None:
    stored = [("0.5", 2), ("10", 3), ("+Inf", 1)]
    samples = [Sample("medic_sizes", {"kind": "a", "le": bound}, count) for bound, count in stored]
    found = read(render([SIZES], [*samples, Sample("medic_sizes_sum", {"kind": "a"}, 31.5)]))
    assert found == {
        "medic_sizes": [
            ("medic_sizes_bucket", {"kind": "a", "le": "0.5"}, 2),
            ("medic_sizes_bucket", {"kind": "a", "le": "1"}, 2),
            ("medic_sizes_bucket", {"kind": "a", "le": "10"}, 5),
            ("medic_sizes_bucket", {"kind": "a", "le": "+Inf"}, 6),
            ("medic_sizes_sum", {"kind": "a"}, 31.5),
            ("medic_sizes_count", {"kind": "a"}, 6),
        ]
    }


def test_a_value_falls_into_the_smallest_bucket_that_holds_it() -> None:
    assert [bucket(SIZES, value) for value in (0, 0.5, 0.51, 1, 10, 10.1)] == ["0.5", "0.5", "1", "1", "10", "+Inf"]


def test_what_can_be_foretold_is_shown_as_0_before_it_happens() -> None:
    found = read(render(FAMILIES, []))
    assert found["medic_alerts_resolved"] == [("medic_alerts_resolved_total", {}, 0)]
    assert ("medic_slack_requests_total", {"status": "success"}, 0) in found["medic_slack_requests"]
    assert found["medic_alerts_active"] == []  # a gauge that nobody has read is not 0


def test_every_family_is_declared_once_and_says_what_it_is() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))
    declared = {value.name for value in vars(metrics).values() if isinstance(value, Family)}
    assert declared == set(names)
    for family in FAMILIES:
        assert (family.kind is Kind.COUNTER) == family.name.endswith("_total"), family.name
        assert (family.kind is Kind.HISTOGRAM) == bool(family.bounds), family.name
        assert len(family.about) > 20, family.name
        assert all(set(one) == set(family.labels) for one in family.always), family.name
