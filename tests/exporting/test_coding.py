"""Networks with a code as encoder and decoder, run by ONNX Runtime alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.data.synthetic import glyphs
from cuello.exporting.coding import check_parts

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> cuello.Run:
    settings = {"model": "vae:35-16-2", "epochs": 1, "samples": 64, "report": False}
    return cuello.train("generate", "glyphs", output=tmp_path_factory.mktemp("codes") / "run", **settings)


def session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_images_become_codes_and_codes_images(generator: cuello.Run, tmp_path: Path) -> None:
    written = cuello.export(generator, tmp_path / "glyphs.onnx")
    assert {one.name for one in tmp_path.iterdir()} == {
        "glyphs.onnx", "glyphs-encoder.onnx", "glyphs-decoder.onnx",
    }  # fmt: skip
    assert "glyphs-encoder.onnx and glyphs-decoder.onnx" in written.notes[-1]
    model, images = cuello.load(generator), glyphs().images
    encoder, decoder = (session(tmp_path / f"glyphs-{part}.onnx") for part in ("encoder", "decoder"))
    pixels = images.transpose(0, 3, 1, 2).astype(np.float32)
    code, spread = encoder.run(["code", "log_variance"], {"image": pixels, "white": np.array([255], np.float32)})
    np.testing.assert_allclose(code, model.encode(images), atol=1e-5)
    assert spread.shape == code.shape
    np.testing.assert_allclose(
        decoder.run(["result"], {"code": code})[0].transpose(0, 2, 3, 1), model.decode(code), atol=1e-5
    )
    about = json.loads(encoder.get_modelmeta().custom_metadata_map["cuello"])
    assert (about["part"], about["code"], about["prior"]) == ("encoder", [2], "normal")


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_decoder_gives_8_bits(generator: cuello.Run, tmp_path: Path, precision: str) -> None:
    cuello.export(generator, tmp_path / "a.onnx", dtype="uint8", precision=precision)
    code = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    found = session(tmp_path / "a-decoder.onnx").run(None, {"code": code})[0]
    assert (found.dtype, found.shape) == (np.uint8, (3, 1, 7, 5))
    expected = 255 * cuello.load(generator).decode(code).transpose(0, 3, 1, 2)
    assert np.abs(found - expected).max() <= (0.51 if precision == "float32" else 26)
    image = glyphs().images[:1].transpose(0, 3, 1, 2)
    assert session(tmp_path / "a-encoder.onnx").run(["code"], {"image": image})[0].shape == (1, 2)


def test_a_part_that_lies_there_is_kept(generator: cuello.Run, tmp_path: Path) -> None:
    (tmp_path / "a-decoder.onnx").write_text("mine")
    with pytest.raises(cuello.CuelloError, match="overwrite"):
        cuello.export(generator, tmp_path / "a.onnx")
    assert [one.name for one in tmp_path.iterdir()] == ["a-decoder.onnx"]
    cuello.export(generator, tmp_path / "a.onnx", overwrite=True)
    assert (tmp_path / "a-decoder.onnx").stat().st_size > 1000


def test_a_part_is_no_network_of_cuello(
    generator: cuello.Run, refused: Callable[..., str], images: Path, tmp_path: Path
) -> None:
    cuello.export(generator, tmp_path / "a.onnx")
    said = refused("apply", tmp_path / "a-encoder.onnx", images, tmp_path / "out")
    assert "is the encoder of a network with a code" in said
    assert "code, tensor(float)" in said


def test_a_part_that_gives_something_else_is_refused(generator: cuello.Run) -> None:
    model = cuello.load(generator)
    images = glyphs().images[:2].transpose(0, 3, 1, 2).astype(np.float32) / 255
    codes = model.encode(glyphs().images[:2])
    decoded = model.decode(codes).transpose(0, 3, 1, 2)
    check_parts(model, images, codes=codes, decoded=decoded)
    with pytest.raises(cuello.CuelloError, match="the encoder gives other results"):
        check_parts(model, images, codes=codes + 1, decoded=decoded)
    with pytest.raises(cuello.CuelloError, match="the decoder gives other results"):
        check_parts(model, images, codes=codes, decoded=decoded + 0.1)
