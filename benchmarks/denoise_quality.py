"""The denoising of source `salt-pepper` on its stand-in: 64×64 crops of BSDS400, 20% of the pixels hit.

4,000 fixed crops of 320 photographs for training, 1,000 of 80 others for validation. Prints for each network its
parameters, validation MSE, training time and the time to the source's final MSE of .0031; then the classical methods
on the same noisy pixels.

CUELLO_DATA=… python benchmarks/denoise_quality.py [--models impulse-s,conv-8-16-8] [--seeds 0] [--output DIR]
"""

import argparse
import json
from pathlib import Path

import cuello
from cuello.models.catalog import architecture_of, build
from cuello.models.summary import summarise
from cuello.runs.directory import available_cores, processor_name
from cuello.training.observers import EpochDone, Event

SOURCE_MSE = 0.0031


def tell(event: Event) -> None:
    """Print an epoch as a line."""
    if isinstance(event, EpochDone):
        record = event.record
        print(
            f"  epoch {record.epoch:3d}  validation MSE {record.validation_mse:.6f}  {record.seconds:.1f} s", flush=True
        )


def main() -> None:
    """Train each network with its own recipe and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="impulse-s,conv-8-16-8")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmark"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, run = [], None
    for name in options.models.split(","):
        for seed in map(int, options.seeds.split(",")):
            print(f"{name}, seed {seed}")
            run = cuello.train(
                "denoise", "bsds400", noise="salt-pepper:0.2", model=name, crop=64, crops="fixed", samples=4000,
                validation_samples=1000, validation=0.2, test=0.0, seed=seed, output=options.output / f"{name}-{seed}",
                overwrite=(options.output / f"{name}-{seed}").exists(), report=False, observers=[tell],
            )  # fmt: skip
            rows.append(row_of(name, seed, run))
    print(f"\n{available_cores()} cores, {processor_name()}")
    print(
        f"{'network':<14}{'parameters':>11}{'seed':>6}{'MSE':>10}{'epochs':>8}"
        f"{'training s':>12}{'all s':>8}{'s to .0031':>12}"
    )
    for row in rows:
        reached = f"{row['seconds_to_source']:.1f}" if row["seconds_to_source"] is not None else "never"
        print(
            f"{row['network']:<14}{row['parameters']:>11,}{row['seed']:>6}{row['mse']:>10.6f}{row['epochs']:>8}"
            f"{row['training_seconds']:>12.1f}{row['seconds']:>8.1f}{reached:>12}"
        )
    if run is not None:
        evaluation = cuello.evaluate(run.path, report=False)
        for method in evaluation.methods[:-1]:
            print(f"{method.label:<18} MSE {method.mean('mse'):.6f}  PSNR {method.mean('psnr'):.2f} dB")
    if options.json:
        print(json.dumps(rows, indent=2))


def row_of(name: str, seed: int, run: cuello.Run) -> dict[str, object]:
    """Return what a run reached."""
    history = run.history
    elapsed, to_source = 0.0, None
    for record in history:
        elapsed += record.seconds
        if to_source is None and record.validation_mse <= SOURCE_MSE:
            to_source = elapsed
    return {
        "network": name,
        "parameters": summarise(build(architecture_of(name, 3)), 3).trainable,
        "seed": seed,
        "mse": min(record.validation_mse for record in history),
        "epochs": len(history),
        "training_seconds": sum(record.training_seconds for record in history),
        "seconds": elapsed,
        "seconds_to_source": to_source,
    }


if __name__ == "__main__":
    main()
