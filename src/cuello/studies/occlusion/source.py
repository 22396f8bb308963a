"""What the source says. Its data, HiTS 2013, is not to be had: all its numbers are of other data."""

from dataclasses import dataclass

from cuello.scoring.repeats import Spread


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


CONFUSION = Confusion(true_positive=12_385, missed=106, false=1_160, true_negative=11_349)
PRINTED_ACCURACY = 0.955
BATCH, RATE = 10, 1e-3
MAPS, EXACT_SECONDS, ESTIMATE_SECONDS = 40_000, 1.28, 1.7e-3
TRAINABLE, FROZEN_TRAINABLE, FROZEN = 294_789, 192_645, 102_144
PATIENCE = 3

SETS = {"mixed": "mixed", "real": "supernova", "bogus": "not supernova"}
"""Training sets of experiment 1: our name, and the source's."""
EXPERIMENT_1 = {
    ("normal", "mixed"): (0.02284, 0.02288),
    ("normal", "real"): (0.01398, 0.01369),
    ("normal", "bogus"): (0.01921, 0.01981),
    ("frozen", "mixed"): (0.01452, 0.01525),
    ("frozen", "real"): (0.01155, 0.01170),
    ("frozen", "bogus"): (0.01389, 0.01525),
}
"""MSE of training and validation maps, by encoder and training set."""
EXPERIMENT_2 = {"number": (0.01038, 0.01204), "one-hot": (0.00956, 0.01052)}
"""Likewise, by how the label joins the bottleneck."""
EXPERIMENT_3_WHOLE = 0.01416
"""Validation MSE of the network that is not cut, the best of the three."""
EXPERIMENT_4 = {
    "frozen": (0.01278, 0.01353, 0.01168, 0.01371, 0.01147),
    "conditioned": (0.01052, 0.00931, 0.00689, 0.00837, 0.00871),
}
"""Validation MSE of five trainings each."""
PRINTED_4 = {"frozen": Spread(0.01309, 0.00132, 5), "conditioned": Spread(0.00909, 0.00131, 5)}
"""Mean and deviation as printed; the frozen mean is not that of the five values."""
