"""The clusters there are, by the word that asks for one."""

from cuello.cluster.base import Cluster
from cuello.cluster.processes import Processes
from cuello.core.errors import CuelloError, closest

KNOWN = ("processes",)


def find_cluster(text: str, workers: int) -> Cluster:
    """Return the cluster of a word. workers: how many tasks at once on this machine.

    >>> find_cluster("processes", workers=2)
    Processes(workers=2, name='processes', remote=False)
    """
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise CuelloError(f"--workers: got {workers}, needed 1 or more.")
    if text == "processes":
        return Processes(workers)
    raise CuelloError(f"--cluster: got {text!r}, needed {' or '.join(KNOWN)}.{closest(text, KNOWN)}")
