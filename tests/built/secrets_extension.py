"""A stand-in for the AWS Parameters and Secrets extension, which checks how it is asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SESSION_TOKEN = "the session token of the function's role"


class SecretsExtension:
    """Holds secrets by their ARNs; like the real one it may hold what is not so any more."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.asked: list[str] = []
        self.is_starting = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        extension = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                arn = parse_qs(url.query).get("secretId", [""])[0]
                extension.asked.append(arn)
                if extension.is_starting:
                    return self._answer(400, b"not ready to serve traffic, please wait")
                if self.headers.get("X-Aws-Parameters-Secrets-Token") != SESSION_TOKEN:
                    return self._answer(401, b"no token")
                if url.path != "/secretsmanager/get" or arn not in extension.secrets:
                    return self._answer(400, b"no such secret")
                return self._answer(200, json.dumps({"ARN": arn, "SecretString": extension.secrets[arn]}).encode())

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
