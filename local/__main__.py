"""`python -m local`: everything on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import os
import sys

from local import endings
from local.console import Refused, complain
from local.settings import DUMMY_AWS, read


def main() -> int:
    """0 after Ctrl-C, SIGTERM or SIGHUP, 1 with one line where it cannot start or go on."""
    endings.interrupt_once()
    try:
        _run()
    except KeyboardInterrupt:
        return 0
    except Refused as problem:
        complain(f"Medic cannot run: {problem}")
    except ModuleNotFoundError as problem:
        complain(f"Medic cannot run: {problem.name} is not installed for {sys.executable}; `make run` sees to that.")
    except OSError as problem:
        complain(f"Medic cannot run: {problem}.")
    return 1


def _run() -> None:
    settings = read(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(DUMMY_AWS)
    # Takes half a second, in which Ctrl-C is to be heard already.
    from local.stage import Stage  # noqa: PLC0415

    with Stage(settings) as stage:
        stage.keep_running()


if __name__ == "__main__":
    sys.exit(main())
