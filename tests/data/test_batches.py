"""Crops in their places, batches in their order, both a function of seed and epoch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.data.batches import Batches, to_tensor, turned
from cuello.data.crops import check_crop, cut, detailed_crops, grid_crops, random_crops, tiles_in, whole_images
from cuello.data.detail import detail_of, most_detailed
from cuello.data.images import Images


def images_of(*sizes: tuple[int, int], channels: int = 1, targets: bool = False) -> Images:
    """Images whose pixels tell where they are: image · 64 + row · 8 + column, so that a crop names its place."""
    arrays = []
    for index, (height, width) in enumerate(sizes):
        place = index * 64 + np.arange(height)[:, None] * 8 + np.arange(width)
        arrays.append(np.repeat((place % 256).astype(np.uint8)[:, :, None], channels, axis=2))
    names = [f"{index}.png" for index in range(len(sizes))]
    return Images("test", arrays, names, targets=[255 - array for array in arrays] if targets else None)


def all_ids(images: Images) -> np.ndarray:
    return np.arange(len(images))


def levels_of(batches: Batches, epoch: int = 0) -> torch.Tensor:
    """All crops of an epoch as grey levels 0 to 255."""
    return (torch.cat([batch.images for batch in batches.epoch(epoch)]) * 255).round()


class TestWhole:
    def test_images_of_one_size(self):
        crops = whole_images(images_of((6, 5), (6, 5), (6, 5)), np.array([2, 0]))
        assert crops.size == (6, 5)
        assert crops.places.tolist() == [[2, 0, 0], [0, 0, 0]]

    def test_different_sizes_are_an_error_that_names_them_and_the_remedy(self):
        words = r"test have 3 different sizes \(6×5, 5×6, 7×7\).*Train on crops \(crop=64\) or resize them \(resize=64"
        with pytest.raises(CuelloError, match=words):
            whole_images(images_of((6, 5), (5, 6), (7, 7)), np.arange(3))

    def test_only_the_sizes_of_this_part_count(self):
        assert whole_images(images_of((6, 5), (5, 6)), np.array([1])).size == (5, 6)


class TestGrid:
    def test_places_by_hand(self):
        crops = grid_crops(images_of((5, 8), (4, 4)), np.arange(2), 4)
        assert crops.places.tolist() == [[0, 0, 0], [0, 0, 4], [1, 0, 0]]
        assert tiles_in(images_of((5, 8), (4, 4)), np.arange(2), 4) == 3

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(4, 8), st.integers(4, 8)), min_size=1, max_size=4), st.integers(1, 4), st.data()
    )
    def test_crops_lie_within_do_not_overlap_and_are_spread_over_all(self, sizes, crop, data):
        images = images_of(*sizes)
        total = tiles_in(images, all_ids(images), crop)
        count = data.draw(st.none() | st.integers(1, total + 3))
        crops = grid_crops(images, all_ids(images), crop, count)
        assert len(crops) == min(count or total, total)
        seen = [np.zeros(size, int) for size in sizes]
        for index, top, left in crops.places:
            seen[index][top : top + crop, left : left + crop] += 1
        assert sum(image.sum() for image in seen) == len(crops) * crop**2
        assert max(image.max() for image in seen) == 1
        if count is not None and count > 1:
            assert seen[0][0, 0] == 1
            assert seen[-1].any()

    def test_an_image_smaller_than_the_crop_is_named_with_the_remedy(self):
        words = r"2 images of test are smaller than the crop of 6×6 pixels: 1\.png, 2\.png\. Choose a smaller crop"
        with pytest.raises(CuelloError, match=words):
            check_crop(images_of((8, 8), (8, 5), (3, 8)), np.arange(3), 6)
        check_crop(images_of((8, 8), (8, 5), (3, 8)), np.array([0]), 6)

    @pytest.mark.parametrize("layout", ["grid", "fixed", "random"])
    def test_every_layout_says_so(self, layout):
        with pytest.raises(CuelloError, match=r"smaller than the crop of 6×6 pixels: 0\.png"):
            Batches(images_of((5, 5)), np.arange(1), batch_size=2, crop=6, layout=layout)


class TestRandom:
    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(4, 8), st.integers(4, 8)), min_size=1, max_size=4),
        st.integers(1, 4), st.integers(1, 30), st.integers(0, 1000), st.integers(0, 5),
    )  # fmt: skip
    def test_crops_lie_within_and_every_image_comes_equally_often(self, sizes, crop, count, seed, epoch):
        images = images_of(*sizes)
        crops = random_crops(images, all_ids(images), crop, count, seed, epoch)
        assert len(crops) == count
        often = np.bincount(crops.places[:, 0], minlength=len(sizes))
        assert often.max() - often.min() <= 1
        for index, top, left in crops.places:
            assert 0 <= top <= sizes[index][0] - crop
            assert 0 <= left <= sizes[index][1] - crop
        again = random_crops(images, all_ids(images), crop, count, seed, epoch)
        assert crops.places.tolist() == again.places.tolist()

    def test_every_place_is_equally_likely(self):
        places = random_crops(images_of((5, 6)), np.arange(1), 4, 6000, seed=0).places
        _, often = np.unique(places[:, 1:], axis=0, return_counts=True)
        assert len(often) == 2 * 3
        assert np.abs(often - 1000).max() < 6 * (6000 / 6 * 5 / 6) ** 0.5

    def test_seed_and_epoch_give_other_places(self):
        images = images_of((8, 8), (8, 8))
        first = random_crops(images, np.arange(2), 3, 20, seed=0, epoch=0).places.tolist()
        assert first != random_crops(images, np.arange(2), 3, 20, seed=0, epoch=1).places.tolist()
        assert first != random_crops(images, np.arange(2), 3, 20, seed=1, epoch=0).places.tolist()


class TestDetailed:
    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(4, 8), st.integers(4, 8)), min_size=1, max_size=4), st.integers(1, 4),
        st.integers(1, 30), st.integers(0, 1000),
    )  # fmt: skip
    def test_crops_lie_within_and_are_those_that_random_ones_would_be_of(self, sizes, crop, count, seed):
        images = images_of(*sizes)
        crops = detailed_crops(images, all_ids(images), crop, count=count, seed=seed)
        random = random_crops(images, all_ids(images), crop, count=count, seed=seed)
        assert crops.places[:, 0].tolist() == random.places[:, 0].tolist()
        for (index, top, left), (_, row, column) in zip(crops.places, random.places, strict=True):
            assert 0 <= top <= sizes[index][0] - crop
            assert 0 <= left <= sizes[index][1] - crop
            one, other = (images.arrays[index][y : y + crop, x : x + crop] for y, x in ((top, left), (row, column)))
            assert detail_of(one) >= detail_of(other)
        again = detailed_crops(images, all_ids(images), crop, count=count, seed=seed)
        assert crops.places.tolist() == again.places.tolist()

    def test_no_crop_is_flat_where_half_of_the_image_is(self):
        array = np.zeros((40, 80, 1), np.uint8)
        array[:, 40:] = np.random.default_rng(0).integers(0, 255, (40, 40, 1))
        batches = Batches(
            Images("half", [array], ["a"]), np.arange(1), batch_size=200, crop=8, layout="detailed", count=200
        )
        assert batches.detailed
        pixels = next(batches.epoch(0)).images
        assert (pixels.amax((1, 2, 3)) > 0).all()
        random = Batches(
            Images("half", [array], ["a"]), np.arange(1), batch_size=200, crop=8, layout="fixed", count=200
        )
        assert not random.detailed
        assert (next(random.epoch(0)).images.amax((1, 2, 3)) == 0).sum() > 40

    def test_of_pairs_the_detail_of_what_it_should_become_counts(self):
        noisy = np.random.default_rng(0).integers(0, 255, (10, 40, 1)).astype(np.uint8)
        large = np.zeros((20, 80, 1), np.uint8)
        large[:, 40:] = np.random.default_rng(1).integers(0, 255, (20, 40, 1))
        pairs = Images("pairs", [noisy], ["a"], targets=[large], scale=2)
        places = detailed_crops(pairs, np.arange(1), 5, count=50, seed=0).places
        assert (places[:, 2] > 15).all(), "its right half, in pixels of the small image"


def test_detail_by_hand():
    steps = np.array([[0, 51, 51], [0, 51, 0]], np.uint8)[..., None]
    assert detail_of(steps) == pytest.approx((3 / 4 + 1 / 3) / 2 * 0.2), "along rows 51 0 51 51, along columns 0 0 51"
    assert detail_of(steps.astype(np.float32) / 255) == pytest.approx(detail_of(steps))
    assert detail_of(np.full((1, 1, 1), 7, np.uint8)) == 0
    wide = np.zeros((8, 33, 1), np.float32)
    wide[:, 20:24:2] = 1
    assert most_detailed(wide, 8) == (0, 16)


def test_cut_takes_the_pixels_at_the_place():
    images = images_of((6, 7), (8, 8))
    crops = random_crops(images, np.arange(2), 3, 12, seed=0)
    pixels = cut(images.arrays, crops, np.array([4, 0, 11]))
    for row, position in zip(pixels, (4, 0, 11), strict=True):
        index, top, left = crops.places[position]
        np.testing.assert_array_equal(row, images.arrays[index][top : top + 3, left : left + 3])


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [(np.array([0, 51, 255], np.uint8), [0, 0.2, 1]), (np.array([0, 13107, 65535], np.uint16), [0, 0.2, 1]),
     (np.array([0, 0.2, 1], np.float32), [0, 0.2, 1])],
)  # fmt: skip
def test_white_is_one_at_every_depth(pixels, expected):
    tensor = to_tensor(pixels.reshape(1, 1, 3, 1))
    assert tensor.shape == (1, 1, 1, 3)
    assert tensor.dtype == torch.float32
    torch.testing.assert_close(tensor.flatten(), torch.tensor(expected, dtype=torch.float32))


def test_a_tensor_has_its_channels_in_order_and_last_in_memory():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    tensor = to_tensor(pixels)
    assert tensor.shape == (2, 3, 5, 4)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal((tensor * 255).round().permute(0, 2, 3, 1).numpy(), pixels)


class TestTurned:
    def test_the_eight_turns_of_a_square_by_hand(self):
        square = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        turns = turned(square.expand(8, 1, 2, 2), torch.arange(8))[:, 0].flatten(1).int().tolist()
        assert turns == [
            [1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1],
            [1, 3, 2, 4], [2, 4, 1, 3], [3, 1, 4, 2], [4, 2, 3, 1],
        ]  # fmt: skip

    def test_flips_of_other_shapes(self):
        image = torch.arange(6.0).view(1, 1, 2, 3).expand(4, 1, 2, 3)
        flipped = turned(image, torch.arange(4))
        assert flipped[1, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
        assert flipped[2, 0].tolist() == [[3, 4, 5], [0, 1, 2]]


class TestBatches:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 9), st.integers(1, 5), st.booleans(), st.integers(0, 100), st.integers(0, 3))
    def test_every_crop_comes_once_an_epoch(self, count, batch_size, shuffle, seed, epoch):
        images = images_of(*[(4, 5)] * count)
        batches = Batches(images, all_ids(images), batch_size=batch_size, seed=seed, shuffle=shuffle)
        given_batches = list(batches.epoch(epoch))
        assert len(given_batches) == len(batches) == -(-count // batch_size)
        assert all(len(batch.ids) == batch_size for batch in given_batches[:-1])
        ids = torch.cat([batch.ids for batch in given_batches])
        assert sorted(ids.tolist()) == list(range(count))
        expected = to_tensor(np.stack(images.arrays))
        for batch in given_batches:
            assert torch.equal(batch.images, expected[batch.ids])
            assert batch.targets is None

    def test_the_order_is_that_of_the_images_unless_shuffled_anew_each_epoch(self):
        images = images_of(*[(4, 4)] * 20)
        plain = Batches(images, all_ids(images), batch_size=19)
        shuffled = Batches(images, all_ids(images), batch_size=19, shuffle=True)
        orders = [
            [row for batch in batches.epoch(epoch) for row in batch.ids.tolist()]
            for batches in (plain, shuffled)
            for epoch in (0, 1)
        ]
        assert orders[0] == orders[1] == list(range(20))
        assert sorted(orders[2]) == list(range(20))
        assert orders[2] != orders[3]
        assert orders[2] != list(range(20))

    @pytest.mark.parametrize("count", [3, 7, 14, 20])
    def test_whole_images_are_gone_through_as_often_as_asked(self, count):
        images = images_of(*[(4, 4)] * 7)
        batches = Batches(images, all_ids(images), batch_size=4, count=count, shuffle=True)
        shown = [batches.describe(row)[0] for batch in batches.epoch(1) for row in batch.ids.tolist()]
        often = [shown.count(name) for name in images.names]
        assert len(shown) == count
        assert max(often) - min(often) <= 1

    def test_batches_that_hold_every_image_equally_often_are_all_the_same(self):
        images = images_of(*[(4, 4)] * 5)
        batches = Batches(images, all_ids(images), batch_size=10, count=30, shuffle=True)
        given = [batch.images for epoch in (1, 2) for batch in batches.epoch(epoch)]
        assert len(given) == 6
        expected = to_tensor(np.stack([*images.arrays, *images.arrays]))
        assert all(torch.equal(found, expected) for found in given)

    @pytest.mark.parametrize("augment", [False, True])
    @pytest.mark.parametrize("layout", ["random", "fixed", "grid"])
    def test_an_epoch_can_be_repeated_in_any_order(self, layout, augment):
        images = images_of((8, 8), (7, 8))
        first, second = (
            Batches(
                images, all_ids(images), batch_size=3, crop=3, layout=layout, count=7, seed=5, shuffle=True,
                augment=augment,
            )
            for _ in range(2)
        )  # fmt: skip
        forwards = [levels_of(first, epoch) for epoch in (0, 1, 2)]
        backwards = [levels_of(second, epoch) for epoch in (2, 1, 0)]
        for one, other in zip(forwards, reversed(backwards), strict=True):
            assert torch.equal(one, other)

    def test_random_crops_are_new_each_epoch_fixed_ones_are_not(self):
        images = images_of((8, 8), (8, 8))

        def crops_of(layout: str, epoch: int) -> list[float]:
            batches = Batches(images, all_ids(images), batch_size=50, crop=3, layout=layout, count=10)
            return sorted(levels_of(batches, epoch)[:, 0, 0, 0].tolist())

        assert crops_of("random", 0) != crops_of("random", 1)
        assert crops_of("fixed", 0) == crops_of("fixed", 1)

    def test_crops_come_from_their_own_part_only(self):
        images = images_of((8, 8), (8, 8), (8, 8))
        for layout in ("random", "fixed", "grid"):
            levels = levels_of(Batches(images, np.array([1]), batch_size=4, crop=2, layout=layout))
            assert levels.min() >= 64
            assert levels.max() < 128

    @pytest.mark.parametrize("layout", ["fixed", "grid"])
    def test_describe_names_the_place_that_was_cut(self, layout):
        images = images_of((8, 7), (6, 8))
        batches = Batches(images, all_ids(images), batch_size=100, crop=3, layout=layout)
        for row, crop in enumerate(levels_of(batches)):
            name, top, left = batches.describe(row)
            assert crop[0, 0, 0] == int(name.removesuffix(".png")) * 64 + top * 8 + left

    def test_by_default_as_many_crops_as_would_tile_the_images(self):
        images = images_of((8, 8), (7, 8))
        for layout in ("random", "fixed", "grid"):
            assert Batches(images, all_ids(images), batch_size=2, crop=3, layout=layout).count == 4 + 4
        assert Batches(images, all_ids(images), batch_size=2, crop=3, layout="random", count=5).count == 5
        assert Batches(images, all_ids(images), batch_size=2, crop=3, layout="random", count=5).size == (3, 3)

    @pytest.mark.parametrize("augment", [False, True])
    @pytest.mark.parametrize("layout", ["random", "fixed", "grid"])
    def test_targets_are_cut_and_turned_with_their_images(self, layout, augment):
        images = images_of((8, 8), (7, 8), targets=True)
        batches = Batches(images, all_ids(images), batch_size=4, crop=3, layout=layout, shuffle=True, augment=augment)
        for batch in batches.epoch(1):
            assert batch.targets is not None
            torch.testing.assert_close(batch.images + batch.targets, torch.ones_like(batch.images))

    def test_augmentation_turns_squares_and_only_flips_the_rest(self):
        square = Batches(images_of((4, 4)), np.zeros(400, int), batch_size=400, augment=True)
        tall = Batches(images_of((5, 4)), np.zeros(400, int), batch_size=400, augment=True)
        assert len({tuple(crop.flatten().tolist()) for crop in levels_of(square)}) == 8
        assert len({tuple(crop.flatten().tolist()) for crop in levels_of(tall)}) == 4

    def test_the_images_are_left_as_they_are(self):
        images = Images("floats", [np.full((4, 4, 1), 0.5, np.float32)], ["0"])
        for batch in Batches(images, np.arange(1), batch_size=1).epoch():
            batch.images.zero_()
        assert (images.arrays[0] == 0.5).all()
        for batch in Batches(images, np.arange(1), batch_size=1).epoch():
            assert (batch.images == 0.5).all()


class TestLargerTargets:
    """Pairs to be upscaled: a crop is of the target, and the image's own is the same place at its size."""

    @staticmethod
    def pairs(scale: int, *sizes: tuple[int, int]) -> Images:
        """Targets of which every pixel is that of the image it stands for, so that places can be compared."""
        arrays = [np.random.default_rng(k).integers(0, 256, (*size, 3), np.uint8) for k, size in enumerate(sizes)]
        targets = [array.repeat(scale, axis=0).repeat(scale, axis=1) for array in arrays]
        return Images("pairs", arrays, [str(k) for k in range(len(sizes))], targets=targets, scale=scale)

    @settings(max_examples=30, deadline=None)
    @given(
        st.integers(2, 4),
        st.integers(1, 4),
        st.sampled_from(["random", "fixed", "grid"]),
        st.booleans(),
        st.integers(0, 99),
    )
    def test_crops_are_cut_at_matching_places(self, scale, side, layout, augment, seed):
        images = self.pairs(scale, (5, 8), (6, 4), (4, 9))
        batches = Batches(
            images,
            np.arange(3),
            batch_size=4,
            crop=scale * side,
            layout=layout,
            seed=seed,
            shuffle=True,
            augment=augment,
        )
        assert batches.size == (scale * side, scale * side)
        for epoch in (0, 1):
            for batch in batches.epoch(epoch):
                assert batch.targets is not None
                assert batch.images.shape[2:] == (side, side)
                enlarged = batch.images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
                assert torch.equal(batch.targets, enlarged)

    def test_whole_images_and_their_places(self):
        images = self.pairs(2, (3, 4), (3, 4))
        batches = Batches(images, np.arange(2), batch_size=2)
        assert batches.size == (6, 8)
        (batch,) = batches.epoch()
        assert batch.targets is not None
        assert (batch.images.shape, batch.targets.shape) == ((2, 3, 3, 4), (2, 3, 6, 8))
        grid = Batches(self.pairs(3, (4, 4)), np.arange(1), batch_size=2, crop=6, layout="grid")
        assert [grid.describe(row) for row in range(grid.count)] == [("0", 0, 0), ("0", 0, 6), ("0", 6, 0), ("0", 6, 6)]

    def test_images_smaller_than_a_crop_are_named_with_both_sizes(self):
        words = r"1 images of pairs are smaller than the crop of 8×8 pixels \(of the targets, that is 4×4 of them\): 0"
        with pytest.raises(CuelloError, match=words):
            Batches(self.pairs(2, (3, 9), (9, 9)), np.arange(2), batch_size=1, crop=8)
