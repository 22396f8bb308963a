"""Many tiny images at a URL: what the first call costs, what the next ones do, beside the same folder on this disk.

    python benchmarks/remote.py [--counts 1000,10000] [--stores s3,memory] [--folder DIR]

Grey PNGs of 16×16 pixels, in ten folders, are put into a store: moto's server, which speaks S3 and runs in a process of
its own on 127.0.0.1, or fsspec's store in memory. Then processes of their own, one after another, open the folder by
`cuello.data.catalog.open_source` (`memory://`: in this process): with an empty cache, again with a full one, again
after one file has changed; and the same files in a local folder. Seconds of the call, without starting Python and
importing; and fsspec alone, which lists and fetches and keeps no account.
moto answers one request at a time, in Python: a real store answers many at once, over a slower wire.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cuello.data.catalog import open_source
from cuello.data.remote import cache

OWN = {
    "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip
SERVER = """
import logging, sys, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
OPEN = """
import sys, time
from cuello.data.catalog import open_source
begun = time.perf_counter()
source = open_source(sys.argv[1])
print(time.perf_counter() - begun, len(source.names))
"""


def png(seed: int) -> bytes:
    """Return a tiny image as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(content, "PNG")
    return content.getvalue()


@contextmanager
def served() -> Iterator[Any]:
    """Give the way to a server of its own that speaks S3, with a bucket; it ends with the block."""
    import fsspec

    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        *_, host, port = next(line for line in server.stdout if line.startswith("127.0.0.1")).split()
        os.environ.update(OWN, AWS_ENDPOINT_URL=f"http://{host}:{port}")
        system = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)  # each server its own
        system.mkdir("many")
        yield system
    finally:
        server.terminate()
        server.wait()


def seconds_in_a_process(place: str) -> tuple[float, int]:
    """Open images in a process of its own, and give the seconds that took, and how many there are."""
    said = subprocess.run(
        [sys.executable, "-c", OPEN, place], capture_output=True, text=True, check=True
    ).stdout.split()
    return float(said[0]), int(said[1])


def seconds_here(place: str) -> tuple[float, int]:
    """Do the same in this process, as if nothing of the cache had been compared yet."""
    cache.VERIFIED.clear()
    begun = time.perf_counter()
    source = open_source(place)
    return time.perf_counter() - begun, len(source.names)


def bare_seconds(system: Any, url: str, folder: Path, *, count: int) -> tuple[float, int]:
    """List and fetch the same with fsspec alone, without a cache or a checksum; in memory, read it."""
    begun = time.perf_counter()
    paths = list(system.find(url))
    if system.async_impl:
        system.get(paths, [str(folder / str(number)) for number in range(len(paths))], batch_size=32)
    else:
        for path in paths:
            system.cat_file(path)
    assert len(paths) == count
    return time.perf_counter() - begun, len(paths)


def measure(system: Any, root: str, url: str, *, count: int, folder: Path) -> list[float]:
    """Put the images there and here, and open them: with fsspec alone, first, second, after a change, locally."""
    shutil.rmtree(folder, ignore_errors=True)
    local = folder / "local"
    content = {f"{k % 10}/{k:05d}.png": png(k) for k in range(count)}
    system.pipe({f"{root}/{name}": value for name, value in content.items()})
    for name, value in content.items():
        (local / name).parent.mkdir(parents=True, exist_ok=True)
        (local / name).write_bytes(value)
    os.environ["CUELLO_CACHE"] = str(folder / "cache")
    seconds = seconds_here if url.startswith("memory") else seconds_in_a_process
    found = [bare_seconds(system, url, folder / "bare", count=count), seconds(url), seconds(url)]
    system.pipe(f"{root}/0/00000.png", png(count))
    found += [seconds(url), seconds(str(local))]
    assert {one for _, one in found} == {count}, found
    return [one for one, _ in found]


def main() -> None:
    """Print a table."""
    import fsspec

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--counts", default="1000,10000")
    parser.add_argument("--stores", default="s3,memory")
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as place:
        print("| store | files | fsspec alone | first call | second | one file changed | local folder | load |")
        print("|---|---|---|---|---|---|---|---|")
        for store in asked.stores.split(","):
            for count in map(int, asked.counts.split(",")):
                if store == "s3":
                    with served() as system:
                        found = measure(system, f"many/{count}", f"s3://many/{count}", count=count, folder=Path(place))
                else:
                    system = fsspec.filesystem("memory")
                    found = measure(system, f"/{count}", f"memory://{count}", count=count, folder=Path(place))
                times = " | ".join(f"{one:.2f} s" for one in found)
                print(f"| {store} | {count:,} | {times} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
