"""The whole of it: started in order, kept running, stopped in order."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from local import endings, servers
from local.console import Refused, elapsed, say, step, tell
from local.deployment import Deployment, EmulatorError
from local.servers import Server
from local.settings import (
    DUMMY_AWS,
    PARAMETERS,
    ROOT,
    Settings,
    kept_secret,
    new_admin_key,
    new_sealing_key,
    parameters,
    secrets_of,
)
from local.template import Artifact, Template

TEMPLATE = ROOT / "infra" / "template.yaml"
LOOK_EVERY_SECONDS = 0.5
#: Who has both the database and these files can open what was sealed.
SEALING_KEYS = {"MEDIC_SECRETS_KEY": "secrets-key", "MEDIC_ORDERS_KEY": "orders-key"}
#: What a function may see of the environment that the stage was started in.
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "LD_PRELOAD")


class Stage:
    """Use as a context manager: entering starts everything, leaving stops what was started and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._template = Template(TEMPLATE)
        self._started = ExitStack()
        self._servers: list[Server] = []
        self._given = dict(settings.given)

    def __enter__(self) -> Stage:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        say("stopping …")
        self._stop()
        say(f"stopped; everything is kept in {self._settings.data}")

    def _stop(self) -> None:
        endings.ignore()
        self._started.close()

    def _start(self) -> None:
        self._check_given()
        data = self._claim_data()
        if servers.answers(self._settings.port):
            raise Refused(f"Port {self._settings.port} is in use: stop what uses it, or set MEDIC_PORT to another.")
        is_new = not (data / "started").exists()
        key = self._admin_key(is_new=is_new)
        self._start_postgres(data)
        self._start_redis(data)
        self._given.setdefault("MEDIC_KEY_CACHE_SECRET", kept_secret(data / "key-cache-secret"))
        for name, file in SEALING_KEYS.items():
            if name not in self._given:
                self._given[name] = kept_secret(data / file, new_sealing_key)
        self._given.setdefault("MEDIC_BASE_URL", self._settings.url)
        endpoint = self._start_emulator(data)
        with step("deploying infra/template.yaml (functions, queues, schedules, schema)"):
            self.deployment = Deployment(endpoint, self._template)
            arns = self.deployment.keep_secrets(secrets_of(self._given))
            self.deployment.deploy(parameters(self._given) | arns | {"SecretsPort": endpoint.rpartition(":")[2]})
        self.deployment.invoke_short_schedules()
        (data / "started").touch()
        self._greet(key)

    def _check_given(self) -> None:
        """Refuse what CloudFormation would: here it would show as functions that fail."""
        for name, value in self._given.items():
            refusal = self._template.refusal(PARAMETERS[name], value) if name in PARAMETERS else None
            if refusal is not None:
                raise Refused(f"{name} {refusal}, not {value!r}.")

    def _claim_data(self) -> Path:
        data = self._settings.data
        try:
            # Not private as a whole: where we are root, Postgres runs as another user.
            data.mkdir(mode=0o711, parents=True, exist_ok=True)
            lock = self._started.enter_context((data / "lock").open("w"))
        except OSError as error:
            raise Refused(f"The data directory {data} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"Another run is using {data}: stop it, or set MEDIC_DATA_DIR to another place.") from error
        return data

    def _admin_key(self, *, is_new: bool) -> str | None:
        """A new data directory without a key of the operator's own gets one, which is shown once and kept nowhere."""
        if not is_new or "MEDIC_ADMIN_API_KEY" in self._given:
            return None
        key = new_admin_key()
        self._given["MEDIC_ADMIN_API_KEY"] = key
        return key

    def _start_postgres(self, data: Path) -> None:
        if "DATABASE_URL" in self._given:
            say("using the Postgres of DATABASE_URL")
            return
        with step("starting Postgres"):
            server, url = servers.postgres(data)
            self._run(server)
            servers.make_database(url)
        self._given["DATABASE_URL"] = url

    def _start_redis(self, data: Path) -> None:
        if "REDIS_URL" in self._given:
            say("using the Redis of REDIS_URL")
            return
        found = servers.redis(data)
        if found is None and self._given.get("MEDIC_RATE_LIMITER_TYPE") == "redis":
            raise Refused(
                "MEDIC_RATE_LIMITER_TYPE is redis, but there is no Redis here: install one, or set REDIS_URL."
            )
        if found is None:
            say("no Redis here (none on PATH, no wheel for this Python): each function remembers for itself, in memory")
            return
        with step("starting Redis"):
            self._run(found[0])
        self._given["REDIS_URL"] = found[1]

    def _start_emulator(self, data: Path) -> str:
        port = servers.free_port()
        ports, messages = (str(port), str(self._settings.port)), str(data / "messages.json")
        command = [sys.executable, "-m", "local.emulator", *ports, messages]
        environment = self._environment_of_functions() | {"GATEWAY_PORT": str(port), "TMPDIR": _emptied(data / "tmp")}
        with step("starting the AWS emulator"):
            log, name = data / "emulator.log", "The AWS emulator"
            self._run(Emulator(name, command, port, log, environment=environment, folder=ROOT, is_heard=True))
        return f"http://127.0.0.1:{port}"

    def _environment_of_functions(self) -> dict[str, str]:
        """The emulator hands its own to them: nothing of the person's shell but what any program needs."""
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {
            **environment,
            **DUMMY_AWS,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nowhere",
        }

    def _run(self, server: Server) -> None:
        self._started.callback(server.stop)
        server.start()
        self._servers.append(server)

    def _greet(self, key: str | None) -> None:
        tell()
        if key is not None:
            tell(f"Admin API key (shown this once, keep it): {key}")
        tell(f"Medic is ready at {self._settings.url} after {elapsed():.1f} s (Ctrl-C stops it)")
        tell()

    def keep_running(self) -> None:
        """Bring edits to what runs and ended servers back, until interrupted. Raises Refused if the emulator ends."""
        watched = {artifact: _newest(artifact) for artifact in self._template.artifacts()}
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            for server in self._servers:
                server.keep_running()
            for artifact, before in watched.items():
                newest = _newest(artifact)
                if newest != before:
                    watched[artifact] = newest
                    self._reload(artifact, newest[1])

    def _reload(self, artifact: Artifact, file: str) -> None:
        try:
            self.deployment.replace(artifact)
        except (OSError, *EmulatorError) as error:
            say(f"{artifact.logical_id} could not be reloaded ({file} changed): {error}")
        else:
            say(f"reloaded {artifact.logical_id} ({file} changed)")


class Emulator(Server):
    """The emulator's process. What it knew is gone when it ends, so it is not started again by itself."""

    def keep_running(self) -> None:
        if not self.is_running:
            raise Refused(
                f"The AWS emulator ended; its log is {self._log}. Start again: nothing that was stored is lost."
            )


def _emptied(folder: Path) -> str:
    """What functions left there when the last run was killed is of no use to this one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return str(folder)


def _newest(artifact: Artifact) -> tuple[float, str]:
    """When its youngest file changed, and which; the number of files makes a deletion show."""
    files = artifact.files()
    times = [(_changed_at(path), path.name) for path in files]
    newest = max(times, default=(0.0, ""))
    return (newest[0] + len(files) / 1_000_000, newest[1])


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        # Editors replace files.
        return 0.0
