"""Run a file that `cuello export RUN NAME.onnx` wrote, without Cuello: ONNX Runtime, numpy and Pillow are enough.

    python examples/onnx_run.py denoise.onnx noisy.png clean.png
    python examples/onnx_run.py pets.onnx cat.png

The second form is for classifiers, and prints each class with its probability.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image


def main(model: str, source: str, target: str | None = None) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that may be left out
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["cuello"])
    if about["channels"] not in (1, 3):
        sys.exit(f"{model} takes images of {about['channels']} channels; this program reads grey and colour.")
    image = Image.open(source).convert("L" if about["channels"] == 1 else "RGB")
    if about["size"] and [image.height, image.width] != about["size"]:
        sys.exit(
            f"{model} takes images of {about['size'][1]}×{about['size'][0]} pixels, got {image.width}×{image.height}."
        )
    pixels = np.asarray(image).reshape(image.height, image.width, -1).transpose(2, 0, 1)[None]
    if about["dtype"] == "float32":
        given = {"image": pixels.astype(np.float32), "white": np.array([255], np.float32)}
    else:  # 8 or 16 bits, which are scaled inside
        unit = 257 if about["dtype"] == "uint16" else 1
        given = {"image": pixels.astype(about["dtype"]) * np.array(unit, about["dtype"])}
    result = session.run(["result"], given)[0][0]
    if about["classes"]:
        for name, share in sorted(zip(about["classes"], result, strict=True), key=lambda one: -one[1]):
            print(f"{share:.4f} {name}")
        return
    if target is None:
        sys.exit("where does the result go? Type: python onnx_run.py MODEL.onnx IN OUT")
    levels = result / 257 if about["dtype"] == "uint16" else result
    restored = levels.transpose(1, 2, 0).round().clip(0, 255).astype(np.uint8)
    Image.fromarray(restored[:, :, 0] if restored.shape[2] == 1 else restored).save(target)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
