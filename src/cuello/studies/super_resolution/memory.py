"""How much memory a training step takes: measured in a process that does nothing else.

``python -m cuello.studies.super_resolution.memory`` with what ``peak_memory`` takes prints the bytes.
"""

import subprocess
import sys
from pathlib import Path

import torch

from cuello.inference.model import TILE
from cuello.models.catalog import architecture_of, build

STATUS = Path("/proc/self/status")
STEPS = 2


def peak_memory(network: str, batch: int, *, side: int = TILE, scale: int = 1) -> int | None:
    """Measure how many bytes training steps take at their peak: weights, Adam's averages, activations, gradients.

    A fresh process builds the network, makes two steps with Adam, with one thread, and reads from Linux how much its
    resident memory has been at most, less what it was before, with libraries loaded. None where the system does not
    tell, or the process fails. side: of the target images, pixels. scale: of a network that enlarges.
    """
    if not STATUS.is_file():
        return None
    arguments = [network, str(batch), str(side), str(scale)]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], capture_output=True, encoding="utf-8", check=False
    )
    return int(done.stdout) if done.returncode == 0 else None


def resident(field: str) -> int:
    """Read a field of this process' status in bytes: "VmRSS", what it has, or "VmHWM", the most it has had."""
    line = next(line for line in STATUS.read_text("utf-8").splitlines() if line.startswith(f"{field}:"))
    return 1024 * int(line.split()[1])


def main(network: str, batch: str, side: str, scale: str) -> None:
    torch.set_num_threads(1)
    tiny = torch.nn.Conv2d(1, 1, 3)
    optimizer = torch.optim.Adam(tiny.parameters())  # loads what every training loads
    tiny(torch.rand(1, 1, 8, 8)).sum().backward()
    optimizer.step()
    before = resident("VmRSS")
    small = int(side) // int(scale)
    built = build(architecture_of(network, 3, size=(small, small), scale=int(scale) if scale != "1" else None)).train()
    optimizer = torch.optim.Adam(built.parameters())
    for _ in range(STEPS):
        inputs, target = (torch.rand(int(batch), 3, pixels, pixels) for pixels in (small, int(side)))
        optimizer.zero_grad()
        (built(inputs).image - target).square().mean().backward()
        optimizer.step()
    print(resident("VmHWM") - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
