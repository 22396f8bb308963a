"""Who may ask the server: whoever has the address that `cuello web` printed, and no other web page."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "::")
"""Addresses that stand for all of a machine's."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; base-uri 'self'; "
    "form-action 'self'; object-src 'none'"
)
"""Nothing is loaded from elsewhere, and nothing is sent there."""
HUNG_UP = "No response returned."
"""What Starlette says where the browser has gone before an answer."""
REFUSED = "This page opens only at the address that `cuello web` printed, with its token.\n"


def hosts_of(host: str, port: int) -> frozenset[str] | None:
    """Return what a browser may call this server; None where it can have any name, on all of a machine's addresses."""
    if host in EVERYWHERE:
        return None
    named = f"[{host}]" if ":" in host else host
    return frozenset(f"{one}:{port}" for one in ({*LOCAL} if named in LOCAL else {*LOCAL, named}))


@dataclass(frozen=True)
class Guard:
    """Lets through only requests with the token, by a name that the server has, from the server's own pages.

    The name keeps out pages whose own name was led to this machine (DNS rebinding), the origin those that only send
    (CSRF), the token other users of the machine and of its network.
    """

    app: ASGIApp
    token: str
    hosts: frozenset[str] | None
    cookie: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        known = self.is_known(headers.get("host", ""), headers.get("origin"))
        if known and self.has_token(cookie_parser(headers.get("cookie", ""))):
            try:
                await self.app(scope, receive, guarded(send))
            except ClientDisconnect:  # in the middle of what it sent
                return
            except RuntimeError as error:
                if str(error) != HUNG_UP:
                    raise
        elif known and scope["type"] == "http" and self.is_token(query.pop("token", "")):
            await self.welcome(scope, query)(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(REFUSED, 403)(scope, receive, send)

    def is_known(self, host: str, origin: str | None) -> bool:
        """Tell whether a request is for a name that this server has, and comes from no other's page."""
        return (self.hosts is None or host in self.hosts) and (origin is None or urlsplit(origin).netloc == host)

    def is_token(self, found: str) -> bool:
        return secrets.compare_digest(found.encode(), self.token.encode())

    def has_token(self, cookies: Mapping[str, str]) -> bool:
        return self.is_token(cookies.get(self.cookie, ""))

    def welcome(self, scope: Scope, query: Mapping[str, str]) -> Response:
        """Keep the token in the browser, and take it out of the address."""
        path = "/" + scope["path"].lstrip("/")  # two of them would lead to another server
        response = RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)
        response.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return response


def guarded(send: Send) -> Send:
    """Add to every answer what a browser may do with it; pages that say more strictly keep that."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("Referrer-Policy", "no-referrer")
            headers.setdefault("X-Content-Type-Options", "nosniff")
        await send(message)

    return send_guarded
