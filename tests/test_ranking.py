"""The tie rule against a full numpy sort, the empty cases, independence from the batch, and lists by dot product."""

from __future__ import annotations

from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from embedrec import ranking
from embedrec.ranking import dot, top_k, top_k_dot

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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_items", [6400, 6401, 6463])
def test_chunks_of_columns_change_nothing(dtype: type, n_items: int) -> None:
    # Wide enough for chunks; the last columns are no whole chunk and hold some of the best items.
    rng = np.random.default_rng(n_items)
    for values in (3, 1000, 10**9):
        scores = rng.integers(0, values, size=(20, n_items)).astype(dtype)
        scores[:, -30:] += values // 2
        scores[3] = -np.inf
        scores[4, 5:] = -np.inf
        ranked = top_k(torch.from_numpy(scores), 20)
        items, best = brute_force(scores, 20)
        np.testing.assert_array_equal(ranked.items.numpy(), items)
        np.testing.assert_array_equal(ranked.scores.numpy(), best)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(20, 90)), elements=TIED_SCORES))
def test_ties_between_chunks_go_to_the_lowest_index(scores: np.ndarray) -> None:
    with mock.patch.object(ranking, "CHUNK", 2):
        ranked = top_k(torch.from_numpy(scores), 2)
    items, values = brute_force(scores, 2)
    np.testing.assert_array_equal(ranked.items.numpy(), items)
    np.testing.assert_array_equal(ranked.scores.numpy(), values)


class Case(NamedTuple):
    """Something to rank by dot product, and a k."""

    users: Tensor
    items: Tensor
    exclude: tuple[Tensor, Tensor] | None
    candidates: Tensor | None
    k: int


# What the vectors are made of: many ties; generic; longer and shorter; all but equal, far below what bfloat16 tells
# apart, then below what a float32 sum does; near the limits of float32.
VECTORS = ["few values", "normal", "popular", "close", "closest", "tiny", "huge"]


def vectors(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Tensor:
    normal = rng.normal(size=shape)
    made = {
        "few values": rng.integers(-1, 2, size=shape),
        "normal": normal,
        "popular": normal * np.exp(2 * rng.normal(size=(shape[0], 1))),
        "close": rng.normal(size=shape[1]) * (1 + 2.0**-12 * rng.integers(0, 9, size=(shape[0], 1))),
        "closest": rng.normal(size=shape[1]) + 2.0**-23 * rng.integers(-2, 3, size=shape),
        "tiny": normal * 1e-20,
        "huge": normal * 1e17,
    }[kind]
    return torch.from_numpy(made.astype(np.float32))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = draw(st.integers(0, 9)), draw(st.integers(0, 330))
    dims = draw(st.sampled_from([1, 2, 3, 7, 16, 64]))
    users = vectors(draw(st.sampled_from(VECTORS)), (n_users, dims), rng)
    items = vectors(draw(st.sampled_from(VECTORS)), (n_items, dims), rng)
    if n_items and draw(st.booleans()):
        items = items[rng.integers(0, n_items, size=n_items)]  # the same product under several numbers
    exclude = candidates = None
    if draw(st.booleans()):
        sizes = rng.integers(0, n_items + 1, size=n_users) if draw(st.booleans()) else np.full(n_users, n_items // 9)
        offsets = torch.from_numpy(np.concatenate([[0], sizes.cumsum()]).astype(np.int64))
        exclude = offsets, torch.from_numpy(rng.integers(0, max(1, n_items), size=int(sizes.sum())))
    if draw(st.booleans()):
        candidates = torch.from_numpy(rng.random(n_items) < draw(st.sampled_from([0.0, 0.1, 0.9])))
    return Case(users, items, exclude, candidates, draw(st.sampled_from([1, 3, 20, 400])))


def brute_force_dot(case: Case) -> tuple[np.ndarray, np.ndarray]:
    scores = dot(case.users[:, None], case.items[None]).numpy().copy()
    if case.candidates is not None:
        scores[:, ~case.candidates.numpy()] = -np.inf
    if case.exclude is not None:
        offsets, numbers = (part.numpy() for part in case.exclude)
        for user in range(len(scores)):
            scores[user, numbers[offsets[user] : offsets[user + 1]]] = -np.inf
    return brute_force(scores, case.k)


@settings(max_examples=300)
@given(cases(), st.sampled_from([torch.float32, torch.bfloat16]), st.sampled_from([2, 8]), st.sampled_from([1, 4, 128]))
def test_dot_products_equal_a_full_sort(case: Case, products: torch.dtype, group: int, block: int) -> None:
    with mock.patch.multiple(ranking, GROUP=group, _USER_BLOCK=block):
        ranked = top_k_dot(*case[:2], case.k, exclude=case.exclude, candidates=case.candidates, products=products)
    if not len(case.users) or not len(case.items):
        assert ranked.items.shape == ranked.scores.shape == (len(case.users), min(case.k, len(case.items)))
        return
    items, scores = brute_force_dot(case)
    np.testing.assert_array_equal(ranked.items.numpy(), items)
    np.testing.assert_array_equal(ranked.scores.numpy(), scores)


@pytest.mark.parametrize("products", [torch.float32, torch.bfloat16])
def test_most_lists_stand_without_a_second_look(products: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    users = vectors("normal", (300, 64), rng)
    items = vectors("normal", (5000, 64), rng) * torch.linspace(0.1, 3, 5000)[:, None]
    with mock.patch.object(ranking, "_rank_within_reach", wraps=ranking._rank_within_reach) as again:
        top_k_dot(users, items, 20, products=products)
    assert sum(len(call.args[0]) for call in again.call_args_list) < 10


@pytest.mark.parametrize("products", [torch.float32, torch.bfloat16])
def test_lists_that_rounding_may_change_get_a_second_look(products: torch.dtype) -> None:
    # 2000 items that a product cannot tell apart: only the scores of all of them say which are the best.
    rng = np.random.default_rng(0)
    case = Case(vectors("normal", (40, 64), rng), vectors("closest", (2000, 64), rng), None, None, 10)
    with mock.patch.object(ranking, "_rank_within_reach", wraps=ranking._rank_within_reach) as again:
        ranked = top_k_dot(case.users, case.items, 10, products=products)
    assert sum(len(call.args[0]) for call in again.call_args_list) == 40
    np.testing.assert_array_equal(ranked.items.numpy(), brute_force_dot(case)[0])


def test_products_that_are_equal_once_stored_get_a_second_look() -> None:
    # Every vector is exact in bfloat16 and every sum, 1 + j / 2^14, is stored as 1.
    parts = np.random.default_rng(0).integers(1, 64, size=2000) / 2**14
    items = torch.from_numpy(np.stack([np.ones(2000), parts], axis=1).astype(np.float32))
    case = Case(torch.ones(3, 2), items, None, None, 5)
    ranked = top_k_dot(case.users, case.items, case.k, products=torch.bfloat16)
    np.testing.assert_array_equal(ranked.items.numpy(), brute_force_dot(case)[0])


def test_a_product_in_less_than_float32_is_noticed() -> None:
    rng = np.random.default_rng(0)
    case = Case(vectors("normal", (40, 64), rng), vectors("normal", (2000, 64), rng), None, None, 10)

    def coarse(left: Tensor, right: Tensor, *, out: Tensor) -> Tensor:
        return out.copy_(left[:, :32].float() @ right[:32].float())

    with mock.patch.object(torch, "mm", coarse):
        ranked = top_k_dot(case.users, case.items, 10, products=torch.bfloat16)
    np.testing.assert_array_equal(ranked.items.numpy(), brute_force_dot(case)[0])


@given(st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_dot_is_a_dot_product_whatever_is_beside_it(dims: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = vectors("normal", (30, dims), rng), vectors("popular", (30, dims), rng)
    together = dot(left, right)
    true, size = (left.double() * right.double()).sum(1), (left * right).double().abs().sum(1)
    assert bool(((together.double() - true).abs() <= 8 * 2**-24 * size).all())
    assert torch.equal(together, torch.stack([dot(left[row], right[row]) for row in range(30)]))
    assert torch.equal(together, dot(left[:, None], right[None]).diagonal())


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, 1e38])
def test_a_score_that_is_no_number_is_our_bug(wrong: float) -> None:
    users, items = torch.ones(3, 4), torch.ones(500, 4)
    users[1, 2] = wrong
    with pytest.raises(AssertionError, match="NaN or overflows"):
        top_k_dot(users, items, 3)


def test_gradients_are_not_kept() -> None:
    users, items = torch.ones(3, 4, requires_grad=True), torch.ones(500, 4, requires_grad=True)
    assert not top_k_dot(users, items, 3).scores.requires_grad
