"""Where a training step of the `salt-pepper` source's network goes, what each change to it gave, and the limit.

    python benchmarks/profile_step.py [--rounds 7] [--batch 64]

First a ladder: the network written with plain layers, then each change on top of the one before, all in one process, in
turn, every round; medians. Then what one step of the last rung spends where (torch's profiler), and the arithmetic
limit: the machine's matrix products a second over the network's multiply-adds. Last, for a few networks, one training
with all cores beside several trainings at once with one thread each. The numbers are in docs/performance.md.
"""

import argparse
import contextlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from cuello.core.memory import kept_memory
from cuello.degrade import parse
from cuello.models.blocks import BitDropout, Conv2d, NormConv2d, UpsampleConv2d
from cuello.models.catalog import architecture_of, build
from cuello.models.convolutional import ConvolutionalAutoencoder
from cuello.models.summary import summarise
from cuello.runs.directory import available_cores, processor_name

SIDE, STEPS = 64, 4
PACKAGE = "+ pool before ELU, ELU in place (the package)"


class Layers(nn.Module):
    """The network with or without each of our blocks; without any it is what one would write down."""

    def __init__(self, upsample: bool = False, norm: bool = False, bits: bool = False):
        super().__init__()
        self.first: nn.Module = NormConv2d(3, 8, 3) if norm else nn.Sequential(nn.BatchNorm2d(3), Conv2d(3, 8, 3))
        self.middle = Conv2d(8, 16, 3)
        self.dropout: nn.Module = BitDropout(0.2) if bits else nn.Dropout(0.2)
        self.enlarge: nn.Module = (
            UpsampleConv2d(16, 8, 3) if upsample else nn.Sequential(nn.Upsample(scale_factor=2), Conv2d(16, 8, 3))
        )
        self.last: nn.Module = NormConv2d(8, 3, 3) if norm else nn.Sequential(nn.BatchNorm2d(8), Conv2d(8, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.elu(self.first(x)), 2)
        x = self.dropout(functional.elu(self.middle(x)))
        return torch.sigmoid(self.last(functional.elu(self.enlarge(x))))


class Image(nn.Module):
    """A network of the package, without its code."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).image


def stepper(network: nn.Module, images: Tensor, bf16: bool = False) -> Callable[[], None]:
    """Return a function that trains one step."""
    network.train()
    adam = torch.optim.Adam(network.parameters(), fused=True)

    def step() -> None:
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            restored = network(images)
        functional.mse_loss(restored.float(), images).backward()
        adam.step()

    return step


def speed(step: Callable[[], None], batch: int, steps: int = STEPS) -> float:
    """Return images per second over a few steps, after two to warm up."""
    step()
    step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return batch * steps / (time.perf_counter() - start)


def train_for_a_while(model: str, threads: int, keep: bool, seconds: float = 8.0) -> tuple[float, float]:
    """Return images per second and page faults a step of a named network, batch 64, in this process."""
    torch.set_num_threads(threads)
    network = build(architecture_of(model, 3))
    images = torch.rand(64, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    step, steps = stepper(Image(network), images), 0
    with kept_memory() if keep else contextlib.nullcontext():
        step()
        step()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            step()
            steps += 1
        seconds = time.perf_counter() - start
        return 64 * steps / seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / steps


def at_once(model: str, processes: int, threads: int, keep: bool = True) -> tuple[float, float]:
    """Return images per second, added up, and page faults a step, of trainings at once, each in its own process."""
    command = [sys.executable, __file__, "--child", model, str(threads), "keep" if keep else "give-back"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    found = [tuple(map(float, process.communicate()[0].split())) for process in running]
    return sum(speed for speed, _ in found), found[0][1]


def in_turn(measure: Callable[[Any], tuple[float, float]], first: Any, second: Any) -> list[tuple[float, float]]:
    """Measure with one and the other, twice in turn; return the means of both."""
    found = [[measure(value) for value in (first, second)] for _ in range(2)]
    return [
        (statistics.fmean(one[0] for one in pair), statistics.fmean(one[1] for one in pair))
        for pair in zip(*found, strict=True)
    ]


def products_a_second(size: int = 2048) -> float:
    """Return multiply-adds a second of a large matrix product, the best of five."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(a, b)
        times.append(time.perf_counter() - start)
    return size**3 / min(times)


def where_it_goes(images: Tensor, speed: float) -> None:
    """Print what the noise of a batch costs beside a step, and a step's operations by their share."""
    noise, random = parse("salt-pepper:0.2"), torch.Generator().manual_seed(0)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        noise(images, random)
        times.append(time.perf_counter() - start)
    spent = statistics.median(times) / (len(images) / speed)
    print(f"salt and pepper on a batch: {1000 * statistics.median(times):.1f} ms, {spent:.1%} on top of a step")

    step = stepper(Image(ConvolutionalAutoencoder()), images)
    with kept_memory():
        step()
        step()
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for _ in range(STEPS):
                step()
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    print("\nshare of a step, by operation")
    for event in events[:14]:
        print(f"{event.key:<44}{event.self_cpu_time_total / total:7.1%}{event.count / STEPS:6.0f} calls")


def trainings_beside(models: Sequence[str]) -> None:
    """Print what keeping freed memory gives, and several trainings of one thread beside one of several."""
    cores = available_cores()
    print("\nimages/s (page faults a step): freed memory given back, as glibc does; kept, as cuello trains")
    for model in models:
        (given, given_faults), (kept, kept_faults) = in_turn(
            lambda keep, m=model: at_once(m, 1, cores, keep), False, True
        )
        print(f"{model:<24}{given:8.0f} ({given_faults:,.0f}){kept:8.0f} ({kept_faults:,.0f}){kept / given:8.2f}")
    print(f"\nimages/s: one training with {cores} threads; {cores} trainings at once with one thread each")
    for model in models:
        (alone, _), (beside, _) = in_turn(lambda many, m=model: at_once(m, many, cores // many), 1, cores)
        print(f"{model:<24}{alone:8.0f}{beside:8.0f}{beside / alone:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--models", default="conv-8-16-8,dense-32-64-128,doubled-32-64-128", help="trained at once")
    parser.add_argument(
        "--child", nargs=3, help=argparse.SUPPRESS
    )  # network, threads, memory, in a process of their own
    options = parser.parse_args()
    if options.child:
        print(*train_for_a_while(options.child[0], int(options.child[1]), options.child[2] == "keep"))
        return
    torch.manual_seed(0)
    torch.set_num_threads(available_cores())
    plain = torch.rand(options.batch, 3, SIDE, SIDE)
    last = plain.contiguous(memory_format=torch.channels_last)
    rungs = {
        "plain layers, channels first": stepper(Layers(), plain),
        "channels last in memory": stepper(Layers(), last),
        "+ enlarge and convolve at low resolution": stepper(Layers(upsample=True), last),
        "+ batch norm inside the convolution": stepper(Layers(upsample=True, norm=True), last),
        "+ 16 random bits an element of dropout": stepper(Layers(upsample=True, norm=True, bits=True), last),
        PACKAGE: stepper(Image(ConvolutionalAutoencoder()), last),
        "the same in bf16": stepper(Image(ConvolutionalAutoencoder()), last, bf16=True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in rungs}
    for _ in range(options.rounds):
        for name, step in rungs.items():
            speeds[name].append(speed(step, options.batch, 1 if "bf16" in name else STEPS))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    first = next(iter(medians.values()))
    print(f"{processor_name()}, {available_cores()} cores, batch {options.batch}, {options.rounds} rounds")
    for name, median in medians.items():
        low, high = min(speeds[name]), max(speeds[name])
        print(f"{name:<48}{median:8.0f} images/s  {median / first:5.2f}  ({low:.0f} to {high:.0f})")

    print()
    counted = summarise(ConvolutionalAutoencoder(), 3, (SIDE, SIDE)).multiply_adds
    products = products_a_second()
    print(f"matrix products: {2 * products / 1e9:.0f} GFLOP/s")
    print(f"the network: {counted / 1e6:.1f} million multiply-adds an image")
    print(f"limit of training (three times the forward pass): {products / (3 * counted):,.0f} images/s")

    where_it_goes(last, medians[PACKAGE])
    trainings_beside(options.models.split(","))


if __name__ == "__main__":
    main()
