import numpy as np
import pytest

from rankelastor.evaluation.distribution import QUANTILES, ProbabilityCounter, distribution_of


def test_quantiles_agree_with_those_of_all_rows_to_a_bin() -> None:
    probability = np.random.default_rng(1).beta(0.5, 30, size=(20_000, 1))
    figures = distribution_of(probability, ["click"])["click"]
    exact = np.quantile(probability, QUANTILES, method="inverted_cdf")
    found = np.array(list(figures.quantiles.values()))
    assert np.abs(found / (1 - found) / (exact / (1 - exact)) - 1).max() < 0.0021
    assert figures.mean == pytest.approx(probability.mean(), rel=1e-5)
    assert (figures.minimum, figures.maximum) == pytest.approx((probability.min(), probability.max()), rel=1e-5)


def test_pieces_add_up_and_tasks_are_kept_apart() -> None:
    probability = np.random.default_rng(2).random((100, 2))
    counter = ProbabilityCounter(["click", "like"])
    for piece in np.array_split(probability, 7):
        counter.add(piece)
    assert counter.figures() == distribution_of(probability, ["click", "like"])
    assert counter.figures()["click"] != counter.figures()["like"]


def test_probabilities_of_zero_and_one_are_counted() -> None:
    figures = distribution_of(np.array([[0.0], [0.0], [1.0]]), ["click"])["click"]
    assert (figures.quantiles["0.25"], figures.quantiles["0.99"]) == pytest.approx((0, 1), abs=1e-12)


def test_without_rows_there_are_no_figures() -> None:
    assert distribution_of(np.zeros((0, 1)), ["click"]) == {}
