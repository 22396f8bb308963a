"""What all pages share: where the runs lie, where results of a moment go, and which files may be asked for."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, Response

PAGE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; sandbox allow-popups"
"""Of Cuello's own reports, which hold all that they show and run no code."""


@dataclass(frozen=True)
class Site:
    """Of one server. runs: the folder of runs. work: a folder that goes with the server. offered: files by address."""

    runs: Path
    work: Path
    offered: dict[str, Path] = field(default_factory=dict)

    def offer(self, path: Path) -> str:
        """Let a file be asked for, and return its address, which nobody can guess."""
        for key, known in self.offered.items():
            if known == path:
                return f"/offered/{key}/{path.name}"
        key = secrets.token_urlsafe(12)
        self.offered[key] = path
        return f"/offered/{key}/{path.name}"

    def new_folder(self) -> Path:
        """Make a folder for what a page is about to make."""
        folder = self.work / secrets.token_hex(6)
        folder.mkdir()
        return folder


def add_offered(app: FastAPI, site: Site) -> None:
    """Serve files that pages have offered, and no other."""

    @app.get("/offered/{key}/{name}")
    def offered(key: str, name: str) -> Response:
        path = site.offered.get(key)
        if path is None or not path.is_file():
            return PlainTextResponse("This file is not there any more.\n", 404)
        kinds = {".html": "text/html", ".png": "image/png"}
        kind = kinds.get(path.suffix.lower())
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store"}
        if kind is None:
            return FileResponse(path, media_type="application/octet-stream", filename=path.name, headers=headers)
        return FileResponse(path, media_type=kind, headers=headers)
