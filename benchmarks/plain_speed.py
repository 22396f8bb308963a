"""Training steps of the ready models' networks: ours beside the same function written plainly in torch, channels last.

    python benchmarks/plain_speed.py [--networks denoise-s up-s] [--batch 16] [--rounds 3]

Both compute the same function of the same weights, which is checked first. "plain" convolves with every branch of a
convolution and adds the results, as Zhang et al. 2021 train (``models/reparameterised.py`` says which branches these
are), torch's PReLU after them; ours adds the kernels and convolves once; "prelu" is ours with torch's PReLU. "folded"
is a plain convolution in the place of each, which is a different network to train, shown as what the branches cost.
Every variant runs in a process of its own, in turn: Adam, mean squared error, float32 (bf16: mixed precision), crops of
48 pixels of what the network gets, the best of three passes over 20 steps; medians over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.memory import kept_memory
from cuello.models.blocks import PReLU
from cuello.models.catalog import architecture_of, build
from cuello.models.reparameterised import BranchedConv2d
from cuello.runs.directory import available_cores, processor_name

STEPS, PASSES, SIDE = 20, 3, 48
SCALES = {"denoise-s": 1, "up-s": 2}
VARIANTS = ("ours", "ours-bf16", "prelu", "prelu-bf16", "plain", "folded", "folded-bf16")


class Branches(nn.Module):
    """A convolution of branches, every branch convolved by itself."""

    def __init__(self, block: BranchedConv2d):
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        block = self.block
        out = functional.conv2d(x, block.plain, block.bias, padding=1)
        middle = functional.conv2d(x, block.expand[:, :, None, None])
        out = out + functional.conv2d(middle, block.squeeze, padding=1)
        for scale, point, edge in zip(block.scales, block.points, block.edges, strict=True):
            pointed = functional.conv2d(x, point[:, :, None, None])
            mask = (scale[:, None, None] * edge)[:, None]  # (out, 1, 3, 3): one mask a channel
            out = out + functional.conv2d(pointed, mask, padding=1, groups=len(scale))
        return out + x if block.has_identity else out


def replace_layers(network: nn.Module, kind: type[nn.Module], made: Callable[[Any], nn.Module]) -> None:
    """Put what ``made`` makes of it in the place of every layer of a kind."""
    for name, child in list(network.named_children()):
        if isinstance(child, kind):
            setattr(network, name, made(child))
        else:
            replace_layers(child, kind, made)


def measure(name: str, variant: str, batch: int) -> dict[str, object]:
    """Train for a few steps and return how many images a second were trained on."""
    torch.manual_seed(0)
    kind, _, precision = variant.partition("-")
    network: nn.Module = build(architecture_of(name, channels=1, size=(SIDE, SIDE), scale=SCALES[name]))
    x = torch.rand(batch * STEPS, 1, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    if kind in ("plain", "prelu"):
        replace_layers(network, PReLU, lambda ours: nn.PReLU(ours.num_parameters))
    if kind == "folded":
        network = network.folded()
    elif kind == "plain":
        before = network(x[:1]).image
        replace_layers(network, BranchedConv2d, Branches)
        apart = float((network(x[:1]).image - before).detach().abs().max())
        assert apart < 1e-5, f"the plain network gives something else, {apart}"
    target = torch.rand_like(network(x[:1]).image).expand(batch, -1, -1, -1)
    adam = torch.optim.Adam(network.parameters(), fused=True)
    seconds = []
    with kept_memory():
        for attempt in range(PASSES + 1):
            start = time.perf_counter()
            for images in x.split(batch)[: 3 if attempt == 0 else None]:
                adam.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                    image = network(images).image
                functional.mse_loss(image.float(), target).backward()
                adam.step()
            seconds.append(time.perf_counter() - start)
    return {"images_per_second": round(len(x) / min(seconds[1:]), 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(SCALES), default=list(SCALES))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", nargs=2, help=argparse.SUPPRESS)  # the process that measures
    asked = parser.parse_args()
    if asked.ours:
        print(json.dumps(measure(*asked.ours, batch=asked.batch)))
        return
    found: dict[tuple[str, str], list[float]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(asked.rounds):
        for name in asked.networks:
            for variant in VARIANTS:
                command = [sys.executable, __file__, "--batch", str(asked.batch), "--ours", name, variant]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                speed = json.loads(done.stdout.splitlines()[-1])["images_per_second"]
                found.setdefault((name, variant), []).append(speed)
        loads.append(os.getloadavg()[0])
    print(f"{processor_name()}, {available_cores()} cores; load {', '.join(f'{load:.1f}' for load in loads)}")
    print(f"{'images/s':24}{'median':>9}{'lowest':>9}{'highest':>9}{'to plain':>10}")
    for (name, variant), speeds in found.items():
        ratio = statistics.median(speeds) / statistics.median(found[name, "plain"])
        middle = statistics.median(speeds)
        print(f"{name + ' ' + variant:24}{middle:9.1f}{min(speeds):9.1f}{max(speeds):9.1f}{ratio:10.2f}")


if __name__ == "__main__":
    main()
