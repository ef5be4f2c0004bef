"""What Medic costs and where it saturates, computed from measured figures: `python -m bench.scale_model --write`.

Pure: figures (docs/scale-figures.json) and prices in, tables out. Every assumption is a named constant here.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT, FIGURES = DOCS / "cost-and-scale.md", DOCS / "scale-figures.json"
BEGIN, END = "<!-- computed: begin -->", "<!-- computed: end -->"

SERVICES = (100, 10_000, 1_000_000)
SECONDS_PER_MONTH = 30.4375 * 24 * 3600
MINUTES_PER_MONTH = SECONDS_PER_MONTH / 60
MILLION = 1e6
GIGABYTE = 1e9

#: A Lambda function has one processor at 1,769 MB, and its share of one below.
MEGABYTES_PER_PROCESSOR = 1769
HEARTBEAT_MEGABYTES, MONITOR_MEGABYTES = 256, 512
#: One round trip to a database in the same zone, and Aurora's wait for the copies of a commit.
ROUND_TRIP_MS, COMMIT_MS = 0.7, 2.0
#: Of an Aurora capacity unit: about a quarter of a processor. Half of it is left for all else that the database does.
PROCESSORS_PER_UNIT, USABLE = 0.25, 0.5
LOWEST_UNITS, STAND_BY = 0.5, 2
#: A commit is at least one write of Aurora's; what is larger, one for each 4 KB.
WRITE_BYTES = 4096
KEPT_DAYS = 30
#: What Lambda (300) and API Gateway write down of each request.
LOGGED_BYTES = 520
#: X-Ray takes one trace a second, and of the rest so many.
TRACED_SHARE = 0.05
#: Of Valkey's processing units, for the script that keeps a limit.
CACHE_UNITS = 10
#: Clients that follow a clock come together: so many times the mean in the busiest second.
PEAK = 10

#: What is full at how much: defaults of infra/template.yaml and data.yaml, and limits of an account.
KEY_PER_MINUTE = 100
THROTTLING_PER_SECOND, ACCOUNT_PER_SECOND = 2000, 10_000
INSTANCES = 100
#: Lambda lets through ten requests a second for each instance that is reserved, however short they are.
REQUESTS_PER_INSTANCE = 10
HIGHEST_UNITS = 8
#: Through the proxy, of what Aurora allows at that capacity.
CONNECTIONS = 1500
CACHE_UNITS_PER_SECOND = 30_000

#: (up to how much, price of each): the last goes on for ever.
Tiers = tuple[tuple[float, float], ...]
#: List prices in us-east-1, in dollars, as remembered in November 2026. They change: AWS's calculator knows.
API_MILLION: Tiers = ((300, 1.00), (math.inf, 0.90))
LOG_GIGABYTE: Tiers = ((10_000, 0.50), (30_000, 0.25), (50_000, 0.10), (math.inf, 0.05))
PRICES: Mapping[str, float] = {
    "lambda_million": 0.20,
    "lambda_gb_second": 0.0000166667,  # x86; arm64 is a fifth cheaper
    "trace_million": 5.00,
    "aurora_unit_hour": 0.12,
    "aurora_million_writes": 0.20,
    "aurora_gb_month": 0.10,
    "proxy_unit_hour": 0.015,
    "proxy_lowest_units": 8,
    "cache_month": 6.0,
    "cache_million_units": 0.0023,
    "nat_month": 36.5,  # with its public address
    "endpoints_month": 58.0,  # four in two zones
    "watching_month": 12.0,  # 53 alarms, a dashboard, metrics of our own
    "secrets_month": 3.0,
}
#: Lines of the bill that fall away for who brings a database, a cache and a network.
DATA_STACK = ("Aurora, capacity", "Aurora, writes", "Aurora, storage", "RDS Proxy", "cache", "network")


@dataclass(frozen=True)
class Figures:
    """Measured by `bench.scale_figures`. Milliseconds and bytes are of one call: a heartbeat, or a batch of them."""

    statements: int
    function_cpu_ms: float
    function_wall_ms: float
    database_cpu_ms: float
    wal_bytes: float
    event_bytes: float
    batch_size: int
    batch_statements: int
    batch_cpu_ms: float
    batch_wall_ms: float
    batch_database_cpu_ms: float
    batch_wal_bytes: float
    idle_sweep_ms: float

    def to_json(self) -> str:
        return json.dumps({name: round(value, 4) for name, value in asdict(self).items()}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Figures:
        return cls(**json.loads(path.read_text()))


@dataclass(frozen=True)
class Way:
    """How heartbeats come: each by itself, or many in a request."""

    name: str
    per_call: int
    billed_ms: float
    database_ms: float
    wal_bytes: float


def ways(figures: Figures) -> tuple[Way, Way]:
    """One heartbeat a request, and batches."""
    one = Way(
        "single heartbeats",
        1,
        billed_ms(figures.function_cpu_ms, figures.database_cpu_ms, figures.statements),
        figures.database_cpu_ms,
        figures.wal_bytes,
    )
    many = Way(
        f"batches of {figures.batch_size}",
        figures.batch_size,
        billed_ms(figures.batch_cpu_ms, figures.batch_database_cpu_ms, figures.batch_statements),
        figures.batch_database_cpu_ms,
        figures.batch_wal_bytes,
    )
    return one, many


def billed_ms(cpu_ms: float, database_ms: float, statements: int, megabytes: int = HEARTBEAT_MEGABYTES) -> float:
    """A call's time on Lambda: our part of it grows as the share of a processor is small, the waiting does not.

    Waiting is reckoned from what the database works and from constants: clocks of a busy machine say little of it.
    """
    slower = max(1.0, MEGABYTES_PER_PROCESSOR / megabytes)
    return cpu_ms * slower + database_ms + statements * ROUND_TRIP_MS + (COMMIT_MS if statements else 0.0)


def capacity_units(heartbeats_per_second: float, database_ms_each: float) -> float:
    """Aurora capacity units that this keeps busy, with room, in steps of a half."""
    processors = heartbeats_per_second * database_ms_each / 1000
    return max(LOWEST_UNITS, math.ceil(processors / PROCESSORS_PER_UNIT / USABLE * 2) / 2)


def costs(services: int, way: Way, figures: Figures) -> dict[str, float]:
    """Dollars a month, by part, for services that are heard once a minute."""
    signals = services * MINUTES_PER_MONTH
    calls = max(MINUTES_PER_MONTH, signals / way.per_call)
    per_second = services / 60
    units = capacity_units(per_second, way.database_ms / way.per_call)
    # What is kept at once, not what is written in a month: partitions are dropped after KEPT_DAYS.
    kept = services * 60 * 24 * KEPT_DAYS * figures.event_bytes / GIGABYTE
    sweep_seconds = MINUTES_PER_MONTH * figures.idle_sweep_ms / 1000 * MEGABYTES_PER_PROCESSOR / MONITOR_MEGABYTES
    traces = min(calls, SECONDS_PER_MONTH) + max(0.0, calls - SECONDS_PER_MONTH) * TRACED_SHARE
    return {
        "API Gateway": tiered(calls / MILLION, API_MILLION),
        "Lambda, heartbeats": calls / MILLION * PRICES["lambda_million"]
        + calls * way.billed_ms / 1000 * HEARTBEAT_MEGABYTES / 1024 * PRICES["lambda_gb_second"],
        "Lambda, monitor": sweep_seconds * MONITOR_MEGABYTES / 1024 * PRICES["lambda_gb_second"],
        "X-Ray": traces / MILLION * PRICES["trace_million"],
        "logs": tiered(calls * LOGGED_BYTES / GIGABYTE, LOG_GIGABYTE),
        "keys, secrets, alarms": PRICES["watching_month"] + PRICES["secrets_month"],
        "Aurora, capacity": units * STAND_BY * SECONDS_PER_MONTH / 3600 * PRICES["aurora_unit_hour"],
        "Aurora, writes": calls * max(1.0, way.wal_bytes / WRITE_BYTES) / MILLION * PRICES["aurora_million_writes"],
        "Aurora, storage": kept * PRICES["aurora_gb_month"],
        "RDS Proxy": max(PRICES["proxy_lowest_units"], units) * SECONDS_PER_MONTH / 3600 * PRICES["proxy_unit_hour"],
        "cache": PRICES["cache_month"] + calls * CACHE_UNITS / MILLION * PRICES["cache_million_units"],
        "network": PRICES["nat_month"] + PRICES["endpoints_month"],
    }


def tiered(amount: float, tiers: Tiers) -> float:
    """What so much costs where the price falls with the amount."""
    paid, below = 0.0, 0.0
    for upto, price in tiers:
        paid += max(0.0, min(amount, upto) - below) * price
        below = upto
    return paid


def full_at(way: Way) -> dict[str, float]:
    """With how many services each part is full, in the busiest second; those that are full first come first."""
    calls_each = PEAK / 60 / way.per_call
    database_each = PEAK / 60 * way.database_ms / way.per_call / 1000
    found = {
        "the limit of one key (100 a minute)": float(KEY_PER_MINUTE * way.per_call),
        "`ThrottlingRate` (2,000/s)": THROTTLING_PER_SECOND / calls_each,
        "requests a second of `HeartbeatConcurrency` (10 × 100)": REQUESTS_PER_INSTANCE * INSTANCES / calls_each,
        "instances of `HeartbeatConcurrency` (100)": INSTANCES / (calls_each * way.billed_ms / 1000),
        "the account's API Gateway (10,000/s)": ACCOUNT_PER_SECOND / calls_each,
        "`HighestCapacity` of Aurora (8)": HIGHEST_UNITS * PROCESSORS_PER_UNIT / database_each,
        "connections through the proxy (1,500)": CONNECTIONS / (calls_each * way.billed_ms / 1000),
        "units of Valkey (30,000/s)": CACHE_UNITS_PER_SECOND / (calls_each * CACHE_UNITS),
    }
    return dict(sorted(found.items(), key=lambda one: one[1]))


def loads(services: int, way: Way) -> dict[str, float]:
    """What is in use at the mean and, tenfold, in the busiest second."""
    calls = services / 60 / way.per_call
    busy = calls * way.billed_ms / 1000
    return {
        "requests a second": calls,
        "instances, and connections": busy,
        "the same at the peak": busy * PEAK,
        "commits a second": calls,
        "WAL, MB/s": calls * way.wal_bytes / MILLION,
        "Aurora capacity units": capacity_units(services / 60, way.database_ms / way.per_call),
    }


def rendered(figures: Figures) -> str:
    """The tables of docs/cost-and-scale.md."""
    both = ways(figures)
    paid = [_table(f"Dollars a month, {way.name}", {n: costs(n, way, figures) for n in SERVICES}) for way in both]
    used = [_table(f"What is in use, {way.name}", {n: loads(n, way) for n in SERVICES}, total=False) for way in both]
    return "\n".join([*paid, *used, *map(_limits, both)])


def _limits(way: Way) -> str:
    lines = [f"### What is full first, {way.name}", "", "| part, and what it is set to | full with so many services |"]
    rows = [f"| {name} | {float(f'{services:.2g}'):,.0f} |" for name, services in full_at(way).items()]
    return "\n".join([*lines, "| --- | ---: |", *rows]) + "\n"


def _table(title: str, columns: Mapping[int, Mapping[str, float]], *, total: bool = True) -> str:
    def row(name: str, values: Iterable[str]) -> str:
        return f"| {name} | {' | '.join(values)} |"

    head = [f"### {title}", "", row("", (f"{n:,} services" for n in columns)), "| --- |" + " ---: |" * len(columns)]
    names = next(iter(columns.values()))
    rows = [row(name, (_shown(found[name]) for found in columns.values())) for name in names]
    sums = (f"**{_shown(sum(found.values()))}**" for found in columns.values())
    own = (_shown(sum(value for part, value in found.items() if part not in DATA_STACK)) for found in columns.values())
    ends = [row("**together**", sums), row("of it, who brings a database and a network", own)] if total else []
    return "\n".join([*head, *rows, *ends]) + "\n"


def _shown(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def document(text: str, figures: Figures) -> str:
    """The document with its tables computed anew."""
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n{rendered(figures)}{END}{tail}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale_model")
    parser.add_argument("--write", action="store_true", help="write docs/cost-and-scale.md too")
    asked = parser.parse_args()
    figures = Figures.read(FIGURES)
    print(rendered(figures))
    if asked.write:
        DOCUMENT.write_text(document(DOCUMENT.read_text(), figures))


if __name__ == "__main__":
    main()
