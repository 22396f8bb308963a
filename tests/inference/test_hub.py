"""Networks on the hub, against a small server on this machine that answers as the hub does."""

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.inference.hub import HubAddress, address_of, is_on_hub
from cuello.runs.directory import Run

pytest.importorskip("huggingface_hub")
OLD, NEW = "a" * 40, "b" * 40


@dataclass
class Hub:
    """What the stand-in has: the content of model.safetensors by commit, and what its branches point to."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": OLD})
    asked: list[str] = field(default_factory=list)
    status: int = 0


class Answers(BaseHTTPRequestHandler):
    """The hub's answers to HEAD and GET of OWNER/NAME/resolve/REVISION/FILE."""

    hub: Hub

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        hub = self.hub
        hub.asked.append(f"{self.command} {self.path}")
        repository, _, rest = self.path.strip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        commit = hub.branches.get(revision, revision)
        content = hub.files.get(commit)
        if hub.status:
            return self.refuse(hub.status, "")
        if repository != "ada/engine":
            return self.refuse(404, "RepoNotFound")
        if content is None:
            return self.refuse(404, "RevisionNotFound")
        if name != "model.safetensors":
            return self.refuse(404, "EntryNotFound")
        self.send_response(200)
        for header, value in {
            "X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Content-Length": str(len(content)),
        }.items():  # fmt: skip
            self.send_header(header, value)
        self.end_headers()
        if body:
            self.wfile.write(content)
        return None

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, trained: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    found = Hub(files={OLD: trained.model_path.read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfHub", (Answers,), {"hub": found}))
    found.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def pinned(hub: Hub, commit: str = OLD) -> str:
    return f"hf://ada/engine@{commit}#sha256={hashlib.sha256(hub.files[commit]).hexdigest()}"


def test_a_pinned_network_is_the_file_that_was_trained(hub: Hub, trained: Run, images: Path) -> None:
    model, known = cuello.load(pinned(hub)), cuello.load(trained.path)
    assert model.artefact.checksum == known.artefact.checksum
    pixels = np.asarray(Image.open(images / "0.png"))
    np.testing.assert_array_equal(model(pixels), known(pixels))


def test_the_second_time_needs_no_network(hub: Hub) -> None:
    cuello.load(pinned(hub))
    asked = len(hub.asked)
    hub.status = 503
    cuello.load(pinned(hub))
    assert len(hub.asked) == asked


def test_the_command_line_applies_it(hub: Hub, trained: Run, images: Path, tmp_path: Path, command: Callable) -> None:
    assert command("apply", pinned(hub), images / "0.png", tmp_path / "hub.png", "--quiet").code == 0
    assert command("apply", trained.path, images / "0.png", tmp_path / "own.png", "--quiet").code == 0
    assert (tmp_path / "hub.png").read_bytes() == (tmp_path / "own.png").read_bytes()


@pytest.mark.parametrize("lacking", ["", "@main", f"@{OLD}"])
def test_what_is_not_pinned_is_refused_with_its_pinned_form(hub: Hub, lacking: str) -> None:
    with pytest.raises(CuelloError) as caught:
        cuello.load(f"hf://ada/engine{lacking}")
    message = str(caught.value)
    assert "It was not opened" in message
    assert message.endswith(f"its address is: {pinned(hub)}")
    cuello.load(message.rpartition(" ")[2])


def test_a_branch_with_a_checksum_is_still_no_commit(hub: Hub) -> None:
    with pytest.raises(CuelloError, match="names no commit"):
        cuello.load(pinned(hub).replace(OLD, "main"))


def test_a_moved_branch_is_another_network(hub: Hub) -> None:
    before = pinned(hub).replace(OLD, "main")
    hub.files[NEW] = hub.files[OLD] + b"!"
    hub.branches["main"] = NEW
    with pytest.raises(CuelloError, match="is not the file that was asked for") as caught:
        cuello.load(before)
    assert pinned(hub, NEW) in str(caught.value)


def test_a_wrong_checksum_is_refused_before_the_file_is_opened(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cuello.inference.model.load_artefact", lambda path: pytest.fail("was opened"))
    with pytest.raises(CuelloError) as caught:
        cuello.load(f"hf://ada/engine@{OLD}#sha256={'0' * 64}")
    assert f"needed {'0' * 64}" in str(caught.value)


def test_a_revision_that_is_gone_is_said(hub: Hub) -> None:
    with pytest.raises(CuelloError, match=f"hf://ada/engine has no revision {NEW} any more"):
        cuello.load(f"hf://ada/engine@{NEW}#sha256={'0' * 64}")


def test_an_unknown_repository_is_said(hub: Hub) -> None:
    with pytest.raises(CuelloError, match="the hub has no repository ada/other"):
        cuello.load(f"hf://ada/other@{OLD}#sha256={'0' * 64}")


def test_without_a_network_it_says_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CuelloError, match="is not on this machine, and the hub could not be reached"):
        cuello.load(pinned(hub))


def test_a_hub_out_of_order_is_no_traceback(hub: Hub) -> None:
    hub.status = 500
    with pytest.raises(CuelloError, match="hf://ada/engine"):
        cuello.load(pinned(hub))


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CuelloError, match=r"pip install 'cuello\[hub\]'"):
        cuello.load(f"hf://ada/engine@{OLD}#sha256={'0' * 64}")


@pytest.mark.parametrize("text", ["hf://", "hf://engine", "hf://a/b/c@main", "hf://a/b#sha256=12", "hf://a/b@x y"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(CuelloError, match="Needed: hf://OWNER/NAME@COMMIT#sha256=CHECKSUM"):
        address_of(text)


def test_an_address_is_read_as_it_is_written() -> None:
    text = f"hf://ada/engine-2.x@{OLD}#sha256={'AB' * 32}"
    assert address_of(text) == HubAddress("ada/engine-2.x", OLD, "ab" * 32)
    assert str(address_of(text)) == text.replace("AB", "ab")
    assert address_of(Path(text)) == address_of(text), "a path loses a stroke"
    assert not is_on_hub("runs/hf")
    assert not is_on_hub("hf:///a")
