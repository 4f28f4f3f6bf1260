"""Ranking in bulk: a list that stands is the list of all exact scores, whatever rounding does to the quick look."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from embedrec.models.in_bulk import Many, VectorRanker
from embedrec.ranking import RankedItems, top_k

B, N, D, C, K = 40, 700, 6, 5, 10


def random_many(seed: int, grid: float = 0.0) -> tuple[VectorRanker, Many, Tensor]:
    """Random vectors, on a coarse grid where scores are to be equal; every other product is hidden, few are new."""
    torch.manual_seed(seed)
    vectors, everybody, users = (torch.randn(*shape, dtype=torch.float64) for shape in ((N, D), (N,), (B, D)))
    if grid:
        vectors, everybody, users = ((one / grid).round() * grid for one in (vectors, everybody, users))
    shown = torch.arange(N) % 2 == 0
    new_in = torch.where(torch.rand(N) < 0.1, torch.randint(C, (N,)), -1)
    own = (torch.rand(B, N) < 0.02).nonzero()
    values = torch.where(torch.rand(len(own)) < 0.3, -torch.inf, 5 * torch.randn(len(own), dtype=torch.float64))
    many = Many(users, own[:, 0], own[:, 1], values, torch.randn(B, C, dtype=torch.float64).round(decimals=2))
    return VectorRanker(vectors, everybody, shown, new_in), many, shown


def by_all_scores(ranker: VectorRanker, many: Many, shown: Tensor) -> RankedItems:
    assert many.habits is not None
    habits = many.habits[:, ranker.new_in.clamp(min=0)] * (ranker.new_in >= 0)
    scores = many.vectors @ ranker.vectors.T + habits + ranker.everybody
    scores[:, ~shown] = -torch.inf
    scores[many.rows, many.items] = many.values
    return top_k(scores.float(), K)


@pytest.mark.parametrize("seed", range(5))
def test_lists_of_all_exact_scores(seed: int) -> None:
    ranker, many, shown = random_many(seed)
    ranked, stands = ranker.best(many, K)
    wanted = by_all_scores(ranker, many, shown)
    assert stands.all()
    assert torch.equal(ranked.items, wanted.items)
    assert torch.equal(ranked.scores, wanted.scores)


def test_no_list_stands_that_a_tie_at_its_end_may_have_cut_wrongly() -> None:
    unsure = 0
    for seed in range(5):
        ranker, many, shown = random_many(seed, grid=2.0)
        ranked, stands = ranker.best(many, K)
        wanted = by_all_scores(ranker, many, shown)
        assert torch.equal(ranked.items[stands], wanted.items[stands])
        assert torch.equal(ranked.scores[stands], wanted.scores[stands])
        unsure += int((~stands).sum())
    assert 20 < unsure < 180


def test_equal_products_come_by_their_number_and_own_ones_in_between() -> None:
    none = torch.zeros(3, 1, dtype=torch.float64)
    ranker = VectorRanker(none, torch.tensor([1.0, 2.0, 2.0]).double(), torch.tensor([True, True, True]))
    own = Many(none[:2], torch.tensor([1]), torch.tensor([0]), torch.tensor([2.0]).double())
    ranked, stands = ranker.best(own, 3)
    assert ranked.items.tolist() == [[1, 2, 0], [0, 1, 2]]
    assert ranked.scores.tolist() == [[2.0, 2.0, 1.0], [2.0, 2.0, 2.0]]
    assert stands.tolist() == [False, True]  # the three on the shortlist of the first are all there are: asked anew


def test_nothing_to_list() -> None:
    ranker = VectorRanker(torch.zeros(4, 2).double(), torch.zeros(4).double(), torch.zeros(4, dtype=torch.bool))
    none = torch.zeros(0, dtype=torch.int64)
    ranked, stands = ranker.best(Many(torch.ones(2, 2).double(), none, none, torch.zeros(0).double()), 3)
    assert ranked.items.tolist() == [[-1] * 3] * 2
    assert stands.all()
