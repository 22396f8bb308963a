"""What a network started from is told in one sentence, with whose it was."""

from dataclasses import asdict

from cuello.runs.origin import Origin, StoredOrigin, told_origins

FIRST = Origin("denoise", "denoise-s", "0123", "all", "MIT", "Ada", "not stated", data="photos")
SECOND = Origin("mine", "denoise-s", "4567", "all", "not stated", "not stated", "not stated", data="cells")


def test_all_on_the_way_are_told_with_their_licences() -> None:
    assert told_origins([SECOND, FIRST]) == (
        "mine (denoise-s, checksum 4567; licence: not stated; author: not stated; trained on cells), which started "
        "from denoise (denoise-s, checksum 0123; licence: MIT; author: Ada; trained on photos)"
    )


def test_files_hold_all_of_it() -> None:
    assert Origin(**dict(StoredOrigin(**asdict(FIRST)))) == FIRST
