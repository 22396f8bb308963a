"""Changed files by the hundred: what becomes of each, how long it takes at most, and how much memory.

    python benchmarks/fuzz.py --seeds 300

Every kind of file runs in a process of its own, with at most --gigabytes of address space. "worked" means that the file
was read and gave finite numbers, "refused" that a plain error came; anything else is printed with its traceback's last
line, and the exit code is 1. Models and checkpoints have one value of their description or one tensor changed, and
their checksum made anew; of the other kinds some bytes are changed, or the end is cut off.
"""

import argparse
import copy
import gzip
import math
import multiprocessing
import os
import random
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

VALUES: list[Any] = [
    None, True, "", "x", "a" * 5000, -1, 0, 2**31, 10**30, 10**400, 0.5, math.nan, math.inf, [], [1], {}, {"kind": "x"},
    2_000_000_000, 1_000_000, 65536, ["a", 1], [2**40] * 3, [[1]] * 1000, [65536] * 64,
]  # fmt: skip
NETWORKS = {
    "dncnn-s": "denoise", "impulse-s": "denoise", "unet-s": "denoise", "strided-3": "denoise", "denoise-s": "denoise",
    "mlp:35-3-2": "reconstruct", "vae:c4-c8-3": "generate", "vq:c4-c4": "reconstruct", "fsq:c4-c2": "reconstruct",
    "classify-s": "classify", "classify-mnist": "classify", "up-s": "upscale", "espcn": "upscale", "fsrcnn": "upscale",
}  # fmt: skip


def write_model(path: Path, name: str) -> None:
    import torch

    from cuello.models.catalog import architecture_of, build
    from cuello.runs.artefact import Artefact, save_artefact

    torch.manual_seed(0)
    architecture = architecture_of(name, 1, (7, 5) if name.startswith("mlp") else None)
    classes = ("no", "yes") if NETWORKS[name] == "classify" else ()
    weights, about = build(architecture).state_dict(), {"epochs": 3, "resize": "28"}
    save_artefact(path, Artefact(architecture, NETWORKS[name], "gaussian:25", weights, about, classes=classes))


def use_model(path: Path) -> None:
    import numpy as np

    from cuello.inference.model import load

    model = load(path)
    height, width = model.size or (32, 32)
    image = np.linspace(0, 1, height * width * model.channels, dtype=np.float32).reshape(height, width, -1)
    found = model.classify(image[None]) if model.classes else model(image)
    if not np.isfinite(found).all():
        raise ArithmeticError("the result is not finite")


def write_checkpoint(path: Path) -> None:
    import torch

    from cuello.runs.checkpoint import Checkpoint, save_checkpoint
    from cuello.runs.history import EpochRecord

    records = tuple(EpochRecord(epoch, 0.5, 0.5, 0.1, 10.0, 1e-3, 1.0, 0.9, 64) for epoch in (1, 2, 3))
    weights, state = {"a": torch.ones(2)}, {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}}
    save_checkpoint(path, Checkpoint(weights, weights, weights, state, records, "abc"))


def use_checkpoint(path: Path) -> None:
    from cuello.runs.checkpoint import load_checkpoint

    load_checkpoint(path)


def write_history(path: Path) -> None:
    from cuello.runs.history import EpochRecord, write_history

    write_history(path, [EpochRecord(epoch, 0.5, 0.5, 0.1, 10.0, 1e-3, 1.0, 0.9, 64) for epoch in (1, 2)])


def use_history(path: Path) -> None:
    from cuello.runs.history import read_history

    read_history(path)


def write_config(path: Path) -> None:
    from cuello.core.config import make_config, to_toml

    path.write_text(to_toml(make_config({"resize": "28x28", "crop": 8, "noise": "gaussian:5..50"})))


def use_config(path: Path) -> None:
    from cuello.core.config import make_config, read_toml
    from cuello.data.images import parse_size
    from cuello.degrade import parse
    from cuello.models.catalog import architecture_of, build

    config = make_config(read_toml(path))
    parse_size(config.resize)
    parse(config.noise or "gaussian:1")
    build(architecture_of(config.model, 1))


def write_array(path: Path) -> None:
    import h5py
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 255, (3, 6, 5), np.uint8)
    content = struct.pack(">HBB3I", 0, 8, 3, *pixels.shape) + pixels.tobytes()
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix == ".npz":
        np.savez_compressed(path, images=pixels, labels=np.arange(3))
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("images", data=pixels, chunks=(1, 6, 5), compression="gzip")
    else:
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def use_array(path: Path) -> None:
    from cuello.data.sources import open_path

    source = open_path(path)
    for index in range(min(4, len(source.names))):
        source.read(index)


def changed_value(value: Any, rng: random.Random) -> Any:
    """Return JSON with one value in it changed, left out, renamed, or put deep into lists."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def walk(inside: Any) -> None:
        for key in list(inside) if isinstance(inside, dict) else range(len(inside)):
            places.append((inside, key))
            if isinstance(inside[key], dict | list):
                walk(inside[key])

    walk(value)
    inside, key = rng.choice(places)
    what = rng.random()
    if what < 0.15:
        del inside[key]
    elif what < 0.2:
        for _ in range(300):
            inside[key] = [inside[key]]
    elif what < 0.3 and isinstance(inside, dict):
        inside[f"{key}s"] = inside.pop(key)
    else:
        inside[key] = rng.choice(VALUES)
    return value


def change_parts(path: Path, kind: str, rng: random.Random) -> None:
    """Change a description or a tensor, and make the checksum anew."""
    from cuello.runs.tensors import load_tensors, save_tensors

    tensors, about = load_tensors(path, kind, 1)
    about = {key: value for key, value in about.items() if key not in ("kind", "format", "version")}
    if rng.random() < 0.7:
        about = changed_value(about, rng)
    else:
        name = rng.choice(sorted(tensors))
        if rng.random() < 0.2:
            del tensors[name]
        else:
            tensor = tensors[name].double()
            made = rng.choice([tensor * math.nan, tensor * 1e300, tensor[None], tensor.reshape(-1)[:0], tensor * 1e30])
            tensors[name] = made if rng.random() < 0.5 else made.float()
    save_tensors(path, tensors, about, kind=kind, format=1)


def change_bytes(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        where = rng.randrange(min(len(content), rng.choice((16, 128, 10**6))))
        content[where] = rng.choice((0, 255, rng.randrange(256), ord("9")))
    path.write_bytes(bytes(content[: rng.choice((len(content), rng.randrange(1, len(content))))]))


Kind = tuple[str, Callable[[Path], None], Callable[[Path], None], Callable[[Path, random.Random], None]]


def kinds() -> dict[str, Kind]:
    """Name of the file, how it is written, used, and changed."""
    found: dict[str, Kind] = {}
    for name in NETWORKS:
        found[f"model {name}"] = (
            "model.safetensors", lambda path, name=name: write_model(path, name), use_model,
            lambda path, rng: change_parts(path, "model", rng),
        )  # fmt: skip
    found["checkpoint"] = (
        "last.safetensors", write_checkpoint, use_checkpoint, lambda path, rng: change_parts(path, "checkpoint", rng),
    )  # fmt: skip
    found["model, bytes"] = ("m.safetensors", lambda path: write_model(path, "mlp:35-3-2"), use_model, change_bytes)
    found["history.jsonl"] = ("history.jsonl", write_history, use_history, change_bytes)
    found["config.toml"] = ("config.toml", write_config, use_config, change_bytes)
    for name in ("a.npy", "a.npz", "a.idx", "a.idx.gz", "a.h5"):
        found[name[2:]] = (name, write_array, use_array, change_bytes)
    return found


def run(kind: str, seeds: int, gigabytes: float, told: Any) -> None:
    """Try one kind of file, and tell what happened."""
    from cuello.core.errors import CuelloError

    file, write, use, change = kinds()[kind]
    counts, wrong, longest = Counter[str](), [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        write(path)
        whole = path.read_bytes()
        use(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most = int(gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for seed in range(seeds):
            path.write_bytes(whole)
            try:
                change(path, random.Random(seed))
            except Exception:  # nothing of this kind can be written
                counts["not written"] += 1
                continue
            start = time.perf_counter()
            try:
                use(path)
                counts["worked"] += 1
            except CuelloError:
                counts["refused"] += 1
            except Exception as error:
                counts["wrong"] += 1
                wrong.append(f"seed {seed}: {type(error).__name__}: {str(error)[:100]}")
            longest = max(longest, time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told.put((dict(counts), wrong, longest, before / 1024, after / 1024))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    asked = parser.parse_args()
    context, total, bad = multiprocessing.get_context("spawn"), Counter[str](), 0
    print(f"{os.cpu_count()} cores, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB")
    for kind in (kind for kind in kinds() if asked.only in kind):
        told = context.SimpleQueue()
        process = context.Process(target=run, args=(kind, asked.seeds, asked.gigabytes, told))
        process.start()
        process.join(60 + asked.seeds)
        if process.is_alive() or process.exitcode:
            process.kill()
            print(f"{kind:24} ended with {process.exitcode} (None: it hung)")
            bad += 1
            continue
        counts, wrong, longest, before, after = told.get()
        total.update(counts)
        words = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"{kind:24} {words}; longest {longest:.2f} s, peak {after:.0f} MiB ({before:.0f} before)", flush=True)
        print(*(f"    {line}" for line in wrong), sep="\n", end="\n" if wrong else "")
    print("all: " + ", ".join(f"{count} {what}" for what, count in sorted(total.items())))
    return 1 if bad or total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
