"""One's own parts: how they are written, who may run them, and what is said where they cannot be had."""

from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.core import own
from cuello.core.errors import CuelloError
from cuello.core.own import Part, allow, arguments_of, divided, failing, find, is_own, naming, register, text_of


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "ALLOWED", set())
    monkeypatch.setattr(own, "REGISTERED", {})


def a_file(folder: Path, text: str = "def twice(x, times=2):\n    return times * x\n") -> str:
    (folder / "mine.py").write_text(text)
    return f"{folder / 'mine.py'}:twice"


LITERALS = st.one_of(st.integers(), st.booleans(), st.none(), st.text("ab ,'=()", max_size=8), st.tuples(st.integers()))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), LITERALS, max_size=4))
def test_arguments_are_read_as_they_are_written(arguments: dict) -> None:
    text = ",".join(["my.py:Net", *(f"{name}={value!r}" for name, value in arguments.items())])
    assert arguments_of(text) == arguments


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_no_text_is_run(text: str) -> None:
    try:
        found = arguments_of(f"my.py:Net,x={text}")
    except CuelloError:
        return
    assert all(isinstance(value, str | int | float | complex | tuple | list | dict | set | bytes | bool | None)
               for value in found.values())  # fmt: skip


def test_a_value_that_is_no_literal_is_a_text() -> None:
    assert arguments_of("my.py:Net,a=relu,b=__import__('os').getcwd()") == {
        "a": "relu",
        "b": "__import__('os').getcwd()",
    }
    assert divided("a(1,2),'x,y'") == ["a(1,2)", "'x,y'"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my.py:Net,3", "'3' is not of the form key=value"),
        ("my.py:Net,a=1,a=2", "a is given twice"),
        ("my.py:N," + "a" * 1000, "letters"),
    ],
)
def test_arguments_that_are_none_are_explained(text: str, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        arguments_of(text)


def test_a_file_runs_only_where_it_is_named(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = a_file(tmp_path, f"import pathlib\npathlib.Path({str(mark)!r}).touch()\ndef twice(x):\n    return 2 * x\n")
    with pytest.raises(CuelloError, match=r"code is run only if you name it: call cuello.allow\('.*mine.py'\) first"):
        find("loss", text)
    assert not mark.exists()
    with naming({"settings": [text + ",times=3"]}):
        found = find("loss", text)
    assert found is not None
    assert found.thing(4) == 8
    assert mark.exists()
    with pytest.raises(CuelloError, match="code is run only if you name it"):
        find("loss", text)
    allow(tmp_path / "mine.py")
    assert find("loss", text) is not None


def test_a_file_that_was_moved_is_found_where_it_is_named(tmp_path: Path) -> None:
    text = a_file(tmp_path)
    allow(text)
    assert find("loss", "/gone/mine.py:twice").path == tmp_path / "mine.py"  # type: ignore[union-attr]


def test_a_file_is_run_once_as_long_as_it_is_the_same(tmp_path: Path) -> None:
    text = a_file(tmp_path, "def twice(x):\n    return x\n")
    allow(text)
    first, second = find("loss", text), find("loss", text)
    assert first.thing is second.thing  # type: ignore[union-attr]
    a_file(tmp_path, "def twice(x):\n    return 3 * x\n")
    assert find("loss", text).thing(2) == 6  # type: ignore[union-attr]


def test_a_file_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_mine.py").write_text("FACTOR = 5\n")
    text = a_file(tmp_path, "from beside_mine import FACTOR\ndef twice(x):\n    return FACTOR * x\n")
    allow(text)
    assert find("loss", text).thing(2) == 10  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def twise(x): pass\n", r"has no 'twice'. Did you mean 'twise'\? It has: twise"),
        ("1 / 0\n", "failed while it was imported: ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", r"ends the program when it is imported \(SystemExit: 3\)"),
        ("import cuello\ncuello.train('reconstruct', 'glyphs')\n", "starts a training at once"),
    ],
)
def test_a_file_without_what_is_named_is_explained(tmp_path: Path, code: str, message: str) -> None:
    text = a_file(tmp_path, code)
    allow(text)
    with pytest.raises(CuelloError, match=message):
        find("loss", text)


def test_what_a_part_takes_is_checked() -> None:
    def made(width: int, depth: int = 1) -> tuple[int, int]:
        return width, depth

    assert Part("made", made, {"depth": 3}).made(width=2, channels=1) == (2, 3)
    with pytest.raises(CuelloError, match=r"made takes no 'widht'. Did you mean 'width'\? It takes: width, depth"):
        Part("made", made, {"widht": 3}).made()
    with pytest.raises(CuelloError, match="could not be made: TypeError"):
        Part("made", made).made()


def test_what_is_registered_is_found_by_name() -> None:
    register("loss", "mine", max)
    assert is_own("loss", "mine,key=3")
    assert not is_own("metric", "mine")
    assert find("loss", "mine,key=3") == Part("mine,key=3", max, {"key": 3})
    register("loss", "mine", min)
    assert find("loss", "mine").thing is min  # type: ignore[union-attr]
    with pytest.raises(CuelloError, match=r"no kind of part 'lose'. Did you mean 'loss'"):
        register("lose", "mine", max)
    with pytest.raises(CuelloError, match="needed a class or a function"):
        register("loss", "mine", 3)
    with pytest.raises(CuelloError, match="needed letters, digits and hyphens"):
        register("loss", "a:b", max)


def test_what_a_package_offers_is_found_by_name_and_loaded_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = {"far": EntryPoint("far", "builtins:max", "cuello.losses"), "gone": EntryPoint("gone", "no_such:x", "x")}
    monkeypatch.setattr(own, "installed", lambda kind: offered if kind == "loss" else {})
    assert is_own("loss", "far")
    assert not is_own("metric", "far")
    with pytest.raises(CuelloError, match=r"code is run only if you name it: call cuello.allow\('far'\) first"):
        find("loss", "far")
    allow("far")
    assert find("loss", "far").thing is max  # type: ignore[union-attr]
    with (
        naming({"loss": "gone"}),
        pytest.raises(CuelloError, match="'gone' of the package no_such could not be loaded"),
    ):
        find("loss", "gone")


def test_an_object_is_written_as_its_file_or_its_name() -> None:
    class Here:
        pass

    assert text_of("network", "unet-s") == "unet-s"
    assert text_of("network", Here) == "Here"
    assert find("network", "Here").thing is Here  # type: ignore[union-attr]
    text = text_of("loss", partial(a_file, text="'"))
    assert text.endswith('test_own.py:a_file,text="\'"')
    assert find("loss", text) == Part(text, a_file, {"text": "'"}, Path(__file__), own.source_checksum(text))
    with pytest.raises(CuelloError, match="text is object, needed a number, a text"):
        text_of("loss", partial(print, text=object()))  # type: ignore[call-overload]


def test_a_value_behind_a_colon_is_explained(tmp_path: Path) -> None:
    text = f"{a_file(tmp_path, 'def twice(x): pass')}:0.5"
    with naming(text), pytest.raises(CuelloError, match=r"values follow a comma, .* as in .*:twice,amount=0\.5"):
        find("noise", text)


def test_arguments_of_a_partial_have_names() -> None:
    with pytest.raises(CuelloError, match=r"got arguments without names, \('7',\); needed partial\(int, name="):
        text_of("network", partial(int, "7"))


@pytest.mark.parametrize(
    ("kind", "name"), [("network", "unet-s"), ("data", "photos"), ("loss", "mse"), ("network", "auto")]
)
def test_the_names_of_cuello_are_taken(kind: str, name: str) -> None:
    import cuello

    with pytest.raises(CuelloError, match=f"'{name}' already; choose another name"):
        cuello.register(kind, name, dict)


def test_what_fails_is_named() -> None:
    with pytest.raises(CuelloError, match="the loss mine failed: KeyError: 'a'"), failing("the loss mine"):
        raise KeyError("a")
    with pytest.raises(CuelloError, match=r"^as it is$"), failing("the loss mine"):
        raise CuelloError("as it is")
