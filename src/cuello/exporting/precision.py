"""The weights of an ONNX graph in half precision, or its layers in whole numbers of 8 bits."""

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cuello.core.errors import CuelloError, first_line
from cuello.exporting.graph import quiet

Precision = Literal["float32", "fp16", "int8"]
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operations that multiply by weights, which are what becomes whole numbers."""
LARGEST_HALF = 65504.0
"""Of the numbers that half precision holds."""
NETWORK = "network/"
"""What stands in the names of the network's own operations, and not in those of what is done around it."""

Given = Mapping[str, np.ndarray]
"""What goes into a graph, by name."""


def reduced(content: bytes, precision: Precision, calibration: Sequence[Given]) -> tuple[bytes, list[str]]:
    """Return an ONNX file with numbers of fewer bits, and what should be known of it.

    fp16: weights are stored in half precision and made float32 while the file is loaded: all arithmetic stays float32.
    int8: layers work with whole numbers of 8 bits, whose scales come from ``calibration``: inputs to run it with.
    Raises CuelloError where there is nothing to reduce.
    """
    if precision == "float32":
        return content, []
    return with_half_weights(content) if precision == "fp16" else quantised(content, calibration)


def with_half_weights(content: bytes) -> tuple[bytes, list[str]]:
    import onnx

    model = onnx.load_model_from_string(content)
    graph, casts, kept = model.graph, [], 0
    for one in graph.initializer:
        if one.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(one)
        if values.size < 2 or np.abs(values).max() > LARGEST_HALF:
            kept += values.size > 1
            continue
        name = one.name
        one.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [one.name], [name], f"{name}_cast", to=onnx.TensorProto.FLOAT))
    if not casts:
        raise CuelloError("got --precision=fp16, but the network has no weights to store so. Leave it out.")
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    large = f"; {kept} tensors stay in float32, since they hold numbers above {LARGEST_HALF:.0f}" if kept else ""
    return model.SerializeToString(), [f"weights are stored in half precision, arithmetic is float32{large}"]


def quantised(content: bytes, calibration: Sequence[Given]) -> tuple[bytes, list[str]]:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        """Hands the inputs over, one after another."""

        def __init__(self) -> None:
            self.left = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
            found = next(self.left, None)
            return None if found is None else dict(found)

    model = onnx.load_model_from_string(content)
    layers = [node for node in model.graph.node if node.op_type in LAYERS and NETWORK in node.name]
    layers = [node for node in layers if set(node.input) & {one.name for one in model.graph.initializer}]
    if not layers:
        raise CuelloError(
            "got --precision=int8, but the network has no convolution or dense layer that could work with 8 bits. "
            "Leave it out, or use --precision=fp16."
        )
    ends = outermost(model.graph.node, [node.name for node in layers])
    inner = [node.name for node in layers if node.name not in ends]
    chosen = inner or [node.name for node in layers]
    with tempfile.TemporaryDirectory() as folder, quiet(), redirect_stdout(StringIO()):
        path = Path(folder) / "model.onnx"
        try:
            quantize_static(
                model, path, Reader(), quant_format=QuantFormat.QDQ, op_types_to_quantize=list(LAYERS),
                nodes_to_quantize=chosen, per_channel=True,
                activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
        except Exception as error:  # of onnxruntime's own kinds, which share no class
            raise CuelloError(
                f"the network cannot work with whole numbers of 8 bits: {first_line(error)[:300]}. Use "
                "--precision=fp16, or leave it out."
            ) from None
        found = path.read_bytes()
    first_and_last = [node.name.rpartition("/")[0].rpartition(NETWORK)[2] or node.op_type for node in layers]
    names = [name for name, node in zip(first_and_last, layers, strict=True) if node.name in ends]
    stay = f"the outermost, which see or make pixels, stay in float32 ({', '.join(names)})" if inner else "none stays"
    return found, [f"{len(chosen)} of {len(layers)} layers work with whole numbers of 8 bits; {stay}"]


def outermost(nodes: Iterable[Any], layers: Sequence[str]) -> set[str]:
    """Return which layers, of those named, come after no other, or before no other."""
    wanted, before = set(layers), defaultdict[str, set[str]](set)  # before: what a tensor was made by
    follows: dict[str, set[str]] = {}
    for node in nodes:  # in the order of work
        passed = set[str]().union(*(before[name] for name in node.input))
        if node.name in wanted:
            follows[node.name] = passed
            passed = passed | {node.name}
        for name in node.output:
            before[name] = passed
    followed = set[str]().union(*follows.values())
    return {name for name, earlier in follows.items() if not earlier or name not in followed}
