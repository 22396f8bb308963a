"""A server of its own process: its port, its token, its end; and what `cuello serve` refuses before it listens."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cuello.runs.directory import Run
from cuello.serving.models import named
from cuello.serving.server import is_local

Refused = Callable[..., str]


class Process:
    """A `cuello serve` in a process of its own. address: of the server; model: of its first model."""

    def __init__(self, process: "subprocess.Popen[str]", told: dict[str, Any]):
        self.process, self.address, self.model = process, told["address"], next(iter(told["models"].values()))

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal; return the exit code and what was said."""
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=60)
        return self.process.returncode, error


@contextmanager
def started(*words: object, **environment: str) -> Iterator[Process]:
    """Start a server on a free port for the time of the block."""
    command = [sys.executable, "-m", "cuello", "serve", *map(str, words), "--port", "0", "--json", "--threads", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        yield Process(process, json.loads(line))
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "token"
    path.write_text("what-only-we-know\n")
    return path


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_what_is_at_hand_is_done(make: Any, number: int) -> None:
    import httpx

    content, answers = make.bytes(np.random.default_rng(0).integers(0, 256, (700, 700)).astype(np.uint8)), []
    with started("denoise") as server:
        asking = threading.Thread(target=lambda: answers.append(httpx.post(server.model, content=content, timeout=60)))
        asking.start()
        while "cuello_queue 1.0" not in httpx.get(f"{server.address}/metrics").text and not answers:
            time.sleep(0.01)
        code, error = server.end(number)
        asking.join()
    assert (code, answers[0].status_code) == (0, 200)
    assert "Traceback" not in error
    assert error.strip().endswith("stopped: every request at hand was answered")
    assert re.search(r"POST /v1/denoise 200 \d+ ms", error)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_nobody_reads_what_it_says(make: Any) -> None:
    import httpx

    content = make.bytes(np.zeros((20, 20), np.uint8))
    with started("denoise") as server:
        assert server.process.stdout is not None
        assert server.process.stderr is not None
        server.process.stdout.close()
        server.process.stderr.close()
        for _ in range(3):
            assert httpx.post(server.model, content=content).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0


def test_two_servers_a_token_and_a_client_that_hangs_up(trained: Run, secret: Path, make: Any) -> None:
    import httpx

    noise = np.random.default_rng(0).integers(0, 256, (600, 600)).astype(np.uint8)
    with started("denoise", "--token-file", secret) as one, started(trained.path, CUELLO_TOKEN="another-one") as two:
        assert one.address != two.address
        right = {"Authorization": "Bearer what-only-we-know"}
        assert httpx.post(one.model, content=make.bytes(noise)).status_code == 401
        assert httpx.post(two.model, content=make.bytes(noise), headers=right).status_code == 401
        host, port = one.address.removeprefix("http://").split(":")
        body = make.bytes(noise)
        head = f"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nAuthorization: {right['Authorization']}\r\n"
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:100])
        for _ in range(3000):
            counts = httpx.get(f"{one.address}/metrics", headers=right).text
            if 'cuello_requests_total{model="denoise",status="499"} 2.0' in counts and "cuello_queue 0.0" in counts:
                break
            time.sleep(0.01)
        else:
            raise AssertionError(counts)
        answer = httpx.post(one.model, content=make.bytes(noise[:20, :20]), headers=right)
        assert answer.status_code == 200


def test_no_file_is_left(make: Any, pixels: np.ndarray, tmp_path: Path) -> None:
    import httpx

    with started("denoise", TMPDIR=str(tmp_path)) as server:
        assert httpx.post(server.model, content=make.bytes(pixels)).status_code == 200
        assert httpx.post(server.model, content=make.bytes(pixels)[:300]).status_code == 422
        files = [("image", ("a.png", make.bytes(pixels)))] * 2
        assert httpx.post(server.model, files=files).status_code == 200
        large = httpx.post(server.model, content=bytes(70_000_000))
        assert (large.status_code, large.json()["error"]) == (413, "bytes")
        assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_said_before_anything_is_loaded(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused("serve", "nothing-of-that-name", "--port", port)
    assert f"port {port} of 127.0.0.1 is in use" in said
    assert f"--port {port + 1}" in said
    assert "--port 0" in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("denoize",), "Did you mean 'denoise'?"),
        (("denoise", "denoise"), "Name one of them: another-denoise=denoise"),
        (("bad name=denoise",), "got the name 'bad name'"),
        (("denoise", "--port", "70000"), "--port: got 70000"),
        (("denoise", "--host", "no.such.host.invalid"), "--host: got 'no.such.host.invalid'"),
        (("denoise", "--token-file", "missing.txt"), "--token-file: missing.txt could not be read"),
        (("denoise", "--timeout", "0"), "--timeout: got 0"),
        (("denoise", "--waiting", "-1"), "--waiting: got -1"),
        (("denoise", "--max-megapixels", "0"), "--max-megapixels: got 0"),
    ],
)
def test_what_cannot_be_served(refused: Refused, words: tuple[str, ...], part: str) -> None:
    given = words if "--port" in words else (*words, "--port", "0")
    assert part in refused("serve", *given)


def test_an_estimator_needs_its_classifier(refused: Refused, estimator: Path) -> None:
    assert f"cuello serve CLASSIFIER {estimator}" in refused("serve", estimator, "--port", 0)


@pytest.mark.parametrize("content", ["", "short", "with a space in it", "ünïcödé-ünïcödé"])
def test_a_token_that_is_none(refused: Refused, tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content, "utf-8")
    assert "needed a token of 8 or more" in refused("serve", "denoise", "--port", 0, "--token-file", tmp_path / "token")


def test_a_missing_package_is_said(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'cuello[serve]'" in refused("serve", "denoise")


def test_who_can_reach_an_address() -> None:
    assert [is_local(host) for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost")] == [True] * 4
    assert [is_local(host) for host in ("0.0.0.0", "::", "192.168.1.5", "example.org")] == [False] * 4


def test_everybody_without_a_token_is_warned_of() -> None:
    with started("denoise", "--host", "0.0.0.0") as server:
        _, error = server.end(signal.SIGTERM)
    assert "note: everybody who can reach 0.0.0.0" in error
    with started("denoise", "--host", "0.0.0.0", CUELLO_TOKEN="a-long-secret") as server:
        _, error = server.end(signal.SIGTERM)
    assert "note:" not in error


def test_names_of_models(tmp_path: Path) -> None:
    run = tmp_path / "my run"
    run.mkdir()
    (run / "model.safetensors").touch()
    assert named(["denoise", str(run), f"fast={run}"]) == {"denoise": "denoise", "my-run": str(run), "fast": str(run)}
    assert list(named([run / "model.safetensors"])) == ["my-run"]
    assert list(named(["elsewhere.safetensors", "hf://owner/name"])) == ["elsewhere", "name"]
    assert named(["hf://a/b@1f#sha256=2c", "c=hf://a/b"]) == {"b": "hf://a/b@1f#sha256=2c", "c": "hf://a/b"}
