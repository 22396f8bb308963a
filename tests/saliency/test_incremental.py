"""Against brute force: every box put on a copy of the whole image."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cuello.saliency import incremental
from cuello.saliency.boxes import filling, make_boxes
from cuello.saliency.incremental import Clean, Incremental, Items, Side, pasted
from cuello.saliency.layers import read
from cuello.saliency.linear import Planner, linear_runs
from cuello.saliency.occlusion import occlusion_map


def brute_force(network: nn.Module, image: Tensor, fill: Tensor, box: tuple[int, int], stride: tuple[int, int],
                apart: bool) -> Tensor:  # fmt: skip
    """Return ``(P, Q, C or 1, K)`` by slicing one copy after the other."""
    found = []
    rows = range(0, max(1, -(-(image.shape[2] - box[0]) // stride[0]) * stride[0] + 1), stride[0])
    columns = range(0, max(1, -(-(image.shape[3] - box[1]) // stride[1]) * stride[1] + 1), stride[1])
    channels = [slice(c, c + 1) for c in range(image.shape[1])] if apart else [slice(None)]
    for top in rows:
        for left in columns:
            for channel in channels:
                copy = image.clone()
                here = (slice(None), channel, slice(top, top + box[0]), slice(left, left + box[1]))
                copy[here] = fill[here]
                found.append(network(copy)[0])
    return torch.stack(found).view(len(rows), len(columns), len(channels), -1)


ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Identity, nn.Identity, nn.Dropout, lambda: nn.ReLU(inplace=True), nn.GELU]


def one_layer(draw: st.DrawFn, now: int) -> nn.Module:
    """Draw a layer that looks at windows of ``now`` channels."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kind = draw(st.sampled_from(["conv", "conv", "same", "grouped", "max", "ceil", "average", "adaptive"]))
    half = (kernel[0] // 2, kernel[1] // 2)
    padding = draw(st.tuples(st.integers(0, half[0]), st.integers(0, half[1])))
    layers = {
        "conv": lambda: nn.Conv2d(now, 4, kernel, stride, draw(st.integers(0, 3)), dilation),
        "same": lambda: nn.Conv2d(now, 3, kernel, 1, "same", dilation),
        "grouped": lambda: nn.Conv2d(now, 2 * now, kernel, stride, padding, groups=now, bias=False),
        "max": lambda: nn.MaxPool2d(kernel, stride, padding, dilation),
        "ceil": lambda: nn.MaxPool2d(kernel, stride, padding, ceil_mode=True),
        "average": lambda: nn.AvgPool2d(kernel, stride, padding),
        "adaptive": lambda: nn.AdaptiveAvgPool2d(1 if draw(st.booleans()) else (1, None)),
    }
    return layers[kind]()


@st.composite
def stacks(draw: st.DrawFn, channels: int, height: int, width: int) -> nn.Sequential:
    """Draw a classifier of one to four layers that look at windows, its batch norms with statistics of their own."""
    layers: list[nn.Module] = []
    torch.manual_seed(draw(st.integers(0, 999)))
    x = torch.rand(1, channels, height, width)
    for _ in range(draw(st.integers(1, 4))):
        layer = one_layer(draw, x.shape[1])
        try:
            x = layer(x)
        except RuntimeError:  # the image is too small for it
            continue
        layers.append(layer)
        if draw(st.integers(0, 2)) == 0:
            norm = nn.BatchNorm2d(x.shape[1])
            norm(torch.randn(4, *x.shape[1:]) + 1) if x[0, 0].numel() > 1 else None
            layers.append(norm)
        layers.append(draw(st.sampled_from(ACTIVATIONS))())
    if not layers:
        layers.append(nn.Conv2d(channels, 2, 1))
        x = torch.rand(1, 2, height, width)
    return nn.Sequential(*layers, nn.Dropout(0.5), nn.Flatten(), nn.Linear(x[0].numel(), 3)).eval()


@settings(max_examples=60)
@given(data=st.data())
def test_the_result_is_that_of_brute_force(data: st.DataObject) -> None:
    draw = data.draw
    channels, height, width = draw(st.integers(1, 3)), draw(st.integers(4, 13)), draw(st.integers(4, 13))
    network = draw(stacks(channels, height, width))
    box = (draw(st.integers(1, min(5, height))), draw(st.integers(1, min(5, width))))
    stride = (draw(st.integers(1, box[0])), draw(st.integers(1, box[1])))
    fill = draw(st.sampled_from([0.0, 0.7, "mean", "blur"]))
    apart, batch = draw(st.booleans()), draw(st.sampled_from([None, 1, 5]))
    images = torch.rand(draw(st.integers(1, 2)), channels, height, width)
    fills = filling(images, fill, padding=0, sigma=1.5)
    with torch.no_grad():
        assume(network(images).isfinite().all())  # a largest value of padding alone is -inf: no classifier has it
        chain = read(network, images[:1])
        engine = Incremental(chain, make_boxes((height, width), box, stride), apart, batch)
        if draw(st.booleans()):
            found = engine.outputs(images, fills, lambda count: None)
        else:  # every run of convolutions as one, whether it is worth it or not
            planner = Planner(chain, channels, *engine.reaches(), len(images), 1, 1e5)
            runs = tuple(linear_runs(chain, channels))
            plan = planner.split(planner.grouped(runs), runs)
            found = engine.some(images, fills, plan, lambda count: None)
        for image, filled, one in zip(images.split(1), fills.split(1), found, strict=True):
            expected = brute_force(network, image, filled, box, stride, apart)
            torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-5)


def test_a_box_changes_something() -> None:
    """The property above would hold for a network that sees nothing: this one's answers differ from box to box."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    image = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        found = Incremental(read(network, image), make_boxes((8, 8), 3, 1), False, None).outputs(
            image, torch.zeros_like(image), lambda count: None
        )
        assert (found[0] - network(image)).abs().amax((2, 3)).min() > 1e-4


def test_regions_are_pasted_where_they_belong_and_cut_where_they_do_not_fit() -> None:
    """Two regions of 2×2 in windows of 3×3: one a column too far to the left, the other a row too low."""
    clean = Clean(torch.zeros(9, 1), (3, 3))
    window = torch.arange(3).expand(2, 3)
    rows = Side(window, torch.tensor([[0, 1], [2, 3]]), None, torch.tensor([[True, True], [True, False]]))
    columns = Side(window, torch.tensor([[-1, 0], [1, 2]]), None, torch.tensor([[False, True], [True, True]]))
    both = torch.arange(2)
    items = Items(torch.zeros(2, dtype=torch.long), both, both, both)
    found = pasted(torch.arange(1.0, 9.0).view(2, 2, 2, 1), clean, items, rows=rows, columns=columns)
    assert found[..., 0].tolist() == [[[2, 0, 0], [4, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 5, 6]]]


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    begin = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]
    network = nn.Sequential(*begin, nn.Flatten(), nn.Linear(144, 2)).eval()
    images, pools = torch.rand(3, 1, 12, 12), list[int]()

    def pool(threads: int, thread_name_prefix: str) -> ThreadPoolExecutor:
        pools.append(threads)
        return ThreadPoolExecutor(threads, thread_name_prefix)

    monkeypatch.setattr(incremental, "ThreadPoolExecutor", pool)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(occlusion_map(network, images, box=3, batch_size=16).values)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)
    assert pools == [3]
