"""The server of the local page: its address, its guard, its pages."""

import secrets
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.core.files import temporary_folder

TRIED = range(8080, 8100)
"""Ports that are tried, one after another, where none is named."""


def check_extra() -> None:
    """Raise CuelloError where what the page needs is not installed."""
    if find_spec("nicegui") is None:
        raise CuelloError("the page needs NiceGUI, which is not installed: pip install 'cuello[web]'")


def listening(host: str, port: int | None) -> socket.socket:
    """Take the port, or, where none is named, the first that is free; CuelloError where it is in use."""
    for one in TRIED if port is None else (port,):
        try:
            family = socket.getaddrinfo(host, one, type=socket.SOCK_STREAM)[0][0]
            found = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise CuelloError(
                f"--host: got {host!r}, which is no address of this machine ({error.strerror or error}). Needed e.g. "
                "127.0.0.1, for this machine alone."
            ) from None
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, sys.platform != "win32")
        try:
            found.bind((host, one))
            found.listen(128)
        except OSError as error:
            found.close()
            if port is not None:
                raise CuelloError(
                    f"port {port} of {host} cannot be used: {error.strerror or error}. Choose another with --port, or "
                    "leave it out: the first free one is taken."
                ) from None
            continue
        return found
    raise CuelloError(f"ports {TRIED[0]} to {TRIED[-1]} of {host} are all in use. Choose another with --port.")


def serve(runs: Path, host: str, port: int | None, *, ready: Callable[[str], None]) -> None:
    """Serve the page until it is stopped. ready: called with the address once the page can be opened."""
    check_extra()
    if runs.exists() and not runs.is_dir():
        raise CuelloError(f"{runs} is a file, needed a folder of runs, such as runs.")
    if (runs / "config.toml").is_file():  # a run itself was named
        runs = runs.parent
    taken = listening(host, port)
    number, token = taken.getsockname()[1], secrets.token_urlsafe(18)
    with taken, temporary_folder(Path(tempfile.gettempdir()), "cuello-web") as work:
        work.chmod(0o700)
        import uvicorn

        from cuello.web.guard import EVERYWHERE, Guard, hosts_of
        from cuello.web.pages import make_app
        from cuello.web.site import Site

        guard = Guard(make_app(Site(runs, work)), token, hosts_of(host, number), cookie=f"cuello-{number}")
        config = uvicorn.Config(
            guard, log_level="error", lifespan="on", timeout_graceful_shutdown=2, server_header=False, ws="auto"
        )
        server = uvicorn.Server(config)
        name = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{number}/?token={token}")
        with suppress(KeyboardInterrupt):  # the usual end
            server.run(sockets=[taken])
