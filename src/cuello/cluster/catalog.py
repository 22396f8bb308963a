"""The clusters there are, by the word that asks for one."""

from cuello.cluster.base import Cluster
from cuello.cluster.processes import Processes
from cuello.cluster.ray import Ray
from cuello.cluster.slurm import Slurm
from cuello.core.cores import available_cores
from cuello.core.errors import CuelloError, closest

KNOWN = ("processes", "ray", "ray://HOST:PORT", "slurm")


def find_cluster(text: str, workers: int | None = None) -> Cluster:
    """Return the cluster of a word. workers: how many tasks at once at most, by default as many as there are cores.

    >>> find_cluster("processes", workers=2)
    Processes(workers=2, name='processes', remote=False)
    """
    if workers is not None and (not isinstance(workers, int) or isinstance(workers, bool) or workers < 1):
        raise CuelloError(f"--workers: got {workers}, needed 1 or more.")
    if text == "processes":
        return Processes(available_cores() if workers is None else workers)
    if text == "slurm":
        return Slurm(workers)
    head, _, address = text.partition("://")
    if head == "ray":
        host, _, port = address.rpartition(":")
        if address not in ("", "auto") and not (host and port.isdecimal()):
            raise CuelloError(f"--cluster: got {text!r}, needed ray, ray://auto, or ray://HOST:PORT of Ray's head.")
        return Ray(address, workers)
    raise CuelloError(f"--cluster: got {text!r}, needed {', '.join(KNOWN)}.{closest(text, KNOWN)}")
