"""A stand-in for the place where CloudFormation waits for a custom resource's answer."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ASKED = {
    "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/medic/5b918d10-cd98-11ea-90d5-0a9cd3354c10",
    "RequestId": "afd8d7c5-9376-4013-8b3b-307517b8719e",
    "LogicalResourceId": "Migrations",
    "ResourceType": "AWS::CloudFormation::CustomResource",
    "ResourceProperties": {"Version": "0009.approvals"},
}
MUST_HAVE = {"Status", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"}
#: What CloudFormation takes.
LONGEST_ANSWER = 4096


class CloudFormation:
    """Asks, and keeps the answers that are as they must be. `troubles`: it answers these first."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.troubles: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def asks(self, request: str) -> dict[str, Any]:
        """An event of a kind; those after the first know the resource by its id."""
        known = {} if request == "Create" else {"PhysicalResourceId": "medic-schema"}
        url = f"http://127.0.0.1:{self._server.server_address[1]}/answer?X-Amz-Signature=abc%2Fdef"
        return {"RequestType": request, "ResponseURL": url, **ASKED, **known}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes, headers: Any, path: str) -> None:
        answer = json.loads(body)
        checks = {
            "a field is missing": set(answer) >= MUST_HAVE,
            "a failure has no reason": answer.get("Status") == "SUCCESS" or answer.get("Reason"),
            "a status that is none": answer.get("Status") in {"SUCCESS", "FAILED"},
            "another request is meant": all(answer.get(name) == ASKED[name] for name in MUST_HAVE & set(ASKED)),
            "too long": len(body) <= LONGEST_ANSWER,
            "a type that was not signed": headers.get("Content-Type", "") == "",
            "another URL": path == "/answer?X-Amz-Signature=abc%2Fdef",
        }
        self.wrong += [what for what, is_right in checks.items() if not is_right]
        self.answers.append(answer)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        place = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = place.troubles.pop(0) if place.troubles else 200
                if status == 200:
                    place._take(body, self.headers, self.path)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
