"""A service in this process, asked as a client would."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.settings import ServeSettings
from cuello.runs.directory import Run

NEEDED = ("fastapi", "uvicorn", "prometheus_client", "python_multipart", "httpx", "anyio")


@pytest.fixture(scope="session", autouse=True)
def serving() -> None:
    """The tests of the service are left out where its packages are missing."""
    for name in NEEDED:
        pytest.importorskip(name, reason="the service needs pip install 'cuello[serve]' and httpx")


class Service:
    """A service and its client. app: the service; served: its models by name."""

    def __init__(self, app: Any, portal: Any, client: Any):
        self.app, self.portal, self.client = app, portal, client

    def __call__(self, method: str, address: str, **given: Any) -> Any:
        return self.portal.call(partial(self.client.request, method, address, **given))

    def post(self, address: str, content: Any = None, **given: Any) -> Any:
        return self("POST", address, content=content, **given)

    def count(self, name: str, **labels: str) -> float:
        """Return what the service counted under a name."""
        found = self.app.state.desk.metrics.registry.get_sample_value(name, labels or None)
        return 0.0 if found is None else found


@contextmanager
def opened(*models: Any, token: str | None = None, **settings: Any) -> Iterator[Service]:
    """Serve models in this process for the time of the block."""
    import anyio.from_thread
    import httpx

    from cuello.serving.app import make_app

    app = make_app([str(model) for model in models], ServeSettings(**settings), token=token, threads=1)
    with ExitStack() as stack:
        portal = stack.enter_context(anyio.from_thread.start_blocking_portal())
        stack.enter_context(portal.wrap_async_context_manager(app.router.lifespan_context(app)))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60)
        yield Service(app, portal, client)


@pytest.fixture(scope="session")
def open_service() -> Callable[..., Any]:
    return opened


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory, make_classes: Callable[..., Path]) -> Path:
    """A classifier of dark and bright images, 10×12."""
    folder = tmp_path_factory.mktemp("classifier")
    data = make_classes(folder / "data", 8)
    return cuello.train("classify", data, epochs=1, output=folder / "kinds", report=False, threads=1).path


@pytest.fixture(scope="session")
def estimator(tmp_path_factory: pytest.TempPathFactory, classifier: Path, make_estimator: Callable[..., Path]) -> Path:
    """An untrained estimator of the classifier's maps."""
    return make_estimator(tmp_path_factory.mktemp("estimator") / "maps", classifier)


@pytest.fixture(scope="session")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An autoencoder of glyphs with two numbers."""
    folder = tmp_path_factory.mktemp("coder") / "coder"
    run = cuello.train("reconstruct", "glyphs", model="mlp-20-2", epochs=1, output=folder, report=False, threads=1)
    return run.path


@pytest.fixture(scope="session")
def service(trained: Run, classifier: Path, estimator: Path, coder: Path) -> Iterator[Service]:
    """A service of a denoiser of three channels, a ready one of one, a classifier, its estimator, and a code."""
    with opened(trained.path, "denoise", "upscale-x2", classifier, estimator, coder) as one:
        yield one


@pytest.fixture(scope="session")
def pixels(make_image: Callable[..., np.ndarray]) -> np.ndarray:
    return make_image(3, 21, 26)


def as_bytes(image: np.ndarray, format: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    if format == "npy":
        np.save(stream, image)
    else:
        Image.fromarray(image).save(stream, format=format, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def make() -> Any:
    return SimpleNamespace(bytes=as_bytes)
