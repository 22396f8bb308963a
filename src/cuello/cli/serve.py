"""`cuello serve`."""

import sys
from collections.abc import Sequence
from json import dumps
from typing import Annotated, Any

from cyclopts import Parameter

from cuello.cli.options import JSON, Device, Own, OwnCode, Quiet, Threads, takes
from cuello.core.settings import ServeSettings


@takes(ServeSettings)
def serve(
    model: Annotated[
        str,
        Parameter(
            help="A run directory, a model.safetensors file, or a ready model's name (see `cuello models`); NAME=PLACE "
            "gives it another name."
        ),
    ],
    /,
    *more: Annotated[str, Parameter(name="MODEL", help="More of them.")],
    code: OwnCode = None,
    own: Own = (),
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
    **settings: Any,
) -> None:
    """Serve trained networks by HTTP: images go in, results come out, as `cuello apply` makes them.

    POST an image (PNG, JPEG, TIFF, WebP, .npy …) to /v1/NAME, or several as a form; GET /docs says everything.
    Classifiers tell classes; ?give=map and ?give=code ask for maps and codes. /health, /models and /metrics
    (Prometheus) are there too.

    Only this machine is listened to unless --host says otherwise. Ctrl-C or SIGTERM stops it when what is at hand is
    finished. Needs pip install 'cuello[serve]'.

    For example:

    cuello serve denoise

    curl --data-binary @noisy.png http://127.0.0.1:8000/v1/denoise -o clean.png

    cuello serve denoise upscale-x2 digits=runs/digits --port 9000

    cuello serve runs/first --host 0.0.0.0 --token-file token.txt --max-megapixels 100
    """
    from cuello.cli.console import write_nowhere
    from cuello.core.own import allow
    from cuello.serving.server import check_installed
    from cuello.serving.server import serve as serve_models

    check_installed()
    allow(*own)

    def started(address: str, names: Sequence[str]) -> None:
        if json:
            print(dumps({"address": address, "models": {name: f"{address}/v1/{name}" for name in names}}))
        else:
            for name in names:
                print(f"{name}: POST an image to {address}/v1/{name}")
            print(f"how: {address}/docs; Ctrl-C stops")
        sys.stdout.flush()

    serve_models([model, *more], network=code, device=device, threads=threads, quiet=quiet, started=started, **settings)
    write_nowhere(sys.stderr)  # whoever read it may be gone
