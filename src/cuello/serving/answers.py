"""What was made of images, as the answer to a request."""

import json
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import PurePath
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from cuello.inference.targets import ARRAY
from cuello.serving.asked import AS_FILES, Asked
from cuello.serving.kinds import MEDIA, SAME
from cuello.serving.work import Made

LONGEST = 4000
"""Signs of a header's value: programs take no longer ones; a zip holds all notes."""


def answer_of(made: Sequence[Made], asked: Asked, *, give: str) -> Response:
    """Answer with one file or JSON, or, of several images, with a zip or a list."""
    if give not in AS_FILES and asked.ending != ARRAY:
        each = [{"name": PurePath(one.name).stem, **one.values} for one in made]
        return JSONResponse(each[0] if len(each) == 1 else {"images": each})
    if len(made) == 1:
        (one,) = made
        ending = PurePath(one.name).suffix.lower()
        media = MEDIA.get(SAME.get(ending, ending), "application/octet-stream")
        return Response(one.content, media_type=media, headers={**named(one.name), **told(made)})
    return Response(zipped(made), media_type=MEDIA[".zip"], headers={**named("results.zip"), **told(made)})


def named(name: str) -> dict[str, str]:
    """Name the file of an answer."""
    return {"Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}"}


def told(made: Sequence[Made]) -> dict[str, str]:
    """Give what changed beside the pixels, and what was estimated, as headers."""
    notes = [note for one in made for note in one.notes]
    text = json.dumps(notes)
    while len(text) > LONGEST:
        notes = [*notes[: len(notes) // 2], "…"] if len(notes) > 2 else ["…"]
        text = json.dumps(notes)
    found = {"Cuello-Notes": text} if notes else {}
    if len(made) == 1 and made[0].range is not None:
        found["Cuello-Range"] = made[0].range
    if len(made) == 1 and made[0].sigma is not None:
        found["Cuello-Sigma"] = f"{made[0].sigma:g}"
    return found


def zipped(made: Sequence[Made]) -> bytes:
    """Put files into a zip, uncompressed; of a name that is there already, the next gets a number. Notes go along."""
    stream, names = BytesIO(), set[str]()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for one in made:
            path, name, number = PurePath(one.name), one.name, 1
            while name.lower() in names:
                number += 1
                name = f"{path.stem}-{number}{path.suffix}"
            names.add(name.lower())
            archive.writestr(zipfile.ZipInfo(name), one.content or b"")
        if notes := [note for one in made for note in one.notes]:
            archive.writestr(zipfile.ZipInfo("notes.json"), json.dumps(notes, ensure_ascii=False, indent=1))
    return stream.getvalue()
