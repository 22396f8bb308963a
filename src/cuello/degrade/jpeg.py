"""JPEG's compression, by a real encoder."""

import io
from typing import Literal

import numpy as np
import pydantic
import torch
from PIL import Image
from torch import Generator, Tensor

from cuello.core.errors import CuelloError
from cuello.degrade.base import Degradation, Quantity, quantity


class Jpeg(Degradation):
    """JPEG artefacts: each image is rounded to 8 bits, encoded and decoded (Pillow's libjpeg).

    Works on images of 1 or 3 channels, one at a time: an encoder has no batches.
    """

    name = "jpeg"
    summary = "artefacts of JPEG's compression"
    main = "quality"
    quality: Quantity = quantity(30, "JPEG's quality; lower is worse", "JPEG quality", limits=(1, 100), whole=True)
    chroma: Literal["full", "half"] = pydantic.Field(
        default="half", description="colour at full or half resolution (4:4:4 or 4:2:0)"
    )

    def degrade(self, images: Tensor, values: dict[str, Tensor], generator: Generator) -> Tensor:
        if images.shape[1] not in (1, 3):
            raise CuelloError(f"jpeg: got images of {images.shape[1]} channels, needed 1 or 3.")
        levels = images.mul(255).round_().clamp_(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        decoded = np.empty_like(levels)
        for index, quality in enumerate(values["quality"].view(-1).tolist()):
            stream = io.BytesIO()
            subsampling = "4:4:4" if self.chroma == "full" else "4:2:0"
            Image.fromarray(levels[index].squeeze(-1) if levels.shape[-1] == 1 else levels[index]).save(
                stream, "JPEG", quality=int(quality), subsampling=subsampling
            )
            decoded[index] = np.asarray(Image.open(stream)).reshape(levels[index].shape)
        return torch.from_numpy(decoded).permute(0, 3, 1, 2).to(images) / 255
