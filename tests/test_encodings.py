"""Text is written and read as UTF-8, whatever the locale: no call of the package leaves that to the system."""

import ast
from pathlib import Path

import pytest

import cuello

ROOT = Path(cuello.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py"))}
PROCESSES = ("run", "Popen", "check_output", "check_call", "call")


def by_locale(call: ast.Call) -> bool:
    """Tell whether a call reads or writes text in an encoding that depends on the locale."""
    named = {one.arg: one.value for one in call.keywords}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if "encoding" in named:
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name in PROCESSES:
        return any(option in named for option in ("text", "universal_newlines"))
    if name in ("NamedTemporaryFile", "TemporaryFile", "fdopen", "open"):
        owner = getattr(getattr(call.func, "value", None), "id", "")
        if owner in ("Image", "os", "tifffile", "zipfile", "tarfile"):
            return False
        own_method = name == "open" and isinstance(call.func, ast.Attribute)
        modes = call.args[0:1] if own_method else call.args[1:2]
        mode = named.get("mode", modes[0] if modes else None)
        usual = "w+b" if "Temporary" in name else "r"
        if mode is not None and not isinstance(mode, ast.Constant):  # another library's way to open something
            return False
        return "b" not in (str(mode.value) if mode is not None else usual)
    return False


def in_text(text: str) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}: {ast.unparse(call)}" for call in calls if by_locale(call)]


@pytest.mark.parametrize("path", SOURCES)
def test_every_text_has_an_encoding(path: str) -> None:
    assert not in_text(SOURCES[path])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("path.read_text()", 1), ("path.read_text('utf-8')", 0), ("path.write_text(a)", 1), ("open(a)", 1),
        ("open(a, 'rb')", 0), ("path.open()", 1), ("path.open('rb')", 0), ("open(a, mode='w')", 1),
        ("open(a, 'w', encoding='utf-8')", 0), ("subprocess.run(a, text=True)", 1), ("subprocess.run(a)", 0),
        ("Image.open(a)", 0),
    ],
)  # fmt: skip
def test_what_the_test_above_finds(text: str, count: int) -> None:
    assert len(in_text(text)) == count
