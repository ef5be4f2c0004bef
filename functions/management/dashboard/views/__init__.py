"""A module per page, or per few that belong together: request in, one flow or one read, page out."""

from dashboard import assets
from dashboard.views import (
    alerts,
    api_keys,
    audit_log,
    calendar,
    executions,
    kill_switches,
    overview,
    playbook_runs,
    playbook_versions,
    playbooks,
    service,
    services,
    settings,
    sign_in,
    target,
    targets,
    working_hours,
)

ROUTERS = (
    assets.router,
    sign_in.router,
    overview.router,
    services.router,
    service.router,
    alerts.router,
    playbooks.router,
    playbook_versions.router,
    playbook_runs.router,
    executions.router,
    kill_switches.router,
    calendar.router,
    working_hours.router,
    targets.router,
    target.router,
    audit_log.router,
    api_keys.router,
    settings.router,
)
