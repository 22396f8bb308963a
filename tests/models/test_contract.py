"""Every network is an ImageNetwork, so that nobody outside of `models` has to ask what it is or has."""

import ast
from pathlib import Path

import pytest

import cuello
from cuello.models.base import ImageNetwork
from cuello.models.catalog import architecture_of, build
from cuello.models.named import NETWORKS

ROOT = Path(cuello.__file__).parent
ADAPTER = "saliency/copies.py"
"""Takes any classifier of a user's own, and looks at what it is, once."""
ELSEWHERE = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] != "models" and str(path.relative_to(ROOT)) != ADAPTER
]
WORDS = ("network", "classifier", "output")
TYPES = {"Module", "Output", "ImageNetwork", "Classifier", "Estimator", "FeatureEstimator", "Autoencoder"}


def asked(source: str) -> list[str]:
    """Find where a source text asks a network, or what one gave, for its type or for an attribute it may have."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        about = node.args[0].attr if isinstance(node.args[0], ast.Attribute) else ast.unparse(node.args[0])
        if node.func.id in ("hasattr", "getattr") and any(word in about for word in WORDS):
            found.append(ast.unparse(node))
        types = {part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in ast.walk(node)}
        if node.func.id == "isinstance" and types & TYPES:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_else_asks_what_a_network_is(path: Path) -> None:
    text = path.read_text()
    # layers of a chain, which `saliency` reads one by one, and a loss of one's own that has weights
    known = ("isinstance(module, nn.", "isinstance(inner, nn.Module)")
    assert [one for one in asked(text) if not one.startswith(known)] == []


def test_a_question_would_be_seen() -> None:
    assert asked("if hasattr(model.network, 'encode'): pass")
    assert asked("x = getattr(network, 'size', None)")
    assert asked("isinstance(output, Output)")
    assert asked("isinstance(model, torch.nn.Module)")
    assert not asked("isinstance(x, Tensor)")


@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_every_network_keeps_the_contract(spec) -> None:
    network = build(architecture_of(spec.name, spec.channels or 1))
    assert isinstance(network, ImageNetwork)
    assert network.channels == (spec.channels or 1)
    assert network.has_code == (type(network).encode is not ImageNetwork.encode)
    assert network.folded().channels == network.channels
