"""A section of docs/benchmarks.md is measured anew without the others."""

from __future__ import annotations

from pathlib import Path

from bench import document

NAMES = ("heartbeats", "sweeps", "cold-starts")
OLD = """# Anything

whatever

## heartbeats

old figures

### A table

| a |

## gone

x

## cold-starts

cold
"""


def test_sections_are_what_stands_between_titles() -> None:
    assert document.sections(OLD) == {
        "heartbeats": "old figures\n\n### A table\n\n| a |",
        "gone": "x",
        "cold-starts": "cold",
    }


def test_a_section_is_replaced_and_the_others_stay() -> None:
    new = document.written(OLD, {"heartbeats": "new figures\n"}, NAMES)
    assert new.startswith(document.INTRODUCTION)
    assert document.sections(new) == {"heartbeats": "new figures", "cold-starts": "cold"}


def test_a_section_that_is_new_comes_where_it_belongs() -> None:
    new = document.written(OLD, {"sweeps": "swept"}, NAMES)
    assert list(document.sections(new)) == list(NAMES)


def test_a_document_that_was_written_stays_as_it_is() -> None:
    once = document.written(OLD, {}, NAMES)
    assert document.written(once, {}, NAMES) == once


def test_the_document_that_is_here_is_one_that_was_written() -> None:
    here = (Path(__file__).parents[3] / "docs" / "benchmarks.md").read_text()
    assert document.written(here, {}, tuple(document.sections(here))) == here
