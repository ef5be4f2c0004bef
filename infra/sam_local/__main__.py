"""`python -m infra.sam_local`: 0 if every function and the API answered as they must, 1 with what was wrong."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The reports of scripts are sealed: Medic's own code opens them.
sys.path.insert(0, str(ROOT / "layers" / "medic_core"))

from samtranslator.yaml_helper import yaml_parse  # noqa: E402

from infra import python313  # noqa: E402
from infra.sam_local import drive, engine, expectations, image, surroundings, variables  # noqa: E402
from infra.sam_local.expectations import EXPECTATIONS, Expectation  # noqa: E402
from infra.sam_local.results import Results  # noqa: E402
from infra.sam_local.sam import Given, Sam  # noqa: E402
from infra.sam_local.surroundings import Surroundings  # noqa: E402
from local import endings, servers  # noqa: E402
from local.console import Refused, complain  # noqa: E402
from local.settings import DUMMY_AWS, new_admin_key  # noqa: E402

BUILT = ROOT / ".aws-sam" / "build"
#: Kept between runs; `make clean` removes it.
CACHE = ROOT / ".aws-sam" / "local"
SAM = ROOT / ".venv" / "sam" / "bin" / "sam"
RUNTIME = ROOT / "requirements" / "runtime.txt"
NOTIFICATIONS = "notifications"


def main() -> int:
    endings.interrupt_once()
    try:
        return _run()
    except KeyboardInterrupt:
        complain("sam-local was interrupted.")
    except (Refused, python313.Missing) as problem:
        complain(f"sam-local cannot go on: {problem}")
    return 1


def _run() -> int:
    if not SAM.exists():
        raise Refused("the SAM CLI is not installed in .venv/sam; `make sam-local` sees to that.")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(DUMMY_AWS)
    python = python313.find(os.environ)
    CACHE.mkdir(parents=True, exist_ok=True)
    sam, results, key = Sam(ROOT, SAM, python, CACHE), Results(), new_admin_key()
    with ExitStack() as stack:
        stack.callback(endings.ignore)
        folder = stack.enter_context(_scratch())
        with results.phase("sam build"):
            sam.build()
        with results.phase("Docker"):
            docker = stack.enter_context(engine.found_or_started(CACHE))
        with results.phase("the base image"):
            base = sam.base_image(image.architecture())
            made_here = partial(image.make, python=python, requirements=RUNTIME)
            stack.enter_context(image.at_hand(docker, base, made_here))
        example = (ROOT / "env.json.example").read_text()
        with results.phase("Postgres, Redis, queues"):
            queues = variables.queue_names(example)
            around = stack.enter_context(surroundings.started(folder, docker.gateway(base), queues))
        port = servers.free_port()
        given = _given(folder, docker, variables.variables(example, around.addresses, f"http://127.0.0.1:{port}", key))
        _invoke_all(sam, given, folder, key, results)
        results.check("database", "has the heartbeats of both", lambda: _differs(around.count("heartbeat_events"), 2))
        with results.phase("sam local start-api"):
            url = stack.enter_context(sam.api(port, given, folder / "api.log"))
        _drive(drive.Api(url, key), around, results)
    return results.summed_up()


@contextmanager
def _scratch() -> Iterator[Path]:
    """For this run alone. Not private: where we are root, Postgres runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="medic-sam-local-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _given(folder: Path, docker: engine.Engine, told: variables.Variables) -> Given:
    """The files that `sam local` reads. The template lies where its folders are looked for."""
    template, environment = BUILT / "local.json", folder / "env.json"
    template.write_text(json.dumps(variables.for_here(yaml_parse((BUILT / "template.yaml").read_text()))))
    environment.write_text(json.dumps(told))
    return Given(template, environment, docker.environment)


def _invoke_all(sam: Sam, given: Given, folder: Path, key: str, results: Results) -> None:
    for expectation in EXPECTATIONS:
        event = json.loads(variables.with_key((ROOT / "events" / f"{expectation.event}.json").read_text(), key))
        file = folder / "event.json"
        file.write_text(json.dumps(expectation.change(event)))
        results.check(expectation.function, expectation.promise, _invoked(sam, given, file, expectation))


def _invoked(sam: Sam, given: Given, event: Path, expectation: Expectation) -> Callable[[], str | None]:
    return lambda: expectations.verdict(expectation, sam.invoke(expectation.function, event, given))


def _drive(api: drive.Api, around: Surroundings, results: Results) -> None:
    around.messages(NOTIFICATIONS)
    for promise, ask in drive.steps(api):
        results.check("the API", promise, ask)
    results.check("the queue", "has the alert of it", lambda: _differs(len(around.messages(NOTIFICATIONS)), 1))


def _differs(found: int, wanted: int) -> str | None:
    return None if found == wanted else f"{found} instead of {wanted}"


if __name__ == "__main__":
    sys.exit(main())
