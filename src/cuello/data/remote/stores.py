"""Stores of files: what they hold, to fetch from and to put into; fsspec speaks with them, and is loaded only here."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from cuello.core.errors import CuelloError, Fault, first_line
from cuello.core.files import as_cuello_error, cache_folder
from cuello.data.remote.address import Address, redacted

T = TypeVar("T")

DRIVERS = {"s3": "s3fs", "gs": "gcsfs", "https": "aiohttp", "http": "aiohttp", "memory": "fsspec"}
"""The package that each protocol needs."""
TRIES, FEW_TRIES, FIRST_WAIT = 4, 2, 0.5
"""How often files are fetched and put, and a store is asked what it holds, where the next try may work; and the seconds
before the second try, then twice each."""
AT_ONCE = 32
"""Files that are fetched side by side."""
MOST_PAGES = 10_000
"""Pages of a listing over https that are looked into."""


@dataclass(frozen=True)
class StoredFile:
    """A file in a store.

    path: as the store calls it. name: below the folder that was asked for. size: in bytes, None where it is not said.
    version: what changes when the content does, a checksum or a time; None where the store says neither. page: a web
    page, which is no file that was meant.
    """

    path: str
    name: str
    size: int | None
    version: str | None
    page: bool = False


def file_system(protocol: str, *, anonymous: bool = False) -> Any:
    """Return fsspec's way to a store; CuelloError where its package is missing."""
    try:
        import fsspec

        import_module(DRIVERS[protocol])
    except ImportError as error:
        raise CuelloError(
            f"{protocol}:// needs a package that is missing ({error.name}): pip install 'cuello[remote]'. Or copy the "
            "files to this machine, and name the folder."
        ) from None
    return fsspec.filesystem(protocol, use_listings_cache=False, **({"anon": True} if anonymous else {}))


def opened(address: Address) -> Any:
    """Return the way to a store, anonymous where this machine has no credentials for it."""
    system = file_system(address.protocol)
    if address.protocol != "s3":
        return system
    from botocore.session import get_session

    with in_our_words(address):
        known = get_session().get_credentials() is not None
    return system if known else file_system("s3", anonymous=True)


def stored_file(path: str, name: str, info: Mapping[str, Any]) -> StoredFile:
    """Read what a store says of a file, each in its own words."""
    for keys in (("ETag", "etag"), ("md5Hash", "Content-MD5", "Digest"), ("mtime", "updated", "LastModified"),
                 ("Last-Modified", "created")):  # fmt: skip
        version = next((str(info[key]) for key in keys if info.get(key)), None)
        if version is not None:
            break
    return StoredFile(path, name, size=info.get("size"), version=version, page=info.get("mimetype") == "text/html")


def look(system: Any, address: Address) -> StoredFile | None:
    """Look at what an address names: a file, or None for a folder; NotThere where there is nothing."""
    info = tried(lambda: system.info(address.whole), address, tries=FEW_TRIES)
    if info["type"] == "directory":
        return None
    name = unquote(address.name) if address.is_web else address.name
    return stored_file(address.whole if address.is_web else info["name"], name, info)


def files_in(system: Any, folder: Address, keep: Callable[[str], bool]) -> list[StoredFile]:
    """List the files below a folder, by name; over https only those of names to ``keep`` are asked about."""
    if folder.is_web:
        return tried(lambda: linked_files(system, folder, keep), folder, tries=FEW_TRIES)
    front = f"{system._strip_protocol(folder.whole).rstrip('/')}/"
    found = tried(lambda: system.find(folder.whole, detail=True), folder, tries=FEW_TRIES)
    return [
        stored_file(path, path.removeprefix(front), info)
        for path, info in sorted(found.items())
        if info["type"] == "file" and path.startswith(front) and path != front
    ]


def linked_files(system: Any, folder: Address, keep: Callable[[str], bool]) -> list[StoredFile]:
    """List the files that the pages of a folder link to, as web servers show folders."""
    front = f"{folder.whole.rstrip('/')}/"
    waiting, seen, files = [front], {front}, []
    while waiting:
        for link in links_of(system, waiting.pop()):
            path = link.partition("?")[0].partition("#")[0]
            if path in seen or not path.startswith(front):
                continue
            seen.add(path)
            if not path.endswith("/"):
                files.append(path)
            elif len(seen) < MOST_PAGES:
                waiting.append(path)
    names = {path: unquote(path.removeprefix(front)) for path in sorted(files)}
    asked = [path for path, name in names.items() if keep(name)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        infos = dict(zip(asked, pool.map(system.info, asked), strict=True))
    return [stored_file(path, name, infos.get(path, {})) for path, name in names.items()]


def links_of(system: Any, page: str) -> list[str]:
    """Give the links of a page; fsspec calls one without any missing, and it was found."""
    try:
        return system.ls(page, detail=False)
    except FileNotFoundError as error:
        if statuses_of(error) or kinds_of(error) & UNREACHED:
            raise
        return []


def get(system: Any, files: Sequence[StoredFile], targets: Sequence[Path], *, address: Address) -> None:
    """Fetch files side by side, tried again where that may help; a Fault where it does not."""
    paths, places = [one.path for one in files], [str(target) for target in targets]

    def once() -> None:
        if system.async_impl:
            system.get(paths, places, batch_size=AT_ONCE)
            return
        for path, target in zip(paths, targets, strict=True):  # in memory, where get looks through all it holds
            target.write_bytes(system.cat_file(path))

    tried(once, address)


def put(system: Any, file: Path, address: Address) -> None:
    """Put a file into a store, tried again where that may help, and look whether it is there as long as it is here."""

    def once() -> None:
        system.put_file(str(file), address.whole)
        there, needed = system.info(address.whole).get("size"), file.stat().st_size
        if there != needed:
            raise ConnectionError(f"{there} bytes arrived of {needed}")

    tried(once, address, doing="written")


def tried(once: Callable[[], T], address: Address, *, doing: str = "read", tries: int = TRIES) -> T:
    """Do something that may fail for a moment, and raise what it fails by in our words."""
    wait = FIRST_WAIT
    for attempt in range(tries):
        try:
            return once()
        except Exception as error:
            if attempt == tries - 1 or not is_for_a_moment(error):
                raise in_words(error, address, doing) from None
        time.sleep(wait)
        wait *= 2
    raise AssertionError("the last try returns or raises")


@contextmanager
def in_our_words(address: Address, doing: str = "read") -> Iterator[None]:
    """Raise what the block fails by in our words."""
    try:
        yield
    except CuelloError:
        raise
    except Exception as error:
        raise in_words(error, address, doing) from None


def causes_of(error: BaseException) -> list[BaseException]:
    """Give an error and what led to it, the outermost first."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def kinds_of(error: BaseException) -> set[str]:
    """Give the names of the kinds that an error, and what led to it, are of."""
    return {kind.__name__ for one in causes_of(error) for kind in type(one).__mro__}


def statuses_of(error: BaseException) -> set[int]:
    """Give the answers of a web server among what led to an error: 404 for what is not there, …"""
    answers = (getattr(one, "status" if hasattr(one, "status") else "code", None) for one in causes_of(error))
    return {int(one) for one in answers if isinstance(one, int) or (isinstance(one, str) and one.isdigit())}


UNREACHED = {
    "ClientConnectionError", "ConnectionError", "EndpointConnectionError", "ConnectTimeoutError", "TimeoutError",
    "FSTimeoutError", "ServerTimeoutError", "ReadTimeoutError", "gaierror", "HTTPClientError", "ClientPayloadError",
    "TransportError", "ResponseStreamingError", "IncompleteReadError",
}  # fmt: skip
"""Kinds of errors, by the names that the libraries give them, of a network that is away or breaks off."""
UNKNOWN_USER = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "DefaultCredentialsError", "RefreshError", "ProfileNotFound", "UnauthorizedSSOTokenError",
}  # fmt: skip
"""Kinds of errors of credentials that are missing, or no longer good."""
LIBRARIES = ("aiohttp", "botocore", "aiobotocore", "s3fs", "gcsfs", "google", "fsspec", "requests", "yarl")
"""Whose errors say something about a store, and not about a mistake of ours."""
CREDENTIALS = {
    "s3": "credentials are found as Amazon's tools find them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "AWS_PROFILE, or `aws configure`; the address of another store than Amazon's in AWS_ENDPOINT_URL",
    "gs": "credentials are found as Google's tools find them: GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth "
    "application-default login`",
}


def is_for_a_moment(error: BaseException) -> bool:
    """Tell whether what failed may work in a second."""
    statuses = statuses_of(error)
    if statuses and min(statuses) >= 400:
        return any(one == 429 or one >= 500 for one in statuses)
    return bool(kinds_of(error) & UNREACHED)


def in_words(error: BaseException, address: Address, doing: str = "read") -> BaseException:
    """Say what a store failed by, in the user's terms; what is no failure of a store comes back as it is."""
    kinds, statuses = kinds_of(error), statuses_of(error)
    libraries = {type(one).__module__.partition(".")[0] for one in causes_of(error)}
    if isinstance(error, CuelloError) or not (isinstance(error, OSError) or libraries & set(LIBRARIES)):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return as_cuello_error(error, cache_folder())
    how = CREDENTIALS.get(address.protocol, "a web server asks for its own: fetch the file with its tools")
    if kinds & UNKNOWN_USER:
        return Fault(f"{address} could not be {doing}: no credentials were found, or none that hold: {how}.")
    if "PermissionError" in kinds or statuses & {401, 403}:
        return NotAllowed(f"{address} could not be {doing}: no permission. Ask its owner for it; {how}.")
    if kinds & UNREACHED and not statuses:
        told = [one for one in causes_of(error) if str(one)]
        why = redacted(first_line(told[-1] if told else error))
        return Fault(f"{address} could not be reached ({why}). Try again when there is a network.")
    if "FileNotFoundError" in kinds or 404 in statuses:
        if "bucket does not exist" in str(error) or "NoSuchBucket" in kinds:
            return Fault(f"there is no bucket {address.place.partition('/')[0]} ({address}). Look at its name.")
        return NotThere(f"there is no file or folder {address}. Look at its name; capital and small letters differ.")
    return Fault(f"{address} could not be {doing}: {redacted(first_line(error))}")


class NotThere(Fault):
    """There is nothing of a name, in a store that answers."""


class NotAllowed(Fault):
    """A store does not let this user: nothing else that is tried there will work."""
