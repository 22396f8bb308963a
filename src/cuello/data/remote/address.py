"""What a URL says: by which protocol, and where; nothing of it that is secret is ever shown."""

import os
import re
from dataclasses import dataclass, replace

from cuello.core.errors import CuelloError, closest

PROTOCOLS = ("s3", "gs", "https", "http", "memory")
"""What images are read by. https and http are for reading alone."""
LIKE_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/*)(.*)", re.DOTALL)
ELSEWHERE = {
    "file": "it is a file of this machine: name its path alone, without file://.",
    "hf": "it names a network on the Hugging Face hub, and needed are images.",
}
"""What other addresses are, and what to do about them."""


@dataclass(frozen=True)
class Address:
    """Where files are: what a URL says. ``str`` gives it without what may be secret.

    protocol: one of ``PROTOCOLS``. place: host or bucket and path. query: of https, what follows the question mark.
    """

    protocol: str
    place: str
    query: str = ""

    def __str__(self) -> str:
        return f"{self.protocol}://{self.place}{'?…' if self.query else ''}"

    @property
    def whole(self) -> str:
        """All of it, for the library that fetches; never to be shown or kept."""
        return f"{self.protocol}://{self.place}{f'?{self.query}' if self.query else ''}"

    @property
    def name(self) -> str:
        """The last name in it.

        >>> address_of("s3://bucket/photos/").name
        'photos'
        """
        return self.place.rstrip("/").rpartition("/")[2]

    @property
    def folder(self) -> "Address":
        """What lies around it; of a bucket, itself."""
        above = self.place.rstrip("/").rpartition("/")[0]
        return Address(self.protocol, above or self.place.rstrip("/"))

    @property
    def has_magic(self) -> bool:
        """Whether it is a pattern. In https a question mark begins the query."""
        return any(sign in self.place for sign in ("*" if self.is_web else "*?["))

    @property
    def is_web(self) -> bool:
        return self.protocol in ("https", "http")

    def below(self, name: str) -> "Address":
        """Return the address of something in this folder."""
        return replace(self, place=f"{self.place.rstrip('/')}/{name}")


def is_url(place: str | os.PathLike[str]) -> bool:
    """Tell whether a text is meant to be a URL: one, or one with a stroke too few.

    >>> is_url("s3://bucket/a.png"), is_url("s3:/bucket"), is_url("photos/a.png"), is_url("C:/photos")
    (True, True, False, False)
    """
    text = os.fspath(place)
    found = LIKE_URL.match(text)
    if found is None:
        return False
    protocol, strokes, _ = found.groups()
    return len(strokes) > 1 or (protocol.lower() in (*PROTOCOLS, *ELSEWHERE) and not os.path.lexists(text))


def address_of(place: str | os.PathLike[str]) -> Address:
    """Read a URL; CuelloError, without anything secret, where it cannot be one of ``PROTOCOLS``.

    >>> str(address_of("https://host/a.png?signature=secret"))
    'https://host/a.png?…'
    """
    text = os.fspath(place)
    found, shown = LIKE_URL.match(text), redacted(text)
    if found is None:
        raise CuelloError(f"{shown} is no URL. Needed: s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or https://HOST/FILE.")
    protocol, strokes, rest = found[1].lower(), found[2], found[3]
    if protocol in ELSEWHERE:
        raise CuelloError(f"{shown}: {ELSEWHERE[protocol]}")
    if protocol not in PROTOCOLS:
        known = ", ".join(f"{one}://" for one in PROTOCOLS)
        raise CuelloError(
            f"{shown}: images are not read by {protocol}://.{closest(protocol, PROTOCOLS)} Known: {known}. Or copy "
            "them to this machine, and name the folder."
        )
    if len(strokes) != 2 and not (protocol == "memory" and len(strokes) == 3):
        raise CuelloError(
            f"{shown} is no URL: needed two strokes behind the colon, {protocol}://{redacted(rest)}. (In Python give "
            "it as text: a Path loses one of them.)"
        )
    there, query = rest, ""
    if protocol in ("https", "http"):
        there, _, query = rest.partition("#")[0].partition("?")
    host = there.partition("/")[0]
    if not host:
        what = "a host" if protocol.startswith("http") else "a bucket"
        raise CuelloError(f"{shown} names no place: needed {what} behind {protocol}://.")
    if "@" in host and protocol != "memory":
        raise CuelloError(
            f"{shown} holds a user or a password. Leave them out: credentials are taken from where the tools of "
            "the store keep them (environment, profile), so that they get into no file and no list of commands."
        )
    return Address(protocol, there, query)


def redacted(text: str) -> str:
    """Leave out of a text what may be secret in URLs: user and password, and queries.

    >>> redacted("GET https://ada:pass@host/a.png?X-Amz-Signature=1f3c failed")
    'GET https://…@host/a.png?… failed'
    """
    text = re.sub(r"(:/+)[^/\s]*@", r"\1…@", text)
    return re.sub(r"((?:https?:/+|/)[^\s?'\"]*)\?[^\s'\"]+", r"\1?…", text)
