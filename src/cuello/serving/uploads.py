"""What a request brings: its body within limits, and the images in it, in memory alone."""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePath

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from cuello.core.errors import CuelloError
from cuello.inference.unnamed import ending_of
from cuello.serving.refused import CLOSED, Refused

DRAINED = 4
"""A body that is too large is read to its end up to so many times the limit, so that the client hears the answer."""
LONGEST = 100
"""Letters of a file's name that are kept."""


@dataclass(frozen=True)
class Upload:
    """An image as it came. name: what the client calls it, with the ending that its content has."""

    name: str
    content: bytes
    ending: str


class InMemory(MultiPartParser):
    """Keeps what it reads in memory: no file is written."""

    spool_max_size = 2**62


async def received(request: Request, *, most_bytes: int, most_images: int, seconds: float) -> list[Upload]:
    """Read the images of a request: its body is one, or a form of several; Refused for anything else."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Refused(415, "encoding", f"got a body with Content-Encoding: {encoding[:50]}; send it as it is.")
    body = await body_of(request, most_bytes, seconds)
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return [upload("image", body)]
    return await files_of(request, body, most_images)


async def body_of(request: Request, most: int, seconds: float) -> bytes:
    """Read the body; Refused where it is too large, too slow or cut short."""
    parts: list[bytes] = []
    size = 0
    said = request.headers.get("content-length", "")
    promised = int(said) if said.isdecimal() else 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if max(size, promised) > DRAINED * most:
                    break
                if max(size, promised) <= most:
                    parts.append(part)
                else:
                    parts.clear()
    except TimeoutError:
        raise Refused(
            408, "slow", f"the body did not arrive within {seconds:g} s: {size:,} bytes came. Send it faster, or "
            "smaller images.", headers={"Connection": "close"},
        ) from None  # fmt: skip
    except ClientDisconnect:
        raise Refused(CLOSED, "closed", "the client hung up.") from None
    if max(size, promised) > most:
        raise Refused(
            413, "bytes", f"got a body of {max(size, promised):,} bytes, needed at most {most:,}. Send smaller images, "
            "or fewer at a time; whoever runs the service can raise --max-megabytes.", headers={"Connection": "close"},
        )  # fmt: skip
    return b"".join(parts)


async def files_of(request: Request, body: bytes, most: int) -> list[Upload]:
    """Take a form apart; Refused where it is broken, or holds no files or too many."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await InMemory(request.headers, whole(), max_files=most).parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise Refused(
                413, "images", f"got more than {most} images, needed at most that. Send fewer at a time."
            ) from None
        raise Refused(400, "form", f"the form cannot be read: {error.message} Send multipart/form-data with files in "
                      "it, e.g. curl -F image=@a.png.") from None  # fmt: skip
    except Exception as error:
        raise Refused(400, "form", f"the form is broken ({type(error).__name__}). Send multipart/form-data with files "
                      "in it, e.g. curl -F image=@a.png.") from None  # fmt: skip
    found: list[Upload] = []
    for number, (field, value) in enumerate(form.multi_items(), 1):
        if isinstance(value, str):
            raise Refused(400, "form", f"the form's field {field[:50]!r} is a text; needed files alone. Settings stand "
                          "in the address: ?format=png.")  # fmt: skip
        found.append(upload(value.filename or f"image-{number}", await value.read()))
    if not found:
        raise Refused(400, "empty", "the form holds no file; needed one image or more, e.g. curl -F image=@a.png.")
    return found


def upload(name: str, content: bytes) -> Upload:
    """Know an image by its content; Refused where it is none."""
    if not content:
        raise Refused(400, "empty", "got an empty body (0 bytes), needed an image, e.g. curl --data-binary @a.png.")
    stem = safe_stem(name)
    try:
        ending = ending_of(content, f"what was sent ({stem})")
    except CuelloError as error:
        raise Refused(415, "kind", str(error)) from None
    return Upload(f"{stem}{ending}", content, ending)


def safe_stem(name: str) -> str:
    """Give a file's name without folders, ending and signs that mean something to a system.

    >>> safe_stem("../../etc/pass wd.tif"), safe_stem("C:\\\\scans\\\\a.png"), safe_stem(".."), safe_stem("é.png")
    ('pass wd', 'a', 'image', 'é')
    """
    stem = PurePath(name.replace("\\", "/")).stem
    stem = re.sub(r"[^\w .()+-]", "_", stem)[:LONGEST].strip(" .")
    return stem or "image"
