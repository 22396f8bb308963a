"""Imports point to lower layers only, and never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cuello

ROOT = Path(cuello.__file__).parent
LEVELS = {
    0: ("core",),
    1: ("cluster", "data", "degrade", "noise_models"),
    2: ("models", "scoring"),
    3: ("runs", "saliency"),
    4: ("training", "inference"),
    5: ("report",),
    6: ("jobs",),
    7: ("comparison", "latent"),
    8: ("work",),
    9: ("search", "studies", "denoising", "serving", "exporting"),
    10: ("web",),
    11: ("cli",),
    12: ("__main__",),
}
LEVEL = {name: level for level, names in LEVELS.items() for name in names}


def module_name(path: Path) -> str:
    parts = ["cuello", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in {
        getattr(part, "id", getattr(part, "attr", None)) for part in ast.walk(node.test)
    }


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk over everything that runs, functions' insides too, but not what only type checkers read."""
    for child in ast.iter_child_nodes(tree):
        if is_type_checking(child):
            for otherwise in child.orelse:  # type: ignore[attr-defined]
                yield otherwise
                yield from nodes(otherwise)
        else:
            yield child
            yield from nodes(child)


def imported(source: str, module: str, known: set[str], is_package: bool = False) -> set[str]:
    """Return the cuello modules that a source text imports, anywhere in it."""
    found = set()
    for node in nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "cuello"}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            if base.split(".")[0] == "cuello":
                for alias in node.names:
                    whole = f"{base}.{alias.name}"
                    found.add(whole if whole in known else base)
    return found


def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    return imported(path.read_text(), module, set(MODULES), path.name == "__init__.py") - {module}


def group(module: str) -> str:
    return module.split(".")[1]


def is_allowed(importer: str, target: str) -> bool:
    """Within a folder modules import each other; from other folders only what lies lower."""
    here, there = group(importer), group(target)
    return here == there or LEVEL[there] < LEVEL[here]


def test_every_module_has_a_level() -> None:
    assert len(MODULES) > 40
    assert {group(module) for module in MODULES if module != "cuello"} == set(LEVEL)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "cuello"])
def test_imports_point_down(module: str) -> None:
    wrong = sorted(target for target in imports_of(module) if not is_allowed(module, target))
    assert not wrong, f"{module} (level {LEVEL[group(module)]}) imports {', '.join(wrong)}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Counting imports inside functions too would forbid the few lazy ones, so only those of a module's top count."""
    graph = {}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        graph[module] = imported(ast.unparse(top), module, set(MODULES), path.name == "__init__.py") - {
            module,
            "cuello",
        }
    while leaves := {module for module, targets in graph.items() if not targets & set(graph)}:
        graph = {module: targets - leaves for module, targets in graph.items() if module not in leaves}
    assert not graph, f"a circle among {sorted(graph)}"


def test_networks_know_nothing_of_training_and_using_one_loads_no_trainer() -> None:
    for module in MODULES:
        if module != "cuello" and group(module) in ("models", "inference", "runs", "data"):
            assert not any(target.startswith("cuello.training") for target in imports_of(module)), module


# The finder itself

KNOWN = {"cuello", "cuello.core.errors", "cuello.data", "cuello.data.images", "cuello.data.batches"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import cuello.core.errors", {"cuello.core.errors"}),
        ("from cuello.core.errors import CuelloError", {"cuello.core.errors"}),
        ("from cuello.core import errors, version", {"cuello.core", "cuello.core.errors"}),
        ("def f():\n    from cuello.data import images", {"cuello.data.images"}),
        (
            "class A:\n    def f(self):\n        if 1:\n            import cuello.core.errors as e",
            {"cuello.core.errors"},
        ),
        ("from . import images", {"cuello.data.images"}),
        ("from .images import Images", {"cuello.data.images"}),
        ("from ..core.errors import CuelloError", {"cuello.core.errors"}),
        ("import torch\nfrom numpy import array", set()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cuello.core.errors", set()),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    import cuello.core.errors\nelse:\n    import cuello",
            {"cuello"},
        ),
    ],
)
def test_imports_are_found(source: str, expected: set[str]) -> None:
    assert imported(source, "cuello.data.batches", KNOWN) == expected


def test_a_wrong_import_would_be_seen() -> None:
    assert not is_allowed("cuello.models.unet", "cuello.scoring.losses")
    assert not is_allowed("cuello.inference.model", "cuello.training.loop")
    assert not is_allowed("cuello.core.config", "cuello.degrade.base")
    assert not is_allowed("cuello.training.loop", "cuello.jobs.catalog")
    assert is_allowed("cuello.scoring.losses", "cuello.scoring.metrics")
    assert is_allowed("cuello.inference.model", "cuello.runs.artefact")
