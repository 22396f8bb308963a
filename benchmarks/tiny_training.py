"""Microseconds a model and step of many tiny autoencoders trained at once: ours beside one by one, and the peers.

    python benchmarks/tiny_training.py [--peer-script tiny_mlp.py --torch PYTHON --jax PYTHON] [--rounds 3] [--json]

The network is 35-32-8-2-8-32-35 with tanh, full batches of 32 characters, Adam, mean squared error. Ours goes through
``fit_replicas`` ("cuello", for each of ``--replicas``) and ``fit`` ("cuello one by one") as a training does, on the
data set "glyphs" with 500 steps an epoch: "engine" is training alone, the best of three epochs after one to warm up, as
the peers measure; "whole" is everything, validation and the saved files included (but not what torch loads with the
first optimiser of a process, .9 s, which the peers' first steps have in them too). Peers ("torch", one by one, and
"jax", a vmap over the replicas) run in their own environments, whose Python is named; without it they are left out. A
round runs each in a process of its own, in turn; the table has medians over the rounds and their ratio to jax with as
many replicas. A busy machine slows threads that wait for one another most, so the load is printed with the result.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cuello.runs.directory import available_cores, processor_name

STEPS, EPOCHS = 500, 4
SETTINGS = {
    "job": "reconstruct", "data": "glyphs", "model": "mlp:35-32-8-2,activation=tanh,code=tanh,output=tanh",
    "optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "batch_size": 32, "samples": 32 * STEPS,
    "epochs": EPOCHS, "device": "cpu",
}  # fmt: skip


def train_ours(replicas: int, alone: bool, threads: int | None) -> dict[str, object]:
    """Train replicas and return microseconds a model and step; alone: by ``fit``, one after another."""
    import torch

    from cuello.core.memory import kept_memory
    from cuello.jobs.base import JobData
    from cuello.jobs.data import prepare
    from cuello.runs.directory import create_run
    from cuello.training.device import use_threads
    from cuello.training.loop import fit
    from cuello.training.replicas.fit import fit_replicas
    from cuello.work.train import make_network, resolve, session_of

    use_threads(threads)
    device = torch.device("cpu")
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # the first optimiser of a process loads what takes .9 s
    with tempfile.TemporaryDirectory() as folder:
        members = []
        for seed in range(replicas):
            config = resolve({**SETTINGS, "seed": seed})
            data = JobData(prepare(config))
            run = create_run(Path(folder) / str(seed), config)
            members.append(session_of(run, config, data, make_network(config, data)))
        start = time.perf_counter()
        if alone:
            with kept_memory():  # as cuello trains
                histories = [fit(m, device) for m in members]
        else:
            histories = fit_replicas(members, device)
        whole = time.perf_counter() - start
    epochs = [sum(history[epoch].training_seconds for history in histories) for epoch in range(1, EPOCHS)]
    return {
        "framework": "cuello one by one" if alone else "cuello",
        "replicas": replicas,
        "microseconds_per_model_step": round(min(epochs) / STEPS / replicas * 1e6, 2),
        "whole": round(whole / EPOCHS / STEPS / replicas * 1e6, 2),
    }


def commands(arguments: argparse.Namespace) -> list[list[str]]:
    """Return the command line of everything that is to be measured; say which peers are not here."""
    ours = [sys.executable, __file__, *(["--threads", str(arguments.threads)] if arguments.threads else [])]
    found = [[*ours, "--ours", "1", "--alone"], *([*ours, "--ours", str(count)] for count in arguments.replicas)]
    script = str(arguments.peer_script)
    if arguments.peer_script and arguments.torch:
        found.append([arguments.torch, script, "torch"])
    if arguments.peer_script and arguments.jax:
        found += [[arguments.jax, script, "jax", "--replicas", str(count)] for count in arguments.replicas]
    if not (arguments.peer_script and arguments.torch and arguments.jax):
        print("peers without --peer-script, --torch or --jax are left out", file=sys.stderr)
    return found


def measure(command: list[str]) -> dict[str, object] | None:
    """Run one command in its own process and return what it found, or None where it failed (and say why)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 8, 64, 256], help="how many at once")
    parser.add_argument("--peer-script", type=Path, help="tiny_mlp.py of the peers")
    parser.add_argument("--torch", help="Python of the environment with PyTorch")
    parser.add_argument("--jax", help="Python of the environment with JAX and Optax")
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs, in turn (1 or more)")
    parser.add_argument("--threads", type=int, help="processor threads of ours, by default all cores")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--ours", type=int, help=argparse.SUPPRESS)  # the process that does our share
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(train_ours(arguments.ours, arguments.alone, arguments.threads)))
        return

    times: dict[tuple[str, int], list[float]] = {}
    wholes: dict[tuple[str, int], list[float]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(arguments.rounds):
        for command in commands(arguments):
            found = measure(command)
            if found is None:
                continue
            key = str(found["framework"]), int(str(found["replicas"]))
            times.setdefault(key, []).append(float(str(found["microseconds_per_model_step"])))
            if "whole" in found:
                wholes.setdefault(key, []).append(float(str(found["whole"])))
            print(f"{key[0]} {key[1]}: {times[key][-1]} µs", file=sys.stderr, flush=True)
        loads.append(os.getloadavg()[0])

    rows = [
        {
            "framework": framework, "replicas": count, "engine": statistics.median(values), "lowest": min(values),
            "highest": max(values), "whole": statistics.median(wholes[framework, count])
            if (framework, count) in wholes else None,
            "ratio_to_jax": statistics.median(values) / statistics.median(times["jax", count])
            if ("jax", count) in times else None,
        }
        for (framework, count), values in times.items()
    ]  # fmt: skip
    machine = {
        "processor": processor_name(), "cores": available_cores(), "system": platform.platform(), "loads": loads,
    }  # fmt: skip
    if arguments.json:
        print(json.dumps({"machine": machine, "steps": STEPS, "microseconds_per_model_step": rows}))
        return
    print(f"{machine['processor']}, {machine['cores']} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    print(f"{'µs a model and step':20}{'replicas':>9}{'engine':>9}{'lowest':>9}{'highest':>9}{'whole':>9}{'to jax':>8}")
    for row in rows:
        whole, ratio = ("-" if row[name] is None else f"{row[name]:.2f}" for name in ("whole", "ratio_to_jax"))
        print(f"{row['framework']:20}{row['replicas']:9}{row['engine']:9.2f}{row['lowest']:9.2f}{row['highest']:9.2f}"
              f"{whole:>9}{ratio:>8}")  # fmt: skip


if __name__ == "__main__":
    main()
