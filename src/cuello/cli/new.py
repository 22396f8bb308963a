"""`cuello new`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON


def new(
    kind: Annotated[Literal["network", "loss", "noise"], Parameter(help="network, loss or noise.")],
    file: Annotated[Path, Parameter(help="The Python file to write, e.g. my_net.py.")],
    /,
    *,
    json: JSON = False,
) -> None:
    """Write a starting point for a part of your own: a commented file that trains as it is.

    For example:

    cuello new network my_net.py

    cuello new noise my_noise.py
    """
    from cuello.cli.render import print_json
    from cuello.work.beginnings import begin

    command = begin(kind, file)
    if json:
        print_json({"written": str(file), "command": command})
        return
    print(f"written: {file}")
    print(f"train:   {command}")
