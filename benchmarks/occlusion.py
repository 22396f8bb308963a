"""Exact occlusion maps: ours beside Captum's and a plain loop, in turn, and how long many maps take.

    python benchmarks/occlusion.py --peers DIR [--rounds 3] [--work small|large|all] [--many 200]

``--peers`` is the folder of environments (torch/bin/python, with Captum). Works: *small*, one map of a 27×27 grey image
by the five-convolution classifier with activations, 3×3 box, stride 1, 625 boxes; *large*, one map of a 224×224 colour
image by ten convolutions in the manner of VGG, 16×16 box, stride 8, 729 boxes. Every process uses one thread; the small
map is made once to warm up. A round asks all of them once, in turn; ratios are of medians over rounds, of processor
seconds (which other work on the machine hardly changes) and of seconds. Captum runs with one box at a time (its
default) and several at once; the maps are compared too. *pass*: maps that networks with fresh weights estimate in one
pass, 100 images of 27×27 at once, the time of one. --many: that many maps of the `occlusion` source's classifier
(21×21, padded to 27×27), which has no activations, extrapolated to 20,000 on two cores, one process a core.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

AT_ONCE = {"small": (1, 25, 100, 625), "large": (1, 8)}
PASS, PASSED = "pass", 100
BOX = {"small": (3, 1), "large": (16, 8)}
TARGETS = {"small": (3, 8), "large": (3, None)}


def stack(activation: bool, padding: str | int, *layers: int | tuple[int, int, int]) -> list[nn.Module]:
    """Return convolutions (in, out, kernel), each followed by a ReLU if wanted, and poolings (a number)."""
    found: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, int):
            found.append(nn.MaxPool2d(layer))
        else:
            found += [nn.Conv2d(*layer, padding=padding), *([nn.ReLU()] if activation else [])]
    return found


def classifier(work: str) -> nn.Module:
    """Return the classifier of a work, without its softmax; "many": that of the source."""
    torch.manual_seed(0)
    if work == "large":
        wide = [(3, 16), (16, 16), 2, (16, 32), (32, 32), 2, (32, 64), (64, 64), 2, (64, 128), (128, 128), 2]
        layers = [layer if isinstance(layer, int) else (*layer, 3) for layer in [*wide, (128, 128), (128, 128), 2]]
        return nn.Sequential(
            *stack(True, 1, *layers), nn.Flatten(), nn.Linear(128 * 49, 64), nn.ReLU(), nn.Linear(64, 10)
        ).eval()
    convolutions = stack(
        work == "small", "same", (1, 32, 4), (32, 32, 3), 2, (32, 64, 3), (64, 64, 3), (64, 64, 3), 2
    )  # fmt: skip
    relu = [nn.ReLU()] if work == "small" else []
    dense = [nn.Linear(64 * 36, 64), *relu, nn.Linear(64, 64), *relu, nn.Dropout(0.5), nn.Linear(64, 2)]
    return nn.Sequential(*convolutions, nn.Flatten(), *dense).eval()


def image_of(work: str) -> Tensor:
    """Return the image of a work."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, *((3, 224, 224) if work == "large" else (1, 27, 27)), generator=generator)


def by_captum(network: nn.Module, image: Tensor, work: str, at_once: int) -> Tensor:
    """Return Captum's map of class 0's logit."""
    from captum.attr import Occlusion  # pyright: ignore[reportMissingImports] (not installed with the package)

    box, stride = BOX[work]
    channels = image.shape[1]
    with torch.inference_mode():
        return Occlusion(network).attribute(
            image, sliding_window_shapes=(channels, box, box), strides=(channels, stride, stride), target=0,
            baselines=0, perturbations_per_eval=at_once,
        )[0, 0]  # fmt: skip


def by_us(network: nn.Module, image: Tensor, work: str, method: str) -> Tensor:
    """Return our map of class 0's logit."""
    import cuello

    box, stride = BOX[work]
    found = cuello.occlusion_map(
        network, image, box, stride=stride, classes=0, definition="captum", method=method  # type: ignore[arg-type]
    )  # fmt: skip
    return found.maps[0, 0]


def in_one_pass(name: str) -> Callable[[], Tensor]:
    """Return what estimates the maps of 100 images of the small work, and gives the first."""
    from cuello.models.catalog import Architecture, architecture_of, build
    from cuello.models.classifier import ClassifierConfig
    from cuello.models.estimators import estimator_of

    theirs = ClassifierConfig(
        channels=1, height=27, width=27, stages=((32, 32), (64, 64, 64)), first=4, unpadded=1, dense=(64, 64)
    )
    known = Architecture("classifier", "classifier", theirs.model_dump(mode="json"))
    assert architecture_of("classify-hits", 1).kind == known.kind
    network = build(estimator_of(name, known, size=(27, 27))).eval()
    images, told = torch.rand(PASSED, 1, 27, 27), torch.zeros(PASSED, dtype=torch.int64)

    def make() -> Tensor:
        with torch.inference_mode():
            return network(images, told).image[0, 0]

    return make


def serve(work: str, who: str) -> None:
    """Make the map once, then again for every line on standard input; print times and the map as JSON."""
    torch.set_num_threads(1)
    network, image = classifier(work), image_of(work)
    name, _, at_once = who.partition(" ")
    passing = in_one_pass(at_once) if name == PASS else None

    def make() -> Tensor:
        if passing is not None:
            return passing()
        return (
            by_captum(network, image, work, int(at_once)) if name == "captum" else by_us(network, image, work, at_once)
        )

    if work == "small":  # the large map takes so long that warming up would not show
        make()
    print("ready", flush=True)
    for _ in sys.stdin:
        start, spent = time.perf_counter(), time.process_time()
        found = make()
        share = PASSED if passing is not None else 1
        times = {
            "seconds": (time.perf_counter() - start) / share, "processor": (time.process_time() - spent) / share
        }  # fmt: skip
        print(json.dumps(times | {"map": found.flatten()[:: max(1, found.numel() // 2000)].tolist()}), flush=True)


def measure(work: str, peers: Path | None, rounds: int) -> None:
    """Print the times and ratios of a work."""
    pythons = {"cuello incremental": sys.executable, "cuello batches": sys.executable}
    if work == "small":
        pythons |= {f"{PASS} {name}": sys.executable for name in ("explain-hits", "explain-s")}
    captum = peers / "torch/bin/python" if peers else None
    if captum and captum.exists():
        pythons |= {f"captum {at_once}": str(captum) for at_once in AT_ONCE[work]}
    else:
        print(f"captum: skipped, {captum or '--peers'} is not there", file=sys.stderr)
    running = {
        who: subprocess.Popen(
            [python, __file__, "--serve", work, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )
        for who, python in pythons.items()
    }  # fmt: skip
    found: dict[str, list[dict]] = {who: [] for who in running}
    for who, process in running.items():
        assert process.stdout
        if process.stdout.readline().strip() != "ready":
            sys.exit(f"{who} failed")
    for _ in range(rounds):
        for who, process in running.items():
            assert process.stdin
            assert process.stdout
            process.stdin.write("again\n")
            found[who].append(json.loads(process.stdout.readline()))
    for process in running.values():
        process.communicate()
    report(work, found)


def report(work: str, found: dict[str, list[dict]]) -> None:
    """Print medians, ratios to ours, and how far the maps are apart."""
    ours = torch.tensor(found["cuello incremental"][0]["map"])
    medians = {
        who: {kind: statistics.median(one[kind] for one in times) for kind in ("processor", "seconds")}
        for who, times in found.items()
    }
    print(f"\n{work}: one map, {torch.__version__}, one thread, largest value {ours.abs().max():.2g}")
    print(f"{'':22}{'processor s':>12}{'ratio':>8}{'seconds':>10}{'ratio':>8}{'apart by':>12}")
    base = medians["cuello incremental"]
    for who, one in medians.items():
        theirs = torch.tensor(found[who][0]["map"])
        apart = "" if who.startswith(PASS) else f"{float((theirs - ours).abs().max()):12.1e}"
        ratios = {kind: one[kind] / base[kind] for kind in one}
        print(f"{who:22}{one['processor']:12.5f}{ratios['processor']:8.4g}{one['seconds']:10.5f}"
              f"{ratios['seconds']:8.4g}{apart}")  # fmt: skip
    peers = {who: one["processor"] / base["processor"] for who, one in medians.items() if who.startswith("captum")}
    if peers:
        best, default = TARGETS[work]
        print(f"Captum at its best: {min(peers.values()):.2f} times our processor time (asked: {best})")
        print(f"Captum by default: {peers['captum 1']:.2f} times (asked: {default or 'nothing'})")
        quickest = min(one["processor"] for who, one in medians.items() if who.startswith("captum"))
        for who, one in medians.items():
            if who.startswith(PASS):
                print(f"{who}: {quickest / one['processor']:.0f} times as quick as Captum at its best (asked: 300)")


def many(count: int) -> None:
    """Print how long maps of many images take, with one thread."""
    import cuello

    torch.set_num_threads(1)
    network = classifier("many")
    images = torch.rand(count, 1, 21, 21, generator=torch.Generator().manual_seed(2))
    options = {"box": 3, "padding": 3, "definition": "standardised-sum"}
    cuello.occlusion_map(network, images[:2], **options)
    start, spent = time.perf_counter(), time.process_time()
    found = cuello.occlusion_map(network, images, **options)
    seconds, spent = time.perf_counter() - start, time.process_time() - spent
    each = spent / count
    minutes = 20000 * each / 2 / 60
    print(
        f"\n{count} maps of the source's classifier, {found.method}: {spent:.1f} s of processor ({seconds:.1f} s), "
        f"{1000 * each:.0f} ms a map; 20,000 on two free cores, extrapolated: {minutes:.1f} minutes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", choices=["small", "large", "all", "none"], default="all")
    parser.add_argument("--many", type=int, default=200, help="images of the last measurement; 0: none")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)  # the process of one competitor
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    for work in AT_ONCE if arguments.work == "all" else [arguments.work]:
        if work in AT_ONCE:
            measure(work, arguments.peers, arguments.rounds)
    if arguments.many:
        many(arguments.many)


if __name__ == "__main__":
    main()
