"""`cuello web`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def web(
    runs: Annotated[Path, Parameter(help="The folder of runs.")] = Path("runs"),
    /,
    *,
    host: Annotated[
        str, Parameter(help="The address to listen at; 127.0.0.1 is this machine alone, 0.0.0.0 its network too.")
    ] = "127.0.0.1",
    port: Annotated[int | None, Parameter(help="The port; by default the first free one from 8080 on.")] = None,
    open: Annotated[bool, Parameter(negative="", help="Open the page in the browser.")] = False,
) -> None:
    """Open a page of this machine: train, follow, compare and try networks in the browser.

    It prints the page's address, with a token that lets nobody else in, and runs until Ctrl-C. Nothing leaves the
    machine. What the page does it shows as the command that does the same. Trainings that are started there are
    processes of their own: they go on when the page is closed or this command ends, and show up again.

    For example:

    cuello web

    cuello web my-runs --port 9000
    """
    import warnings

    from cuello.core.errors import CuelloError
    from cuello.web.server import serve

    warnings.filterwarnings("ignore", r".*torch\.distributed\.reduce_op")  # NiceGUI looks at all that modules hold

    if port is not None and not 0 <= port <= 65535:
        raise CuelloError(f"--port: got {port}, needed 1 to 65535, or 0 for any free one.")

    def ready(address: str) -> None:
        print(f"the page is at {address}\nstop it with Ctrl-C; trainings go on", flush=True)
        if open:
            import webbrowser

            webbrowser.open(address)

    serve(runs.expanduser(), host, port, ready=ready)
