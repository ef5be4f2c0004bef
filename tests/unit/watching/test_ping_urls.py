from __future__ import annotations

from uuid import UUID

import pytest

from medic_core.domain.watching.ping_urls import parse
from medic_core.domain.watching.signals import ByPingId, BySlug, SignalKind
from medic_core.errors import BadRequest, NotFound

ID = "0b8ac1a4-3c39-4d0e-9c4e-8f2b54f2f1aa"
KEY = "fqOOd6-F4MMNuCEnzTU01w"


@pytest.mark.parametrize(
    ("path", "kind", "exit_status"),
    [
        ("", SignalKind.UP, None),
        ("/", SignalKind.UP, None),
        ("/start", SignalKind.STARTED, None),
        ("/fail", SignalKind.FAILED, None),
        ("/log", SignalKind.LOG, None),
        ("/0", SignalKind.UP, 0),
        ("/00", SignalKind.UP, 0),
        ("/1", SignalKind.FAILED, 1),
        ("/255", SignalKind.FAILED, 255),
    ],
)
def test_a_suffix_says_what_happened_under_both_kinds_of_url(
    path: str, kind: SignalKind, exit_status: int | None
) -> None:
    by_id, by_slug = parse(ID + path, {}), parse(f"{KEY}/backup{path}", {})
    assert (by_id.kind, by_id.exit_status) == (by_slug.kind, by_slug.exit_status) == (kind, exit_status)
    assert (by_id.whom, by_slug.whom) == (ByPingId(UUID(ID)), BySlug(KEY, "backup"))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        ID.upper(),
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f"{ID[:-1]}",
        f"{ID}a",
        f"{ID}/begin",
        f"{ID}/-1",
        f"{ID}/1.0",
        f"{ID}/start/fail",
        f"{ID}//",
        f"{ID}/\u0661",
        f"{KEY}",
        f"{KEY}/",
        f"{KEY}/a b",
        f"{KEY}/backup/x",
        f"{KEY}/backup/start/x",
        "short/backup",
        f"{KEY}/{'x' * 201}",
        "x" * 10_000,
        "../../etc/passwd",
    ],
)
def test_what_cannot_be_anyones_url_is_not_found(path: str) -> None:
    with pytest.raises(NotFound, match=r"^not found$"):
        parse(path, {})


@pytest.mark.parametrize("path", [f"{ID}/256", f"{ID}/9999", f"{KEY}/Backup", f"{KEY}/backup/300"])
def test_what_is_nearly_right_is_said_to_be_wrong(path: str) -> None:
    with pytest.raises(BadRequest, match=r"^invalid url format$"):
        parse(path, {})


@pytest.mark.parametrize("rid", ["", "x", ID[:-1], ID.replace("-", ""), f"{ID} "])
def test_a_rid_is_a_uuid(rid: str) -> None:
    with pytest.raises(BadRequest, match=r"^invalid uuid format$"):
        parse(ID, {"rid": rid})


def test_a_rid_and_create_are_taken() -> None:
    assert parse(ID, {"rid": ID.upper()}).run_id == ID
    assert parse(f"{KEY}/backup", {"create": "1"}).whom == BySlug(KEY, "backup", create=True)
    assert parse(f"{KEY}/backup", {"create": "0"}).whom == BySlug(KEY, "backup", create=False)
