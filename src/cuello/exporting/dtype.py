"""ONNX graphs whose images are whole numbers of 8 or 16 bits: scaled, rounded and cut inside."""

from typing import Literal

import numpy as np

from cuello.core.errors import CuelloError
from cuello.exporting.precision import Given
from cuello.inference.onnx import WHITE

Dtype = Literal["float32", "uint8", "uint16"]


def with_dtype(content: bytes, dtype: Dtype, gives_images: bool) -> bytes:
    """Return a file whose ``image``, if it takes one, is of a type, and ``result`` too where it is an image; ``white``
    is no input then.

    Values are made float32 and divided by the type's white; a result is multiplied by it, rounded (halves to even) and
    cut to the type's range.
    """
    if dtype == "float32":
        return content
    import onnx
    from onnx.helper import make_node

    model = onnx.load_model_from_string(content)
    graph, kind = model.graph, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for node in graph.node:
        node.input[:] = ["image_float" if name == "image" else name for name in node.input]
        if gives_images:
            node.output[:] = ["result_float" if name == "result" else name for name in node.output]
    typed = [one for one in graph.input if one.name == "image"]
    cast = make_node("Cast", ["image"], ["image_float"], "image_cast", to=onnx.TensorProto.FLOAT)
    nodes = [*([cast] if typed else []), *graph.node]
    if gives_images:
        nodes += [
            make_node("Round", ["result_float"], ["result_whole"], "result_round"),
            make_node("Clip", ["result_whole", "black", "white_most"], ["result_cut"], "result_clip"),
            make_node("Cast", ["result_cut"], ["result"], "result_cast", to=kind),
        ]
        typed += graph.output
        ends = {"black": 0, "white_most": WHITE[dtype]}
        graph.initializer.extend(
            onnx.numpy_helper.from_array(np.array(one, np.float32), name) for name, one in ends.items()
        )
    for one in typed:
        one.type.tensor_type.elem_type = kind
    inputs = [one for one in graph.input if one.name != "white"]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([WHITE[dtype]], np.float32), "white"))
    return model.SerializeToString()


def given_as(given: Given, dtype: Dtype) -> Given:
    """Return inputs with an image in [0, 1] for a file of a type."""
    if dtype == "float32":
        return given
    image = (given["image"] * WHITE[dtype]).round().clip(0, WHITE[dtype]).astype(dtype)
    return {name: image if name == "image" else one for name, one in given.items() if name != "white"}


def check_typed(found: np.ndarray, floats: np.ndarray, dtype: Dtype) -> None:
    """Raise CuelloError where a file of a type does not give what that of floats does, in levels of the type."""
    expected = floats if found.dtype == np.float32 else (floats * WHITE[dtype]).round().clip(0, WHITE[dtype])
    apart = float(np.abs(found.astype(np.float64) - expected).max())
    most = 1e-4 if found.dtype == np.float32 else 1 if dtype == "uint8" else 7  # 1e-4 of white
    if found.shape != floats.shape or not apart <= most:
        raise CuelloError(
            f"as {dtype} the file gives other results: {apart:.2g} apart, at most {most:g} are allowed. Nothing was "
            "written. Leave out --dtype."
        )
