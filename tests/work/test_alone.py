"""A network trained on images in memory alone, which leaves nothing behind."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from cuello.work.alone import trained_alone


def test_dark_arrays_come_back_in_their_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    random = np.random.default_rng(0)
    images = [(200 + random.poisson(50 + np.arange(48) + np.zeros((40, 1)))).astype(np.uint16) for _ in range(3)]
    model = trained_alone(images, minutes=1, epochs=1, samples=8, crop=16, learning_rate=1e-6, threads=1)
    restored = model(images[0])
    assert restored.dtype == np.uint16
    assert restored.mean() == pytest.approx(images[0].mean(), rel=0.02)
    assert list(tmp_path.iterdir()) == []
    assert model.path is None
