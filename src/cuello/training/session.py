"""One training: everything that it takes, in one object."""

from dataclasses import dataclass

from cuello.core.config import TrainConfig
from cuello.core.types import Pairing
from cuello.data.batches import Batches
from cuello.models.base import ImageNetwork
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.training.ranks.together import Ranks


@dataclass(frozen=True)
class Session:
    """What ``fit`` takes to train one network.

    run: where everything is kept. artefact: what is handed over, but for its weights. task: makes the pairs.
    fingerprint: of the images, and of what is to be learned of them. group: the processes that train it together, each
    with its share of the batches; None where it is one.
    """

    run: Run
    network: ImageNetwork
    artefact: Artefact
    task: Pairing
    training: Batches
    validation: Batches
    config: TrainConfig
    fingerprint: str
    group: Ranks | None = None
