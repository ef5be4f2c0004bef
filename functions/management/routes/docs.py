"""The API's description: for machines, and as a page to read and try it on. Open without a key."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver, Router

import door
from description.document import document
from medic_core.domain.access.rate_limits import Endpoints

router = Router()  # type: ignore[no-untyped-call]
TAG = "docs"
#: Swagger UI comes with the event handler: nothing is loaded from anywhere else.
SWAGGER_UI = "aws_lambda_powertools.event_handler.openapi.swagger_ui"
#: Nothing in the description or in an answer can become a script: only our own two files run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Medic API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="api">The description is at <a href="/openapi.json">/openapi.json</a>.</main>
<script src="/docs/swagger-ui.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#api", deepLinking: true, filter: true, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
"""
KEPT = {"Cache-Control": "public, max-age=86400"}


@door.route(router, "GET", "/openapi.json", needs=None, limited=Endpoints.DOCS, tag=TAG, compress=True)
def description() -> Response[dict[str, Any]]:
    """This description, as OpenAPI 3.1."""
    return door.bare(_document())


@door.route(router, "GET", "/docs/swagger.json", needs=None, limited=Endpoints.DOCS, tag=TAG, compress=True)
def old_description() -> Response[dict[str, Any]]:
    """This description, where v1 had it."""
    return door.bare(_document())


@door.route(router, "GET", "/docs", needs=None, limited=Endpoints.DOCS, tag=TAG, listed=False)
def reading() -> Response[str]:
    """A page to read the description and try it."""
    return _file(PAGE, "text/html; charset=utf-8", {"Content-Security-Policy": POLICY})


@door.route(router, "GET", "/docs/start.js", needs=None, limited=Endpoints.DOCS, tag=TAG, listed=False)
def start() -> Response[str]:
    """What starts the page."""
    return _file(START, "text/javascript; charset=utf-8", KEPT)


@door.route(
    router, "GET", "/docs/swagger-ui.js", needs=None, limited=Endpoints.DOCS, tag=TAG, listed=False, compress=True
)
def script() -> Response[str]:
    """Swagger UI."""
    return _file(_asset("swagger-ui-bundle.min.js"), "text/javascript; charset=utf-8", KEPT)


@door.route(
    router, "GET", "/docs/swagger-ui.css", needs=None, limited=Endpoints.DOCS, tag=TAG, listed=False, compress=True
)
def style() -> Response[str]:
    """Swagger UI's looks."""
    return _file(_asset("swagger-ui.min.css"), "text/css; charset=utf-8", KEPT)


def _file(content: str, content_type: str, headers: dict[str, str] | None = None) -> Response[str]:
    return Response(status_code=200, content_type=content_type, body=content, headers=headers or {})


@cache
def _document() -> dict[str, Any]:
    assert isinstance(router.api_resolver, ApiGatewayResolver)
    return document(router.api_resolver)


@cache
def _asset(name: str) -> str:
    return resources.files(SWAGGER_UI).joinpath(name).read_text(encoding="utf-8")
