"""The SAM CLI, with an environment of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.sam_local import processes
from local.console import Refused
from local.servers import Server
from local.settings import DUMMY_AWS

RUNTIME = "python3.13"
#: What SAM knows of Lambda's images, asked of the one that is installed.
ASK_IMAGE = (
    "import sys; from samcli.local.docker.lambda_image import LambdaImage, Runtime; "
    "print(f'{LambdaImage._INVOKE_REPO_PREFIX}/{Runtime.get_image_name_tag(*sys.argv[1:])}')"
)
#: What a function may see of the environment that we were started in: SAM takes a variable's value from there too.
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
)
#: SAM asks AWS whose account it is in, and goes on without an answer: here it gets none at once.
NOBODY = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Given:
    """What `sam local` is started with: the built template, the variables, and where Docker is."""

    template: Path
    variables: Path
    docker: Mapping[str, str]


class Sam:
    """`program` is the CLI, `python` what functions are built for, `folder` a place for what it keeps."""

    def __init__(self, root: Path, program: Path, python: Path, folder: Path) -> None:
        self.python = python
        self._root, self._program, self._folder = root, program, folder
        #: It reports to nobody, and believes that it has just looked for a newer version of itself.
        self._quiet = {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(folder)}
        (folder / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}))

    def base_image(self, architecture: str) -> str:
        """The name that SAM knows Lambda's image under."""
        command: list[str | Path] = [self._program.with_name("python"), "-c", ASK_IMAGE, RUNTIME, architecture]
        asked = processes.checked("Asking SAM for its image", command, environment=os.environ, folder=self._root)
        return asked.strip()

    def build(self) -> None:
        """`sam build`, as for a deployment. Raises Refused."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= DUMMY_AWS | NOBODY | self._quiet | {"PYTHON313": str(self.python)}
        # SAM looks for the interpreter by its name.
        environment["PATH"] = f"{self.python.parent}:{environment.get('PATH', os.defpath)}"
        processes.checked("sam build", [self._program, "build"], environment=environment, folder=self._root)

    def invoke(self, function: str, event: Path, given: Given) -> Any:
        """What a function answers. Raises Refused where it answers nothing."""
        command = [*self._local("invoke", given), "--event", str(event), function]
        ran = processes.run(command, environment=self._bare(given.docker), folder=self._root)
        lines = [line for line in ran.output.splitlines() if line.strip()]
        try:
            return json.loads(lines[-1])
        except (IndexError, json.JSONDecodeError):
            raise Refused(f"{function} gave no answer: {ran.complaint}") from None

    @contextmanager
    def api(self, port: int, given: Given, log: Path) -> Iterator[str]:
        """The URL of `sam local start-api`, while it runs. Raises Refused."""
        command = [*self._local("start-api", given), "--warm-containers", "LAZY", "--port", str(port)]
        name = "sam local start-api"
        server = Server(name, command, port, log, environment=self._bare(given.docker), folder=self._root)
        try:
            server.start()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop()

    def _local(self, command: str, given: Given) -> list[str]:
        files = ["--template", str(given.template), "--env-vars", str(given.variables)]
        return [
            str(self._program),
            "local",
            command,
            *files,
            "--skip-pull-image",
            "--layer-cache-basedir",
            str(self._folder),
        ]

    def _bare(self, docker: Mapping[str, str]) -> dict[str, str]:
        passed_on = {name: docker[name] for name in PASSED_ON if name in docker}
        return passed_on | DUMMY_AWS | NOBODY | self._quiet
