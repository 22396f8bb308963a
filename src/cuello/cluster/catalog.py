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
    head, named, address = text.partition("://")
    if head == "ray":
        host, _, port = address.rpartition(":")
        if named and address != "auto" and not (host and port.isdecimal()):
            raise CuelloError(f"--cluster: got {text!r}, needed ray, ray://auto, or ray://HOST:PORT of Ray's head.")
        return Ray(address, workers)
    raise CuelloError(f"--cluster: got {text!r}, needed {', '.join(KNOWN)}.{closest(text, KNOWN)}")


def find_for_parts(text: str, workers: int | None, what: str) -> Cluster:
    """Return the cluster of a word for many small parts of one work; CuelloError for one that makes trainings alone.

    what: the parts are, in words.
    """
    cluster = find_cluster(text, workers)
    if cluster.name == "slurm":
        raise CuelloError(
            f"--cluster=slurm makes trainings, and got {what}: needed processes, ray, or ray://HOST:PORT."
        )
    return cluster
