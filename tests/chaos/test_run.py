"""A short run of chaos. Longer ones, from a new seed each time: make chaos."""

from __future__ import annotations

import pytest

from tests.chaos.__main__ import report
from tests.chaos.conftest import SEED, World
from tests.chaos.run import Result

SEEN = ("heartbeats acknowledged", "alerts for silence", "messages received", "executions", "calls of repairs")


@pytest.mark.xdist_group("chaos")
def test_every_promise_is_kept_while_all_of_it_is_broken(ended: tuple[Result, World]) -> None:
    result, _ = ended
    print(f"\nseed {SEED}\n{report(result)}")
    assert result.verdict.wrong == []
    assert [name for name in SEEN if not result.verdict.figures[name]] == []
