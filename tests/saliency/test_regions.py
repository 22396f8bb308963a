import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cuello.saliency.boxes import spans
from cuello.saliency.layers import Axis
from cuello.saliency.regions import grouped, needed, reach

SOURCE = [Axis(4, 1, 1, 1), Axis(3, 1, 1, 1), Axis(2, 2, 0, 1), Axis(3, 1, 1, 1)]
SIDES = [27, 27, 27, 13, 13]


def test_a_box_grows_by_the_kernel_and_shrinks_by_the_pooling() -> None:
    """By hand: pixels 10 to 12 change 8 to 13 of a 4-pixel kernel with 1 pixel before, 7 to 14 of the next, 3 to 7 of
    the pooled, 2 to 8 of the last."""
    found = reach(spans(27, 3, 1, "height"), SOURCE, SIDES)
    assert found.starts[:, 10].tolist() == [10, 8, 7, 3, 2]
    assert (found.ends[:, 10] - 1).tolist() == [12, 13, 14, 7, 8]


def test_what_a_pooling_leaves_out_is_not_worked_out() -> None:
    assert needed([Axis(3, 1, 1, 1), Axis(2, 2, 0, 1)], [13, 13, 6]) == [13, 12, 6]


def test_a_layer_that_looks_at_its_padding_only_still_has_a_region() -> None:
    assert needed([Axis(1, 3, 1, 1), Axis(1, 2, 0, 1)], [4, 2, 1]) == [1, 1, 1]


@given(
    side=st.integers(6, 24),
    box=st.integers(1, 6),
    stride=st.integers(1, 6),
    layers=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=3
    ),
    images=st.integers(1, 50),
)
def test_regions_hold_all_that_changes_and_every_box_is_in_one_class(
    side: int, box: int, stride: int, layers: list[tuple[int, int, int, int]], images: int
) -> None:
    axes, sides = [], [side]
    for kernel, step, before, dilation in layers:
        axis = Axis(kernel, step, min(before, kernel // 2), dilation)
        length = (sides[-1] + 2 * axis.before - axis.extent) // axis.stride + 1
        if length < 1:
            break
        axes.append(axis)
        sides.append(length)
    where = spans(side, box, min(stride, box), "height")
    found = reach(where, axes, sides)
    rows, columns = grouped(found, found, [0.0] + [1e3] * len(axes), images=images, overhead=1e5)
    for classes in (rows, columns):
        assert sorted(np.concatenate([one.members.numpy() for one in classes])) == list(range(len(where)))
    limits = needed(axes, sides)
    for one in rows:
        for column, box_number in enumerate(one.members.tolist()):
            changed = set(range(where.starts[box_number], where.ends[box_number]))
            for level in range(len(sides)):
                start = one.starts[level, column].item()
                assert 0 <= start <= sides[level] - one.lengths[level]
                assert changed <= set(range(int(start), int(start) + one.lengths[level]))
                if level < len(axes):
                    axis = axes[level]
                    looked = {
                        o: {o * axis.stride - axis.before + k * axis.dilation for k in range(axis.kernel)}
                        for o in range(limits[level + 1])
                    }
                    changed = {o for o, inputs in looked.items() if inputs & changed}


def test_many_images_make_small_regions_and_one_image_few_classes() -> None:
    found = reach(spans(27, 3, 1, "height"), SOURCE, SIDES)
    one = grouped(found, found, [0.0] + [1e4] * 4, images=1, overhead=1e6)
    many = grouped(found, found, [0.0] + [1e4] * 4, images=1000, overhead=1e6)
    assert len(one[0]) < len(many[0])
