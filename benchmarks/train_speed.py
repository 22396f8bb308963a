"""Training throughput of the `salt-pepper` source's 2,793-parameter denoiser: ours beside the peers, in turn.

    python benchmarks/train_speed.py --peers DIR --peer-scripts DIR [--rounds 3] [--json]

``--peers`` is the folder of environments (keras/bin/python, torch/bin/python), ``--peer-scripts`` the one
with train_denoise.py. Every framework does the same work in its own process: 2,048 images of 64x64x3 in
float32, batch 64, Adam, MSE, best of three passes. A round runs them all once; the table has the median over
the rounds. "keras-tensorflow-onednn" is the same script with TensorFlow's oneDNN kernels switched on, which it
leaves off on some processors. Ours divides each batch among threads, as ``cuello.train`` does; "cuello-openmp" is one
step after another with torch's own threads, "cuello-bf16" mixed precision, and "cuello-whole" ``cuello.train`` itself
with reading, salt-and-pepper noise, validation (512 crops) and saving, per image of an epoch. Absent peers are said and
skipped. A busy
machine slows the frameworks unequally, so the load before and after each round is printed with the result.
"""

import argparse
import copy
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cuello.runs.directory import available_cores, processor_name

OURS, OURS_BF16, OURS_OPENMP, OURS_WHOLE = "cuello", "cuello-bf16", "cuello-openmp", "cuello-whole"
OWN = {OURS_BF16: "--bf16", OURS_OPENMP: "--openmp", OURS_WHOLE: "--whole"}
REFERENCE, REFERENCE_ONEDNN = "keras-tensorflow", "keras-tensorflow-onednn"
PEERS = {  # framework, as train_denoise.py calls it (an ending aside) -> environment
    REFERENCE: "keras",
    REFERENCE_ONEDNN: "keras",
    "keras-jax": "keras",
    "torch-eager": "torch",
    "torch-channels-last": "torch",
    "torch-compile": "torch",
}
IMAGES, PASSES, WARM_UP_STEPS = 2048, 3, 3  # as in train_denoise.py
EPOCHS = 10


def train_ours(batch: int, *, bf16: bool, openmp: bool) -> dict[str, object]:
    """Train our network as train_denoise.py trains the others and return the same report."""
    import torch

    from cuello.core.memory import kept_memory
    from cuello.core.threads import torch_divided
    from cuello.models.convolutional import ConvolutionalAutoencoder
    from cuello.training.gradients import summed_backward
    from cuello.training.ranks.draws import known_rows
    from cuello.training.ranks.norms import shared_norms
    from cuello.training.ranks.threads import Meeting, ThreadGroup

    torch.manual_seed(0)
    network = ConvolutionalAutoencoder()
    x = torch.rand(IMAGES, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    ranks = 1 if openmp else torch.get_num_threads()
    meeting, seconds = Meeting(ranks), list[float]()

    def train(group: ThreadGroup) -> None:
        """Train as one of the threads that divide each batch."""
        own = network if group.rank == 0 else copy.deepcopy(network)
        adam = torch.optim.Adam(own.parameters(), fused=True)
        with shared_norms(own, group if ranks > 1 else None):
            for begun in range(PASSES + 1):
                start = time.perf_counter()
                for images in x.split(batch)[: WARM_UP_STEPS if begun == 0 else None]:
                    rows = group.share.of(len(images))
                    part = images[rows.slice]
                    adam.zero_grad(set_to_none=True)
                    with known_rows(rows if ranks > 1 else None), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                        image = own(part).image
                    losses = (image.float() - part).square().mean((1, 2, 3))
                    if ranks > 1:
                        summed_backward(own, losses, group)
                    else:
                        losses.mean().backward()
                    adam.step()
                if group.rank == 0 and begun:
                    seconds.append(time.perf_counter() - start)

    with kept_memory(), torch_divided(ranks), ThreadPoolExecutor(max(1, ranks - 1)) as pool:  # as cuello trains
        others = [pool.submit(train, ThreadGroup(rank, meeting)) for rank in range(1, ranks)]
        train(ThreadGroup(0, meeting))
        for other in others:
            other.result()
    return {
        "framework": OURS_BF16 if bf16 else OURS_OPENMP if openmp else OURS,
        "batch": batch,
        "trainable_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "images_per_second": round(IMAGES / min(seconds), 1),
    }


def train_whole(batch: int) -> dict[str, object]:
    """Train by ``cuello.train``, with reading, noise, validation and saving, and return the same report."""
    import cuello

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = cuello.train(
            "denoise", "photos", model="conv-8-16-8", noise="salt-pepper:0.1..0.5", crop=64, samples=IMAGES,
            batch_size=batch, epochs=EPOCHS, report=False, progress=False, output=f"{folder}/run",
        )  # fmt: skip
        whole = time.perf_counter() - start
        seconds = statistics.median(epoch.seconds for epoch in run.history[1:])
    return {
        "framework": OURS_WHOLE, "batch": batch, "images_per_second": round(IMAGES / seconds, 1),
        "with_the_start": round(IMAGES * EPOCHS / whole, 1),
    }  # fmt: skip


def commands(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Return the command line of every framework that is here, ours first; say which are not."""
    batch = ["--batch", str(arguments.batch)]
    found = {OURS: [sys.executable, __file__, "--ours", *batch]}
    for framework in arguments.frameworks:
        if framework in OWN:
            found[framework] = [*found[OURS], OWN[framework]]
            continue
        python = arguments.peers / PEERS[framework] / "bin" / "python" if arguments.peers else None
        script = arguments.peer_scripts / "train_denoise.py" if arguments.peer_scripts else None
        if python and script and python.exists() and script.exists():
            found[framework] = [str(python), str(script), framework.removesuffix("-onednn"), *batch]
        else:
            print(f"{framework}: skipped, {python or '--peers'} or {script or '--peer-scripts'} is not there",
                  file=sys.stderr)  # fmt: skip
    return found


def measure(command: list[str], onednn: bool) -> float | None:
    """Run one framework in its own process; its images per second, or None where it failed (and say why)."""
    environment = os.environ | ({"TF_ENABLE_ONEDNN_OPTS": "1"} if onednn else {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])["images_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments")
    parser.add_argument("--peer-scripts", type=Path, help="folder of the peers' scripts")
    parser.add_argument("--frameworks", nargs="*", choices=[*OWN, *PEERS], default=[*OWN, *PEERS],
                        help="what to run beside ours in float32")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs, in turn (1 or more)")
    parser.add_argument("--batch", type=int, default=64, help="images a step")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)  # the process that does our share
    for name in OWN.values():
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        own = {"bf16": arguments.bf16, "openmp": arguments.openmp}
        print(json.dumps(train_whole(arguments.batch) if arguments.whole else train_ours(arguments.batch, **own)))
        return

    speeds: dict[str, list[float]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(arguments.rounds):
        for framework, command in commands(arguments).items():
            speed = measure(command, framework == REFERENCE_ONEDNN)
            print(f"{framework}: {speed} images/s", file=sys.stderr, flush=True)
            if speed is not None:
                speeds.setdefault(framework, []).append(speed)
        loads.append(os.getloadavg()[0])

    medians = {framework: statistics.median(values) for framework, values in speeds.items()}
    reference = medians.get(REFERENCE)
    machine = {
        "processor": processor_name(),
        "cores": available_cores(),
        "system": platform.platform(),
        "loads": loads,
    }
    if arguments.json:
        ratios = {framework: median / reference for framework, median in medians.items()} if reference else None
        print(json.dumps({"machine": machine, "batch": arguments.batch, "images_per_second": speeds,
                          "medians": medians, "reference": REFERENCE, "ratios": ratios}))  # fmt: skip
        return
    print(f"{machine['processor']}, {machine['cores']} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    print(f"{'framework':26}{'images/s':>10}{'lowest':>10}{'highest':>10}{'ratio':>8}")
    for framework, median in sorted(medians.items(), key=lambda item: -item[1]):
        ratio = f"{median / reference:8.2f}" if reference else f"{'-':>8}"
        values = speeds[framework]
        print(f"{framework:26}{median:10.0f}{min(values):10.0f}{max(values):10.0f}{ratio}")


if __name__ == "__main__":
    main()
