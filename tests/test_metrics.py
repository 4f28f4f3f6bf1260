"""Metrics on numbers worked by hand, against brute force, and against torchmetrics where that agrees."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional import retrieval
from torchmetrics.functional.classification import binary_auroc

from embedrec import metrics
from embedrec.evaluation.standing import standing
from embedrec.features.history import Ragged
from embedrec.metrics import METRICS, POPULARITY_BANDS

# One customer, targets A, B, C, list X A Y B Z: hits at places 2 and 4 of 5.
HITS = [[False, True, False, True, False]]
TARGETS = [3]
BY_HAND = {
    # k = 3 sees the hit at place 2 only; three targets fit in three places.
    ("recall", 3): 1 / 3,
    ("recall_capped", 3): 1 / 3,
    ("hit_rate", 3): 1.0,
    ("precision", 3): 1 / 3,
    ("mrr", 3): 1 / 2,
    ("map", 3): (1 / 2) / 3,
    ("ndcg", 3): (1 / math.log2(3)) / (1 + 1 / math.log2(3) + 1 / 2),
    # k = 2 has room for two of the three targets.
    ("recall", 2): 1 / 3,
    ("recall_capped", 2): 1 / 2,
    ("map", 2): (1 / 2) / 2,
    ("ndcg", 2): (1 / math.log2(3)) / (1 + 1 / math.log2(3)),
    # k = 1 sees no hit.
    ("hit_rate", 1): 0.0,
    ("mrr", 1): 0.0,
    # k = 10: the list is shorter, the missing places are misses.
    ("recall", 10): 2 / 3,
    ("precision", 10): 2 / 10,
    ("map", 10): (1 / 2 + 2 / 4) / 3,
    ("ndcg", 10): (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2),
}


@pytest.mark.parametrize(("name", "k"), BY_HAND)
def test_worked_by_hand(name: str, k: int) -> None:
    assert METRICS[name](HITS, TARGETS, k) == pytest.approx([BY_HAND[name, k]])


@st.composite
def rankings(draw: st.DrawFn) -> tuple[list[list[bool]], list[int]]:
    n_customers, n_places = draw(st.integers(1, 6)), draw(st.integers(0, 12))
    rows = st.lists(st.booleans(), min_size=n_places, max_size=n_places)
    hits = draw(st.lists(rows, min_size=n_customers, max_size=n_customers))
    return hits, [sum(row) + draw(st.integers(0, 5)) for row in hits]


def slowly(name: str, row: list[bool], targets: int, k: int) -> float:
    """The definitions once more, in loops over one customer."""
    places = [place for place, hit in enumerate(row[:k], start=1) if hit]
    possible = min(k, targets)
    return {
        "recall": len(places) / targets,
        "recall_capped": len(places) / possible,
        "hit_rate": float(len(places) > 0),
        "precision": len(places) / k,
        "mrr": 1 / places[0] if places else 0.0,
        "map": sum(rank / place for rank, place in enumerate(places, start=1)) / possible,
        "ndcg": sum(1 / math.log2(p + 1) for p in places) / sum(1 / math.log2(p + 1) for p in range(1, possible + 1)),
    }[name]


@pytest.mark.parametrize("name", METRICS)
@given(rankings(), st.integers(1, 15))
def test_equals_brute_force(name: str, ranking: tuple[list[list[bool]], list[int]], k: int) -> None:
    hits, targets = ranking
    expected = [slowly(name, row, n, k) if n else math.nan for row, n in zip(hits, targets, strict=True)]
    values = METRICS[name](np.array(hits, dtype=bool).reshape(len(hits), -1), targets, k)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert ((values >= 0) & (values <= 1 + 1e-12) | np.isnan(values)).all()


PEERS: dict[str, Callable[..., torch.Tensor]] = {
    "recall": retrieval.retrieval_recall,
    "hit_rate": retrieval.retrieval_hit_rate,
    "precision": retrieval.retrieval_precision,
    "ndcg": retrieval.retrieval_normalized_dcg,
    "mrr": retrieval.retrieval_reciprocal_rank,
}


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("k", [1, 3, 10])
def test_equals_torchmetrics(name: str, k: int) -> None:
    # torchmetrics divides MAP by the hits found, not by min(k, targets), and has no capped recall.
    truth = np.random.default_rng(4).random((40, 25)) < 0.15
    truth[:, 7] = True  # without truth torchmetrics returns 0 where we say NaN
    descending = torch.arange(25, 0, -1).float()
    expected = [float(PEERS[name](descending, torch.from_numpy(row), top_k=k)) for row in truth]
    np.testing.assert_allclose(METRICS[name](truth[:, :12], truth.sum(axis=1), k), expected, rtol=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_a_customer_without_targets_is_nan(name: str) -> None:
    values = METRICS[name]([[False, False], [True, False]], [0, 1], 2)
    assert np.isnan(values[0])
    assert not np.isnan(values[1])


@pytest.mark.parametrize("name", METRICS)
def test_a_list_without_places_is_all_misses(name: str) -> None:
    assert METRICS[name](np.zeros((2, 0), dtype=bool), [3, 1], 5).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", METRICS)
def test_no_customers(name: str) -> None:
    assert METRICS[name](np.zeros((0, 4), dtype=bool), [], 5).shape == (0,)


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_list_gets_what_k_places_allow(name: str) -> None:
    values = METRICS[name](torch.ones(1, 4, dtype=torch.bool), torch.tensor([8]), 4)
    assert values == pytest.approx([0.5 if name == "recall" else 1.0])


def test_more_hits_than_targets_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="repeats"):
        metrics.recall([[True, True]], [1], 2)


def test_metric_name() -> None:
    assert metrics.metric_name("ndcg", 10) == "ndcg@10"


# The whole order


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, list[list[int]]]:
    """Scores with ties, some products no candidates, and the distinct targets of each customer."""
    n_customers, n_items = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    values = st.sampled_from([-math.inf, -1.5, 0.0, 0.25, 3.0])
    rows = st.lists(values, min_size=n_items, max_size=n_items)
    scores = draw(st.lists(rows, min_size=n_customers, max_size=n_customers))
    bought = st.lists(st.integers(0, n_items - 1), unique=True, max_size=n_items)
    return np.array(scores), [sorted(draw(bought)) for _ in range(n_customers)]


def ragged(rows: list[list[int]]) -> Ragged:
    lengths = [len(row) for row in rows]
    return Ragged(np.cumsum([0, *lengths]), np.array([item for row in rows for item in row], dtype=np.int64))


def auc_of(scores: np.ndarray, targets: list[list[int]]) -> np.ndarray:
    place = standing(scores, ragged(targets))
    return metrics.auc(place.below, place.tied, ragged(targets).rows, [len(row) for row in targets], place.pool)


def auc_slowly(scores: list[float], targets: list[int]) -> float:
    """Every pair of a target and another candidate."""
    others = [score for item, score in enumerate(scores) if item not in targets and score > -math.inf]
    wins = [
        0.0 if scores[target] == -math.inf else float(scores[target] > other) + 0.5 * (scores[target] == other)
        for target in targets
        for other in others
    ]
    return sum(wins) / len(wins) if wins else math.nan


@given(scored(), st.sampled_from([0, 99]))
def test_auc_counts_pairs(case: tuple[np.ndarray, list[list[int]]], few: int) -> None:
    scores, targets = case
    expected = [auc_slowly(row.tolist(), wanted) for row, wanted in zip(scores, targets, strict=True)]
    with mock.patch("embedrec.evaluation.standing.FEW", few):  # by sorting, and by counting
        np.testing.assert_allclose(auc_of(scores, targets), expected, rtol=1e-12)


def test_auc_equals_torchmetrics() -> None:
    random = np.random.default_rng(3)
    scores = np.round(random.random((30, 40)), 1)  # many ties
    truth = random.random((30, 40)) < 0.2
    truth[:, 5] = True
    rows = zip(torch.from_numpy(scores), torch.from_numpy(truth).int(), strict=True)
    expected = [float(binary_auroc(score, bought)) for score, bought in rows]
    np.testing.assert_allclose(auc_of(scores, [np.flatnonzero(row).tolist() for row in truth]), expected, rtol=1e-6)


def test_auc_of_a_constant_is_a_half() -> None:
    assert auc_of(np.full((2, 9), 0.3), [[0], [1, 4, 8]]).tolist() == [0.5, 0.5]


def test_auc_by_hand() -> None:
    scores = np.array([[4.0, 3.0, 3.0, 1.0, -np.inf]])
    assert auc_of(scores, [[1]]) == pytest.approx([(0.5 + 1) / 3])  # loses to 0, ties with 2, beats 3
    assert auc_of(scores, [[0, 4]]) == pytest.approx([3 / 6])  # the second is no candidate
    assert np.isnan(auc_of(scores, [[]])).all()
    assert np.isnan(auc_of(scores, [[0, 1, 2, 3]])).all()  # nothing else to beat
    assert np.isnan(auc_of(np.array([[1.0, -np.inf]]), [[0, 1]])).all()


# What a list is like


def places(low: int, high: int) -> st.SearchStrategy[np.ndarray]:
    """Lists of up to 8 places of which the last ones may be empty (-1)."""

    def pad(rows: list[list[int]]) -> np.ndarray:
        return np.array([row + [-1] * (8 - len(row)) for row in rows])

    return st.lists(st.lists(st.integers(low, high), max_size=8), min_size=1, max_size=5).map(pad)


@given(places(0, 7), st.integers(1, 10))
def test_novelty_and_popularity_equal_brute_force(buyers: np.ndarray, k: int) -> None:
    shown = [[count for count in row[:k] if count >= 0] for row in buyers.tolist()]
    bits = [[-math.log2(count / 7 if count else 1 / 8) for count in row] for row in shown]
    novelty = [sum(row) / len(row) if row else math.nan for row in bits]
    popularity = [sum(row) / len(row) if row else math.nan for row in shown]
    np.testing.assert_allclose(metrics.novelty(buyers, 7, k), novelty, rtol=1e-12)
    np.testing.assert_allclose(metrics.mean_popularity(buyers, k), popularity, rtol=1e-12)


def test_novelty_by_hand() -> None:
    assert metrics.novelty([[64, 16, 1]], 64, 3) == pytest.approx([(0 + 2 + 6) / 3])
    assert metrics.novelty([[0, -1]], 63, 5) == pytest.approx([6.0])  # as if bought by one of 64
    assert metrics.novelty([[0]], 63, 1) > metrics.novelty([[1]], 63, 1)
    assert metrics.novelty([[0, 0]], 0, 2).tolist() == [0.0]  # a shop without customers yet


@given(places(0, 3), st.integers(1, 10))
def test_diversity_equals_brute_force(categories: np.ndarray, k: int) -> None:
    pairs = [list(combinations([one for one in row[:k] if one > 0], 2)) for row in categories.tolist()]
    expected = [sum(a != b for a, b in row) / len(row) if row else math.nan for row in pairs]
    np.testing.assert_allclose(metrics.diversity(categories, k), expected, rtol=1e-12)


def test_diversity_by_hand() -> None:
    assert metrics.diversity([[1, 1, 2, 0]], 4) == pytest.approx([2 / 3])
    assert metrics.diversity([[1, 2, 3, -1], [5, 5, 5, 5]], 4).tolist() == [1.0, 0.0]
    assert np.isnan(metrics.diversity([[1, 0, 0, -1]], 4)).all()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(10, 14))
def test_gini_is_the_mean_absolute_difference(shown: list[int], n: int) -> None:
    exposure = np.bincount(shown, minlength=n)
    slowly = np.abs(exposure[:, None] - exposure[None]).sum() / (2 * n * exposure.sum())
    assert metrics.gini(np.array(shown)[:, None], n) == pytest.approx(slowly * n / (n - 1))


def test_gini_from_equal_to_one_product_only() -> None:
    assert metrics.gini([[0, 1], [2, 3]], 4) == 0.0
    assert metrics.gini([[2, -1], [2, -1]], 4) == pytest.approx(1.0)
    assert metrics.gini([[0]], 1) == 0.0
    assert math.isnan(metrics.gini([[-1, -1]], 4))


def test_coverage_counts_each_shown_product_once() -> None:
    assert metrics.coverage([[0, 3, -1], [3, 0, 4]], 10) == pytest.approx(3 / 10)
    assert metrics.coverage([[-1, -1]], 10) == 0.0
    assert math.isnan(metrics.coverage([[-1]], 0))


def test_popularity_shares_follow_the_bands() -> None:
    counts = np.arange(200)[::-1]  # item 0 sells best: bands end at items 2, 20, 100 and 200
    assert POPULARITY_BANDS == (0.01, 0.10, 0.50, 1.0)
    shares = metrics.popularity_shares([[0, 1, 2, 19], [20, 99, 100, -1]], counts)
    assert shares == pytest.approx([2 / 7, 2 / 7, 2 / 7, 1 / 7])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 9))
def test_popularity_shares_of_the_whole_catalogue(counts: list[int], seed: int) -> None:
    items = np.random.default_rng(seed).permutation(len(counts))
    shares = metrics.popularity_shares(items[None], counts)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] == pytest.approx(math.ceil(0.01 * len(counts)) / len(counts))


def test_popularity_shares_without_lists() -> None:
    assert np.isnan(metrics.popularity_shares([[-1, -1]], [1, 2])).all()
