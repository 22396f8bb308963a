"""No function takes a train of parameters, and no call is a row of values that a reader has to count."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cuello

MOST_PARAMETERS, MOST_POSITIONALS = 7, 3
REASON = "# More than seven parameters: "
ROOT = Path(cuello.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
TREES = {path: ast.parse(text) for path, text in SOURCES.items()}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parameters(function: Function) -> list[str]:
    """Name the parameters, self and cls aside."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def reason_above(function: Function, lines: list[str]) -> bool:
    """Tell whether a reason stands above a function, or above its decorators."""
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    above = lines[first - 2 : first - 1] + lines[function.lineno - 2 : function.lineno - 1]
    return any(line.strip().startswith(REASON) and len(line.strip()) > len(REASON) for line in above)


def own_names() -> set[str]:
    """Name every function and class of the package that takes no free row of values."""
    names, free = set(), set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, Function):
                names.add(node.name)
                if node.args.vararg is not None:
                    free.add(node.name)
    return names - free


OWN_NAMES = own_names()


def long_calls(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """Say which calls of the package's own functions pass more than three values by position."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names and len(node.args) > MOST_POSITIONALS:
                yield f"line {node.lineno}: {ast.unparse(node.func)} gets {len(node.args)}"


@pytest.mark.parametrize("path", SOURCES)
def test_a_function_takes_seven_parameters_or_says_why(path: str) -> None:
    lines = SOURCES[path].splitlines()
    for node in ast.walk(TREES[path]):
        if isinstance(node, Function) and len(parameters(node)) > MOST_PARAMETERS:
            assert reason_above(node, lines), f"{path}:{node.lineno} {node.name}: {parameters(node)}"


@pytest.mark.parametrize("path", SOURCES)
def test_a_call_passes_three_values_by_position(path: str) -> None:
    assert list(long_calls(TREES[path], OWN_NAMES)) == []


def test_the_counters_see_what_they_look_for() -> None:
    definition = "def f(a, b, c, d, e, f, g, h): ..."
    code = f"{REASON}a reason.\n@x\n{definition}\n\nf(1, 2, 3, 4)\nf(1, 2, *r)\n"
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert len(parameters(function)) == 8
    assert reason_above(function, [*code.splitlines()])
    assert not reason_above(function, [*code.replace("# More", "# Less").splitlines()])
    assert list(long_calls(ast.parse(code), {"f"})) == ["line 5: f gets 4"]


def class_names() -> list[str]:
    return [node.name for tree in TREES.values() for node in tree.body if isinstance(node, ast.ClassDef)]


def test_no_two_classes_have_one_name() -> None:
    names = class_names()
    assert len(names) > 100
    assert {name for name in names if names.count(name) > 1} == set()


if __name__ == "__main__":  # the counts of docs/architecture.md
    functions = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, Function)]
    print("functions of more than seven parameters:", sum(len(parameters(one)) > MOST_PARAMETERS for one in functions))
    print("long calls:", sum(len(list(long_calls(tree, OWN_NAMES))) for tree in TREES.values()))
    names = class_names()
    print("names of several classes:", len({name for name in names if names.count(name) > 1}))
