"""A sweep with little and much due among few and many services; and claiming by several monitors at once."""

from __future__ import annotations

import multiprocessing
import time
from datetime import timedelta

from bench import database, measure
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import watch_statements

SIZES = (1_000, 100_000, 1_000_000)
DUE = (0, 1_000, 10_000)
CADENCE = timedelta(hours=1)
ROUNDS = 3
MONITORS = (1, 8)
CLAIMED = 10_000


def report() -> str:
    with database.fresh() as url:
        rows = []
        for size in SIZES:
            print(f"  filling {size:,} services …", flush=True)
            database.fill(url, size)
            rows += [_row(url, size, due) for due in DUE if due <= size]
        claims = [_claimed(url, monitors) for monitors in MONITORS]
    quiet = {size: seconds for size, due, _, seconds, _ in rows if due == 0}
    shown = [
        (f"{size:,}", f"{due:,}", statements, f"{seconds * 1000:,.1f} ms", f"{opened:,}")
        for size, due, statements, seconds, opened in rows
    ]
    ratio = quiet[SIZES[-1]] / quiet[SIZES[0]]
    return (
        measure.table(f"A sweep (median of {ROUNDS})", ("services", "due", "statements", "time", "opened"), shown)
        + f"\nNothing due: {SIZES[-1]:,} services take **{ratio:.2f} ×** the time of {SIZES[0]:,}.\n\n"
        + measure.table(
            f"Claiming {CLAIMED:,} due services of {SIZES[-1]:,}", ("monitors", "time", "alerts", "against one"),
            [(monitors, f"{seconds:.2f} s", f"{opened:,}", f"{claims[0][1] / seconds:.2f} ×")
             for monitors, seconds, opened in claims],
        )
    )  # fmt: skip


def _row(url: str, size: int, due: int) -> tuple[int, int, int, float, int]:
    times, statements, opened = [], 0, 0
    for _ in range(ROUNDS):
        database.settle_down(url)
        own = Database(url)
        sweep(own, 0, CADENCE)
        database.make_due(url, due)
        _heard_by_someone(own)
        began = time.perf_counter()
        opened = sweep(own, 0, CADENCE).opened
        times.append(time.perf_counter() - began)
        own.close()
    database.settle_down(url)
    database.make_due(url, due)
    own = Database(url)
    heard = watch_statements(own)
    sweep(own, 0, CADENCE)
    statements = len([text for text in heard if text.split()[0] not in {"BEGIN", "COMMIT"}])
    own.close()
    return size, due, statements, measure.median(times), opened


def _heard_by_someone(own: Database) -> None:
    """Someone was heard after the due ones: the mass-silence guard has nothing to say."""
    with own.transaction() as tx:
        tx.execute(
            "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
            " VALUES (1, now(), gen_random_uuid(), 'UP')"
        )


def _sweeps(url: str, results: multiprocessing.Queue[int], start: multiprocessing.Barrier) -> None:  # type: ignore[valid-type]
    own = Database(url)
    with own.autocommit() as connection:
        connection.execute("SELECT 1")
    start.wait()  # type: ignore[attr-defined]
    opened = 0
    while (swept := sweep(own, 0, CADENCE, batch=100)).due:
        opened += swept.opened
    results.put(opened)
    own.close()


def _claimed(url: str, monitors: int) -> tuple[int, float, int]:
    database.settle_down(url)
    database.make_due(url, CLAIMED)
    own = Database(url)
    _heard_by_someone(own)
    own.close()
    context = multiprocessing.get_context("spawn")
    results, start = context.Queue(), context.Barrier(monitors + 1)
    processes = [context.Process(target=_sweeps, args=(url, results, start)) for _ in range(monitors)]
    for process in processes:
        process.start()
    start.wait()
    began = time.perf_counter()
    opened = sum(results.get() for _ in processes)
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return monitors, seconds, opened
