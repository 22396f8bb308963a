"""Who must wait, who is told to come back, whose time is over, and who hung up."""

import io
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from cuello.serving.together import Call


class Busy:
    """Keeps the thread that runs networks busy for the time of a block."""

    def __init__(self, service: Any):
        self.together, self.free = service.app.state.desk.together, threading.Event()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        assert self.free.wait(30)
        return x

    def __enter__(self) -> "Busy":
        self.together.calls.put(Call(self, torch.zeros(1, 1, 999, 999), None, ticket=None))
        return self

    def __exit__(self, *_: object) -> None:
        self.free.set()


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true, for some time."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


@pytest.fixture
def content(make: Any, pixels: np.ndarray) -> bytes:
    return make.bytes(pixels)


def test_one_too_many_is_told_to_come_back(open_service: Callable[..., Any], content: bytes) -> None:
    with open_service("denoise", at_once=1, waiting=1) as service:
        desk = service.app.state.desk
        with Busy(service):
            threads = [threading.Thread(target=service.post, args=("/v1/denoise", content)) for _ in range(2)]
            for one in threads:
                one.start()
            until(lambda: desk.pending == 2)
            answer = service.post("/v1/denoise", content)
            assert (answer.status_code, answer.json()["error"]) == (429, "busy")
            assert answer.headers["retry-after"] == "1"
            assert service("GET", "/health").status_code == 200
            assert "cuello_queue 2.0" in service("GET", "/metrics").text
        for one in threads:
            one.join()
        until(lambda: desk.pending == 0)
        assert service.post("/v1/denoise", content).status_code == 200
        assert service.count("cuello_requests_total", model="denoise", status="200") == 3


def test_what_takes_too_long_is_given_up(open_service: Callable[..., Any], content: bytes) -> None:
    with open_service("denoise", timeout=0.3) as service:
        desk = service.app.state.desk
        with Busy(service):
            answer = service.post("/v1/denoise", content)
            assert (answer.status_code, answer.json()["error"]) == (503, "time")
            assert "0.3 s" in answer.json()["message"]
            assert desk.pending == 1, "a thread still works for it"
        until(lambda: desk.pending == 0)


def test_a_slow_body(open_service: Callable[..., Any], content: bytes) -> None:
    async def slowly() -> Any:
        import anyio

        yield content[:20]
        await anyio.sleep(5)
        yield content[20:]

    with open_service("denoise", timeout=0.2) as service:
        answer = service.post("/v1/denoise", slowly())
        assert (answer.status_code, answer.json()["error"]) == (408, "slow")
        assert "20 bytes came" in answer.json()["message"]
        assert service.app.state.desk.pending == 0


@pytest.mark.parametrize("when", ["while it sends", "while it waits"])
def test_a_client_that_hangs_up_leaves_no_work(open_service: Callable[..., Any], content: bytes, when: str) -> None:
    sent: list[Any] = []
    with open_service("denoise") as service:
        desk, busy = service.app.state.desk, Busy(service)

        async def receive() -> dict[str, Any]:
            import anyio

            if not sent:
                sent.append("body")
                more = when == "while it sends"
                return {"type": "http.request", "body": content[:50] if more else content, "more_body": more}
            while when == "while it waits" and desk.metrics.registry.get_sample_value("cuello_working") != 1:
                await anyio.sleep(0.01)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/denoise", "raw_path": b"/v1/denoise", "query_string": b"",
            "headers": [], "http_version": "1.1", "scheme": "http", "server": ("service", 80), "client": ("me", 1),
        }  # fmt: skip
        with busy:
            service.portal.call(service.app, scope, receive, send)
        until(lambda: desk.pending == 0)
        assert service.count("cuello_requests_total", model="denoise", status="499") == 1
        assert service.count("cuello_pixels_total", model="denoise") == 0
        assert service.post("/v1/denoise", content).status_code == 200


def test_small_images_at_once_give_what_each_gives_alone(
    open_service: Callable[..., Any], make: Any, make_image: Callable[..., np.ndarray]
) -> None:
    contents = [make.bytes(make_image(seed, 32, 40, channels=1)[..., 0]) for seed in range(6)]
    with open_service("denoise", at_once=6) as service:
        alone = [service.post("/v1/denoise", content).content for content in contents]
        files = [("image", (f"{place}.png", content)) for place, content in enumerate(contents)]
        for _ in range(2):  # the first time it is seen whether together is the same
            with ThreadPoolExecutor(1) as threads, Busy(service):
                asked = threads.submit(service.post, "/v1/denoise", files=files)
                until(lambda: service.app.state.desk.together.calls.qsize() == 6)
            archive = zipfile.ZipFile(io.BytesIO(asked.result().content))
            assert [archive.read(f"{place}.png") for place in range(6)] == alone
        assert service.count("cuello_images_together_bucket", le="4.0") < service.count("cuello_images_together_count")
