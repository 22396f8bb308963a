"""Which processor to train on, and how."""

import contextlib
import os

import torch

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.openmp import is_dynamic
from cuello.runs.directory import available_cores
from cuello.training.ranks.place import RankPlace


def choose_device(name: str, place: RankPlace | None = None) -> torch.device:
    """Return the device that ``name`` stands for: auto, cpu, cuda, cuda:N or mps.

    place: of this process among several, each of which has a GPU of its own, or works on the processor.
    Raises CuelloError where it is asked for and absent.
    """
    if place is not None:
        return device_of(name, place)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CuelloError(f"--device: got {name!r}, needed auto, cpu, cuda, cuda:N or mps.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise CuelloError(
            f"device: {name} was asked for, but this torch ({torch.__version__}) sees no NVIDIA GPU. "
            "Use --device=cpu, or install torch with CUDA and a driver."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CuelloError(
            f"device: {name} was asked for, but there are {torch.cuda.device_count()} GPUs (0 is the first)."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise CuelloError("device: mps was asked for, but this is not a Mac with Apple's GPU. Use --device=cpu.")
    if device.type not in ("cpu", "cuda", "mps"):
        raise CuelloError(f"--device: got {name!r}, needed auto, cpu, cuda, cuda:N or mps.")
    return device


def device_of(name: str, place: RankPlace) -> torch.device:
    """Return the device of one of several processes; CuelloError where there is none for it."""
    if name == "auto" and not torch.cuda.is_available():
        return torch.device("cpu")
    if name not in ("auto", "cpu", "cuda"):
        raise CuelloError(f"--device={name}: several ranks work on the processor (cpu), or on a GPU each (cuda).")
    device = choose_device(name)
    if device.type == "cpu":
        return device
    if place.local >= torch.cuda.device_count():
        raise CuelloError(
            f"rank {place.rank} is number {place.local + 1} on its machine, which has {torch.cuda.device_count()} "
            "GPUs: start as many ranks as there are GPUs, or add --device=cpu."
        )
    torch.cuda.set_device(place.local)
    return torch.device("cuda", place.local)


def use_threads(threads: int | None, place: RankPlace | None = None) -> int:
    """Set how many processor threads torch works with and return the number.

    By default as many as OMP_NUM_THREADS says, or else all cores. More threads than free cores are very slow.
    place: of this process among several; each takes one by default, or as many cores as Slurm gives it.
    """
    if threads is not None and threads < 1:
        raise CuelloError(f"--threads: got {threads}, needed 1 or more; leave it out for all cores.")
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if place is not None and not asked:
        asked = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    count = threads or (int(asked) if asked.isdigit() and int(asked) else available_cores())
    if count > 1 and is_dynamic():
        raise CuelloError(
            f"torch was loaded with OMP_DYNAMIC=true, with which {count} threads can wait for one another for ever. "
            "Unset OMP_DYNAMIC, import cuello before torch, or add --threads=1."
        )
    torch.set_num_threads(count)
    return count


def precision_context(config: TrainConfig, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which a forward pass runs: automatic bf16, or none."""
    if config.precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
