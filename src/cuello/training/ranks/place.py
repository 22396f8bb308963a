"""Which of several processes this one is: as torchrun, Slurm, or ``--ranks`` says in the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cuello.core.errors import CuelloError

RENDEZVOUS = "CUELLO_RENDEZVOUS"
"""The file through which processes of ``--ranks`` find one another: nobody else can, and no port is open."""
FIRST_PORT, PORTS = 20000, 20000
"""Steps of Slurm meet at a port that follows from their number."""


@dataclass(frozen=True)
class RankPlace:
    """One of ``ranks`` processes of one training.

    rank: from 0, which alone writes and prints. local: its number on its machine. meeting: where they find one another,
    as torch.distributed has it. started_by: for messages.
    """

    rank: int
    ranks: int
    local: int
    meeting: str
    started_by: str


def place_of(environment: Mapping[str, str] = os.environ) -> RankPlace | None:
    """Return the place of this process, or None where it trains by itself.

    Raises CuelloError where the environment says that there are several and not how to find them.

    >>> place_of({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"})
    RankPlace(rank=1, ranks=2, local=1, meeting='env://', started_by='torchrun')
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        return launched(environment)
    if "SLURM_STEP_ID" in environment and "SLURM_PROCID" in environment:
        return slurm_step(environment)
    return None


def launched(environment: Mapping[str, str]) -> RankPlace | None:
    """Return the place that torchrun says, or ``--ranks``."""
    rank, ranks = number(environment, "RANK"), number(environment, "WORLD_SIZE")
    if ranks == 1:
        return None
    check(rank, ranks, "RANK", other="WORLD_SIZE")
    local = number(environment, "LOCAL_RANK") if "LOCAL_RANK" in environment else rank
    if RENDEZVOUS in environment:
        return RankPlace(rank, ranks, local, meeting=f"file://{environment[RENDEZVOUS]}", started_by="--ranks")
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if not environment.get(name)]:
        raise CuelloError(
            f"RANK and WORLD_SIZE say that this is rank {rank} of {ranks}, but {' and '.join(missing)} do not say "
            f"where they meet. Start them with: torchrun --nproc-per-node {ranks} -m cuello train …; or unset RANK and "
            "WORLD_SIZE to train in one process."
        )
    return RankPlace(rank, ranks, local, meeting="env://", started_by="torchrun")


def slurm_step(environment: Mapping[str, str]) -> RankPlace | None:
    """Return the place in a step of Slurm; a batch script outside of a step trains by itself."""
    tasks = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environment else "SLURM_NTASKS"
    ranks = number(environment, tasks) if tasks in environment else 1
    if ranks == 1:
        return None
    rank = number(environment, "SLURM_PROCID")
    check(rank, ranks, "SLURM_PROCID", other=tasks)
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST") or ""
    address = environment.get("MASTER_ADDR") or first_node(nodes)
    if not address:
        raise CuelloError("Slurm's SLURM_STEP_NODELIST names no node where the ranks could meet. Set MASTER_ADDR.")
    steps = sum(int(digits) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID") for digits in [environment.get(name, "0")])
    port = environment.get("MASTER_PORT") or str(FIRST_PORT + steps % PORTS)
    local = number(environment, "SLURM_LOCALID") if "SLURM_LOCALID" in environment else rank
    return RankPlace(rank, ranks, local, meeting=f"tcp://{address}:{port}", started_by="srun")


def first_node(nodes: str) -> str:
    """Return the first of Slurm's list of nodes.

    >>> first_node("gpu[07-09,12],login1"), first_node("a-1,b"), first_node("rack[2,4]-n[1-3]")
    ('gpu07', 'a-1', 'rack2-n1')
    """
    ended = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes)
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", ended[0] if ended else "")


def number(environment: Mapping[str, str], name: str) -> int:
    """Read a whole number; CuelloError that names the variable where it is none."""
    text = environment[name]
    if not re.fullmatch(r"\d{1,6}", text):
        raise CuelloError(f"the variable {name} is {text!r}, needed a whole number: it says which rank this is.")
    return int(text)


def check(rank: int, ranks: int, one: str, *, other: str) -> None:
    """Raise CuelloError where a rank is none of so many."""
    if not 0 <= rank < ranks:
        raise CuelloError(f"the variable {one} is {rank} and {other} is {ranks}: needed 0 to {ranks - 1}.")


def is_first() -> bool:
    """Tell whether this process is the one that prints: rank 0, or the only one."""
    place = place_of()
    return place is None or place.rank == 0
