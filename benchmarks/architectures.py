"""Small networks for Gaussian noise and for ×2, each trained for the same time on one core: which is best at its size?

    python benchmarks/photographs.py photographs
    python benchmarks/architectures.py photographs [--seconds 200] [--only "two scales"] [--job denoise|upscale]
        [--optimizer muon] [--loss rmse] [--plain]

Adam with decoupled weight decay at .002 or Muon at .01, L1 or another loss, convolutions of branches or plain ones;
crops of 64 (×2: of 96), sixteen at once, a cosine of learning rates that ends with the time, a moving average of
weights, bf16 where the processor has it. Validation photographs are not among those for training. Times are honest on a
quiet machine alone: the network that is quicker gets more steps.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cuello.core.config import TrainConfig
from cuello.core.seeding import generator
from cuello.degrade.sizes import Down
from cuello.models.base import ImageNetwork
from cuello.models.denoiser import Denoiser, DenoiserConfig
from cuello.models.multiscale import MultiScale, MultiScaleConfig
from cuello.models.summary import summarise
from cuello.models.upscaler import Upscaler, UpscalerConfig
from cuello.runs.directory import available_cores, processor_name
from cuello.scoring.losses import find_loss
from cuello.scoring.protocols import Protocol
from cuello.training.loop import average_share
from cuello.training.optimizers import OPTIMIZERS

BATCH, DECAY, STRONGEST = 16, 0.999, 75 / 255
RATES = {"adamw": 2e-3, "muon": 1e-2}
SIGMAS = (15, 25, 50)
HALF = Down(factor=2)
BF16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # type: ignore[attr-defined]


def two(widths: tuple[int, ...], depths: tuple[int, ...]) -> Callable[[], ImageNetwork]:
    return lambda: MultiScale(MultiScaleConfig(channels=1, widths=widths, depths=depths))


def one(width: int, depth: int) -> Callable[[], ImageNetwork]:
    return lambda: Denoiser(DenoiserConfig(channels=1, width=width, depth=depth))


def enlarging(width: int, depth: int) -> Callable[[], ImageNetwork]:
    return lambda: Upscaler(UpscalerConfig(channels=1, width=width, depth=depth))


CANDIDATES: dict[str, dict[str, Callable[[], ImageNetwork]]] = {
    "denoise": {
        "one scale, 40 wide, 6 deep (denoise-s)": one(40, 6),
        "one scale, 32 wide, 9 deep": one(32, 9),
        "two scales, 32 and 40 wide, 3 and 2 deep": two((32, 40), (3, 2)),
        "two scales, 32 and 40 wide, 2 and 4 deep": two((32, 40), (2, 4)),
        "two scales, 32 and 48 wide, 2 and 2 deep (denoise-m)": two((32, 48), (2, 2)),
        "two scales, 32 and 60 wide, 1 and 2 deep": two((32, 60), (1, 2)),
        "three scales, 32 wide, 2, 1 and 2 deep": two((32, 32, 32), (2, 1, 2)),
    },
    "upscale": {
        "16 wide, 8 deep (up-s)": enlarging(16, 8),
        "20 wide, 5 deep": enlarging(20, 5),
        "24 wide, 3 deep": enlarging(24, 3),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Photographs:
    """Grey photographs of 8 bits; drawn as often as they are large."""

    images: list[np.ndarray]

    @classmethod
    def of(cls, folder: Path) -> "Photographs":
        paths = sorted(folder.glob("*.png"))
        if not paths:
            raise SystemExit(f"{folder} holds no photographs: write them with benchmarks/photographs.py.")
        return cls([np.asarray(Image.open(path).convert("L")) for path in paths])

    def crops(self, side: int, random: np.random.Generator) -> Tensor:
        """Draw a batch ``(16, 1, side, side)``, flipped and turned."""
        sizes = np.array([image.size for image in self.images], float)
        out = np.empty((BATCH, 1, side, side), np.float32)
        for row, index in enumerate(random.choice(len(self.images), BATCH, p=sizes / sizes.sum())):
            image = self.images[index]
            top, left = (int(random.integers(length - side + 1)) for length in image.shape)
            crop = np.rot90(image[top : top + side, left : left + side], int(random.integers(4)))
            out[row, 0] = (crop[:, ::-1] if random.random() < 0.5 else crop) / np.float32(255)
        return torch.from_numpy(out)

    def whole(self, multiple: int = 8) -> list[Tensor]:
        """Return each image ``(1, 1, H, W)``, its sides cut to a multiple."""
        cut = [image[: image.shape[0] // multiple * multiple, : image.shape[1] // multiple * multiple]
               for image in self.images]  # fmt: skip
        return [torch.from_numpy(image.astype(np.float32) / 255)[None, None] for image in cut]


def pair(job: str, photographs: Photographs, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
    """Draw what goes in, what should come out, and the noise's level."""
    if job == "upscale":
        clean = photographs.crops(96, random)
        return HALF(clean, torch.Generator()), clean, None
    clean = photographs.crops(64, random)
    level = torch.rand(BATCH, 1, 1, 1) * STRONGEST
    return clean + level * torch.randn_like(clean), clean, level


def trained(network: ImageNetwork, job: str, photographs: Photographs, how: argparse.Namespace) -> int:
    """Train a network for so many seconds; it ends with the average of its weights. Returns the number of steps."""
    seconds, rate, loss = how.seconds, RATES[how.optimizer], find_loss(how.loss)
    random, step, began = np.random.default_rng(0), 0, time.monotonic()
    torch.manual_seed(0)
    settings = TrainConfig(
        optimizer=how.optimizer, learning_rate=rate, weight_decay=1e-2 if how.optimizer == "adamw" else 0.0
    )
    optimizer = OPTIMIZERS[how.optimizer].make(network.parameters(), settings)
    average = [weight.detach().clone() for weight in network.parameters()]
    while (passed := (time.monotonic() - began) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (1 + math.cos(math.pi * passed)) / 2
        given, clean, level = pair(job, photographs, random)
        with torch.autocast("cpu", torch.bfloat16, enabled=BF16):
            image = network(given, level).image
        optimizer.zero_grad()
        loss.function(image.float(), clean).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            for kept, weight in zip(average, network.parameters(), strict=True):
                kept.lerp_(weight, average_share(DECAY, step))
    with torch.no_grad():
        for kept, weight in zip(average, network.parameters(), strict=True):
            weight.copy_(kept)
    return step


def psnr(images: Iterable[Tensor], goals: Sequence[Tensor], border: int = 0) -> float:
    """Return the mean over photographs ``(1, 1, H, W)``."""
    protocol = Protocol(border=border, rounded=False)
    return protocol.score([image[0] for image in images], [goal[0] for goal in goals]).mean


@torch.inference_mode()
def judged(network: ImageNetwork, job: str, photographs: Photographs) -> list[float]:
    """Return the mean PSNR over photographs: at each level of noise, or of ×2."""
    images = photographs.whole()
    if job == "upscale":
        return [psnr((network(HALF(image, torch.Generator())).image for image in images), images, border=2)]
    found = []
    for sigma in SIGMAS:
        level = torch.full((1, 1, 1, 1), sigma / 255)
        noises = [torch.randn(image.shape, generator=generator(0, f"noise {sigma}", 0, index=place))
                  for place, image in enumerate(images)]  # fmt: skip
        pairs = zip(images, noises, strict=True)
        found.append(psnr((network(x + level * noise, level).image for x, noise in pairs), images))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--job", choices=CANDIDATES, default="denoise")
    parser.add_argument("--only", help="a part of the names of those to train")
    parser.add_argument("--optimizer", choices=RATES, default="adamw")
    parser.add_argument("--loss", default="l1", help="as `cuello train --loss`")
    parser.add_argument("--plain", action="store_true", help="plain convolutions, in place of sums of branches")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    training, validation = (Photographs.of(arguments.photographs / part) for part in ("train", "validation"))
    columns = [f"σ {sigma}" for sigma in SIGMAS] if arguments.job == "denoise" else ["×2"]
    print(f"One of {available_cores()} cores, {processor_name()}; {arguments.seconds:g} s each\n")
    print(f"| network | parameters | multiply-adds a pixel | images a second | {' | '.join(columns)} |")
    print("|---" * (4 + len(columns)) + "|")
    for name, make in CANDIDATES[arguments.job].items():
        if arguments.only and arguments.only not in name:
            continue
        torch.manual_seed(0)
        network = make().folded() if arguments.plain else make()
        steps = trained(network, arguments.job, training, arguments)
        plain = network.eval().folded()
        about = summarise(plain, 1)
        numbers = " | ".join(f"{value:.2f}" for value in judged(plain, arguments.job, validation))
        speed = steps * BATCH / arguments.seconds
        print(
            f"| {name} | {about.trainable:,} | {about.multiply_adds_a_pixel:,.0f} | {speed:.0f} | {numbers} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
