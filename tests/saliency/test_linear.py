"""Runs of convolutions, against the layers themselves on whole images."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cuello.saliency.boxes import make_boxes
from cuello.saliency.incremental import CALL_WORK, Incremental, clean_layers
from cuello.saliency.layers import Axis, LayerChain, read
from cuello.saliency.linear import Ends, LinearRun, Planner, Walk, linear_runs, split


def chain_of(*layers: nn.Module, size: int = 9, channels: int = 1) -> LayerChain:
    return read(nn.Sequential(*layers).eval(), torch.rand(1, channels, size, size))


def through(run: LinearRun, x: Tensor) -> Tensor:
    """Return what a run's layers give for whole images, less what they give for nothing."""
    clean = torch.zeros_like(x)
    for layer in run.chain.layers[run.first : run.last]:
        x, clean = layer.whole(x), layer.whole(clean)
    return x - clean


def test_runs_end_at_poolings_activations_and_steps() -> None:
    chain = chain_of(
        nn.Conv2d(1, 2, 3), nn.Dropout(0.5), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 3, 3, padding=1),
        nn.MaxPool2d(2), nn.Conv2d(3, 3, 2, stride=2), nn.Identity(), nn.Conv2d(3, 2, 1),
    )  # fmt: skip
    assert [(run.first, run.last) for run in linear_runs(chain, 1)] == [(0, 2), (2, 3), (5, 6)]
    assert [run.channels for run in linear_runs(chain, 1)] == [(1, 2), (2, 3), (3, 2)]


def test_a_walk_by_hand() -> None:
    """A 4-pixel kernel with 1 pixel before, then 3 with 1, on 9 pixels: 8 after the first. Pixel 0 changes -2 to 0 of
    the first layer, of which only 0 is there; pixel 1 loses -1; of pixel 8, 6 to 9, 8 and 9 are not there."""
    walk = Walk.of([Axis(4, 1, 1, 1), Axis(3, 1, 1, 1)], [9, 8, 8])
    assert walk == Walk(side=9, lead=3, extent=6, low=2, high=2)
    assert [walk.kind(pixel) for pixel in (0, 1, 2, 6, 7, 8)] == [(0, 2), (1, 2), (2, 2), (2, 2), (2, 1), (2, 0)]
    assert walk.kinds() == 5


def test_a_joint_kernel_by_hand() -> None:
    """(1, 2, 3) after (1, 10, 100), both with 1 pixel of zeros around: what the pixel itself and its neighbours get.

    In the middle 1 gives (100, 10, 1), then (300, 230, 123, 12, 1); at the left edge only (10, 1) is there, of which
    the first goes on to the left of the image.
    """
    layers = [nn.Conv2d(1, 1, (1, 3), padding=(0, 1), bias=False) for _ in range(2)]
    for layer, numbers in zip(layers, ([1.0, 10.0, 100.0], [1.0, 2.0, 3.0]), strict=True):
        layer.weight.data = torch.tensor(numbers).view(1, 1, 1, 3)
    run = linear_runs(chain_of(*layers), 1)[0]
    with torch.no_grad():
        assert run.matrix(4, 4, torch.empty(0)).flatten().tolist() == [300, 230, 123, 12, 1]
        assert run.matrix(4, 0, torch.empty(0)).flatten()[2:].tolist() == [23, 12, 1]


@settings(max_examples=40)
@given(data=st.data())
def test_a_run_is_its_layers_wherever_the_regions_lie(data: st.DataObject) -> None:
    draw = data.draw
    size, channels = draw(st.integers(7, 11)), draw(st.integers(1, 2))
    torch.manual_seed(draw(st.integers(0, 99)))
    layers, wide = [], channels
    for _ in range(draw(st.integers(1, 3))):
        kernel = draw(st.integers(1, 4))
        layers.append(nn.Conv2d(wide, 3, kernel, padding=draw(st.integers(0, 3)), dilation=1 if kernel > 2 else 2))
        wide = 3
    with torch.no_grad():
        chain = chain_of(*layers, size=size, channels=channels)
        run = linear_runs(chain, channels)[0]
        top, left = draw(st.integers(0, size - 2)), draw(st.integers(0, size - 2))
        difference = torch.randn(3, 2, 2, channels)
        x = torch.zeros(3, channels, size, size)
        x[:, :, top : top + 2, left : left + 2] = difference.permute(0, 3, 1, 2)
        expected = through(run, x).permute(0, 2, 3, 1)
        height, width = expected.shape[1:3]
        begin = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        expected = expected[:, begin[0] : begin[0] + 5, begin[1] : begin[1] + 5]
        found = torch.zeros_like(expected, memory_format=torch.contiguous_format)
        run.add(found, difference, Ends(top, begin[0]), Ends(left, begin[1]))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_regions_that_are_worked_on_together_have_the_same_matrices_and_none_is_lost() -> None:
    chain = chain_of(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), size=12)
    rows, columns = Incremental(chain, make_boxes((12, 12), 3, 1), False, None).reaches()
    run = linear_runs(chain, 1)[0]
    plan = Planner(chain, 1, rows, columns, 1000, 1, 0.0).best()
    assert plan.runs == (run,)
    classes = split(plan.rows, [run], 0)
    assert sorted(int(member) for one in classes for member in one.members) == list(range(10))
    for one in classes:
        kinds = [[run.rows.kind(int(start) + i) for i in range(one.lengths[0])] for start in one.starts[0]]
        assert all(kind == kinds[0] for kind in kinds)


def test_what_a_run_gives_is_kept_as_it_was_before_an_activation_in_place() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(2 * 36, 2)).eval()
    image = torch.rand(1, 1, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        chain = read(layers, image)
        clean, given = clean_layers(chain, image, linear_runs(chain, 1))
        torch.testing.assert_close(given[1].rows, layers[0](image)[0].flatten(1).T)
        torch.testing.assert_close(clean[1].rows, layers[0](image)[0].flatten(1).T.clamp(min=0))
        assert given[1].rows.min() < 0


def test_layers_are_taken_together_for_many_images_only() -> None:
    """Matrices take time, and so do more classes of boxes."""
    chain = chain_of(*(nn.Conv2d(1 if at == 0 else 16, 16, 3, padding=1) for at in range(3)), nn.MaxPool2d(2), size=16)
    reaches = Incremental(chain, make_boxes((16, 16), 3, 1), False, None).reaches()
    assert Planner(chain, 1, *reaches, 1, 1, CALL_WORK).best().runs == ()
    assert len(Planner(chain, 1, *reaches, 256, 10, CALL_WORK).best().runs) == 1
