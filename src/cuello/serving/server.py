"""A service that listens: its socket, its token, and how it stops."""

import ipaddress
import logging
import os
import socket
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.settings import ServeSettings

TOKEN = "CUELLO_TOKEN"
"""The environment variable that holds the token."""
LEAST = 8
"""Signs that a token has at least."""
INSTALL = "pip install 'cuello[serve]'"


# More than seven parameters: each is a setting, or a flag of `cuello serve`.
def serve(
    models: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    host: str = ServeSettings.host,
    port: int = ServeSettings.port,
    token_file: str | None = ServeSettings.token_file,
    max_megabytes: float = ServeSettings.max_megabytes,
    max_megapixels: float = ServeSettings.max_megapixels,
    max_images: int = ServeSettings.max_images,
    timeout: float = ServeSettings.timeout,
    at_once: int = ServeSettings.at_once,
    waiting: int = ServeSettings.waiting,
    network: Any = None,
    device: str = "cpu",
    threads: int | None = None,
    quiet: bool = False,
    started: Callable[[str, Sequence[str]], None] | None = None,
) -> None:
    """Serve models by HTTP until Ctrl-C or SIGTERM comes; what is at hand is finished then.

    models: run directories, files or names of ready models, one or several; NAME=PLACE names one. host, port: where to
    listen. token_file: holds the token that requests must bring; by default that of the environment variable
    CUELLO_TOKEN, or none. max_megabytes, max_megapixels, max_images: of a request. timeout: seconds for a request.
    at_once: images worked on at once; waiting: requests that may wait beside. network: as for `cuello.load`.
    threads: of the processor. quiet: without a line a request. started: called with the address and the models'
    names when requests can come.

    Raises CuelloError where the port is taken, a model cannot be loaded, or a package is missing.
    """
    settings = ServeSettings(
        host, port, token_file, max_megabytes=max_megabytes, max_megapixels=max_megapixels, max_images=max_images,
        timeout=timeout, at_once=at_once, waiting=waiting,
    )  # fmt: skip
    several = [models] if isinstance(models, str | os.PathLike) else list(models)
    check_installed()
    token = token_of(settings)
    with listening(settings) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        run(several, settings, listener, token=token, started=started, loading={
            "network": network, "device": device, "threads": threads, "quiet": quiet})  # fmt: skip


def check_installed() -> None:
    """Raise CuelloError where a package of the extra is missing."""
    for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        try:
            import_module(name)
        except ImportError as error:
            raise CuelloError(f"serving needs packages that are missing ({error}): {INSTALL}.") from None


def token_of(settings: ServeSettings) -> str | None:
    """Read the token; CuelloError for a file that cannot be read, or a token that is none."""
    if settings.token_file is None:
        token, where = os.environ.get(TOKEN), f"the environment variable {TOKEN}"
        if token is None:
            return None
    else:
        where = settings.token_file
        try:
            token = Path(where).expanduser().read_text("utf-8")
        except (OSError, UnicodeError) as error:
            raise CuelloError(
                f"--token-file: {where} could not be read ({error}). Name a file that holds the token and nothing else."
            ) from None
    token = token.strip()
    if len(token) < LEAST or not token.isascii() or not token.isprintable() or " " in token:
        raise CuelloError(
            f"{where} holds {len(token)} signs, needed a token of {LEAST} or more letters, digits and signs, "
            "without spaces. "
            'Make one: python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    return token


def listening(settings: ServeSettings) -> socket.socket:
    """Listen at the address; CuelloError where that cannot be."""
    host, port = settings.host, settings.port
    if not 0 <= port <= 65535:
        raise CuelloError(f"--port: got {port}, needed 0 to 65535; 0 is any that is free.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except socket.gaierror:
        raise CuelloError(f"--host: got {host!r}, which is no address of a machine. Needed e.g. 127.0.0.1.") from None
    except PermissionError:
        raise CuelloError(
            f"--port: got {port}, which only administrators may use. Choose another: --port=8000."
        ) from None
    except OSError as error:
        if is_taken(error):
            other = port + 1 if port < 65535 else 8000
            raise CuelloError(
                f"port {port} of {host} is in use by another program, perhaps another cuello serve. Choose another: "
                f"--port={other}, or --port=0 for any that is free; or stop that program."
            ) from None
        raise CuelloError(f"it cannot be listened at {host} port {port}: {error.strerror or error}.") from None


def is_taken(error: OSError) -> bool:
    import errno

    return error.errno == errno.EADDRINUSE or getattr(error, "winerror", None) in (10013, 10048)


def is_local(host: str) -> bool:
    """Tell whether only this machine can reach an address.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("::1"), is_local("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(settings: ServeSettings) -> str:
    """Write the address as a browser takes it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def run(
    models: Sequence[str | os.PathLike[str]],
    settings: ServeSettings,
    listener: socket.socket,
    *,
    token: str | None,
    started: Callable[[str, Sequence[str]], None] | None,
    loading: dict[str, Any],
) -> None:
    """Serve at a socket until a signal comes."""
    import uvicorn

    from cuello.serving.app import make_app
    from cuello.serving.door import say

    app = make_app(models, settings, token=token, **loading)
    if token is None and not is_local(settings.host):
        warnings.warn(
            f"everybody who can reach {settings.host} port {settings.port} can use this service. Give it a token: "
            f"--token-file, or the environment variable {TOKEN}.", stacklevel=3,
        )  # fmt: skip
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # a damaged file has lines for every tag
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=15,
        timeout_graceful_shutdown=int(settings.timeout) + 5, lifespan="on",
    )  # fmt: skip
    server = uvicorn.Server(config)
    before = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await before(sockets=sockets)
        if server.started and started is not None:
            started(address_of(settings), list(app.state.served))

    server.startup = startup
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        if not server.should_exit:  # before it was listening
            raise
    if not server.started:
        raise CuelloError("the service could not be started; what stands above says why.")
    if not loading["quiet"]:
        say("stopped: every request at hand was answered")
