"""Make a model that comes with the package: trained, folded, in half precision, with what it scores and whose it is.

    CUELLO_DATA=… python benchmarks/bundle.py RUN NAME              of a run (and the runs that it started from)
    CUELLO_DATA=… python benchmarks/bundle.py --recipe NAME         train it first, as benchmarks/recipes.py says
    python benchmarks/bundle.py --list                              print the recipes

writes src/cuello/weights/NAME.safetensors. The yardsticks are the recipe's; what is measured is the model as it is
shipped: half precision halves the file, the scores are those of the rounded weights. The file keeps what trained it
(commands, epochs, processor), whose photographs it learned from, its multiply-adds, and its minutes: what its epochs
would have taken if each had been as long as the median one, so that a pause does not count. Only runs that learned from
open-photos are taken, by its name or from the folder that benchmarks/photographs.py wrote: others' licences would not
let everybody use the weights.

Call it with a run in the folder in which that was trained. With --recipe the stages are trained in a folder (--work, by
default runs/ready); what is finished there is kept, and what was interrupted goes on.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from photographs import check_photographs, write_photographs
from recipes import PHOTOGRAPHS, RECIPES, Recipe, Yardstick

import cuello
from cuello.core.errors import CuelloError
from cuello.inference.bundled import SPECS
from cuello.inference.model import Model
from cuello.jobs.images.benchmark import Benchmark
from cuello.models.catalog import Architecture
from cuello.models.summary import summarise
from cuello.runs.artefact import Artefact, load_artefact, save_artefact
from cuello.runs.directory import Run
from cuello.runs.rights import training_data
from cuello.scoring.protocols import ProtocolScore
from cuello.work.train import command_for, is_finished

DATA = "open-photos"
RIGHTS = {"license": "Apache-2.0", "author": "The authors of Cuello"}
MOST_BYTES = 300_000


def shipped(artefact: Artefact) -> Artefact:
    """Return the artefact of the folded network, its weights in half precision."""
    network = artefact.network()
    plain = network.folded() if hasattr(network, "folded") else network  # type: ignore[operator]
    settings = {**artefact.architecture.settings, **({"folded": True} if plain is not network else {})}
    architecture = Architecture(artefact.architecture.name, artefact.architecture.kind, settings)
    weights = {name: tensor.to(torch.float16) for name, tensor in plain.state_dict().items()}
    return replace(artefact, architecture=architecture, weights=weights)


def stages_of(run: Run) -> list[Run]:
    """Return the runs that led to one, the first first; CuelloError where it started from what is no run here."""
    start = run.config.start_from
    if start is None:
        return [run]
    before = Run(Path(start).expanduser())
    if not before.is_begun:
        raise CuelloError(f"{run.path} started from {start}, which is no run here: name the place where its runs lie.")
    return [*stages_of(before), run]


def check_free_data(run: Run) -> None:
    """Raise CuelloError where a run learned from other images than the photographs that anybody may use."""
    config = run.config
    if config.data != DATA and not Path(config.data).is_dir():
        raise CuelloError(f"{run.path} learned from {config.data}, not from {DATA}, and is not shipped.")
    if config.data != DATA:
        check_photographs(Path(config.data))
    if config.target is not None or config.noisy_target is not None:
        raise CuelloError(f"{run.path} learned from pairs, not from {DATA} alone, and is not shipped.")


def command_of(run: Run) -> str:
    """Return what trains a run, typed in the folder of the recipes: without the ways to images and runs here."""
    config = run.config
    places = {"data": DATA if config.data == DATA else PHOTOGRAPHS, "start_from": run_name(config.start_from)}
    told = command_for(config.model_copy(update=places))
    return f"{told} -o {run_name(str(run.path))}"


def run_name(place: str | None) -> str | None:
    return Path(place).resolve().name if place else None


def minutes_of(run: Run) -> float:
    return len(run.history) * median(record.seconds for record in run.history) / 60


def machine_of(run: Run) -> str:
    """Say what a run was trained on: a GPU, if it used one, and processor and cores."""
    here = run.environment or {}
    gpu = here.get("gpu") if run.config.device != "cpu" else None
    return ", ".join([*([str(gpu)] if gpu else []), str(here.get("processor")), f"{here.get('cores')} cores"])


def scores_of(found: Benchmark) -> list[dict[str, object]]:
    """Return what a benchmark found for the network, as plain values, and PSNR of what was measured beside it."""

    def plain(score: ProtocolScore) -> dict[str, object]:
        return {"value": round(score.mean, 4), "protocol": str(score.protocol)}

    scores = []
    for setting in found.settings:
        others = [row for row in found.rows if row.setting == setting and row.method not in found.networks]
        beside = {row.method: round(row.score("psnr").mean, 2) for row in others}
        one: dict[str, object] = {"yardstick": found.name, found.unit: setting}
        one |= {score.protocol.metric: plain(score) for score in found.row(setting).scores}
        scores.append(one | ({"beside": beside} if beside else {}))
    return scores


def measured(yardsticks: Sequence[Yardstick], model: Model) -> list[dict[str, object]]:
    scores = []
    for one in yardsticks:
        drawn = {"noise": one.noise, "ranges": "drawn", "channels": model.channels, "baselines": one.beside}
        options: dict[str, Any] = drawn if one.noise else {}
        scores += scores_of(cuello.benchmark(one.images, model, **options))
    return scores


def bundle(run: Run, recipe: Recipe) -> None:
    """Measure a run as it will be shipped, and write its file."""
    stages = stages_of(run)
    for stage in stages:
        check_free_data(stage)
    made = shipped(load_artefact(run.path))
    if (size := sum(2 * tensor.numel() for tensor in made.weights.values())) > MOST_BYTES:
        raise CuelloError(f"the weights of {run.path} take {size / 1000:.0f} kB, more than {MOST_BYTES / 1000:.0f} kB.")
    model = Model(made, made.network())
    written = [] if run.config.data == DATA else [f"python benchmarks/photographs.py {PHOTOGRAPHS}"]
    words = training_data(DATA) + (", each at three sizes" if written else "")
    about = {
        **made.metrics,
        "scores": measured(recipe.yardsticks, model),
        "epochs": sum(len(stage.history) for stage in stages),
        "minutes": round(sum(map(minutes_of, stages)), 1),
        "machine": "; ".join(dict.fromkeys(map(machine_of, stages))),
        "multiply_adds_a_pixel": round(summarise(model.network, model.channels, (64, 64)).multiply_adds_a_pixel),
        "commands": [*written, *map(command_of, stages)],
    }
    training = {**made.training, **RIGHTS, "data": DATA}
    if run.config.start_from:
        training["start_from"] = run_name(run.config.start_from)
    path = next(spec.path for spec in SPECS if spec.name == recipe.name)
    save_artefact(
        path, replace(made, training=training, metrics=about, trained_on=words, started_from=())
    )  # its own stages
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    for score in about["scores"]:
        print(score)


def train(recipe: Recipe, work: Path) -> Run:
    """Go into a folder, train every stage of a recipe that is not finished there, and return the last one's run."""
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    write_photographs(Path(PHOTOGRAPHS))
    for command, name in zip(recipe.stages, recipe.runs, strict=True):
        run = Run(Path(name))
        if run.is_begun and is_finished(run, run.config, report=False):
            print(f"{run.path}: finished before")
            continue
        words = ["resume", name, "--no-report"] if run.is_begun else shlex.split(command)[1:]
        print("cuello", shlex.join(words), flush=True)
        subprocess.run([sys.executable, "-m", "cuello", *words], check=True)
    return Run(Path(recipe.runs[-1]))


def show() -> None:
    for recipe in RECIPES.values():
        print(f"{recipe.name}: {'; '.join(map(str, recipe.yardsticks))}")
        for stage in recipe.stages:
            print(f"    {stage}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="a run directory")
    parser.add_argument("name", choices=list(RECIPES), nargs="?", help="the ready model that it becomes")
    parser.add_argument("--recipe", choices=list(RECIPES), help="train this model first")
    parser.add_argument("--work", type=Path, default=Path("runs/ready"), help="the folder in which --recipe trains")
    parser.add_argument("--list", action="store_true", help="print the recipes")
    given = parser.parse_args()
    try:
        if given.list:
            show()
        elif given.recipe:
            run = train(RECIPES[given.recipe], given.work)
            bundle(run, RECIPES[given.recipe])
        elif given.name:
            bundle(Run(given.run), RECIPES[given.name])
        else:
            parser.error("name a run and the model that it becomes, or --recipe NAME, or --list")
    except CuelloError as error:
        parser.exit(2, f"{error}\n")
    except subprocess.CalledProcessError as error:
        parser.exit(1, f"{shlex.join(error.cmd)} ended with {error.returncode}\n")


if __name__ == "__main__":
    main()
