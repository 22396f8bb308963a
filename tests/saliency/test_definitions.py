import torch

from cuello.saliency.definitions import DEFINITIONS, SCORES, standardised


def test_every_definition_watches_a_score_that_exists_and_says_where_it_comes_from() -> None:
    assert len(DEFINITIONS) >= 5
    for definition in DEFINITIONS:
        assert definition.score in SCORES
        assert definition.source
        assert definition.summary


def test_standardised_by_hand() -> None:
    """0, 0, 3, 5: mean 2, deviation √((4 + 4 + 1 + 9) / 4) = 2.1213; (3 − 2) / 2.1213 = .4714."""
    found = standardised(torch.tensor([[0.0, 0.0], [3.0, 5.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.02860, 0.02860], [0.73570, 1.0]]), atol=1e-4, rtol=0)


def test_a_constant_map_is_grey() -> None:
    assert standardised(torch.full((2, 3, 3), 0.3)).unique().tolist() == [0.5]


def test_drops_are_what_was_there_before_minus_what_is() -> None:
    boxed, clean = torch.tensor([0.25]), torch.tensor([0.75])
    assert [score.of(boxed, clean).item() for score in SCORES] == [0.25, 0.25, 0.5, 0.5]
