"""The tie rule against a full numpy sort, the empty cases, and independence from the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from embedrec.ranking import top_k

# Few distinct values, so that ties and excluded items are everywhere; both zeros must count as equal.
TIED_SCORES = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0, np.inf])


def brute_force(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    n_rows, n_items = scores.shape
    items = np.stack([np.lexsort((np.arange(n_items), -row)) for row in scores])[:, :k].reshape(n_rows, -1)
    values = np.take_along_axis(scores, items, axis=1)
    return np.where(values == -np.inf, -1, items), values


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(1, 70), st.integers(1, 30)),
        elements=TIED_SCORES,
    ),
    st.integers(1, 35),
)
def test_equals_a_full_stable_sort(scores: np.ndarray, k: int) -> None:
    ranked = top_k(torch.from_numpy(scores), k)
    items, values = brute_force(scores, k)
    np.testing.assert_array_equal(ranked.items.numpy(), items)
    np.testing.assert_array_equal(ranked.scores.numpy(), values)


def test_equals_a_full_stable_sort_on_many_items() -> None:
    # Wide rows take other code paths inside torch.topk than the small ones above.
    scores = np.random.default_rng(0).integers(0, 40, size=(50, 9000)).astype(np.float32)
    ranked = top_k(torch.from_numpy(scores), 500)
    items, values = brute_force(scores, 500)
    np.testing.assert_array_equal(ranked.items.numpy(), items)
    np.testing.assert_array_equal(ranked.scores.numpy(), values)


def test_ties_across_the_last_place_go_to_the_lowest_index() -> None:
    ranked = top_k(torch.tensor([[1.0, 3.0, 1.0, 2.0, 1.0]]), 3)
    assert ranked.items.tolist() == [[1, 3, 0]]


def test_items_that_are_no_candidates_become_minus_one() -> None:
    ranked = top_k(torch.tensor([[-torch.inf, 5.0, -torch.inf], [-torch.inf] * 3]), 2)
    assert ranked.items.tolist() == [[1, -1], [-1, -1]]
    assert ranked.scores.tolist() == [[5.0, -torch.inf], [-torch.inf, -torch.inf]]


@pytest.mark.parametrize("scores", [torch.zeros(0, 5), torch.zeros(3, 0)], ids=["no users", "no items"])
def test_nothing_to_rank(scores: Tensor) -> None:
    ranked = top_k(scores, 4)
    assert ranked.items.shape == ranked.scores.shape == (scores.shape[0], min(4, scores.shape[1]))
    assert ranked.items.dtype == torch.int64


def test_the_input_is_left_alone() -> None:
    scores = torch.zeros(3, 20)
    before = scores.clone()
    top_k(scores, 5)
    assert torch.equal(scores, before)


@given(st.integers(0, 1000), st.integers(1, 40))
def test_the_batch_changes_no_list(seed: int, batch: int) -> None:
    scores = torch.randint(0, 6, (80, 25), generator=torch.Generator().manual_seed(seed)).float()
    whole = top_k(scores, 7)
    parts = [top_k(part, 7) for part in scores.split(batch)]
    assert torch.equal(whole.items, torch.cat([part.items for part in parts]))
    assert torch.equal(whole.scores, torch.cat([part.scores for part in parts]))


def test_nan_is_our_bug() -> None:
    scores = torch.zeros(2, 50)
    scores[1, 49] = torch.nan
    with pytest.raises(AssertionError, match="NaN"):
        top_k(scores, 3)
