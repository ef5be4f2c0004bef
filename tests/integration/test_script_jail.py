"""Scripts that try to get more than their inputs, to stay longer than they may, and to leave something behind.

The runner is a process of its own, as in Lambda: this one's user, and, where that is root, another user too, who has
no other process.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from medic_core.adapters.sealing import sealer
from medic_core.domain.repair.orders import STDERR_MARK, Interpreter, ScriptOrder, ScriptReport, Verdict

ROOT = Path(__file__).parents[2]
#: Takes events as lines, and says what the handler answers.
PROGRAM = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import script_step
for line in sys.stdin:
    try:
        answer = script_step.handler(json.loads(line), None)
    except Exception as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer), file=answers, flush=True)
"""
KEY = base64.b64encode(b"k" * 32).decode()
SEALER = sealer(KEY, (), "")
#: Scripts look for it by halves, so that they do not find themselves.
CANARY_HALVES = ("canary-in-the", "-environment-of-the-runner")
EXECUTIONS = count(random.SystemRandom().randrange(10**8, 10**9))
PYTHON, BASH = Interpreter.PYTHON, Interpreter.BASH
MIB = 1024
OTHER_USER = 58_000 + os.getpid() % 1000
LINUX = sys.platform == "linux"

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="walls are Linux's; elsewhere only limits and groups are there"),
    # One after the other: they look for one another's canaries, and at all that their user runs.
    pytest.mark.xdist_group("script_jail"),
]


@dataclass
class Runner:
    """The script runner as a process. `walls`: nothing else here belongs to the user that its scripts have."""

    process: subprocess.Popen[bytes]
    folder: Path
    is_root: bool
    walls: bool
    execution_id: int = 0

    def order(self, content: str, interpreter: Interpreter = BASH, **fields: Any) -> dict[str, Any]:
        """A call of the handler; `parameters`, `context`, `hidden` and the rest of an order may be said."""
        self.execution_id = next(EXECUTIONS)
        values: dict[str, Any] = {
            "execution_id": self.execution_id,
            "playbook_id": 5,
            "service_id": 6,
            "step_index": 0,
            "attempt": 1,
            "name": "a-script",
            "interpreter": interpreter,
            "content": content,
            "sha256": hashlib.sha256(content.encode()).hexdigest(),
            "parameters": {},
            "context": {},
            # Long enough for whatever ends by itself, however busy the machine is.
            "timeout_seconds": 60,
        }
        order = ScriptOrder(**{**values, **fields})
        context = {"purpose": "script-order", "execution": str(self.execution_id), "seq": "3"}
        sealed = base64.b64encode(SEALER.seal(order.to_bytes(), context)).decode()
        return {"execution_id": self.execution_id, "engine_name": "engine", "seq": 3, "order": sealed}

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(event).encode() + b"\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def run(self, content: str, interpreter: Interpreter = BASH, **fields: Any) -> ScriptReport:
        """What comes of a script; nothing of it is left."""
        answer = self.ask(self.order(content, interpreter, **fields))
        report = opened(answer, self.execution_id)
        assert self.left() == []
        return report

    def left(self) -> list[str]:
        """Processes of the last execution, and files where it may have left some."""
        files = [str(path) for path in self.folder.iterdir()] if self.walls else []
        mark = str(self.execution_id).encode()
        return [*processes_with(mark), *files]


def stopped(runner: Runner, content: str) -> ScriptReport:
    """What comes of a script that does not end by itself, in a time in which it began."""
    for seconds in (1, 10, 60):
        report = runner.run(content, timeout_seconds=seconds)
        assert report.timed_out
        if report.output:
            break
    return report


def opened(answer: dict[str, Any], execution_id: int) -> ScriptReport:
    context = {"purpose": "script-report", "execution": str(execution_id), "seq": "3"}
    return ScriptReport.from_bytes(SEALER.open(base64.b64decode(answer["report"]), context))


def most_memory(pid: int) -> int:
    """The most that a process ever had, in KiB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])


def processes_with(mark: bytes) -> list[str]:
    """Those that have this in their environment or in how they were called, apart from what has ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if mark in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes():
                    found.append(folder.name)
    return found


def python_for(user: int | None, path: str) -> str | None:
    """An interpreter that this user can start and that has what the runner needs."""
    for one in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with suppress(OSError, subprocess.SubprocessError):
            trial = [one, "-c", "import sys, script_step; assert sys.version_info >= (3, 11)"]
            subprocess.run(trial, user=user, env={"PYTHONPATH": path}, cwd="/", check=True, capture_output=True)
            return one
    return None


def python_path() -> str:
    here = [ROOT / "layers/medic_core", ROOT / "functions/playbook_steps/script_runner"]
    return os.pathsep.join([*map(str, here), *(one for one in sys.path if one.endswith("site-packages"))])


def start(user: int | None) -> Iterator[Runner]:
    python = python_for(user, python_path())
    if python is None:
        pytest.skip("no interpreter here is for other users")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    environment = {
        "PYTHONPATH": python_path(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
        "MEDIC_ORDERS_KEY": KEY,
        "CANARY": "".join(CANARY_HALVES),
        "EXTRA": "of the operator",
        "MEDIC_ADDITIONAL_SCRIPT_ENV_VARS": "EXTRA, MISSING, MEDIC_ORDERS_KEY",
    }
    process = subprocess.Popen(
        [python, "-c", PROGRAM], user=user, env=environment, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    is_root = user is None and os.geteuid() == 0
    try:
        yield Runner(process, folder, is_root, walls=is_root or user is not None)
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(folder)


def users(other: int = OTHER_USER) -> list[Any]:
    """Who runs runners here."""
    needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
    return [pytest.param(None, id="this-user"), pytest.param(other, id="another-user", marks=needs_root)]


@pytest.fixture(scope="module", params=users())
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    yield from start(request.param)


# What it is given.


def test_it_finds_its_inputs_in_its_environment_and_nothing_else(runner: Runner) -> None:
    said = runner.run(
        "import os, json; print(json.dumps(dict(os.environ)))",
        PYTHON,
        parameters={"PORT": 80, "DEEP": {"a": [1]}, "SERVICE_NAME": "a parameter"},
        context={"SERVICE_NAME": "the context", "HEARTBEAT_NAME": "db"},
    ).data["output"]
    home = said.pop("HOME")
    assert home.startswith(str(runner.folder))
    assert said == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "USER": "script",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "EXTRA": "of the operator",
        "MEDIC_EXECUTION_ID": str(runner.execution_id),
        "MEDIC_PLAYBOOK_ID": "5",
        "MEDIC_SERVICE_ID": "6",
        "PORT": "80",
        "DEEP": '{"a": [1]}',
        "SERVICE_NAME": "a parameter",
        "HEARTBEAT_NAME": "db",
    }


def test_names_that_would_be_orders_or_are_none_are_on_stdin_alone(runner: Runner) -> None:
    parameters = {
        "PATH": "/evil", "LD_PRELOAD": "/evil.so", "BASH_ENV": "/evil.sh", "ENV": "/evil.sh", "PYTHONPATH": "/evil",
        "BASH_FUNC_ls%%": "() { echo evil; }", "MEDIC_EXECUTION_ID": "evil", "IFS": "evil", "GIT_SSH_COMMAND": "evil",
        "a b": "evil", "1x": "evil", "x-y": "evil", "": "evil", "x=y": "evil", "é": "evil", "NUL": "evil\0",
        "OK": "good",
    }  # fmt: skip
    program = "import os, sys, json; print(json.dumps([dict(os.environ), json.load(sys.stdin)]))"
    report = runner.run(program, PYTHON, parameters=parameters, context={"LD_AUDIT": "evil"})
    environment, stdin = json.loads(report.output)
    assert environment["OK"] == "good"
    assert "evil" not in "".join(environment.values())
    assert stdin["parameters"] == parameters
    assert stdin["context"] == {"LD_AUDIT": "evil"}


@pytest.mark.parametrize("text", ['$(touch x); "', "`touch x`", "'; touch x #", "a\nb\n", "${HOME}", "-n", "*", "\\"])
def test_a_parameter_never_is_code(runner: Runner, text: str) -> None:
    report = runner.run('printf "%s|" "$P"; ls', parameters={"P": text})
    assert report.output == f"{text}|"


def test_its_text_arrives_as_it_was_registered(runner: Runner) -> None:
    content = 'cat "$0" # ${P} $(x) ü \t\'\n#\r\n'
    assert runner.run(content, parameters={"P": "x"}).output == content.replace("\r", "")


def test_a_text_that_was_changed_after_its_registration_is_not_run(runner: Runner) -> None:
    report = runner.run("touch ../../ran; echo ran", sha256=hashlib.sha256(b"echo").hexdigest())
    assert report.verdict is Verdict.FAILED
    assert "not the one that was registered" in report.error
    assert report.output == ""


# What it must not see.

LOOK_FOR_CANARY = f"""
import os
canary = b"{CANARY_HALVES[0]}" + b"{CANARY_HALVES[1]}"
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "maps"):
        try:
            if canary in open(f"/proc/{{pid}}/{{name}}", "rb").read():
                print("seen in", pid, name)
        except OSError:
            pass
print("looked")
"""

LOOK_INTO_ANCESTORS = """
import ctypes, os
pid = os.getppid()
for who in ("keeper", "runner"):
    for name in ("environ", "mem", "maps", "smaps", "auxv", "stack", "fd/0", "fd/3", "cwd/.", f"task/{pid}/environ"):
        try:
            with open("/proc/%d/%s" % (pid, name), "rb") as file:
                file.read(1)
            print("opened", who, name)
        except IsADirectoryError:
            print("opened", who, name)
        except OSError:
            pass
    if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0:
        print("attached to", who)
    pid = int(open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[1])
print("looked")
"""


def test_it_sees_the_environment_of_nobody_who_has_secrets(runner: Runner) -> None:
    assert runner.run(LOOK_FOR_CANARY, PYTHON).output == "looked\n"


def test_it_does_not_look_into_the_keeper_and_the_runner(runner: Runner) -> None:
    report = runner.run(LOOK_INTO_ANCESTORS, PYTHON)
    assert (report.output, report.error) == ("looked\n", "")


def test_bash_does_not_read_its_parents_environment_either(runner: Runner) -> None:
    report = runner.run("cat /proc/$PPID/environ /proc/1/environ /proc/$PPID/maps || true")
    assert "".join(CANARY_HALVES) not in report.output
    assert KEY not in report.output
    assert report.output.count("Permission denied") >= 2


def test_it_does_not_read_the_files_of_others(runner: Runner, tmp_path: Path) -> None:
    if not runner.walls:
        pytest.skip("the files of this user are the script's too")
    with tempfile.NamedTemporaryFile(dir="/tmp") as canary:
        Path(canary.name).write_text("file-canary")
        assert Path(canary.name).stat().st_mode & 0o777 == 0o600
        report = runner.run('cat "$P"', parameters={"P": canary.name})
    assert report.verdict is Verdict.FAILED
    assert "canary" not in report.output


def test_what_is_open_in_the_runner_is_closed_for_it(runner: Runner) -> None:
    program = "import os; print([n for n in range(3, 128) if os.path.exists(f'/proc/self/fd/{n}')])"
    # Its own text and what lists the folder are not open at that time.
    assert runner.run(program, PYTHON).output == "[]\n"


# What it may not take.


@pytest.mark.parametrize(
    ("content", "interpreter"),
    [
        ("x = bytearray(10**9)", PYTHON),
        ('x=$(head -c 1000000000 /dev/zero | tr "\\0" x)', BASH),
    ],
    ids=["python", "bash"],
)
def test_a_gigabyte_of_memory_is_too_much(runner: Runner, content: str, interpreter: Interpreter) -> None:
    report = runner.run(content, interpreter)
    assert report.verdict is Verdict.FAILED
    assert "alloc" in report.output or "MemoryError" in report.output


def test_a_file_may_not_grow_without_end(runner: Runner) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        content = 'head -c 100000000 /dev/zero > "$P/big" || echo "stopped at $(stat -c %s "$P/big")"'
        report = runner.run(content, parameters={"P": folder})
    assert f"stopped at {32 * 1024 * 1024}" in report.output


def test_a_fork_bomb_ends(runner: Runner) -> None:
    runner.run("bomb() { bomb | bomb & }; bomb; sleep 9", timeout_seconds=1)
    assert runner.run("echo on it goes").output == "on it goes\n"


def test_processes_that_replace_one_another_are_ended_too(runner: Runner) -> None:
    runner.run("hop() { (trap '' TERM; hop) & exit 0; }; hop", timeout_seconds=1)
    assert runner.run("echo on it goes").output == "on it goes\n"


def test_endless_output_is_listened_to_until_its_time_is_over(runner: Runner) -> None:
    report = stopped(runner, "yes")
    assert report.truncated
    assert len(report.output.encode()) <= 8192


def test_a_hundred_megabytes_of_output_take_no_memory(runner: Runner) -> None:
    runner.run("true")
    before = most_memory(runner.process.pid)
    report = runner.run(
        'head -c 100000000 /dev/zero | tr "\\0" x; grep VmHWM /proc/$PPID/status >&2; yes | head -c 9999 >&2'
    )
    assert report.verdict is Verdict.DONE
    assert report.truncated
    assert len(report.output.encode()) <= 8192
    growth = most_memory(runner.process.pid) - before
    keeper = int(report.output.rpartition("VmHWM:")[2].split()[0])
    print(f"the runner grew by {growth / MIB:.1f} MiB from {before / MIB:.0f}; the keeper had {keeper / MIB:.1f}")
    assert growth < 32 * MIB
    assert keeper < 32 * MIB


# How long it may stay, and what it leaves.


@pytest.mark.parametrize(
    "content",
    ["sleep 60", "trap '' TERM; sleep 60 & wait; sleep 60", "while :; do :; done", "kill -STOP $$"],
    ids=["sleeps", "ignores SIGTERM", "is busy", "is stopped"],
)
def test_its_time_is_limited(runner: Runner, content: str) -> None:
    report = stopped(runner, f"echo begun; {content}")
    assert report.verdict is Verdict.FAILED
    assert report.exit_code is None
    assert re.fullmatch(r"It was stopped after \d+ seconds: that is its time limit\.", report.error)
    assert report.output.startswith("begun\n")


DOUBLE_FORK = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        os.execve("/bin/sleep", ["sleep", os.environ["MEDIC_EXECUTION_ID"]], {})
    os._exit(0)
os.wait()
print("gone")
"""


@pytest.mark.parametrize(
    ("content", "interpreter"),
    [
        ("sleep $MEDIC_EXECUTION_ID & echo gone", BASH),
        ("setsid nohup sleep $MEDIC_EXECUTION_ID > /dev/null 2>&1 & echo gone", BASH),
        ("(trap '' TERM HUP INT; env -i setsid sleep $MEDIC_EXECUTION_ID &) ; echo gone", BASH),
        (DOUBLE_FORK, PYTHON),
    ],
    ids=["background", "setsid and nohup", "nothing of its environment", "double fork"],
)
def test_what_it_leaves_running_is_ended(runner: Runner, content: str, interpreter: Interpreter) -> None:
    assert runner.run(content, interpreter).output == "gone\n"


def test_files_that_it_leaves_are_removed(runner: Runner) -> None:
    content = """
        mkdir -p ../../folder/closed deep; touch ../../folder/closed/file ../../.hidden "../../$(printf 'a\\nb')"
        ln -s /etc ../../link; mkfifo ../../fifo; chmod 0 ../../folder/closed ../../folder
        path=$(printf 'd/%.0s' $(seq 500)); mkdir -p deep/$path; cd deep/$path; mkdir -p $path; cd $path; mkdir -p $path
        chmod 0 .. ~/deep; echo left
    """
    assert runner.run(content).output == "left\n"
    assert Path("/etc").is_dir()


def test_what_is_in_shared_folders_is_removed_as_well(runner: Runner) -> None:
    if not runner.walls:
        pytest.skip("this user writes there itself")
    runner.run("for folder in /tmp /dev/shm /var/tmp; do touch $folder/left-by-$MEDIC_EXECUTION_ID; done")
    names = [Path(folder) / f"left-by-{runner.execution_id}" for folder in ("/tmp", "/dev/shm", "/var/tmp")]
    assert [path for path in names if path.exists()] == []


@pytest.fixture(params=users(OTHER_USER + 1000))
def short_lived(request: pytest.FixtureRequest) -> Iterator[Runner]:
    yield from start(request.param)


KILL_KEEPER = (
    "setsid sleep $MEDIC_EXECUTION_ID > /dev/null 2>&1 & touch ../../left; kill -KILL $PPID || true; sleep 1; echo on"
)


def test_who_kills_the_keeper_leaves_nothing_and_is_the_last_in_this_process(short_lived: Runner) -> None:
    report = opened(short_lived.ask(short_lived.order(KILL_KEEPER)), short_lived.execution_id)
    assert short_lived.left() == []
    if short_lived.is_root:
        assert report.output.startswith("on\n")
        assert "not permitted" in report.output
        return
    assert report.verdict is Verdict.UNKNOWN
    assert "cannot be told" in report.error
    refused = short_lived.ask(short_lived.order("echo next"))
    assert refused["error"] == "NotRun"
    assert short_lived.process.wait(30) == 1


# What is said of it.


@pytest.mark.parametrize(
    ("content", "code", "error"),
    [
        ("true", 0, ""),
        ("exit 3", 3, "It ended with exit code 3."),
        ("false; echo not reached", 1, "It ended with exit code 1."),
        ("kill -SEGV $$", 139, "It was ended by SIGSEGV."),
        ("kill -KILL $$", 137, "It was ended by SIGKILL."),
        ("no-such-command", 127, "It ended with exit code 127."),
    ],
)
def test_how_it_ended(runner: Runner, content: str, code: int, error: str) -> None:
    report = runner.run(content)
    assert (report.exit_code, report.error) == (code, error)
    assert report.verdict is (Verdict.FAILED if error else Verdict.DONE)
    assert "not reached" not in report.output


def test_stdout_comes_first_and_stderr_is_marked(runner: Runner) -> None:
    report = runner.run("echo wrong >&2; printf right")
    assert report.output == f"right\n{STDERR_MARK}\nwrong\n"
    assert not report.truncated


def test_however_much_is_on_stdout_stderr_has_its_place(runner: Runner) -> None:
    report = runner.run("echo why >&2; yes x | head -c 20000; exit 1")
    assert report.output.endswith(f"x\n{STDERR_MARK}\nwhy\n[output truncated]")
    assert 8000 < len(report.output.encode()) <= 8192
    assert report.truncated


def test_output_that_is_no_text_is_made_some(runner: Runner) -> None:
    report = runner.run(r"printf 'a\xff\xfeb\0c\x1b[31md\r\ne\xc3'")
    assert report.output == "a\ufffd\ufffdbc[31md\ne\ufffd"


def test_a_megabyte_of_nul_is_nothing_to_see(runner: Runner) -> None:
    report = runner.run("head -c 1000000 /dev/zero")
    assert (report.verdict, report.output, report.truncated) == (Verdict.DONE, "[output truncated]", True)


SECRET = 'p@ss "wörd"/+\t9'


def test_secrets_are_masked_in_every_form(runner: Runner) -> None:
    program = """
import base64, json, sys, urllib.parse
secret = json.load(sys.stdin)["parameters"]["TOKEN"]
content = secret.encode()
print(secret, base64.b64encode(content).decode(), base64.b64encode(b"user:" + content).decode())
print(base64.urlsafe_b64encode(content).decode(), urllib.parse.quote(secret), urllib.parse.quote_plus(secret))
print(json.dumps(secret), json.dumps([secret], ensure_ascii=False))
print(*secret, sep="\\0")
print(secret, file=sys.stderr)
"""
    output = runner.run(program, PYTHON, parameters={"TOKEN": SECRET}, hidden=(SECRET,)).output
    content = SECRET.encode()
    forms = [
        SECRET, base64.b64encode(content).decode(), base64.b64encode(b"user:" + content).decode()[8:-4],
        base64.urlsafe_b64encode(content).decode(), quote(SECRET), json.dumps(SECRET)[1:-1],
    ]  # fmt: skip
    assert [form for form in forms if form in output] == []
    assert output.count("***") == 10


@pytest.mark.parametrize("before", range(8150, 8200))
def test_the_end_of_what_is_kept_shows_no_half_of_a_secret(before: int) -> None:
    import jail  # noqa: PLC0415  (as the runner has it)

    hidden = ("0123456789abcdef",)
    kept = ("x" * before + hidden[0] * 1000).encode()[: jail.OUTPUT_BYTES + 24]
    shown = jail._shown(kept, hidden, is_whole=False)
    assert "01234" not in shown
    assert shown.startswith("x" * (before - 24))


# Orders that are not for it.


def flipped(text: str) -> str:
    content = bytearray(base64.b64decode(text))
    content[-1] ^= 1
    return base64.b64encode(content).decode()


def test_an_order_that_was_changed_or_is_for_something_else_is_not_run(runner: Runner) -> None:
    event = runner.order("touch ../../ran")
    others: list[dict[str, Any]] = [
        {"order": flipped(event["order"])},
        {"execution_id": event["execution_id"] + 1},
        {"seq": 4},
        {"order": "no base64!"},
        {"order": ""},
        {"order": base64.b64encode(b"echo canary").decode()},
    ]
    for other in others:
        answer = runner.ask({**event, **other})
        assert answer["error"] == "NotRun"
        assert answer["message"].startswith("The order cannot be opened: ")
        assert "canary" not in answer["message"]
        assert event["order"] not in answer["message"]
    assert runner.left() == []


def test_a_report_is_bound_to_its_execution_and_turn(runner: Runner) -> None:
    answer = runner.ask(runner.order("echo report-canary"))
    assert "canary" not in json.dumps(answer)
    assert opened(answer, runner.execution_id).output == "report-canary\n"
    with pytest.raises(ValueError):
        opened(answer, runner.execution_id + 1)
