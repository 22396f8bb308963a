"""URLs as people write them, and what must never be shown of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.data.catalog import open_source
from cuello.data.remote.address import address_of, is_url, redacted
from cuello.inference.targets import find

WRONG = {
    "s3:/bucket/x": "needed two strokes behind the colon, s3://bucket/x",
    "s3:bucket/x": "needed two strokes behind the colon, s3://bucket/x",
    "s3:///x": "needed two strokes",
    "https:/host/a.png": "needed two strokes",
    "s3://": "names no place: needed a bucket",
    "https://": "names no place: needed a host",
    "ftp://host/x": "images are not read by ftp://. Did you mean",
    "sftp://host/x": "Or copy them to this machine",
    "s4://bucket/x": "Did you mean 's3'?",
    "file:///tmp/x": "name its path alone",
    "hf://owner/name": "names a network",
    "https://ada:secret@host/a.png": "holds a user or a password",
    "s3://key:secret@bucket/a.png": "holds a user or a password",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_cannot_be_is_refused_in_words_wherever_images_are_named(url: str) -> None:
    for use in (address_of, open_source, lambda one: find([one])):
        with pytest.raises(CuelloError) as raised:
            use(url)
        assert WRONG[url] in str(raised.value)
        assert "secret" not in str(raised.value)


def test_a_path_that_was_a_url_is_told_what_it_lost() -> None:
    with pytest.raises(CuelloError, match="In Python give it as text: a Path loses one"):
        find([Path("s3://bucket/photos")])


def test_what_is_a_file_here_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    assert not is_url("s3:")
    assert not is_url("photos")
    assert not is_url("C:/photos")
    assert not is_url("https")


def test_a_query_is_fetched_by_and_never_shown(own_place: Path) -> None:
    address = address_of("https://host/a.png?X-Amz-Signature=secret")
    assert address.whole.endswith("secret")
    assert str(address) == "https://host/a.png?…"
    assert address.name == "a.png"
    with pytest.raises(CuelloError, match="has a query, which may be a key") as raised:
        open_source("https://host/a.png?X-Amz-Signature=secret")
    assert "secret" not in str(raised.value)


SAFE = st.text("abcXYZ019-._~%", min_size=1, max_size=10)


@given(SAFE, SAFE, st.text("abcXYZ019-._~%&=/+:", min_size=1, max_size=20), st.sampled_from(["http", "https"]))
def test_no_secret_is_left_in_a_text(user: str, password: str, query: str, protocol: str) -> None:
    secret, key = f"S-{password}-S", f"Q-{query}-Q"
    text = redacted(f"GET {protocol}://{user}:{secret}@host.example/a.png?{key} failed with 403")
    assert secret not in text
    assert key not in text
    assert text.startswith("GET ")
    assert text.endswith(" failed with 403")
