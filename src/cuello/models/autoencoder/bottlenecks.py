"""The bottlenecks by their settings' kind."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from cuello.models.autoencoder.base import Bottleneck, Code
from cuello.models.autoencoder.deterministic import (
    Contractive,
    ContractiveConfig,
    Plain,
    PlainConfig,
    Sparse,
    SparseConfig,
)
from cuello.models.autoencoder.quantised import ScalarConfig, ScalarQuantised, VectorConfig, VectorQuantised
from cuello.models.autoencoder.variational import (
    Info,
    InfoConfig,
    Variational,
    VariationalConfig,
    Wasserstein,
    WassersteinConfig,
)

BottleneckConfig = Annotated[
    PlainConfig
    | SparseConfig
    | ContractiveConfig
    | VariationalConfig
    | InfoConfig
    | WassersteinConfig
    | VectorConfig
    | ScalarConfig,
    Field(discriminator="kind"),
]
BOTTLENECKS: dict[str, Callable[[Any], Bottleneck]] = {
    "plain": Plain,
    "sparse": Sparse,
    "contractive": Contractive,
    "variational": Variational,
    "info": Info,
    "wasserstein": Wasserstein,
    "vector": VectorQuantised,
    "scalar": ScalarQuantised,
}

__all__ = ["BOTTLENECKS", "Bottleneck", "BottleneckConfig", "Code", "Plain", "PlainConfig", "Variational"]
