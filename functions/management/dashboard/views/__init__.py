"""A module per page, or per few that belong together: request in, one flow or one read, page out."""

from dashboard import assets
from dashboard.views import alerts, overview, service, services, sign_in, status

ROUTERS = (
    assets.router,
    sign_in.router,
    overview.router,
    services.router,
    service.router,
    alerts.router,
    status.router,
)
