"""A sweep with little and much due among few and many services; and claiming by several monitors at once."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from datetime import timedelta

from bench import database, measure, processors
from medic_core.flows.sweep import sweep
from medic_core.store import sweeping
from medic_core.store.connection import Database, now
from tests.builders import watch_statements

SIZES = (1_000, 100_000, 1_000_000)
DUE = (0, 1_000, 10_000)
CADENCE = timedelta(hours=1)
ROUNDS = 3
WARM, QUIET = 8, 15
MONITORS = (1, 8)
CLAIMED = 10_000


@dataclass(frozen=True)
class Swept:
    """Sweeps among so many services of which so many are due, and their claiming statement alone. Seconds."""

    services: int
    due: int
    statements: int
    opened: int
    times: list[float]
    claims: list[float]
    #: Microseconds of processor, of us and of the server, of a sweep after it.
    work: float


def report() -> str:
    with database.fresh() as url:
        sweeps = []
        for size in SIZES:
            print(f"  filling {size:,} services …", flush=True)
            database.fill(url, size)
            sweeps += [_swept(url, size, due) for due in DUE if due <= size]
        claims = [_claimed(url, monitors) for monitors in MONITORS]
    # The sizes come one after the other: a busy machine's clock would tell of its neighbours.
    quiet = {one.services: one.work for one in sweeps if one.due == 0}
    columns = ("services", "due", "statements", "opened", "time, ms", "claiming them alone, ms", "× that")
    return (
        measure.table(f"A sweep (median of {ROUNDS})", columns, [_row(one) for one in sweeps])
        + f"\nNothing due: {SIZES[-1]:,} services take **{quiet[SIZES[-1]] / quiet[SIZES[0]]:.2f} ×** "
        + f"the processor time of {SIZES[0]:,} (budget: 2 ×); {DUE[-1]:,} due are to take 5 s at most.\n\n"
        + measure.table(
            f"Claiming {CLAIMED:,} due services of {SIZES[-1]:,}", ("monitors", "time", "alerts", "against one"),
            [(monitors, f"{seconds:.2f} s", f"{opened:,}", f"{claims[0][1] / seconds:.2f} ×")
             for monitors, seconds, opened in claims],
        )
    )  # fmt: skip


def _row(found: Swept) -> tuple[object, ...]:
    times, claims = ([seconds * 1000 for seconds in one] for one in (found.times, found.claims))
    shares = [own / reference for own, reference in zip(times, claims, strict=True)]
    counts = (f"{count:,}" for count in (found.services, found.due, found.statements, found.opened))
    return (*counts, measure.spread(times, ",.1f"), measure.spread(claims, ",.1f"), measure.spread(shares, ".1f"))


def _swept(url: str, size: int, due: int) -> Swept:
    times, claims, opened = [], [], 0
    for _ in range(ROUNDS):
        database.settle_down(url)
        own = Database(url)
        sweep(own, 0, CADENCE)
        database.make_due(url, due)
        _heard_by_someone(own)
        claims.append(_claiming(own, due))
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
    return Swept(size, due, statements, opened, times, claims, _quiet(url))


def _quiet(url: str) -> float:
    """Of a sweep with nothing due, on a connection that has made some."""
    own = Database(url)
    with own.autocommit() as connection:
        backend = connection.info.backend_pid
    parts = [processors.worked(lambda: sweep(own, 0, CADENCE), backend, 1) for _ in range(WARM + QUIET)]
    own.close()
    return measure.median([sum(one) for one in parts[WARM:]])


def _claiming(own: Database, due: int) -> float:
    """Seconds for the statement that claims all that is due at once; what it claimed is let go again."""
    with own.transaction() as tx:
        values = {"now": now(tx), "batch": due + 1}
        began = time.perf_counter()
        tx.execute(sweeping.CLAIM_DUE, values).fetchall()
        return time.perf_counter() - began


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
