"""What every request passes: its token is asked for, it is counted, timed, and told in a line."""

import hmac
import json
import sys
import time
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cuello.serving.metrics import Metrics
from cuello.serving.refused import CLOSED, Refused

OPEN = ("/", "/health", "/docs", "/openapi.json")
"""What needs no token: nothing of it is of the models."""
VERSIONED = "/v1/"


class Door:
    """Stands before an app. token: that requests must bring, if any. names: of the models, whose requests are counted
    by model. quiet: no line a request.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, names: set[str], metrics: Metrics, quiet: bool):
        self.app, self.token, self.names, self.metrics, self.quiet = app, token, names, metrics, quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), CLOSED

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self.token is None or scope["path"] in OPEN or self.is_known(scope):
                await self.app(scope, receive, noted)
            else:
                await refuse(noted, NO_TOKEN)
        finally:
            self.count(scope, status, time.perf_counter() - began)

    def is_known(self, scope: Scope) -> bool:
        """Compare what a request brings with the token, in a time that tells nothing of it."""
        brought = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = brought.partition(b" ")
        right = hmac.compare_digest(token.strip(), (self.token or "").encode())
        return right and scheme.lower() == b"bearer"

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        name = scope["path"].removeprefix(VERSIONED)
        model = name if name in self.names and scope["path"].startswith(VERSIONED) else ""
        self.metrics.requests.labels(model, status).inc()
        if model:
            self.metrics.seconds.labels(model).observe(seconds)
        if not self.quiet and scope["path"] not in OPEN:
            path = ascii(scope["path"])[1:-1][:200]
            say(f"{scope['method']} {path} {status} {1000 * seconds:.0f} ms")


def say(line: str) -> None:
    """Tell whoever runs the service; where nobody reads it any more, that is no fault."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


NO_TOKEN = Refused(
    401, "token", "the request brought no token, or another one. Add the header Authorization: Bearer TOKEN, with the "
    "token of the service.", headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
)  # fmt: skip


def body_of(refused: Refused) -> dict[str, Any]:
    """Say in plain values why a request is refused."""
    return {"status": refused.status, "error": refused.error, "message": refused.message}


async def refuse(send: Send, refused: Refused) -> None:
    """Answer a request that goes no further."""
    content = json.dumps(body_of(refused)).encode()
    headers = {"content-type": "application/json", "content-length": str(len(content)), **refused.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
