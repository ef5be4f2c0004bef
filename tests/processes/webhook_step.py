"""A webhook step that kills itself, `before` its request or `after` the answer, before its report.

python -m tests.processes.webhook_step EXECUTION ENGINE_NAME SEQ HOST before|after
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from medic_core.adapters import safe_http
from medic_core.domain.routing.retries import Answer
from medic_core.flows import call_webhook
from medic_core.store.connection import Database
from tests.fixtures.repairing import SECRETS
from tests.processes import waits_for_long


def main() -> None:
    waits_for_long()
    execution_id, engine_name, seq, host, when = sys.argv[1:]

    def request(*given: Any) -> Answer:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = safe_http.request(*given)
        if when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    means = call_webhook.Means(request, SECRETS, (host,))
    call_webhook.call(Database(os.environ["DATABASE_URL"]), int(execution_id), engine_name, int(seq), means)


if __name__ == "__main__":
    main()
