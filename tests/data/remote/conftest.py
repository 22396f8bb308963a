"""Stores of files for tests: one on this machine that speaks S3, one in memory, and a web server."""

import io
import logging
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cuello.data.remote import cache

OWN = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}
"""What the tools of S3 look for in the environment."""


def png(seed: int, side: int = 24) -> bytes:
    """Return a small grey image as a PNG file."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    return png


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A server that speaks S3, on 127.0.0.1, and the way to it; with the bucket "photos-bucket"."""
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install 'cuello[remote]'")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs: pip install 'cuello[remote]'")
    moto = pytest.importorskip("moto.server", reason="needs a server that speaks S3: pip install 'moto[s3,server]'")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OWN.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        s3fs.S3FileSystem.clear_instance_cache()
        system = fsspec.filesystem("s3", use_listings_cache=False)
        system.makedirs("photos-bucket", exist_ok=True)  # servers of one process share what they hold
        yield system
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def memory(own_place: Path) -> Iterator[Any]:
    """The store in memory, empty."""
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install 'cuello[remote]'")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, empty."""
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))
    cache.VERIFIED.clear()
    return tmp_path / "cache"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path, own_place: Path) -> Iterator[tuple[str, Path]]:
    """A web server on 127.0.0.1 that shows folders: its address, and the folder that it shows."""
    pytest.importorskip("aiohttp", reason="needs aiohttp: pip install 'cuello[remote]'")
    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
    thread.join()
