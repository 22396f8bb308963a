"""What the source says. Its data, HiTS 2013, is not to be had: all its numbers are of other data."""

from dataclasses import dataclass

from cuello.scoring.repeats import Spread
from cuello.studies.sources import said


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Test images by what they are and what they are taken for; positive: a supernova."""

    true_positive: int
    missed: int
    false: int
    true_negative: int

    @property
    def images(self) -> int:
        return self.true_positive + self.missed + self.false + self.true_negative

    @property
    def accuracy(self) -> float:
        return (self.true_positive + self.true_negative) / self.images

    @property
    def recall(self) -> float | None:
        """Give the share of supernovae that are found; None where there are none."""
        return self.true_positive / supernovae if (supernovae := self.true_positive + self.missed) else None

    @property
    def precision(self) -> float | None:
        """Give the share of what is taken for a supernova that is one; None where nothing is."""
        return self.true_positive / taken if (taken := self.true_positive + self.false) else None


SAID = said("occlusion")
CONFUSION = Confusion(**SAID["confusion"])
PRINTED_ACCURACY = 0.955
BATCH, RATE = 10, 1e-3
MAPS, EXACT_SECONDS, ESTIMATE_SECONDS = 40_000, 1.28, 1.7e-3
TRAINABLE, FROZEN_TRAINABLE, FROZEN = 294_789, 192_645, 102_144
PATIENCE = 3

SETS = {"mixed": "mixed", "real": "supernova", "bogus": "not supernova"}
"""Training sets of experiment 1: our name, and the source's."""
EXPERIMENT_1 = {
    (encoder, part): errors for encoder, own in SAID["experiment_1"].items() for part, errors in own.items()
}
"""MSE of training and validation maps, by encoder and training set."""
EXPERIMENT_2 = SAID["experiment_2"]
"""Likewise, by how the label joins the bottleneck."""
EXPERIMENT_3_WHOLE = 0.01416
"""Validation MSE of the network that is not cut, the best of the three."""
EXPERIMENT_4 = SAID["experiment_4"]
"""Validation MSE of five trainings each."""
PRINTED_4 = {name: Spread(mean, deviation, 5) for name, (mean, deviation) in SAID["printed_4"].items()}
"""Mean and deviation as printed; the frozen mean is not that of the five values."""
