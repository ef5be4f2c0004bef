"""A module per resource: request in, one flow or one read, answer out."""

from routes import (
    docs,
    health,
    v1_alerts,
    v1_heartbeats,
    v1_services,
    v2_alerts,
    v2_api_keys,
    v2_explanations,
    v2_history,
    v2_service_actions,
    v2_services,
    v2_snapshots,
    v2_teams,
)

MODULES = (
    health,
    docs,
    v1_heartbeats,
    v1_services,
    v1_alerts,
    v2_services,
    v2_service_actions,
    v2_history,
    v2_explanations,
    v2_alerts,
    v2_api_keys,
    v2_snapshots,
    v2_teams,
)
ALL = tuple(module.router for module in MODULES)
