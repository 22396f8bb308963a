"""A service under eight clients, some of whose requests are broken, huge, slow or given up; and what a request costs.

    python benchmarks/serve.py [--requests 500] [--clients 8] [--rounds 40] [--threads 1]

A server process of `cuello serve denoise upscale-x2` is asked by clients in threads: images of many kinds, whose
answers must be, byte by byte, those of `cuello.apply`; and between them what must be refused, with the status that
it must have. Its memory (resident, of the process) is read before, after the first fifth, and in the end. Then one
client sends a grey PNG of 256×256 pixels again and again, in turn with `model(image)` in a process of its own,
with as many threads; the median of the differences is the overhead.
"""

import argparse
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import psutil
import tifffile
import torch
from PIL import Image
from skimage import data

import cuello
from cuello.runs.directory import environment

LIMITS = {"--max-megabytes": 4, "--max-megapixels": 1, "--timeout": 15, "--waiting": 32}
MEBI = 2**20


@dataclass(frozen=True)
class Asked:
    """A request and what it must bring. expected: the answer's bytes, None where only the status counts."""

    name: str
    send: Callable[[httpx.Client, str], tuple[int, bytes]]
    status: int
    expected: bytes | None = None


def as_bytes(image: np.ndarray, format: str) -> bytes:
    stream = io.BytesIO()
    if format == "npy":
        np.save(stream, image)
    elif format == "tif":
        tifffile.imwrite(stream, image, photometric="minisblack")
    else:
        Image.fromarray(image).save(stream, {"jpg": "JPEG"}.get(format, format))
    return stream.getvalue()


def posted(path: str, content: bytes) -> Callable[[httpx.Client, str], tuple[int, bytes]]:
    def send(client: httpx.Client, address: str) -> tuple[int, bytes]:
        answer = client.post(f"{address}{path}", content=content)
        return answer.status_code, answer.content

    return send


def slow(client: httpx.Client, address: str) -> tuple[int, bytes]:
    """Send a body that never comes to its end."""

    def drops():
        for _ in range(400):
            yield b"\x89PNG"
            time.sleep(0.1)

    answer = client.post(f"{address}/v1/denoise", content=drops())
    return answer.status_code, answer.content


def hung_up(content: bytes) -> Callable[[httpx.Client, str], tuple[int, bytes]]:
    """Send an image and leave before the answer; 499 is what the service counts then."""

    def send(client: httpx.Client, address: str) -> tuple[int, bytes]:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
            connection.sendall(head.encode() + content)
        return 499, b""

    return send


def right_ones(folder: Path) -> list[Asked]:
    """Make requests of images of many kinds, with what `cuello.apply` writes of each."""
    photograph, colours = data.camera(), data.astronaut()
    noisy = np.random.default_rng(0).normal(0, 20, photograph.shape) + photograph
    noisy = noisy.clip(0, 255).astype(np.uint8)
    images = {
        "small.png": as_bytes(noisy[:48, :40], "png"),
        "other small.png": as_bytes(noisy[100:148, 100:140], "png"),
        "third small.png": as_bytes(noisy[200:248, 100:140], "png"),
        "middle.png": as_bytes(noisy[:256, :256], "png"),
        "deep.png": as_bytes(noisy[:100, :120].astype(np.uint16) * 257, "png"),
        "colours.jpg": as_bytes(colours[:150, :130], "jpg"),
        "colours.webp": as_bytes(colours[:90, :130], "webp"),
        "stack.tif": as_bytes(np.stack([noisy[:80, :90], noisy[80:160, :90]]), "tif"),
        "array.npy": as_bytes(noisy[:70, :60], "npy"),
    }
    found = []
    for model in ("denoise", "upscale-x2"):
        loaded = cuello.load(model)
        for name, content in images.items():
            path = folder / "image".join(["", Path(name).suffix])
            path.write_bytes(content)
            applied = cuello.apply(loaded, path, folder / "results", overwrite=True)
            expected = Path(applied.written[0]).read_bytes()
            found.append(Asked(f"{model} {name}", posted(f"/v1/{model}", content), 200, expected))
    return found


def wrong_ones() -> list[Asked]:
    """Make requests that must be refused."""
    photograph = as_bytes(data.camera()[:200, :200], "png")
    bomb = as_bytes(np.zeros((6000, 6000), np.uint8), "png")
    several = as_bytes(np.zeros((5, 500, 500), np.uint8), "tif")
    return [
        Asked("cut short", posted("/v1/denoise", photograph[: len(photograph) // 2]), 422),
        Asked("no image", posted("/v1/denoise", b"hello"), 415),
        Asked("empty", posted("/v1/denoise", b""), 400),
        Asked("36 million pixels in few bytes", posted("/v1/denoise", bomb), 413),
        Asked("a stack of too many pixels", posted("/v1/denoise", several), 413),
        Asked("5 million bytes", posted("/v1/denoise", bytes(5_000_000)), 413),
        Asked("50 million bytes", posted("/v1/denoise", bytes(50_000_000)), 413),
        Asked("another model", posted("/v1/nothing", photograph), 404),
        Asked("another setting", posted("/v1/denoise?sigma=dark", photograph), 422),
        Asked("another format", posted("/v1/denoise?format=heic", photograph), 406),
        Asked("hung up", hung_up(as_bytes(data.camera(), "png")), 499),
    ]


def drawn(count: int, folder: Path) -> list[Asked]:
    """Draw requests: two thirds right, few slow ones, the others wrong."""
    random = np.random.default_rng(1)
    right, wrong = right_ones(folder), wrong_ones()
    asked = []
    for place in range(count):
        if place % 100 == 50:
            asked.append(Asked("slow", slow, 408))
            continue
        among = right if random.random() < 2 / 3 else wrong
        asked.append(among[int(random.integers(len(among)))])
    return asked


def under_clients(address: str, process: psutil.Process, *, asked: list[Asked], clients: int) -> None:
    """Send every request from some client, and print what came and what the process's memory did."""
    wrong: list[str] = []
    counted: Counter[str] = Counter()
    own = threading.local()

    def send(one: Asked) -> None:
        client = own.__dict__.setdefault("client", httpx.Client(timeout=60))
        for _ in range(200):
            status, content = one.send(client, address)
            if status != 429:
                break
            counted["429, sent again"] += 1
            time.sleep(0.05)
        counted[str(status)] += 1
        if status != one.status or (one.expected is not None and content != one.expected):
            wrong.append(f"{one.name}: {status}, {content[:200]!r}")

    begun, begin = process.memory_info().rss, time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        fifth = len(asked) // 5
        list(threads.map(send, asked[:fifth]))
        warm = process.memory_info().rss
        list(threads.map(send, asked[fifth:]))
    seconds = time.perf_counter() - begin
    time.sleep(2)
    ended = process.memory_info().rss
    print(f"{len(asked)} requests, {clients} clients, {seconds:.0f} s; wrong: {len(wrong)}")
    for one in wrong[:10]:
        print(f"    {one}")
    print("    " + ", ".join(f"{status}: {count}" for status, count in sorted(counted.items())))
    print(
        f"    memory in MB: {begun / MEBI:.0f} before, {warm / MEBI:.0f} after {fifth} requests, {ended / MEBI:.0f} "
        "in the "
        f"end; grown since: {(ended - warm) / MEBI:+.0f}; threads: {process.num_threads()}; open files: "
        f"{process.num_fds()}"
    )


ALONE = """
import sys, time, io, numpy as np, torch, cuello
from PIL import Image
torch.set_num_threads(int(sys.argv[1]))
model, image = cuello.load("denoise"), np.asarray(Image.open(io.BytesIO(sys.stdin.buffer.read(int(sys.argv[2])))))
for _ in sys.stdin.buffer:
    start = time.perf_counter(); model(image); print(time.perf_counter() - start, flush=True)
"""


def overhead(address: str, *, rounds: int, threads: int) -> None:
    """Time a request in turn with the same model by itself, in a process of its own."""
    content = as_bytes(data.camera()[128:384, 128:384], "png")
    command = [sys.executable, "-c", ALONE, str(threads), str(len(content))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as alone, httpx.Client() as client:
        assert alone.stdin is not None
        assert alone.stdout is not None
        alone.stdin.write(content)
        asked, by_itself = [], []
        for round_ in range(rounds + 3):
            alone.stdin.write(b"\n")
            alone.stdin.flush()
            own = float(alone.stdout.readline())
            start = time.perf_counter()
            client.post(f"{address}/v1/denoise", content=content).raise_for_status()
            if round_ >= 3:
                asked.append(time.perf_counter() - start)
                by_itself.append(own)
        alone.stdin.close()
    more = [1000 * (one - other) for one, other in zip(asked, by_itself, strict=True)]
    print(
        f"256×256 PNG, {rounds} rounds in turn, medians in ms: request {1000 * median(asked):.1f}, model(image) "
        f"{1000 * median(by_itself):.1f}, difference {median(more):.1f}; "
        f"ratio {median(asked) / median(by_itself):.2f}; best of each: "
        f"{1000 * min(asked):.1f}, {1000 * min(by_itself):.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    here = environment()
    print(
        f"{here.get('processor')}, {here.get('cores')} cores, {psutil.virtual_memory().total / 2**30:.0f} GB; "
        f"{options.threads} thread(s); load before: {os.getloadavg()[0]:.1f}"
    )
    limits = [str(part) for limit in LIMITS.items() for part in limit]
    command = [sys.executable, "-m", "cuello", "serve", "denoise", "upscale-x2", "--port", "0", "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        asked = drawn(options.requests, Path(folder))
        with subprocess.Popen(
            [*command, "--threads", str(options.threads), *limits], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["address"]
            process = psutil.Process(server.pid)
            try:
                under_clients(address, process, asked=asked, clients=options.clients)
                overhead(address, rounds=options.rounds, threads=options.threads)
                counts = httpx.get(f"{address}/metrics").text.splitlines()
                print(
                    "    "
                    + "; ".join(line for line in counts if 'status="499"' in line or line.startswith("cuello_queue"))
                )
            finally:
                server.send_signal(signal.SIGTERM)
        print(f"stopped with {server.returncode}")


if __name__ == "__main__":
    main()
