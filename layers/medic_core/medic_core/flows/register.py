"""A service is registered: configured, given its ping URL, and watched from now on."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from medic_core.domain.watching.names import name_key
from medic_core.domain.watching.signals import BySlug
from medic_core.domain.watching.states import Expectations, registered
from medic_core.store import connection, service_states, services, teams
from medic_core.store.connection import Transaction
from medic_core.store.services import Configuration

#: What a service made by `?create=1` starts with (Healthchecks': a day, and an hour of grace).
CREATED_EVERY = timedelta(days=1)
CREATED_GRACE = timedelta(hours=1)


def register(tx: Transaction, new: Configuration) -> int | None:
    """Register a service and begin to watch it; None where the name is taken."""
    service_id = services.add(tx, new, name_key(new.heartbeat_name), uuid4())
    if service_id is None:
        return None
    now = connection.now(tx)
    expects = Expectations(new.schedule, alert_when_never_reported=new.alert_when_never_reported)
    service_states.add(tx, service_id, registered(now, expects), new.schedule, now)
    return service_id


def team_named(tx: Transaction, name: str) -> int:
    """The team of that name, made where there is none."""
    return teams.ensure(tx, name, secrets.token_urlsafe(16))


def register_for_slug(tx: Transaction, whom: BySlug) -> int | None:
    """Register what a slug URL with `?create=1` means; None where the ping key is nobody's.

    The slug is the name; where another team has taken that, the team's number goes before it. Two first pings
    at once make one service.
    """
    team_id = teams.by_ping_key(tx, whom.ping_key)
    if team_id is None:
        return None
    new = Configuration(
        heartbeat_name=whom.slug,
        service_name=whom.slug,
        slug=whom.slug,
        team_id=team_id,
        priority="p3",
        runbook="",
        every_seconds=int(CREATED_EVERY.total_seconds()),
        threshold=1,
        grace_period_seconds=int(CREATED_GRACE.total_seconds()),
    )
    service_id = register(tx, new)
    if service_id is None:
        # The name was taken: by a ping at the same instant, or by another team.
        service_id = services.find(tx, whom)
    return service_id or register(tx, replace(new, heartbeat_name=f"team-{team_id}-{whom.slug}"))
