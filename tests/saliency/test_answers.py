"""What a classifier's outputs stand for: one output, independent ones, and advice that points the right way."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.models.base import ImageNetwork
from cuello.saliency.answers import probabilities
from cuello.saliency.fidelity import CurveSettings, curves
from cuello.saliency.occlusion import occlusion_map

IMAGE = torch.tensor([[0.5, 1.0], [0.25, 0.0]])[None, None]


class Sums(nn.Module):
    """Gives twice the sum of all pixels, ``(N, 1)``, and, where asked for, their mean as a second output."""

    def __init__(self, outputs: int = 1, then: Any = None):
        super().__init__()
        self.outputs, self.then = outputs, then
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        total = x.flatten(1).sum(1, keepdim=True)
        scores = torch.cat([2 * total, total / 4], 1)[:, : self.outputs]
        return self.then(scores) if self.then else scores


LOGITS = torch.tensor([[2.5, 1.5], [3.0, 3.5]])
"""Twice the sum of the other pixels where a box of one pixel hides one; 3.5 without a box."""
FALLS = torch.tensor([3.5]).sigmoid() - LOGITS.sigmoid()


def test_one_logit_is_the_logit_of_its_sigmoid() -> None:
    found = occlusion_map(Sums(), IMAGE, box=1)
    torch.testing.assert_close(found.maps[0, 0], FALLS)
    torch.testing.assert_close(found.scores, torch.tensor([[3.5]]).sigmoid())
    assert found.classes.tolist() == [[0]]
    assert "its probability is taken as the output's sigmoid" in found.notes[0]
    said = occlusion_map(Sums(), IMAGE, box=1, outputs="independent-logits")
    torch.testing.assert_close(said.maps, found.maps)
    assert said.notes == ()


def test_one_logit_shown_as_it_is() -> None:
    found = occlusion_map(Sums(), IMAGE, box=1, definition="captum")
    torch.testing.assert_close(found.maps[0, 0], 3.5 - LOGITS)
    assert found.notes == ()


@pytest.mark.parametrize("outputs", ["probabilities", "independent-probabilities"])
def test_one_sigmoid_is_a_probability(outputs: Any) -> None:
    found = occlusion_map(Sums(then=torch.sigmoid), IMAGE, box=1, outputs=outputs)
    torch.testing.assert_close(found.maps[0, 0], FALLS)


def test_independent_outputs_do_not_share_a_softmax() -> None:
    after = occlusion_map(
        Sums(2, torch.sigmoid), IMAGE, box=1, classes="all", outputs="independent-probabilities"
    )  # fmt: skip
    before = occlusion_map(Sums(2), IMAGE, box=1, classes="all", outputs="independent-logits")
    for found in (after, before):
        torch.testing.assert_close(found.maps[0, 0], FALLS)
        torch.testing.assert_close(found.maps[0, 1], torch.tensor([3.5 / 8]).sigmoid() - (LOGITS / 8).sigmoid())


def test_logits_between_0_and_1_are_known_by_images_that_take_them_further() -> None:
    """1.75 / 4 and 1.75 / 4: a softmax over two equal outputs is 1 / 2 whatever is hidden."""
    found = occlusion_map(lambda x: Sums(2)(x)[:, [1, 1]], IMAGE, box=1)
    torch.testing.assert_close(found.maps, torch.zeros(1, 1, 2, 2))
    assert found.scores.item() == 0.5
    assert "no box changes the score" in found.notes[0]


class Own(ImageNetwork):
    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return Sums(2, torch.sigmoid)(x)


def test_a_network_of_ours_gives_logits() -> None:
    found = occlusion_map(Own(), IMAGE, box=1)
    torch.testing.assert_close(
        found.scores[0, 0], torch.tensor([3.5, 3.5 / 8]).sigmoid().softmax(0)[0]
    )  # whatever they look like


@pytest.mark.parametrize(
    ("model", "outputs", "said"),
    [
        (Sums(then=torch.sigmoid), "auto", "Say outputs='independent-probabilities' where the model ends in a sigmoid"),
        (Sums(2, torch.sigmoid), "auto", "or outputs='logits' where a softmax over all of them is"),
        (Sums(2, nn.Softmax(1)), "auto", "Say outputs='probabilities'"),
        (Sums(2, nn.Softmax(1)), "logits", "Say outputs='probabilities'"),
        (Sums(2, torch.sigmoid), "probabilities", "Say outputs='independent-probabilities'"),
        (Sums(2), "probabilities", "Say outputs='logits'"),
        (Sums(), "probabilities", "Say outputs='independent-logits'"),
        (Sums(2), "independent-probabilities", "Say outputs='independent-logits'"),
        (Sums(2), "sigmoid", "outputs: got 'sigmoid'"),
    ],
)
def test_advice_leads_to_what_is_taken(model: nn.Module, outputs: Any, said: str) -> None:
    with pytest.raises(CuelloError) as error:
        occlusion_map(model, IMAGE, box=1, outputs=outputs)
    assert said in str(error.value)


def test_curves_follow_the_sigmoid_of_one_output() -> None:
    """Without its brightest pixel, then the next: twice the sum of what is left."""
    found = curves(Sums(), IMAGE, IMAGE[:, 0], "deletion", settings=CurveSettings(steps=4))
    left = torch.tensor([[3.5, 1.5, 0.5, 0.0, 0.0]]).sigmoid().double()
    torch.testing.assert_close(torch.from_numpy(found.probabilities), left, atol=1e-6, rtol=0)


def test_probabilities_of_scores() -> None:
    scores = torch.tensor([[0.0, 0.0]])
    assert probabilities(scores, "logits").tolist() == probabilities(scores, "independent-logits").tolist()
    assert probabilities(scores, "probabilities").tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("name", "words"),
    [("run", "is a folder"), ("none.onnx", "is not there"), ("model.safetensors", "holds weights alone")],
)
def test_a_path_that_is_no_onnx_file_says_what_to_give(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(CuelloError, match=rf"{name} {words}, needed .*`cuello\.load\(PATH\)`"):
        occlusion_map(tmp_path / name, torch.zeros(1, 1, 8, 8))
