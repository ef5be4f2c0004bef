"""Style and script, each under a name that changes with its content, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path as InPath

import door
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.errors import NotFound

router = Router()  # type: ignore[no-untyped-call]
HERE = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}
DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A file and where it is found."""

    content: str
    content_type: str
    path: str


def _asset(file: Path) -> Asset:
    content = file.read_text(encoding="utf-8")
    digest = hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]
    return Asset(content, TYPES[file.suffix], f"/ui/assets/{digest}/{file.name}")


BY_NAME = {file.name: _asset(file) for file in sorted(HERE.iterdir()) if file.suffix in TYPES}
BY_PATH = {asset.path: asset for asset in BY_NAME.values()}


def path_of(name: str) -> str:
    """Where a page finds a file."""
    return BY_NAME[name].path


@door.route(
    router,
    "GET",
    "/ui/assets/<digest>/<name>",
    needs=None,
    limited=Endpoints.PAGE,
    tag="dashboard",
    listed=False,
    compress=True,
)
def asset(digest: Annotated[str, InPath()], name: Annotated[str, InPath()]) -> Response[str]:
    """A file of the dashboard."""
    found = BY_PATH.get(f"/ui/assets/{digest}/{name}")
    if found is None:
        raise NotFound("There is no such file: the page is of another release. Look at it again.")
    return Response(HTTPStatus.OK, found.content_type, found.content, headers=dict(FOR_GOOD))
