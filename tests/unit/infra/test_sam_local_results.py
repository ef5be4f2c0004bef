from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.sam_local import processes, root_files
from infra.sam_local.results import Results
from local.console import Refused

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def refuse() -> str | None:
    raise Refused("it is not there")


def break_() -> str | None:
    raise ValueError("of\n\nseveral lines")


def test_what_is_wrong_is_shown_and_keeps_nothing_else_from_being_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results()
    with results.phase("a phase"):
        pass
    results.check("one", "is right", lambda: None)
    results.check("two", "is wrong", lambda: "answered 500")
    results.check("three", "is refused", refuse)
    results.check("four", "breaks", break_)
    capsys.readouterr()
    assert results.summed_up() == 1
    table = " ".join(capsys.readouterr().out.split())
    assert "two is wrong 0.0 s WRONG: answered 500" in table
    assert "WRONG: it is not there" in table
    assert "WRONG: ValueError: of several lines" in table
    assert "2 right, 3 wrong" in table


def test_all_right_is_0() -> None:
    results = Results()
    results.check("one", "is right", lambda: None)
    assert results.summed_up() == 0


def test_a_program_is_run_to_its_end(tmp_path: Path) -> None:
    command = ["sh", "-c", "pwd; echo trouble >&2; echo more >&2; exit 3"]
    ran = processes.run(command, environment=ENVIRONMENT, folder=tmp_path)
    assert (ran.code, ran.output, ran.complaint) == (3, f"{tmp_path}\n", "trouble | more")
    with pytest.raises(Refused, match=r"Trying failed: trouble \| more"):
        processes.checked("Trying", command, environment=ENVIRONMENT, folder=tmp_path)


def test_one_that_is_waited_for_ends_when_we_are_interrupted(tmp_path: Path) -> None:
    """It is asked first, so that it can clean up, and takes along what it started."""
    note, child = tmp_path / "note", tmp_path / "child"
    # Whoever runs the tests in the background has them born deaf to it.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    waited_for = (
        f"{hears}import pathlib, subprocess, time\n"
        "started = subprocess.Popen(['sleep', '600'])\n"
        "try:\n"
        f"    pathlib.Path({str(child)!r}).write_text(str(started.pid))\n"
        "    time.sleep(600)\n"
        "except KeyboardInterrupt:\n"
        f"    pathlib.Path({str(note)!r}).write_text('cleaned up')\n"
    )
    waiting = (
        f"{hears}import pathlib, sys; from infra.sam_local import processes; "
        f"processes.run([sys.executable, '-c', {waited_for!r}], environment={{}}, folder=pathlib.Path('/'))"
    )
    with subprocess.Popen([sys.executable, "-c", waiting], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not (child.exists() and child.read_text()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    assert note.read_text() == "cleaned up"
    assert is_gone(int(child.read_text()))


def is_gone(process: int) -> bool:
    """Within a moment: one that was killed is shown until its parent has heard of it."""
    for _ in range(12_000):
        stat = Path(f"/proc/{process}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_program_s_libraries_are_found_with_the_loader() -> None:
    names = {path.name.split(".")[0] for path in root_files.needed([Path("/bin/sh").resolve()])}
    assert "libc" in names
    assert any(name.startswith("ld-") for name in names)
    assert all(path.exists() for path in root_files.needed([Path("/bin/sh").resolve()]))
