"""Whose a network is: under which licence it may be used, who made it, how to cite it."""

import re
import unicodedata
from collections.abc import Mapping
from functools import partial
from typing import Any

from cuello.core.errors import closest

RIGHTS = ("license", "author", "citation")
"""Settings that say whose a network is, and change nothing of what it is."""
NOT_STATED = "not stated"
USUAL = ("Apache-2.0", "MIT", "BSD-3-Clause", "GPL-3.0-or-later", "CC-BY-4.0", "CC0-1.0", "CC-BY-NC-4.0")
"""Licences that are proposed where what was typed is none."""
OWN_LICENCE = "LicenseRef-"
MOST_LETTERS = 10_000


def stated(training: Mapping[str, Any]) -> dict[str, str]:
    """Return licence, author and citation by the settings of a training, each "not stated" where nobody did.

    >>> stated({"license": "MIT"})
    {'licence': 'MIT', 'author': 'not stated', 'citation': 'not stated'}
    """
    names = zip(("licence", "author", "citation"), RIGHTS, strict=True)
    return {name: str(training.get(setting) or NOT_STATED) for name, setting in names}


def checked_license(text: str) -> str:
    """Return an SPDX expression as SPDX writes it; ValueError where it is none.

    >>> checked_license("apache-2.0"), checked_license("mit or GPL-3.0-or-later")
    ('Apache-2.0', 'MIT OR GPL-3.0-or-later')
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text.strip())
    except InvalidLicenseExpression:
        pass
    try:  # "Apache 2.0"
        near = f" Did you mean {canonicalize_license_expression('-'.join(text.split()))!r}?"
    except InvalidLicenseExpression:
        near = closest(text, USUAL)
    meant = f" ({near[1].lower()}{near[2:]})" if near else ""
    raise ValueError(
        f"the SPDX identifier of a licence{meant}, such as {', '.join(USUAL[:4])} or {USUAL[4]}, or {OWN_LICENCE}NAME "
        "for one of your own; all are listed at spdx.org/licenses"
    )


def checked_text(text: str, lines: bool) -> str:
    """Return a text without blanks around; ValueError where it is empty, too long or no text. lines: several may be."""
    found = text.strip()
    odd = [sign for sign in found if unicodedata.category(sign)[0] == "C" and not (lines and sign in "\n\t")]
    if not found or odd or len(found) > MOST_LETTERS:
        raise ValueError(f"text of 1 to {MOST_LETTERS:,} letters{'' if lines else ' in one line'}")
    return found


checked_author = partial(checked_text, lines=False)
checked_citation = partial(checked_text, lines=True)


def authors_of(author: str) -> list[str]:
    """Return the names of several authors, which have semicolons between.

    >>> authors_of("Ada Lovelace; Charles Babbage")
    ['Ada Lovelace', 'Charles Babbage']
    """
    return [name for name in map(str.strip, author.split(";")) if name]


def doi_of(citation: str) -> str | None:
    """Return the DOI that a citation holds, or None.

    >>> doi_of("Lovelace 1843, https://doi.org/10.1000/xyz123.")
    '10.1000/xyz123'
    """
    found = re.search(r"\b10\.\d{4,9}/[^\s\"<>{},;]+", citation)
    return found[0].rstrip(".)]") if found else None
