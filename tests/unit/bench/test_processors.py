from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from bench import processors


def work() -> None:
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass


def test_what_ended_threads_of_a_process_used_counts_too() -> None:
    before = processors.seconds_of(os.getpid())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert processors.seconds_of(os.getpid()) - before >= 0.05


def test_another_process_is_looked_at_and_one_that_is_gone_counts_nothing() -> None:
    other = subprocess.Popen([sys.executable, "-c", "print('here', flush=True); input()"], stdin=-1, stdout=-1)
    assert other.stdout is not None
    assert other.stdout.readline() == b"here\n"
    assert processors.seconds_of_all([other.pid]) > 0
    other.communicate(b"\n")
    assert processors.seconds_of_all([other.pid]) == 0


def test_what_a_call_takes_is_looked_at_here_and_there() -> None:
    here, there = processors.worked(work, os.getpid(), 2)
    assert min(here, there) >= 50_000
