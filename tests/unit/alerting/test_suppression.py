from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from medic_core.domain.alerting.suppression import Circumstances, Suppressed, suppressed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
INACTIVE = Suppressed("the service is inactive", until=None)


def muted(until: datetime) -> Suppressed:
    return Suppressed("the service is muted", until=until)


@pytest.mark.parametrize(
    ("active", "muted_until", "reason"),
    [
        (True, None, None),
        (True, NOW - HOUR, None),
        (True, NOW, None),
        (True, NOW + MICROSECOND, muted(NOW + MICROSECOND)),
        (True, NOW + HOUR, muted(NOW + HOUR)),
        (False, None, INACTIVE),
        (False, NOW - HOUR, INACTIVE),
        (False, NOW + HOUR, INACTIVE),
    ],
)
def test_the_first_reason_to_hold_back_is_the_one_that_people_see(
    active: bool, muted_until: datetime | None, reason: Suppressed | None
) -> None:
    assert suppressed(Circumstances(NOW, active, muted_until)) == reason
