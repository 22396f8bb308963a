"""What stores fail by, in words: packages that are missing, networks that are away, users that are unknown."""

import sys
from pathlib import Path
from typing import Any

import pytest

from cuello.core.errors import CuelloError, Fault
from cuello.data.remote import stores
from cuello.data.remote.address import address_of
from cuello.data.remote.fetch import fetched

HERE = address_of("s3://bucket/a.png")


@pytest.mark.parametrize(
    ("url", "package"),
    [("s3://b/a.png", "s3fs"), ("gs://b/a.png", "gcsfs"), ("https://h/a.png", "aiohttp"), ("memory://a.png", "fsspec")],
)
def test_a_package_that_is_missing_is_named_with_what_installs_it(
    url: str, package: str, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CuelloError, match=rf"\({package}\): pip install 'cuello\[remote\]'"):
        fetched(url)


def named(name: str, module: str = "botocore.exceptions", base: type[Exception] = Exception) -> type[Exception]:
    """Make a kind of error as a library has it."""
    return type(name, (base,), {"__module__": module})


class AnsweredError(Exception):
    """What a web server answers with."""

    __module__ = "aiohttp.client_exceptions"

    def __init__(self, status: int, text: str = "no") -> None:
        super().__init__(text)
        self.status = status


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (named("NoCredentialsError")("Unable to locate credentials"), "no credentials were found"),
        (named("RefreshError", "google.auth.exceptions")("expired"), "no credentials were found, or none that hold"),
        (PermissionError("Access Denied"), "no permission"),
        (AnsweredError(403), "no permission"),
        (AnsweredError(401), "no permission"),
        (AnsweredError(404), "there is no file or folder s3://bucket/a.png"),
        (FileNotFoundError("The specified bucket does not exist"), "there is no bucket bucket"),
        (named("EndpointConnectionError")("Could not connect"), "could not be reached"),
        (named("ClientPayloadError", "aiohttp")("not completed"), "could not be reached"),
        (TimeoutError("timed out"), "could not be reached"),
        (AnsweredError(503, "busy"), "could not be read: busy"),
        (OSError("odd"), "could not be read: odd"),
    ],
)
def test_what_fails_is_said_in_words(error: Exception, said: str) -> None:
    found = stores.in_words(error, HERE)
    assert isinstance(found, Fault)
    assert said in str(found)
    assert "s3://bucket" in str(found)


def test_a_disk_that_is_full_here_is_no_fault_of_the_store() -> None:
    assert "no space left for" in str(stores.in_words(OSError(28, "No space left on device"), HERE))


def test_mistakes_of_ours_stay_what_they_are() -> None:
    mistake = TypeError("of ours")
    assert stores.in_words(mistake, HERE) is mistake


def test_no_secret_is_repeated_from_what_a_library_says() -> None:
    said = OSError("GET https://ada:secret@host/a.png?sig=secret: odd")
    assert "secret" not in str(stores.in_words(said, HERE))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (AnsweredError(503), True), (AnsweredError(429), True), (AnsweredError(404), False),
        (AnsweredError(403), False), (ConnectionResetError("reset"), True), (TimeoutError(), True),
        (PermissionError(), False), (FileNotFoundError(), False), (OSError(28, "No space left on device"), False),
    ],
)  # fmt: skip
def test_what_is_tried_again(error: Exception, again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "FIRST_WAIT", 0)
    tries = []

    def once() -> None:
        tries.append(1)
        raise error

    with pytest.raises(Fault):
        stores.tried(once, HERE)
    assert len(tries) == (stores.TRIES if again else 1)


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ({"ETag": '"900150"', "LastModified": "yesterday", "Size": 3}, '"900150"'),  # S3
        ({"etag": "CJ3=", "md5Hash": "kAFQ", "updated": "2026-01-01T00:00:00Z"}, "CJ3="),  # Google
        ({"Last-Modified": "Thu, 01 Jan 2026"}, "Thu, 01 Jan 2026"),  # a web server without checksums
        ({"created": 12.5}, "12.5"),  # memory
        ({}, None),
    ],
)
def test_what_a_store_says_of_a_version(info: dict[str, Any], version: str | None) -> None:
    assert stores.stored_file("bucket/a.png", "a.png", {"size": 3, **info}).version == version


def test_waits_double(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(stores.time, "sleep", waited.append)
    left = [ConnectionResetError(), TimeoutError(), None]

    def once() -> str:
        if (error := left.pop(0)) is not None:
            raise error
        return "done"

    assert stores.tried(once, HERE) == "done"
    assert waited == [stores.FIRST_WAIT, 2 * stores.FIRST_WAIT]
