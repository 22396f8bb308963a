"""What many tasks, machines, trials and files cost beside the work itself: their books, measured on one machine.

    python benchmarks/cluster.py [--part tasks lost trials files] [--tasks 500] [--nodes 1 2 4] [--lost 200]
                                 [--trials 1000] [--trained 1000] [--files 100000] [--applied 2000]

*tasks*: tasks that do nothing, by `processes` and by `ray`, on Ray's own clusters of several nodes, which are processes
of this machine with a core each on paper: seconds in all, until the first has ended (start, joining, comparing the
machines), and a task from then on; and how many messages of tasks the caller's post takes in a second, from one sender
that does not wait for answers. *lost*: tasks of 0.1 s on two nodes, one of which is removed when a quarter is done: how
many ended, how often one was begun and done more than once. *trials*: the books of a grid search, that is its own loop
with trainings left out (trials proposed, begun, written down, search.json saved); and a whole search, with the smallest
network (177 parameters) trained for one epoch on the built-in glyphs, then the same call again, when all is there; and
what one training writes in an epoch. *files*: grey PNGs of 16×16 pixels in a hundred folders: listing and planning what
`cuello apply` would do; making as many copies in the place of results, and writing them down; the same plan with
`--skip-existing`, all done and then half of it; each in a process of its own, with its seconds of the processor and the
most memory it had beyond its imports; and `cuello apply` itself on some, in one process.
Sizes that are 0 leave their part out.
"""

import argparse
import io
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cuello.cluster.base import Cluster, ClusterTask, TaskContext
from cuello.cluster.catalog import find_cluster
from cuello.runs.directory import available_cores, processor_name

TASK_SECONDS, MESSAGES = 0.1, 5000
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
FOLDERS = 100


def nothing(argument: Any, context: TaskContext) -> None:
    """Be a task that does nothing."""


def short(argument: Any, context: TaskContext) -> None:
    """Write down that the task has begun, take a while, and write down that it is done."""
    path, number = argument
    for word in ("begun", "done"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{word} {number}\n")
        time.sleep(TASK_SECONDS if word == "begun" else 0)


def load() -> str:
    """Return how busy the machine is, for a line."""
    return f"load {os.getloadavg()[0]:.1f}"


# Tasks


@contextmanager
def nodes_of(count: int) -> Iterator[Any]:
    """Give a Ray cluster of a head without cores and so many nodes of one, all on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(count):
            nodes.add_node(**NODE)
        yield nodes
    finally:
        nodes.shutdown()


def tell_tasks(way: str, cluster: Cluster, count: int) -> None:
    """Run tasks that do nothing, and print what they cost."""
    begun, first = time.perf_counter(), 0.0
    for ending in cluster.run([ClusterTask(nothing, None)] * count, folder=None):
        if ending.error:
            raise ending.error
        first = first or time.perf_counter() - begun
    whole = time.perf_counter() - begun
    each = 1000 * (whole - first) / max(1, count - 1)
    print(f"{way:22} {count} tasks: {whole:6.1f} s, the first after {first:5.1f} s, then {each:6.2f} ms each; {load()}")


def tell_post(address: str) -> None:
    """Send messages to the post of a call as its tasks do, and print how many it takes in a second."""
    import ray

    from cuello.cluster.ray import Post

    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    post = ray.remote(num_cpus=0)(Post).remote()
    ray.get(post.put.remote(0, "", None))
    begun = time.perf_counter()
    ray.get([post.put.remote(place, "told", (0.5, "epoch 1 of 2")) for place in range(MESSAGES)])
    print(f"the post takes {MESSAGES / (time.perf_counter() - begun):.0f} messages a second; {load()}", flush=True)
    ray.shutdown()


def tasks(asked: argparse.Namespace) -> None:
    """Measure tasks that do nothing."""
    if not asked.tasks:
        return
    for workers in (1, 2):
        tell_tasks(f"processes, {workers}", find_cluster("processes", workers=workers), asked.tasks)
    for count in asked.nodes:
        with nodes_of(count) as nodes:
            tell_tasks(f"ray, {count} nodes", find_cluster(f"ray://{nodes.address}"), asked.tasks)
            if count == asked.nodes[-1]:
                tell_post(nodes.address)


def lost(asked: argparse.Namespace) -> None:
    """Remove a node while tasks run, and print what became of them."""
    if not asked.lost:
        return
    with TemporaryDirectory() as folder, nodes_of(1) as nodes:
        second, path = nodes.add_node(**NODE), Path(folder) / "written"
        tasks = [ClusterTask(short, [str(path), number]) for number in range(asked.lost)]
        begun, said, ended = time.perf_counter(), list[str](), 0
        for ending in find_cluster(f"ray://{nodes.address}").run(tasks, folder=None, say=said.append):
            if ending.error:
                raise ending.error
            ended += 1
            if ended == asked.lost // 4:
                print(f"a node goes after {time.perf_counter() - begun:.1f} s; {load()}")
                nodes.remove_node(second, allow_graceful=False)
        whole, lines = time.perf_counter() - begun, Counter(path.read_text("utf-8").splitlines())
        twice = {word: sum(lines[f"{word} {number}"] > 1 for number in range(asked.lost)) for word in ("begun", "done")}
        print(
            f"{ended} of {asked.lost} tasks ended in {whole:.1f} s, of {asked.lost * TASK_SECONDS:.0f} s of work; "
            f"{len(said)} were said to be lost, {twice['begun']} begun and {twice['done']} done twice; {load()}",
            flush=True,
        )


# Trials


def question_of(trials: int) -> Any:
    """Return a grid search of so many trials, or one more."""
    from cuello.core.settings import SearchSettings
    from cuello.search.question import make_question

    points = SearchSettings(sampler="grid", points=(trials + 1) // 2)
    return make_question("reconstruct", "glyphs", space(), settings=smallest(), search=points)


def space() -> dict[str, Any]:
    return {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "optimizer": ["sgd", "adam"]}


def smallest() -> dict[str, Any]:
    return {"model": "mlp:35-2", "epochs": 1, "device": "cpu"}


def books(count: int, folder: Path) -> None:
    """Let a search's own loop go through trials whose trainings are left out, and print what it costs."""
    from cuello.core.progress import silent
    from cuello.search.run import make_sampler
    from cuello.search.trials import STATE_NAME, Reached, Trial, read_trials
    from cuello.search.work import Work

    question = question_of(count)

    def untrained(trials: Sequence[Trial]) -> Iterator[Trial]:
        for trial in trials:
            yield work.ended(trial, None)

    reached = Reached(
        objective=0.5, deviation=None, parameters=177, epochs=1, best_epoch=1, validation_loss=0.5, seconds=0.1
    )
    work = Work(question, folder, sampler=make_sampler(question, folder, {}), trials={}, observers=(), watch=silent)
    work.trained = untrained  # type: ignore[method-assign]
    work.ended = lambda trial, error: Trial(trial.number, trial.name, trial.values, "finished", reached=reached)
    begun, worked = time.perf_counter(), time.process_time()
    work.run()
    whole, worked = time.perf_counter() - begun, time.process_time() - worked
    size, begun = (folder / STATE_NAME).stat().st_size, time.perf_counter()
    assert len(read_trials(folder, question.as_json())) == work.over >= count
    again = time.perf_counter() - begun
    print(
        f"books of {work.over} trials: {whole:.2f} s ({worked:.2f} of the processor), "
        f"{1000 * whole / work.over:.2f} ms each; search.json has "
        f"{size / 1e6:.2f} MB and is read in {again:.2f} s; {load()}",
        flush=True,
    )


def searched(count: int, folder: Path) -> None:
    """Make a whole search of the smallest trainings, twice, and print what it costs."""
    from cuello.search.run import search

    for words in ("trained", "all there already"):
        begun, worked = time.perf_counter(), time.process_time()
        found = search(
            "reconstruct", "glyphs", space=space(), points=(count + 1) // 2, output=folder, progress=False, **smallest()
        )
        whole, worked, number = time.perf_counter() - begun, time.process_time() - worked, len(found.trials)
        each = f"{1000 * whole / number:.1f} ms each"
        print(f"search of {number} trials, {words}: {whole:.1f} s ({worked:.1f} of the processor), {each}; {load()}")
    sizes = [path.stat().st_size for path in (folder / "trials").rglob("*") if path.is_file()]
    print(f"a trial: {len(sizes) / number:.0f} files, {sum(sizes) / number / 1000:.0f} kB", flush=True)


def written(folder: Path) -> None:
    """Print what two networks' trainings hold in the end, all of which but the settings is written every epoch."""
    import cuello

    for model in ("conv-8-16-8", "unet-s"):
        run = cuello.train(
            "denoise", "photos", noise="gaussian:25", model=model, crop=32, samples=16, validation_samples=4, epochs=2,
            batch_size=8, report=False, progress=False, output=folder / model,
        )  # fmt: skip
        files = {path.name: path.stat().st_size for path in sorted(run.path.rglob("*")) if path.is_file()}
        print(f"{model}: " + ", ".join(f"{name} {size / 1000:.1f} kB" for name, size in files.items()), flush=True)


def trials(asked: argparse.Namespace) -> None:
    """Measure the books of a search, and a search of the smallest trainings."""
    with TemporaryDirectory() as folder:
        if asked.trials:
            books(asked.trials, Path(folder) / "books")
        if asked.trained:
            searched(asked.trained, Path(folder) / "search")
            written(Path(folder))


# Files


def png(seed: int) -> bytes:
    """Return a tiny image as a PNG file."""
    import numpy as np
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(content, "PNG")
    return content.getvalue()


def memory(field: str) -> int:
    """Return a field of this process' status in MB: "VmRSS", what it has, or "VmHWM", the most it has had."""
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith(field))
    return int(line.split()[1]) // 1000


def write_images(folder: Path, count: int) -> None:
    """Write tiny images into folders, sixteen different ones again and again."""
    contents = [png(seed) for seed in range(16)]
    for number in range(count):
        place = folder / f"{number % FOLDERS:02d}" / f"{number:06d}.png"
        if number < FOLDERS:
            place.parent.mkdir(parents=True)
        place.write_bytes(contents[number % len(contents)])


def planned(source: Path, target: Path) -> str:
    """List a folder, and plan what would be done."""
    from cuello.inference.files import files_to_do

    return f"{len(files_to_do(source, target).jobs)} files to do"


def put_down(source: Path, target: Path) -> str:
    """Copy the images in the place of results, and write them down as a call that makes them does."""
    from cuello.inference.files import AppliedFile, FilesToDo, files_to_do, writing_down
    from cuello.inference.record import RECORD

    work = files_to_do(source, target)
    for job in work.jobs:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(job.path, job.target)
    begun, maker = time.perf_counter(), maker_of(target, None)
    noted = FilesToDo(work.found, work.jobs, work.applied, keep_originals=None, maker=maker)
    with writing_down(noted) as written_down:
        for job in work.jobs:
            written_down(AppliedFile(job.path, job.target, made=maker.made(job, job.path.stat())))
    size = (target / RECORD).stat().st_size
    return f"written down in {time.perf_counter() - begun:.1f} s of these; the record has {size / 1e6:.1f} MB"


def maker_of(target: Path, choice: Any) -> Any:
    """Return what writes down results, as of a network that is always the same."""
    from cuello.inference.record import Recorder

    return Recorder(target, "model", "settings")


def skipped(source: Path, target: Path) -> str:
    """Plan what is left to do, by the record."""
    from cuello.inference.files import files_to_do, recorded

    work = recorded(files_to_do(source, target, skip_existing=True), maker_of(target, None))
    return f"{len(work.jobs)} files to do, {len(work.applied.skipped)} skipped"


def halved(source: Path, target: Path) -> str:
    """Remove half of the results, by chance, and plan again."""
    chance = random.Random(0)
    for path in sorted(target.rglob("*.png")):
        if chance.random() < 0.5:
            path.unlink()
    begun = time.perf_counter()
    return f"{skipped(source, target)}, in {time.perf_counter() - begun:.1f} s of these"


STEPS: dict[str, Callable[[Path, Path], str]] = {
    "plan": planned, "record": put_down, "skip all": skipped, "skip half": halved,
}  # fmt: skip


def step(name: str, source: str, target: str) -> None:
    """Do a step in this process, and print what it cost, as JSON."""
    import cuello.inference.files  # noqa: F401  # its imports are not counted

    before, begun, worked = memory("VmRSS"), time.perf_counter(), time.process_time()
    said = STEPS[name](Path(source), Path(target))
    taken = [time.perf_counter() - begun, time.process_time() - worked]
    print(json.dumps([*taken, memory("VmHWM") - before, said]))


def applied(count: int, folder: Path) -> None:
    """Let `cuello apply` restore some of the files with a small network as it begins, and print what it takes."""
    from cuello.models.catalog import architecture_of, build
    from cuello.runs.artefact import Artefact, save_artefact

    write_images(folder / "some", count)
    architecture, model = architecture_of("conv-8-16-8", 1), folder / "model.safetensors"
    save_artefact(model, Artefact(architecture, "denoise", "gaussian:25", build(architecture).state_dict()))
    words = [sys.executable, "-m", "cuello", "apply", model, folder / "some", folder / "restored"]
    for more in ([], ["--skip-existing"]):
        begun = time.perf_counter()
        subprocess.run([*words, "--quiet", "--workers", "1", *more], check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - begun
        name = " ".join(["cuello apply", *more])
        print(f"{name} on {count} files: {whole:.1f} s, {1000 * whole / count:.2f} ms each; {load()}", flush=True)


def files(asked: argparse.Namespace) -> None:
    """Measure what many tiny files cost."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if asked.files:
            begun = time.perf_counter()
            write_images(folder / "images", asked.files)
            print(f"{asked.files} files, written in {time.perf_counter() - begun:.1f} s; {load()}", flush=True)
            for word in STEPS:
                words = [sys.executable, __file__, "--step", word, folder / "images", folder / "results"]
                done = subprocess.run(words, check=True, capture_output=True, text=True)
                seconds, worked, peak, said = json.loads(done.stdout.splitlines()[-1])
                took = f"{seconds:6.1f} s ({worked:.1f} of the processor), {peak} MB"
                print(f"{word:10} {took}: {said}; {load()}", flush=True)
        if asked.applied:
            applied(asked.applied, folder)


PARTS = {"tasks": tasks, "lost": lost, "trials": trials, "files": files}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--lost", type=int, default=200)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--trained", type=int, default=1000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--applied", type=int, default=2000)
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)  # the process that works
    asked = parser.parse_args()
    if asked.step:
        step(*asked.step)
        return
    print(f"{processor_name()}, {available_cores()} cores; {load()}")
    for part in asked.part:
        PARTS[part](asked)


if __name__ == "__main__":
    main()
