"""A script runs with its inputs and nothing else, within its limits, and nothing of it stays.

It is run by a keeper (`keeper.py`), a process of its own between this one and the script: see there for the limits and
for what is done about what a script leaves running. Here it is decided what the script is given and what is kept of
what it says.

On Linux this process cannot be looked into by others of its user (`PR_SET_DUMPABLE`), and what a script orphans when
it kills its keeper (it can where both are the same user) comes to this process and is ended by it. Other systems know
neither: there a run is bounded by its limits and its process group alone, which is enough to try a script out.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keeper
import processes
from leftovers import Rubbish, wiped
from medic_core.domain.repair.orders import (
    STDERR_MARK,
    Interpreter,
    ScriptOrder,
    ScriptReport,
    Verdict,
    hidden_forms,
    mask,
)

#: Of stdout and stderr together.
OUTPUT_BYTES = 8192
#: However long stdout is, the beginning of what stderr says is kept.
STDERR_BYTES = 2048
TRUNCATED = "[output truncated]"
#: One variable is no longer than Linux lets it be; longer ones are on stdin alone.
VARIABLE_BYTES = 100_000
#: What the keeper needs beyond the script's time.
KEEPER_SECONDS = 30
PATH = "/usr/local/bin:/usr/bin:/bin"
BASH = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/opt/homebrew/bin/bash")
#: Lambda's, the system's, and the one that this runs on without its virtual environment.
PYTHON = ("/var/lang/bin/python3", "/usr/bin/python3", "/usr/local/bin/python3")
#: As whom an interpreter is tried by root.
NOBODY = 65534

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
#: What shells, interpreters and the loader take as orders, and what Medic says itself: not to be set by a parameter.
NEVER = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|TZDIR|IFS|ENV|BASH.*|SHELLOPTS|PS[0-9]|PROMPT_COMMAND|CDPATH|FPATH"
    r"|GLOBIGNORE|HISTFILE|INPUTRC|EXECIGNORE|POSIXLY_CORRECT|TMPDIR|TEMP|TMP|PWD|OLDPWD|SHLVL|_|UID|EUID|PPID|LD_.*|DYLD_.*"
    r"|PYTHON.*|PERL.*|RUBY.*|NODE_.*|JAVA_.*|JDK_.*|GIT_.*|SSH_.*|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|GLIBC_.*"
    r"|RES_OPTIONS|HOSTALIASES|LOCALDOMAIN|GETCONF_DIR|RESOLV_.*|OPENSSL_.*|SSL_.*|CURL_.*|(HTTPS?|FTP|ALL|NO)_PROXY"
    r"|EDITOR|VISUAL|PAGER|BROWSER|TERM.*|MEDIC_.*|AWS_LAMBDA_.*|_X_AMZN_.*",
    re.IGNORECASE,
)
#: All but tabs and ends of lines.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

#: How the keeper's interpreter is started: nothing but the keeper's folder and Python's own library.
ALONE = ("-E", "-s", "-S", "-B")
#: Interpreters that were found.
FOUND: dict[Interpreter, list[str]] = {}
#: Keepers that run now: threads of this process may each have one.
KEEPERS: set[int] = set()


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a script. `left` names what could not be removed: then this process should not go on for long."""

    report: ScriptReport
    left: tuple[str, ...] = ()


def run(order: ScriptOrder, extra_variables: Sequence[str] = ()) -> Ran:
    """Run a script to its end, or until its time is over, and tell what became of it. Its text is never edited.

    Raises nothing that shows anything of the order.
    """
    if not order.is_what_was_registered:
        return Ran(_failed("The script is not the one that was registered: its hash is another. It was not run."))
    argv = interpreter(order.interpreter)
    if argv is None:
        return Ran(_failed(f"There is no {order.interpreter} here. The script was not run."))
    # What is cut off must not leave a half of something that is masked.
    longest = max((len(form.encode(errors="replace")) for form in hidden_forms(order.hidden)), default=0)
    job = {
        "argv": argv,
        "content": order.content,
        "stdin": json.dumps({"parameters": dict(order.parameters), "context": dict(order.context)}),
        "environment": environment(order, extra_variables),
        "timeout": order.timeout_seconds,
        "keep": OUTPUT_BYTES + longest,
        "folder": str(Path(tempfile.gettempdir()) / f"medic-script-{os.urandom(8).hex()}"),
    }
    result = _kept(job)
    if result is None:
        lost = "The script took its keeper down with it, or could not be started: what it did cannot be told."
        return Ran(ScriptReport(Verdict.UNKNOWN, error=lost), ("what its keeper would have removed",))
    return Ran(_report(order, result), tuple(result["left"]))


def _failed(error: str) -> ScriptReport:
    return ScriptReport(Verdict.FAILED, error=error)


def environment(order: ScriptOrder, extra_variables: Sequence[str]) -> dict[str, str]:
    """What the script finds in its environment: a parameter hides a variable of the context, and neither anything else.

    Text is given as it is, all else as JSON. Names that are no identifiers, and those that would be orders to the
    shell or the loader, are on stdin alone.
    """
    ours = os.environ  # noqa: TID251  (what an operator lets scripts have is not a setting of Medic's)
    given = {
        name: text
        for name, value in {**order.context, **order.parameters}.items()
        if IDENTIFIER.fullmatch(name) and not NEVER.fullmatch(name) and (text := _as_variable(value)) is not None
    }
    extras = {name: ours[name] for name in extra_variables if name in ours and not name.startswith("MEDIC_")}
    service = {} if order.service_id is None else {"MEDIC_SERVICE_ID": str(order.service_id)}
    return {
        **given,
        "PATH": PATH,
        "USER": "script",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": ours.get("TZ", "UTC"),
        **extras,
        "MEDIC_EXECUTION_ID": str(order.execution_id),
        "MEDIC_PLAYBOOK_ID": str(order.playbook_id),
        **service,
    }


def _as_variable(value: Any) -> str | None:
    text = value if isinstance(value, str) else json.dumps(value)
    return None if "\0" in text or len(text.encode(errors="replace")) > VARIABLE_BYTES else text


def interpreter(which: Interpreter) -> list[str] | None:
    """How it is called; None where there is none that starts in an empty environment."""
    if which not in FOUND:
        bash = which is Interpreter.BASH
        own = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]  # noqa: SLF001
        path = _first_that_works(BASH, ["-c", ":"]) if bash else _first_that_works((*PYTHON, own), ["-c", ""])
        if path is None:
            return None
        FOUND[which] = [path, "-e" if bash else "-u"]
    return FOUND[which]


def _first_that_works(paths: Sequence[str], trial: list[str]) -> str | None:
    user = NOBODY if os.geteuid() == 0 else None
    for path in paths:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(  # noqa: S603  (one of ours)
                [path, *trial], user=user, env={}, cwd="/", timeout=10, check=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            return path
    return None


def _kept(job: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the keeper tells; None where it was killed: then what it leaves is ended and removed here."""
    before = processes.children()
    rubbish = Rubbish(None, str(Path(job["folder"]).parent))
    with _hardened(), subprocess.Popen(  # noqa: S603
        [sys.executable, *ALONE, keeper.__file__],
        # Where Lambda's Python finds its library.
        env={name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},  # noqa: TID251
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
    ) as process:  # fmt: skip
        KEEPERS.add(process.pid)
        try:
            told, _ = process.communicate(json.dumps(job).encode(), job["timeout"] + KEEPER_SECONDS)
            result: dict[str, Any] = json.loads(told)
            return result
        except (subprocess.TimeoutExpired, ValueError, OSError):
            process.kill()
            process.wait()
            _end_orphans(before)
            wiped(Path(job["folder"]))
            rubbish.remove()
            return None
        finally:
            KEEPERS.discard(process.pid)


def harden() -> None:
    """Nobody of this user looks into this process from now on, and what a keeper loses comes here."""
    with contextlib.suppress(OSError):
        processes.prctl(processes.PR_SET_DUMPABLE, 0)
        processes.prctl(processes.PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def _hardened() -> Iterator[None]:
    """While scripts run; afterwards this process takes in no orphans any more."""
    harden()
    try:
        yield
    finally:
        if not KEEPERS:
            with contextlib.suppress(OSError):
                processes.prctl(processes.PR_SET_CHILD_SUBREAPER, 0)


def _end_orphans(before: set[int]) -> None:
    """Kill what came here after `before`, until nothing of it runs or it is given up."""

    def orphans() -> set[int]:
        return processes.alive_below(processes.children() - before - KEEPERS)

    until = time.monotonic() + keeper.KILL_SECONDS
    while (ours := processes.children() - before - KEEPERS) and time.monotonic() < until:
        processes.kill_all(orphans)
        select.select([], [], [], keeper.LOOK_SECONDS)
        for pid in ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _report(order: ScriptOrder, result: Mapping[str, Any]) -> ScriptReport:
    output, truncated = _output(order.hidden, result)
    status, timed_out = result["status"], result["timed_out"]
    if timed_out:
        error = f"It was stopped after {order.timeout_seconds} seconds: that is its time limit."
    elif status < 0:
        error = f"It was ended by {_signal_name(-status)}."
    else:
        error = f"It ended with exit code {status}." if status else ""
    code = None if timed_out else status if status >= 0 else 128 - status
    return ScriptReport(Verdict.FAILED if error else Verdict.DONE, code, output, error, timed_out, truncated)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _output(hidden: Sequence[str], result: Mapping[str, Any]) -> tuple[str, bool]:
    """What people see of stdout and stderr, and whether that is less than there was."""
    kept = [base64.b64decode(result[name]) for name in ("out", "err")]
    are_whole = [total == len(one) for one, total in zip(kept, result["totals"], strict=True)]
    out, err = (_shown(one, hidden, is_whole=whole) for one, whole in zip(kept, are_whole, strict=True))
    room = OUTPUT_BYTES - len(f"\n{STDERR_MARK}\n\n{TRUNCATED}")
    err_part = _cut(err, max(STDERR_BYTES, room - len(out.encode())))
    out_part = _cut(out, room - len(err_part.encode()))
    truncated = not all(are_whole) or (out_part, err_part) != (out, err)
    lines = [out_part, *([STDERR_MARK, err_part] if err_part else []), *([TRUNCATED] if truncated else [])]
    text = "".join(line if line.endswith("\n") or not line else f"{line}\n" for line in lines[:-1]) + lines[-1]
    return mask(text, hidden), truncated


def _shown(kept: bytes, hidden: Sequence[str], *, is_whole: bool) -> str:
    """As text, without control characters and secrets; where something was cut off, without a half of a secret."""
    text = CONTROLS.sub("", mask(kept.decode(errors="replace"), hidden))
    forms = (*hidden, *(CONTROLS.sub("", one) for one in hidden))
    text = mask(text, forms)
    longest = max(map(len, hidden_forms(forms)), default=0)
    return text if is_whole else text[: max(0, len(text) - longest)]


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")
