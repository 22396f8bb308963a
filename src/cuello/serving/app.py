"""The service as an app: addresses, what they take and give, and how a refusal is told."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi import Query as FromQuery
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from cuello.core.errors import CuelloError, closest
from cuello.core.settings import ServeSettings
from cuello.core.version import VERSION
from cuello.serving.answers import answer_of
from cuello.serving.asked import Asked, Query, asked_for, check_used
from cuello.serving.desk import Desk
from cuello.serving.door import Door, body_of
from cuello.serving.metrics import Metrics
from cuello.serving.models import Served, named, open_models
from cuello.serving.page import docs_page
from cuello.serving.refused import Refused, refusal
from cuello.serving.shapes import HEALTH, MODELS, POST, TELLS, Health, Listed
from cuello.serving.together import Abandoned, Ticket, Together
from cuello.serving.uploads import Upload, received
from cuello.serving.work import Budget, made_of
from cuello.training.device import choose_device, use_threads

ABOUT = (
    "Restores, enlarges, classifies or explains images with trained networks, as cuello apply does: the same range, "
    "bit depth, channels, pages, transparency and metadata. Images come as a request's body, or several as a form, "
    "and nothing is kept of them."
)


# More than seven parameters: those by name are the settings of one service.
def make_app(
    models: Sequence[str | os.PathLike[str]],
    settings: ServeSettings | None = None,
    *,
    token: str | None = None,
    network: Any = None,
    device: str = "cpu",
    threads: int | None = None,
    quiet: bool = True,
) -> FastAPI:
    """Make the service as an ASGI app, for a server or for tests.

    models: run directories, files or names of ready models; NAME=PLACE names one. settings: limits; where it listens is
    the server's matter. token: that requests must bring, if any. network: as for `cuello.load`. threads: of the
    processor. quiet: without a line a request. Raises CuelloError for a model that cannot be loaded, or a setting that
    makes no sense.
    """
    settings = checked(settings or ServeSettings())
    metrics = Metrics()
    together = Together(use_threads(threads), metrics.together.observe)
    served = open_models(named(models), together, network=network, device=str(choose_device(device)))
    desk = Desk(settings, together, metrics)

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        together.start()
        await asyncio.to_thread(warm_up, served)
        try:
            yield
        finally:
            desk.close()

    app = FastAPI(
        title="Cuello", version=VERSION, description=ABOUT, lifespan=working, docs_url=None, redoc_url=None,
        openapi_tags=TELLS,
    )  # fmt: skip
    app.state.desk, app.state.served = desk, served
    add_refusals(app)
    add_addresses(app, served, desk)
    app.add_middleware(Door, token=token, names=set(served), metrics=metrics, quiet=quiet)
    return app


def warm_up(served: Mapping[str, Served]) -> None:
    """Put a small image through every model, so that the first request waits for no imports."""
    for one in served.values():
        width, height = (one.model.size or (64, 64))[::-1]
        stream = BytesIO()
        Image.new("L", (width, height), 128).save(stream, "PNG")
        upload, asked = Upload("image.png", stream.getvalue(), ".png"), Asked(give=one.gives[0])
        with suppress(CuelloError, Refused):
            made_of(one, upload, asked, budget=Budget(2**40), ticket=Ticket())


def checked(settings: ServeSettings) -> ServeSettings:
    """Return settings that make sense; CuelloError for others."""
    for name in ("max_megabytes", "max_megapixels", "timeout", "max_images", "at_once"):
        if not getattr(settings, name) > 0:
            raise CuelloError(f"--{name.replace('_', '-')}: got {getattr(settings, name)}, needed more than 0.")
    if settings.waiting < 0:
        raise CuelloError(f"--waiting: got {settings.waiting}, needed 0 or more.")
    return settings


def add_addresses(app: FastAPI, served: Mapping[str, Served], desk: Desk) -> None:
    """Give the app what can be asked of it."""
    settings, metrics = desk.settings, desk.metrics

    @app.post("/v1/{model}", tags=["images"], response_class=Response, **POST)
    async def work(model: str, query: Annotated[Query, FromQuery()], request: Request) -> Response:
        one = chosen(served, model)
        give = query.give or one.gives[0]
        if give not in one.gives:
            raise Refused(422, "give", f"got ?give={give}, but {model} gives {', '.join(one.gives)}.{one.lacks(give)}")
        check_used(query, give, estimated=one.estimator is not None)
        asked = asked_for(query, request.headers.get("accept", "*/*"), give)
        with desk.seat() as seat:
            uploads = await received(
                request, most_bytes=int(settings.max_megabytes * 1e6), most_images=settings.max_images,
                seconds=settings.timeout,
            )  # fmt: skip
            budget = Budget(int(settings.max_megapixels * 1e6))
            jobs = [
                lambda ticket, upload=upload: made_of(one, upload, asked, budget=budget, ticket=ticket)
                for upload in uploads
            ]
            made = await seat.made(jobs, request)
            metrics.pixels.labels(model).inc(budget.spent)
            return answer_of(made, asked, give=give)

    @app.get("/models", tags=["about"], response_model=Listed, **MODELS)
    async def models() -> dict[str, Any]:
        return {"models": [one.about() for one in served.values()]}

    @app.get("/health", tags=["about"], response_model=Health, **HEALTH)
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": VERSION}

    @app.get("/metrics", tags=["about"], response_class=Response, summary="Counts, as Prometheus reads them")
    async def counts() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = docs_page(app.openapi())
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")


def chosen(served: Mapping[str, Served], name: str) -> Served:
    """Return the model of a name; Refused with 404 where there is none."""
    if name in served:
        return served[name]
    raise Refused(
        404,
        "model",
        f"there is no model called {name[:100]!r} here.{closest(name, served)} Served: {', '.join(served)}.",
    )


def add_refusals(app: FastAPI) -> None:
    """Tell every refusal as JSON: a status, a word, and a sentence."""

    def told(refused: Refused) -> JSONResponse:
        return JSONResponse(body_of(refused), refused.status, headers=dict(refused.headers))

    async def refused(_: Request, error: Exception) -> JSONResponse:
        return told(Refused(503, "time", "given up.") if isinstance(error, Abandoned) else refusal(error))

    async def unfit(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return told(Refused(422, "query", "; ".join(map(said_of, error.errors()))))

    async def elsewhere(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        where = {
            404: "there is nothing at this address. Images go to POST /v1/MODEL; GET /docs says more.",
            405: "this address takes another method. Images go to POST /v1/MODEL; GET /docs says more.",
        }
        word = {404: "address", 405: "method"}.get(error.status_code, "request")
        message = where.get(error.status_code, str(error.detail))
        return told(Refused(error.status_code, word, message, headers=dict(error.headers or {})))

    for kind in (Refused, CuelloError, MemoryError, Abandoned, Exception):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(RequestValidationError, unfit)
    app.add_exception_handler(HTTPException, elsewhere)


def said_of(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a setting of an address."""
    name = str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in Query.model_fields.items()]
        return f"there is no setting ?{name}=.{closest(name, known)} Known: {', '.join(known)}."
    return f"?{name}: got {str(error['input'])[:100]!r}. {error['msg'].removeprefix('Input ').capitalize()}."
