"""Why a classifier decided what it did: exact occlusion maps.

`occlusion` is what users call; `boxes` says where boxes lie and what they show, `definitions` what a map is; `batches`
asks any classifier about whole copies; `layers` reads a network as a chain, `regions` says how far boxes reach in it,
and `incremental` works out only that; `onnx` makes a classifier of an ONNX file.
"""

from cuello.saliency.definitions import DEFINITIONS, SCORES
from cuello.saliency.occlusion import OcclusionMaps, occlusion_map

__all__ = ["DEFINITIONS", "SCORES", "OcclusionMaps", "occlusion_map"]
