"""Tasks that tests hand to clusters: functions of a module, so that another process finds them."""

import time
from pathlib import Path
from typing import Any

from cuello.cluster.base import TaskContext
from cuello.core.errors import CuelloError, Fault


def double(argument: Any, context: TaskContext) -> Any:
    context.tell(0.5, f"at {argument}")
    return 2 * argument


def fail(argument: Any, context: TaskContext) -> Any:
    raise (Fault if argument == "fault" else CuelloError)(f"got {argument!r}, needed a number.")


def wait_for_stop(argument: Any, context: TaskContext) -> None:
    """Say that it began, and go on until it is told to stop; then say that too."""
    (Path(argument) / f"begun-{context.folder.name if context.folder else ''}").touch()
    try:
        while True:
            context.check()
            time.sleep(0.01)
    except KeyboardInterrupt:
        (Path(argument) / f"stopped-{context.folder.name if context.folder else ''}").touch()
        raise


def fail_on_first_node(argument: Any, context: TaskContext) -> str:
    """Find the disk full on the first node that it comes to, and return the second."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    first = Path(argument)
    if not first.exists():
        first.write_text(node, "utf-8")
    if first.read_text("utf-8") == node:
        raise Fault("no space left for here.")
    return node
