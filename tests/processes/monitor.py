"""A monitor that sweeps and relays until nothing has been due for a while.

python -m tests.processes.monitor
"""

from __future__ import annotations

from datetime import timedelta

import tick
from tests.processes import at_work, waits_for_long

QUIET_ROUNDS = 3


def main() -> None:
    waits_for_long()
    at_work()
    quiet = 0
    while quiet < QUIET_ROUNDS:
        swept = tick.sweep(tick.DATABASE, 0, timedelta(seconds=15), batch=50)
        sent = tick.relay(tick.DATABASE, tick.NOTIFICATIONS, batch=50)
        quiet = 0 if swept.due or sent else quiet + 1


if __name__ == "__main__":
    main()
