"""How many trainings at once, and what is told of them. That they give what they should is in test_base."""

from pathlib import Path

import pytest

from cuello.work import plans as pool
from cuello.work.plans import PlannedRun, Shares, default_workers


@pytest.mark.parametrize(
    ("cores", "gigabytes", "expected"), [(4, 100, 4), (64, 100, 8), (4, 6, 2), (4, 1, 1), (1, 100, 1)]
)
def test_one_a_core_as_far_as_memory_allows(
    cores: int, gigabytes: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "available_cores", lambda: cores)
    monkeypatch.setattr(pool, "free_memory", lambda: gigabytes * 2**30)
    assert default_workers("cpu") == expected


def test_the_share_of_the_whole_is_weighted_by_cost() -> None:
    heard: list[tuple[str, float]] = []
    plans = [PlannedRun(Path(name), {}, name, cost) for name, cost in (("large", 3.0), ("small", 1.0))]
    shares = Shares(plans, lambda event: heard.append((event.stage, event.share)))
    shares.tell([0], 0.5, "epoch 1 of 2")
    shares.tell([1], 0.0, "")
    shares.tell([0], 1.0, "")
    shares.tell([0], 0.9, "late news are passed over")
    shares.tell([1], 1.0, "")
    assert heard == [
        ("0 of 2 trained  large epoch 1 of 2", 0.375),
        ("0 of 2 trained  large epoch 1 of 2  small", 0.375),
        ("1 of 2 trained  small", 0.75),
        ("2 of 2 trained", 1.0),
    ]
