"""What users call. Captum's numbers are embedded: benchmarks/captum_fixtures.py prints them."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import cuello
from cuello.core.errors import CuelloError
from cuello.saliency import DEFINITIONS, SCORES, occlusion, occlusion_map
from cuello.saliency.layers import read


def ramp(shape: tuple[int, ...], step: float) -> Tensor:
    """Return numbers from -0.5 to 0.5 that need no generator: multiples of ``step``, modulo 1."""
    return (torch.arange(torch.Size(shape).numel(), dtype=torch.float32) * step % 1.0 - 0.5).reshape(shape)


class Ramps(nn.Module):
    """The network of captum_fixtures.py, without its softmax."""

    def __init__(self, channels: int, features: int):
        super().__init__()
        self.kernel = nn.Parameter(ramp((3, channels, 3, 3), 0.37))
        self.bias = nn.Parameter(ramp((3,), 0.29))
        self.dense = nn.Parameter(ramp((3, features), 0.61))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.conv2d(x, self.kernel, self.bias, padding=1).relu()
        return functional.max_pool2d(x, 2).flatten(1) @ self.dense.T


GREY, COLOUR = ramp((1, 1, 6, 7), 0.173) + 0.5, ramp((1, 2, 5, 5), 0.271) + 0.5
CAPTUM = [
        (GREY, (3, 3), 1, 0.0, "together",
         [[0.030134, 0.028986, 0.013082, -0.000282, -0.044146, -0.056856, -0.103752], [0.034863, 0.029498, 0.006041,
         -0.006833, -0.032949, -0.028988, -0.054214], [0.017603, 0.018922, 0.001457, -0.009387, -0.026429, -0.022907,
         -0.030883], [-0.005935, 0.006394, -0.001162, -0.00516, -0.00429, 0.001703, 0.021335], [-0.028698, -0.005413,
         -0.001243, -0.001048, 0.004442, 0.003114, 0.034341], [-0.040479, -0.008598, 0.005225, 0.012399, 0.022272,
         0.016973, 0.052902]]),
        (GREY, (3, 2), 2, 0.5, "together",
         [[0.022224, 0.022224, -0.006989, -0.006989, -0.000517, -0.000517, -0.003813], [0.022224, 0.022224, -0.006989,
         -0.006989, -0.000517, -0.000517, -0.003813], [-0.006039, -0.006039, 0.007726, 0.007726, 0.001286, 0.001286,
         -0.00471], [-0.034303, -0.034303, 0.022441, 0.022441, 0.003089, 0.003089, -0.005608], [-0.02228, -0.02228,
         0.002177, 0.002177, 0.003395, 0.003395, -0.002804], [-0.010258, -0.010258, -0.018087, -0.018087, 0.003701,
         0.003701, 0.0]]),
        (GREY, (4, 4), 3, 0.0, "together",
         [[0.044392, 0.044392, 0.044392, 0.018156, -0.008079, -0.008079, -0.008079], [0.044392, 0.044392, 0.044392,
         0.018156, -0.008079, -0.008079, -0.008079], [0.044392, 0.044392, 0.044392, 0.018156, -0.008079, -0.008079,
         -0.008079], [0.020035, 0.020035, 0.020035, 0.002604, -0.014827, -0.014827, -0.014827], [-0.004321, -0.004321,
         -0.004321, -0.012948, -0.021575, -0.021575, -0.021575], [-0.004321, -0.004321, -0.004321, -0.012948, -0.021575,
         -0.021575, -0.021575]]),
        (COLOUR, (2, 2), 2, 0.0, "together",
         [[-0.03514, -0.03514, 0.048789, 0.048789, -0.000113], [-0.03514, -0.03514, 0.048789, 0.048789, -0.000113],
         [-0.050979, -0.050979, 0.050091, 0.050091, 0.035387], [-0.050979, -0.050979, 0.050091, 0.050091, 0.035387],
         [0.0, 0.0, 0.001294, 0.001294, 0.001703]]),
        (COLOUR, (2, 2), 2, 0.0, "apart",
         [[-0.067554, -0.067554, 0.071794, 0.071794, 0.000957], [-0.067554, -0.067554, 0.071794, 0.071794, 0.000957],
         [-0.006383, -0.006383, 0.029859, 0.029859, 0.032421], [-0.006383, -0.006383, 0.029859, 0.029859, 0.032421],
         [0.0, 0.0, 0.003185, 0.003185, 0.004745], [-0.004624, -0.004624, 0.001784, 0.001784, -0.001027], [-0.004624,
         -0.004624, 0.001784, 0.001784, -0.001027], [-0.011719, -0.011719, 0.024404, 0.024404, -0.004997], [-0.011719,
         -0.011719, 0.024404, 0.024404, -0.004997], [0.0, 0.0, 0.008757, 0.008757, 0.0]]),
]  # fmt: skip


def small_network(channels: int = 1, size: int = 8, classes: int = 2) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (size - 2) ** 2, classes)
    ).eval()  # fmt: skip


IMAGES = torch.linspace(0, 1, 3 * 64).reshape(3, 1, 8, 8).sin()


@pytest.mark.parametrize(("image", "box", "stride", "fill", "channels", "expected"), CAPTUM)
@pytest.mark.parametrize("method", ["incremental", "batches"])
def test_maps_are_captums(
    image: Tensor,
    box: tuple[int, int],
    stride: int,
    fill: float,
    channels: Any,
    expected: list[list[float]],
    method: Any,
) -> None:
    network = Ramps(image.shape[1], 27 if image is GREY else 12)
    found = occlusion_map(
        network, image, box, stride=stride, fill=fill, channels=channels, classes=1, method=method
    )  # fmt: skip
    assert (found.method, found.definition, found.score) == (method, "mean-drop", "drop")
    torch.testing.assert_close(found.maps.reshape(-1, image.shape[3]), torch.tensor(expected), atol=2e-6, rtol=0)
    whole = nn.Sequential(network, nn.Softmax(1))
    again = occlusion_map(
        whole, image, box, stride=stride, fill=fill, channels=channels, classes=1, method=method,
        outputs="probabilities"
    )  # fmt: skip
    torch.testing.assert_close(again.maps, found.maps, atol=1e-6, rtol=0)


def test_the_source_s_map_by_hand() -> None:
    """Padded by 3, a 3×3 box of 0 at every place, the predicted class' probability added up, standardised, cut off."""
    network = small_network(size=14)
    images = IMAGES
    padded = functional.pad(images, [3] * 4)
    expected = []
    with torch.no_grad():
        for image in padded:
            number = network(image[None])[0].argmax()
            total = torch.zeros(14, 14, dtype=torch.float64)
            for top in range(12):
                for left in range(12):
                    copy = image.clone()
                    copy[:, top : top + 3, left : left + 3] = 0
                    total[top : top + 3, left : left + 3] += network(copy[None]).softmax(1)[0, number]
            total = ((total - total.mean()) / total.std(correction=0)).clamp(-1, 1) / 2 + 0.5
            expected.append(total[3:-3, 3:-3].float())
    found = occlusion_map(network, images, 3, padding=3, definition="standardised-sum")
    torch.testing.assert_close(found.maps[:, 0], torch.stack(expected), atol=2e-5, rtol=0)
    assert found.values.shape == (3, 1, 1, 12, 12)


@pytest.mark.parametrize("definition", DEFINITIONS.names())
@pytest.mark.parametrize("score", [None, *SCORES.names()])
def test_every_definition_with_every_score_is_the_same_by_both_methods(definition: str, score: str | None) -> None:
    network = small_network(classes=4)
    options: dict[str, Any] = {"box": (3, 2), "stride": 2, "definition": definition, "score": score, "fill": "mean"}
    found = occlusion_map(network, IMAGES, classes=[2, 0], method="incremental", **options)
    plain = occlusion_map(network, IMAGES, classes=[2, 0], method="batches", batch_size=7, **options)
    assert found.maps.shape == (3, 2, 8, 8)
    assert found.classes.tolist() == [[2, 0]] * 3
    torch.testing.assert_close(found.maps, plain.maps, atol=1e-5, rtol=1e-5)
    assert (plain.batch, plain.reason) == (7, "method='batches' was asked for")


def test_probabilities_of_all_classes_add_up_and_drops_are_to_the_clean_score() -> None:
    network = small_network(classes=3)
    found = occlusion_map(network, IMAGES, classes="all", definition="mean")
    torch.testing.assert_close(found.maps.sum(1), torch.ones(3, 8, 8))
    torch.testing.assert_close(found.scores, network(IMAGES).softmax(1).detach())
    drops = occlusion_map(network, IMAGES, classes="all")
    torch.testing.assert_close(drops.maps, found.scores[:, :, None, None] - found.maps, atol=1e-6, rtol=0)
    best = occlusion_map(network, IMAGES)
    assert best.classes[:, 0].tolist() == found.scores.argmax(1).tolist()


def test_channels_apart_give_a_map_each() -> None:
    found = occlusion_map(small_network(2), torch.rand(2, 2, 8, 8), channels="apart", classes=[0, 1])
    assert found.maps.shape == (2, 2, 2, 8, 8)


def test_arrays_come_back_as_arrays() -> None:
    network = small_network()
    found = occlusion_map(network, IMAGES.numpy())
    assert all(isinstance(one, np.ndarray) for one in (found.maps, found.classes, found.scores, found.values))
    np.testing.assert_allclose(found.maps, occlusion_map(network, IMAGES).maps.numpy())
    assert cuello.occlusion_map is occlusion_map


def test_any_function_is_taken_and_the_result_says_so() -> None:
    network = small_network()
    found = occlusion_map(network.forward, IMAGES)
    assert (found.method, found.reason) == ("batches", "it is not a torch module")
    torch.testing.assert_close(found.maps, occlusion_map(network, IMAGES).maps, atol=1e-6, rtol=0)


def test_a_network_that_was_read_wrongly_is_asked_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    network, other = small_network(), small_network()
    for parameter in other.parameters():
        parameter.data.mul_(1.5)
    monkeypatch.setattr(occlusion, "read", lambda classifier, image: read(other, image))
    found = occlusion_map(network, IMAGES)
    assert (found.method, found.reason) == (
        "batches",
        "a few boxes tried incrementally gave other answers than the model itself",
    )
    torch.testing.assert_close(found.maps, occlusion_map(network.forward, IMAGES).maps)


def test_subclasses_are_read_by_what_they_do() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    network = nn.Sequential(Doubled(1, 2, 3), nn.Flatten(), nn.Linear(72, 2)).eval()
    plain = occlusion_map(network, IMAGES, method="batches")
    torch.testing.assert_close(occlusion_map(network, IMAGES).maps, plain.maps, atol=1e-6, rtol=0)


def test_training_mode_is_put_back_part_by_part() -> None:
    network = small_network().append(nn.Dropout(0.5))
    network.train()
    network[0].eval()
    found = occlusion_map(network, IMAGES)
    assert "training mode" in found.notes[0]
    assert [module.training for module in network] == [False, True, True, True, True]
    torch.testing.assert_close(found.maps, occlusion_map(network.eval(), IMAGES).maps)


@pytest.mark.parametrize("method", ["incremental", "batches"])
def test_progress_counts_every_box_once(method: Any) -> None:
    seen: list[tuple[float, float]] = []
    occlusion_map(
        small_network(),
        IMAGES,
        method=method,
        progress=lambda event: seen.append((event.done, event.total)),
        batch_size=10,
    )
    assert seen[-1] == (108, 108)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


class Moody(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.rand(len(x), 2)


class Sociable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0, keepdim=True)).flatten(1)[:, :3] + x.mean()


@pytest.mark.parametrize(
    ("model", "images", "options", "said"),
    [
        (small_network(), IMAGES[0], {}, "needed (N, C, H, W)"),
        (small_network(), IMAGES[:0], {}, "got shape (0, 1, 8, 8)"),
        (small_network(), (IMAGES * 255).to(torch.uint8), {}, "got torch.uint8"),
        (small_network(), IMAGES / 0, {}, "NaN or infinity"),
        (small_network(), [1, 2], {}, "got list"),
        (small_network(), IMAGES.expand(3, 2, 8, 8), {}, "did not take images of shape (1, 2, 8, 8)"),
        (small_network(), IMAGES, {"box": 9}, "got 9 pixels"),
        (small_network(), IMAGES, {"classes": 2}, "the model has 2 classes"),
        (small_network(), IMAGES, {"classes": []}, "needed numbers from 0 to 1"),
        (small_network(), IMAGES, {"classes": "best"}, "'predicted', 'all'"),
        (small_network(), IMAGES, {"definition": "mean-drops"}, "Did you mean 'mean-drop'?"),
        (small_network(), IMAGES, {"score": "chance"}, "no score called 'chance'"),
        (small_network(), IMAGES, {"method": "fast"}, "method: got 'fast'"),
        (small_network(), IMAGES, {"batch_size": 0}, "batch_size: got 0"),
        (small_network(), IMAGES, {"padding": -1}, "padding: got -1"),
        (small_network(), IMAGES, {"outputs": "probabilities"}, "Say outputs='logits'"),
        (small_network(), IMAGES, {"outputs": "probabilities", "score": "logit"}, "has no logits to show"),
        (nn.Sequential(small_network(), nn.Softmax(1)), IMAGES, {}, "Say outputs='probabilities'"),
        (Moody(), IMAGES, {}, "changed from call to call"),
        (Sociable(), IMAGES, {}, "the other images of the batch"),
        (nn.Identity(), IMAGES, {}, "of shape (1, 1, 8, 8) for 1 images"),
        (lambda x: x.flatten(1).numpy(), IMAGES, {}, "gave ndarray"),
        (lambda x: x.flatten(1).long(), IMAGES, {}, "gave torch.int64"),
        (lambda x: x.flatten(1) / 0, IMAGES, {}, "gave NaN or infinity"),
        (small_network().forward, IMAGES, {"method": "incremental"}, "it is not a torch module"),
        (3, IMAGES, {}, "model: got int"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(model: Any, images: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(CuelloError) as error:
        occlusion_map(model, images, **options)
    assert said in str(error.value)


def test_a_classifier_that_says_what_it_takes_is_believed() -> None:
    network = small_network()
    vars(network).update(channels=1, size=(8, 8))
    with pytest.raises(CuelloError, match="got 3 channels, but the classifier takes 1"):
        occlusion_map(network, torch.rand(1, 3, 8, 8))
    with pytest.raises(CuelloError, match="got 10×10 pixels, padding included, but the classifier takes 8×8"):
        occlusion_map(network, torch.rand(1, 1, 8, 8), padding=1)


def test_doubles_stay_doubles() -> None:
    found = occlusion_map(small_network().double(), IMAGES.double())
    assert found.maps.dtype == torch.float64
    assert found.method == "incremental"
