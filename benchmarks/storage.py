"""What keeping the books of a trial costs, in a search's own journal and in a PostgreSQL database.

python benchmarks/storage.py [--trials 500] [--database postgresql://USER@HOST/DATABASE]

Trials are proposed and told one by one, and nothing is trained between. Without --database a server of its own is
started in a temporary folder of this machine, one that waits for its disk.
"""

import argparse
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cuello.core.progress import silent
from cuello.core.settings import SearchSettings
from cuello.runs.directory import available_cores, processor_name
from cuello.search.database import Database
from cuello.search.question import Question, make_question
from cuello.search.samplers import Drawn, Sampler
from cuello.search.shared import SharedSampler
from cuello.search.trials import Reached, Trial, folder_name

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "search"))
from databases import running  # pyright: ignore[reportMissingImports]

SPACE = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "optimizer": ["sgd", "adam"]}


def asked(sampler: str, trials: int, database: Database | None) -> Question:
    """Return a search of so many trials; a grid has as many points."""
    names = {} if database is None else {"database": database.shown, "study_name": f"benchmark {uuid.uuid4().hex}"}
    grid = {"points": (trials + 1) // 2} if sampler == "grid" else {"trials": trials}
    search = SearchSettings(sampler=sampler, **grid, **names)  # type: ignore[arg-type]
    return make_question("reconstruct", "glyphs", SPACE, settings={"model": "mlp:35-2"}, search=search)


def measured(sampler: Sampler) -> list[float]:
    """Return the milliseconds that each trial takes: its proposal, and what it came to."""
    taken = []
    while True:
        start = time.perf_counter()
        proposals = sampler.propose(1)
        if not proposals:
            sampler.close()
            return taken
        (proposal,) = proposals
        rate = float(proposal.values["learning_rate"])
        reached = Reached(
            objective=rate, deviation=None, parameters=177, epochs=1, best_epoch=1, validation_loss=rate, seconds=0.0
        )
        name = folder_name(proposal.number, proposal.values, sampler.total)
        sampler.tell(Trial(proposal.number, name, proposal.values, "finished", reached=reached))
        taken.append(1000 * (time.perf_counter() - start))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--database")
    given = parser.parse_args()
    print(f"{available_cores()} cores, {processor_name()}; load before: {os.getloadavg()[0]:.1f}")
    with TemporaryDirectory() as folder, nullcontext() if given.database else running(durable=True) as server:
        address = server.address if server else given.database

        def journal(sampler: str) -> Sampler:
            own = Path(folder) / sampler
            own.mkdir()
            return Drawn(asked(sampler, given.trials, None), own)

        def shared(sampler: str) -> Sampler:
            database = Database(address, silent)
            return SharedSampler(asked(sampler, given.trials, database), Path(folder), database, mark="benchmark")

        ways: list[tuple[str, Callable[[str], Any], str]] = [
            ("journal", journal, "random"), ("database", shared, "random"), ("journal", journal, "tpe"),
            ("database", shared, "tpe"), ("database", shared, "grid"),
        ]  # fmt: skip
        for where, make, sampler in ways:
            taken = measured(make(sampler))
            first, last = taken[: len(taken) // 5], taken[-len(taken) // 5 :]
            print(
                f"{where:8} {sampler:6} {len(taken)} trials: median {statistics.median(taken):5.1f} ms each, of the "
                f"first fifth {statistics.median(first):5.1f}, of the last {statistics.median(last):5.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
