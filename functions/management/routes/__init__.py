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
    v2_maintenance,
    v2_schedules,
    v2_service_actions,
    v2_services,
    v2_slack,
    v2_snapshots,
    v2_targets,
    v2_teams,
    v2_webhooks,
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
    v2_teams,
    v2_schedules,
    v2_targets,
    v2_webhooks,
    v2_maintenance,
    v2_slack,
    v2_api_keys,
    v2_snapshots,
)
ALL = tuple(module.router for module in MODULES)
