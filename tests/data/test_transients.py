"""The stamps against what optics and statistics say of them: flux, width, noise, and what each kind shows."""

import math
from pathlib import Path

import numpy as np
import pydantic
import pytest
from scipy import integrate, stats

from cuello.core.errors import CuelloError
from cuello.data import transients as module
from cuello.data.form import facts_of, form_of
from cuello.data.picture import StoredImage, as_channels
from cuello.data.transients import (
    BOGUS,
    CANVAS,
    CLASSES,
    SIDE,
    VIEWS,
    Chance,
    TransientConfig,
    convolved,
    cut,
    galaxy,
    in_unit_range,
    moffat,
    smoothed,
    stretch,
    transient_stamps,
    transients,
)

NOISELESS = TransientConfig(host=0, neighbour=0, signal=(40, 40), jitter=0)


def one(value: float) -> np.ndarray:
    return np.array([value], np.float32)


@pytest.fixture(scope="module")
def stamps() -> module.Stamps:
    return transient_stamps(0, 600)


class TestStamps:
    def test_shapes_types_and_range(self, stamps):
        assert stamps.images.shape == (600, SIDE, SIDE, len(VIEWS))
        assert stamps.images.dtype == np.float32
        assert 0 <= stamps.images.min() < stamps.images.max() <= 1
        assert np.isfinite(stamps.images).all()

    def test_odd_ones_are_real_and_the_others_some_kind_of_bogus(self, stamps):
        assert stamps.labels.tolist() == [0, 1] * 300
        assert set(stamps.kinds[1::2]) == {"real"}
        assert set(stamps.kinds[::2]) == set(BOGUS)

    def test_a_stamp_depends_on_seed_and_index_alone(self, stamps):
        again = transient_stamps(137, 290)
        np.testing.assert_allclose(again.images, stamps.images[137:290], atol=1e-4)
        assert again.kinds == stamps.kinds[137:290]
        other = transient_stamps(137, 139, seed=1)
        assert np.abs(other.images - again.images[:2]).mean() > 0.01

    def test_shares_of_the_kinds_are_those_asked_for(self):
        config = TransientConfig(kinds={"edge": 3.0, "cosmic ray": 1.0})
        kinds = transient_stamps(0, 400, config=config).kinds[::2]
        assert set(kinds) == {"edge", "cosmic ray"}
        assert stats.binomtest(kinds.count("edge"), 200, 0.75).pvalue > 1e-4

    def test_the_snr_of_the_sky_is_standard_normal_around_a_transient(self):
        """Away from the source; black is -5, white 15."""
        snr = transient_stamps(0, 400, config=NOISELESS).images[1::2, ..., 3] * 20 - 5
        border = np.concatenate([snr[:, :3].ravel(), snr[:, -3:].ravel()])
        assert border.mean() == pytest.approx(0, abs=0.1)  # a Moffat profile's wings are still there
        assert border.std() == pytest.approx(1, abs=0.05)

    def test_a_transient_has_the_flux_asked_for(self):
        """Signal-to-noise 40 of a Gaussian's matched filter: the difference's sum is flux = 40 sqrt(4π) σ; the
        stretched map is taken back with the median and deviation of the science image's own noise, about 1.
        """
        config = NOISELESS.model_copy(
            update={
                "seeing": (3.0, 3.0),
                "sharper": (0.95, 0.95),
                "wings": (40.0, 40.0),
                "template_noise": (0.01, 0.01),
            }
        )
        images = transient_stamps(0, 800, config=config).images[1::2]
        snr = (images[..., 3] * 20 - 5).mean(0)
        sigma = 3 / 2.355
        flux = 40 * math.sqrt(4 * math.pi) * sigma
        rows, columns = np.mgrid[-10:11, -10:11]
        light = flux / (2 * math.pi * sigma**2) * np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
        expected = np.minimum(light / np.sqrt(1 + light / config.gain), 15)
        np.testing.assert_allclose(snr, expected, atol=0.6)

    def test_no_data_is_black_in_science_and_zero_in_the_differences(self):
        config = TransientConfig(kinds={"edge": 1.0})
        images = transient_stamps(0, 2, config=config).images[0]
        empty = images[..., 1] == 0
        assert 0.2 < empty.mean() < 0.5
        assert (images[empty][:, 2] == 0.5).all()
        np.testing.assert_allclose(images[empty][:, 3], 0.25)
        lines = empty.all(0) | empty.all(1)
        assert lines.any()

    def test_what_went_through_no_telescope_is_sharper_than_the_seeing(self):
        config = NOISELESS.model_copy(update={"kinds": {"hot pixel": 1.0}, "signal": (60, 60)})
        snr = transient_stamps(0, 400, config=config).images[..., 3] - 0.25
        middle = snr[:, 6:15, 6:15].reshape(400, -1)
        ordered = np.sort(middle, axis=1)
        share = ordered[:, -4:].sum(1) / np.abs(middle).sum(1)
        assert np.median(share[::2]) > 1.3 * np.median(share[1::2])

    @pytest.mark.parametrize("kind", BOGUS)
    def test_every_kind_can_be_made_alone(self, kind):
        made = transient_stamps(0, 8, config=TransientConfig(kinds={kind: 1.0}))
        assert made.kinds[::2] == [kind] * 4

    def test_unknown_parameters_are_refused(self):
        with pytest.raises(pydantic.ValidationError, match="seing"):
            TransientConfig(seing=(3, 4))  # type: ignore[call-arg]


class TestParts:
    def test_a_moffat_profile_has_flux_one_and_the_width_stated(self):
        psf = moffat(one(0), one(0), one(4.0), one(3.0))[0]
        middle = CANVAS // 2
        assert psf[middle, middle + 2] / psf[middle, middle] == pytest.approx(0.5, abs=1e-5)

        def ring(r: float) -> float:
            alpha = 4 / (2 * math.sqrt(2 ** (1 / 3) - 1))
            return 2 * math.pi * r * 2 / (math.pi * alpha**2) * (1 + (r / alpha) ** 2) ** -3

        assert integrate.quad(ring, 0, np.inf)[0] == pytest.approx(1)
        assert psf.sum() == pytest.approx(1, abs=0.01)  # what lies outside the canvas is missing

    def test_a_galaxy_has_flux_one_where_it_was_put(self):
        light = galaxy(one(2), one(-3), one(2), one(1), one(0.6), one(0.4))[0]
        assert light.sum() == pytest.approx(1, abs=1e-5)
        rows, columns = np.mgrid[-16:16, -16:16]
        assert ((light * rows).sum(), (light * columns).sum()) == pytest.approx((-3, 2), abs=0.05)

    def test_convolution_with_a_point_moves_nothing(self):
        image = np.random.default_rng(0).random((1, CANVAS, CANVAS), np.float32)
        point = np.zeros((1, CANVAS, CANVAS), np.float32)
        point[0, CANVAS // 2, CANVAS // 2] = 1
        np.testing.assert_allclose(convolved(np.fft.rfft2(image), point), image, atol=1e-5)

    def test_smoothing_leaves_the_share_of_variance_it_says(self):
        noise = np.random.default_rng(0).standard_normal((200, CANVAS, CANVAS), np.float32)
        smooth, share = smoothed(noise, np.full(200, 1.5, np.float32))
        assert smooth.var() == pytest.approx(share[0], rel=0.05)
        assert share[0] == pytest.approx(1 / (4 * math.pi * 1.5**2), rel=1e-3)  # a wide Gaussian's, in closed form
        assert smoothed(noise[:1], one(0))[1][0] == pytest.approx(1)

    def test_draws_are_what_they_are_called(self):
        chance = Chance(np.random.default_rng(0).random((5000, 8), np.float32))
        assert stats.kstest(chance.normal(2.0), "norm", (0, 2)).pvalue > 1e-3
        assert stats.kstest(chance.uniform(1, 3), "uniform", (1, 2)).pvalue > 1e-3
        assert stats.kstest(np.log(chance.logarithmic(2, 9)), "uniform", (math.log(2), math.log(4.5))).pvalue > 1e-3
        assert chance.used == 4

    def test_the_map_of_the_views(self):
        """Values -2..2: their median 0, MAD 1, so 2 is asinh(2 / 1.4826)."""
        values = np.tile(np.array([-2, -1, 0, 1, 2], np.float32), (1, 5, 1))
        expected = 0.5 + math.asinh(2 / 1.4826) / (2 * math.asinh(100))
        assert stretch(values, np.zeros(values.shape, bool))[0, 0, 4] == pytest.approx(expected)
        holes = values == 2
        assert (stretch(values, holes)[holes] == 0.5).all()
        flat = in_unit_range([np.zeros((1, 2, 2))] * 4, np.zeros((1, 2, 2), bool))
        np.testing.assert_allclose(flat[0, 0, 0], [0.5, 0.5, 0.5, 0.25])

    def test_the_cut_keeps_the_middle(self):
        canvas = np.zeros((1, CANVAS, CANVAS))
        canvas[0, CANVAS // 2, CANVAS // 2] = 1
        assert np.argwhere(cut(canvas)[0]).tolist() == [[SIDE // 2, SIDE // 2]]


class TestCatalogued:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        """Forty instead of 25,000."""
        module.catalogued.cache_clear()
        monkeypatch.setattr(module, "COUNT", 40)
        monkeypatch.setattr(module, "HELD_OUT", 10)
        yield
        module.catalogued.cache_clear()

    def test_all_views_or_one(self):
        every, snr = transients("transients"), transients("transients-snr")
        assert every.images.shape == (40, SIDE, SIDE, 4)
        np.testing.assert_array_equal(every.images[..., 3:], snr.images)
        np.testing.assert_array_equal(transients("transients-template").images, every.images[..., :1])
        assert np.asarray(every.held_out).tolist() == list(range(30, 40))
        assert every.label_names == list(CLASSES)
        assert every.names[:2] == ["bogus/00000", "real/00001"]

    def test_four_views_stay_four_and_are_no_colours(self):
        picture = transients("transients").read(0)
        assert form_of([facts_of(picture)] * 2)[0].channels == 4
        assert as_channels(picture, 4) is picture
        with pytest.raises(CuelloError, match="4 channels, which are not colours"):
            as_channels(picture, 1)


def test_grey_and_colour_together_become_colour():
    grey, colour = (facts_of(StoredImage(np.zeros((2, 2, channels), np.uint8))) for channels in (1, 3))
    assert form_of([grey, colour])[0].channels == 3


def test_stamps_are_kept_and_made_again_where_the_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path))
    made = module.kept_stamps(5)
    (file,) = (tmp_path / "stamps").iterdir()
    before = file.stat().st_mtime_ns
    kept = module.kept_stamps(5)
    assert file.stat().st_mtime_ns == before, "found, not made again"
    expected = (transient_stamps(0, 5).images * 255).round().astype(np.uint8)
    for images, _ in (made, kept):
        np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(kept[1], transient_stamps(0, 5).labels)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), b"", b"PK"):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(module.kept_stamps(5)[0], expected)
    (tmp_path / "full").write_text("a file where the cache should be")
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "full"))
    np.testing.assert_array_equal(module.kept_stamps(5)[0], expected)
