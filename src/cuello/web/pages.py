"""All pages, as one application."""

from fastapi import FastAPI
from nicegui import ui

from cuello.web.compare import add_compare
from cuello.web.explain import add_explain
from cuello.web.latent import add_latent
from cuello.web.new import add_new
from cuello.web.run import add_run
from cuello.web.runs import add_runs
from cuello.web.site import Site, add_offered
from cuello.web.tryout import add_tryout


def make_app(site: Site) -> FastAPI:
    """Make the application of one server."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_offered(app, site)
    for add in (add_runs, add_run, add_new, add_compare, add_tryout, add_explain, add_latent):
        add(site)
    ui.run_with(app, title="cuello", dark=None, show_welcome_message=False, tailwind=False, reconnect_timeout=10.0)
    return app
