"""A module per page, or per few that belong together: request in, one flow or one read, page out."""

from dashboard import assets
from dashboard.views import (
    alerts,
    executions,
    kill_switches,
    overview,
    playbook_runs,
    playbook_triggers,
    playbook_versions,
    playbooks,
    service,
    services,
    sign_in,
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
    playbook_triggers.router,
    executions.router,
    kill_switches.router,
)
