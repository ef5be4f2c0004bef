"""People write names where the API wants numbers."""

from __future__ import annotations

from collections.abc import Sequence

from medic_core.domain.watching.names import name_key
from medic_core.errors import BadRequest
from medic_core.store import services, teams
from medic_core.store.connection import Transaction


def services_named(tx: Transaction, names: Sequence[str], field: str = "service") -> list[int]:
    """The ids of services by their heartbeat names. Raises BadRequest that tells the first that is not there."""
    keys = {name_key(name): name for name in names}
    found = services.by_names(tx, keys)
    missing = next((name for key, name in keys.items() if key not in found), None)
    if missing is not None:
        raise BadRequest(f"{field}: no service has the heartbeat name {missing[:200]!r}.")
    return sorted(found.values())


def team_named(tx: Transaction, name: str) -> int:
    """The id of a team. Raises BadRequest where there is no such team."""
    found = teams.by_name(tx, name_key(name))
    if found is None:
        raise BadRequest(f"team: there is no team {name[:200]!r}.")
    return found
