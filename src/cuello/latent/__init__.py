"""What a network's code holds: paths through it, samples, maps, neighbours, and images that are new.

Every tool takes a Model (``cuello.load``) whose network has a code. Codes are ``(N, numbers)`` or, in space,
``(N, c, h, w)``; distances, maps and directions see the latter as one row of numbers.

>>> import cuello, tempfile
>>> from cuello.data.synthetic import glyphs
>>> run = cuello.train("reconstruct", "glyphs", model="mlp-20-2", epochs=1, output=tempfile.mkdtemp() + "/run",
...                    report=False)
>>> model, images = cuello.load(run.path), glyphs().images
>>> codes = model.encode(images)
>>> interpolate(model, images[1], images[2], steps=5).images.shape
(5, 7, 5, 1)
>>> sample(model, 3, seed=0, codes=codes).images.shape
(3, 7, 5, 1)
>>> grid(model, 4, codes).images.shape
(4, 4, 7, 5, 1)
>>> traverse(model, images[1], axis=0, values=[-1, 0, 1]).images.shape
(3, 7, 5, 1)
>>> neighbours(model, images, images[:2], k=3).positions.shape
(2, 3)
"""

from cuello.latent.codes import Decoded
from cuello.latent.grids import Grid, grid
from cuello.latent.inventions import Inventions, invent
from cuello.latent.maps import Neighbours, Projection, nearest, neighbours, project
from cuello.latent.paths import along, direction, interpolate, traverse
from cuello.latent.plot import plot
from cuello.latent.samples import sample

__all__ = [
    "Decoded",
    "Grid",
    "Inventions",
    "Neighbours",
    "Projection",
    "along",
    "direction",
    "grid",
    "interpolate",
    "invent",
    "nearest",
    "neighbours",
    "plot",
    "project",
    "sample",
    "traverse",
]
