"""Networks on the Hugging Face hub: one file of one commit, whose checksum is known before it is opened."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cuello.core.errors import CuelloError, Fault, first_line

PREFIX = re.compile(r"^hf:/{1,2}(?!/)")
"""How the address of a network on the hub begins; a path loses the second stroke."""
ADDRESS = re.compile(r"^([\w.-]+/[\w.-]+)(?:@([^@#\s]+))?(?:#sha256=([0-9a-fA-F]{64}))?$")
COMMIT = re.compile(r"^[0-9a-f]{40}$")
NEWEST = "main"
FILE = "model.safetensors"


@dataclass(frozen=True)
class HubAddress:
    """Where a network lies on the hub: whose repository, which revision of it, and the SHA-256 of its file.

    >>> str(HubAddress("ada/engine", "f" * 40, "0" * 64))[:40]
    'hf://ada/engine@ffffffffffffffffffffffff'
    """

    repository: str
    revision: str | None = None
    sha256: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether it stands for one file, today and ever after."""
        return self.sha256 is not None and COMMIT.match(self.revision or "") is not None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repository}{revision}{f'#sha256={self.sha256}' if self.sha256 else ''}"


def is_on_hub(path: str | os.PathLike[str]) -> bool:
    """Tell whether a model is named by its address on the hub."""
    return PREFIX.match(os.fspath(path)) is not None


def address_of(path: str | os.PathLike[str]) -> HubAddress:
    """Read ``hf://OWNER/NAME@COMMIT#sha256=CHECKSUM``; CuelloError for another form.

    >>> address_of("hf://ada/engine@main").revision
    'main'
    """
    text = os.fspath(path)
    found = ADDRESS.match(PREFIX.sub("", text))
    if found is None:
        raise CuelloError(
            f"{text} is no address of a network on the hub. Needed: hf://OWNER/NAME@COMMIT#sha256=CHECKSUM, with a "
            "commit of 40 and a checksum of 64 hexadecimal digits."
        )
    repository, revision, sha256 = found.groups()
    return HubAddress(repository, revision, sha256 and sha256.lower())


def fetched(path: str | os.PathLike[str]) -> Path:
    """Return the file of a network on the hub, downloaded once and checked each time.

    Raises CuelloError where the address does not say commit and checksum, with the address that does; where the file is
    another than its checksum says, or is not there; a Fault where the hub cannot be reached.
    """
    address = address_of(path)
    file = download(address)
    now = HubAddress(address.repository, file.parent.name, sha256_of(file))
    if address.sha256 is not None and now.sha256 != address.sha256:
        raise CuelloError(
            f"{FILE} of {address.repository}, revision {now.revision}, is not the file that was asked for: its SHA-256 "
            f"is {now.sha256}, needed {address.sha256}. It was not opened. If its author says that it was replaced, "
            f"name it as it is now: {now}"
        )
    if not address.pinned:
        lacks = "no checksum" if COMMIT.match(address.revision or "") else "no commit"
        raise CuelloError(
            f"{address} names {lacks}, so that another network may lie there tomorrow. It was not opened. As it is "
            f"now, its address is: {now}"
        )
    return file


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def download(address: HubAddress) -> Path:
    """Return the network's file in the hub's own cache, where that of a commit stays usable without a network."""
    try:
        from huggingface_hub import errors, hf_hub_download
        from huggingface_hub.utils import disable_progress_bars
    except ImportError:
        raise CuelloError(
            "networks on the hub need a package that is missing: pip install 'cuello[hub]'. Or download "
            f"{FILE} with a browser, and name the file."
        ) from None
    revision, where = address.revision or NEWEST, f"hf://{address.repository}"
    disable_progress_bars()
    try:
        return Path(
            hf_hub_download(address.repository, FILE, revision=revision, endpoint=os.environ.get("HF_ENDPOINT"))
        )
    except errors.GatedRepoError:
        raise CuelloError(
            f"{where} is open only to those who agreed to its terms: do that on its page, then: hf auth login"
        ) from None
    except errors.RepositoryNotFoundError:
        raise CuelloError(
            f"the hub has no repository {address.repository}, or shows it only to its owner (then: hf auth login). "
            "Needed: OWNER/NAME as on its page."
        ) from None
    except errors.RevisionNotFoundError:
        raise CuelloError(
            f"{where} has no revision {revision} any more, if it ever had: its history may have been rewritten. Its "
            f"newest one, to be looked at before it is used, is shown by naming {where} alone."
        ) from None
    except errors.LocalEntryNotFoundError as error:
        raise Fault(
            f"{where} is not on this machine, and the hub could not be reached ({cause_of(error)}). Try again when "
            f"there is a network, or copy {FILE} here and name the file."
        ) from None
    except errors.EntryNotFoundError:
        raise CuelloError(f"{where} at revision {revision} holds no {FILE}, and so no network of Cuello.") from None
    except errors.HFValidationError as error:
        raise CuelloError(f"{where} is no name that the hub allows: {first_line(error)}") from None
    except (errors.HfHubHTTPError, OSError) as error:
        raise Fault(f"{where} could not be fetched: {first_line(error)}") from None


def cause_of(error: BaseException) -> str:
    """Return what led to an error, in a line."""
    return first_line(error.__cause__ or error)
