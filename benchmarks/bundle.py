"""Make a model that comes with the package from a run: folded, in half precision, with what it scores.

    CUELLO_DATA=… python benchmarks/bundle.py RUN NAME

measures the run on its published yardstick (Set5 where it enlarges, BSD68 and Set12 where it denoises) as it will be
shipped, and writes src/cuello/weights/NAME.safetensors. Half precision halves the file; the scores are those of the
rounded weights. What is kept of the run: its settings, and its minutes: what its epochs would have taken if each had
been as long as the median one, so that a pause does not count.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

import cuello
from cuello.inference.bundled import BUNDLED
from cuello.inference.model import Model
from cuello.jobs.images.benchmark import Benchmark
from cuello.models.catalog import Architecture
from cuello.runs.artefact import Artefact, load_artefact, save_artefact
from cuello.runs.directory import Run, environment
from cuello.scoring.protocols import ProtocolScore


def shipped(artefact: Artefact) -> Artefact:
    """Return the artefact of the folded network, its weights in half precision."""
    network = artefact.network()
    plain = network.folded() if hasattr(network, "folded") else network  # type: ignore[operator]
    settings = {**artefact.architecture.settings, **({"folded": True} if plain is not network else {})}
    architecture = Architecture(artefact.architecture.name, artefact.architecture.kind, settings)
    weights = {name: tensor.to(torch.float16) for name, tensor in plain.state_dict().items()}
    return replace(artefact, architecture=architecture, weights=weights)


def scores_of(found: Benchmark) -> list[dict[str, object]]:
    """Return what a benchmark found for the network, as plain values."""

    def plain(score: ProtocolScore) -> dict[str, object]:
        return {"value": round(score.mean, 4), "protocol": str(score.protocol)}

    return [
        {
            "yardstick": found.name, found.unit: setting,
            **{score.protocol.metric: plain(score) for score in found.row(setting).scores},
        }
        for setting in found.settings
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=BUNDLED.names())
    arguments = parser.parse_args()
    made = shipped(load_artefact(arguments.run))
    model = Model(made, made.network())
    names = ["set5"] if model.scale > 1 else ["bsd68", "set12"]
    scores = [score for name in names for score in scores_of(cuello.benchmark(name, model))]  # type: ignore[arg-type]
    history = Run(arguments.run).history
    here = environment()
    about = {
        **made.metrics, "scores": scores, "epochs": len(history),
        "minutes": round(len(history) * median(record.seconds for record in history) / 60, 1),
        "machine": f"{here.get('processor')}, {here.get('cores')} cores",
    }  # fmt: skip
    path = BUNDLED[arguments.name].path
    training = {"license": "Apache-2.0", "author": "The authors of Cuello", **made.training}
    save_artefact(path, replace(made, training=training, metrics=about))
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    for score in scores:
        print(score)


if __name__ == "__main__":
    main()
