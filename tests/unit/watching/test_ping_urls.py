from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medic_core.domain.watching.ping_urls import Ping, parse
from medic_core.domain.watching.signals import ByPingId, BySlug, SignalKind
from medic_core.errors import BadRequest, NotFound

ID = "0b8ac1a4-3c39-4d0e-9c4e-8f2b54f2f1aa"
KEY = "fqOOd6-F4MMNuCEnzTU01w"
RID = "7d3f1f5e-90b1-4c61-b8a4-d0c2f2b9d7ee"
SUFFIXES: list[tuple[str, SignalKind, int | None]] = [
    ("", SignalKind.UP, None),
    ("/start", SignalKind.STARTED, None),
    ("/fail", SignalKind.FAILED, None),
    ("/log", SignalKind.LOG, None),
    ("/0", SignalKind.UP, 0),
    ("/00", SignalKind.UP, 0),
    ("/1", SignalKind.FAILED, 1),
    ("/007", SignalKind.FAILED, 7),
    ("/254", SignalKind.FAILED, 254),
    ("/255", SignalKind.FAILED, 255),
]
OTHER_SPELLINGS = [
    ID.upper(),
    ID.replace("-", ""),
    ID.replace("-", "").upper(),
    f"{{{ID}}}",
    f"urn:uuid:{ID}",
    ID[:-1] + "A",
    ID.replace("-", "_"),
]


@pytest.mark.parametrize(("suffix", "kind", "exit_status"), SUFFIXES)
@pytest.mark.parametrize("end", ["", "/"])
def test_a_suffix_says_what_happened_under_both_kinds_of_url(
    suffix: str, kind: SignalKind, exit_status: int | None, end: str
) -> None:
    assert parse(f"{ID}{suffix}{end}", {}) == Ping(ByPingId(UUID(ID)), kind, None, exit_status)
    assert parse(f"{KEY}/backup{suffix}{end}", {}) == Ping(BySlug(KEY, "backup"), kind, None, exit_status)


@pytest.mark.parametrize("slug", ["a", "0", "-", "_", "a-b_c", "start", "fail", "255", "x" * 200, ID])
def test_a_slug_may_be_any_lower_case_word(slug: str) -> None:
    assert parse(f"{KEY}/{slug}", {}).whom == BySlug(KEY, slug)


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_an_id_in_another_spelling_is_not_found(spelling: str) -> None:
    with pytest.raises(NotFound, match=r"^not found$"):
        parse(spelling, {})


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
@pytest.mark.parametrize("suffix", ["/start", "/fail", "/log", "/0"])
def test_an_id_in_another_spelling_is_nobodys_with_a_suffix_either(spelling: str, suffix: str) -> None:
    """At most it has the shape of a ping key, which is then looked up and is no team's."""
    try:
        whom = parse(spelling + suffix, {}).whom
    except NotFound:
        return
    assert whom == BySlug(spelling, suffix[1:])


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "//", ".", "..", "../../etc/passwd", "ping", "short/backup", "x" * 7 + "/backup", "x" * 65 + "/backup",
        ID[:-1], f"{ID}a", f" {ID}", f"{ID} ", f"{ID}\n", f"{ID}%", f"{ID}.", f"/{ID}", f"{ID}//", f"{ID}//start",
        f"{ID}/begin", f"{ID}/START", f"{ID}/Fail", f"{ID}/success", f"{ID}/start/fail", f"{ID}/0/0", f"{ID}/-1",
        f"{ID}/+1", f"{ID}/1.0", f"{ID}/1e2", f"{ID}/0x1", f"{ID}/1_0", f"{ID}/ 1", f"{ID}/1\n", f"{ID}/\u0661",
        f"{ID}/\uff11", f"{ID}/start\x00", f"{ID}/..", KEY, f"{KEY}/", f"{KEY}//", f"{KEY}//start", f"{KEY}/a b",
        f"{KEY}/a.b", f"{KEY}/a\n", f"{KEY}/\u00e9", f"{KEY}/..", f"{KEY}/backup/x", f"{KEY}/backup/START",
        f"{KEY}/backup/start/x", f"{KEY}/backup//", f"{KEY}/{'x' * 201}", f"{KEY}/{'X' * 201}", f"{KEY}\n/backup",
        f"{KEY[:-1]}!/backup", f"\u00e9{KEY[1:]}/backup",
    ],
)  # fmt: skip
def test_what_cannot_be_anyones_url_is_not_found(path: str) -> None:
    with pytest.raises(NotFound, match=r"^not found$"):
        parse(path, {})


@pytest.mark.parametrize(
    "path",
    ["{long}", "{long}/backup", f"{KEY}/{{long}}", f"{KEY}/backup/{{long}}", f"{ID}/{{long}}", f"{ID}/start/{{long}}"],
)
@pytest.mark.parametrize(
    "long", ["x" * 10_000, "X" * 10_000, "9" * 10_000, "/" * 10_000, "a/" * 5_000, "\u0130" * 10_000]
)
def test_segments_of_any_length_are_only_not_found(path: str, long: str) -> None:
    with pytest.raises(NotFound, match=r"^not found$"):
        parse(path.format(long=long), {})


@pytest.mark.parametrize(
    "path",
    [
        f"{ID}/256", f"{ID}/999", f"{ID}/9999999999", f"{ID}/0256", f"{KEY}/backup/256", f"{KEY}/backup/300",
        f"{KEY}/Backup", f"{KEY}/BACKUP/start", f"{KEY}/backuP/0",
    ],
)  # fmt: skip
def test_what_is_nearly_right_is_said_to_be_wrong(path: str) -> None:
    with pytest.raises(BadRequest, match=r"^invalid url format$"):
        parse(path, {})


@pytest.mark.parametrize("rid", [RID, RID.upper(), "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("path", [ID, f"{ID}/start", f"{ID}/fail", f"{ID}/1", f"{KEY}/backup", f"{KEY}/backup/log"])
def test_a_rid_names_the_run_whatever_its_case(path: str, rid: str) -> None:
    assert parse(path, {"rid": rid}).run_id == rid.lower()


@pytest.mark.parametrize(
    "rid", ["", "x", "1", RID[:-1], f"{RID}0", RID.replace("-", ""), f"{{{RID}}}", f"{RID} ", f"{RID}\n", "x" * 10_000]
)
def test_a_rid_that_is_no_uuid_is_said_to_be_wrong(rid: str) -> None:
    with pytest.raises(BadRequest, match=r"^invalid uuid format$"):
        parse(ID, {"rid": rid})


def test_nobody_is_looked_for_before_anything_else_is_judged() -> None:
    with pytest.raises(NotFound):
        parse("nobody", {"rid": "x"})


@pytest.mark.parametrize(("said", "create"), [("1", True), ("0", False), ("", False), ("true", False), ("11", False)])
def test_only_create_1_makes_a_service_and_only_by_slug(said: str, create: bool) -> None:
    assert parse(f"{KEY}/backup", {"create": said}).whom == BySlug(KEY, "backup", create=create)
    assert parse(ID, {"create": said}).whom == ByPingId(UUID(ID))


def test_what_else_is_asked_changes_nothing() -> None:
    assert parse(ID, {"x": "1", "RID": "x", "Create": "1"}) == parse(ID, {})


@given(st.text(alphabet=st.sampled_from("abX09-_/.%\u0661 ") | st.characters()), st.dictionaries(st.text(), st.text()))
@example("a\ud800/b", {})
def test_any_path_is_a_ping_or_one_of_three_answers(path: str, query: dict[str, str]) -> None:
    assert said_of(path, query) in {"a ping", "not found", "invalid url format", "invalid uuid format"}


def said_of(path: str, query: dict[str, str]) -> str:
    try:
        parse(path, query)
    except (NotFound, BadRequest) as error:
        return error.message
    return "a ping"
