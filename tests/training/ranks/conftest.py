"""Calls in several processes, which find one another through a file, as those of ``--ranks`` do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cuello.training.ranks.place import RENDEZVOUS

Call = tuple[str, dict[str, Any]]
InRanks = Callable[..., list[list[str]]]


def environment(rank: int, ranks: int, meet: Path) -> dict[str, str]:
    """Return the variables of one rank."""
    own = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, RENDEZVOUS: meet, "OMP_NUM_THREADS": 1}
    return {**os.environ, **{name: str(value) for name, value in own.items()}, "GLOO_SOCKET_IFNAME": "lo"}


@pytest.fixture(scope="session")
def in_ranks(tmp_path_factory: pytest.TempPathFactory) -> InRanks:
    """Make calls in so many ranks; ``others``: of all but rank 0. Returns what each rank said of each call."""

    def run(ranks: int, calls: Sequence[Call], others: Sequence[Call] | None = None) -> list[list[str]]:
        folder = tmp_path_factory.mktemp("ranks")
        processes = []
        for rank in range(ranks):
            asked, said = folder / f"calls-{rank}.json", folder / f"said-{rank}.json"
            asked.write_text(json.dumps(calls if rank == 0 or others is None else others), "utf-8")
            command = [sys.executable, str(Path(__file__).with_name("rank.py")), str(asked), str(said)]
            processes.append(subprocess.Popen(command, env=environment(rank, ranks, folder / "meet")))
        for process in processes:
            assert process.wait(timeout=300) == 0
        return [json.loads((folder / f"said-{rank}.json").read_text("utf-8")) for rank in range(ranks)]

    return run
