"""The softmax loss against plain cross-entropy, its empty cases, and the sign that makes a sample honest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from embedrec.losses import (
    basket_softmax_loss,
    bce_loss,
    bpr_loss,
    log_mean_exp,
    mse_loss,
    sampled_softmax_loss,
    softmax_loss,
)

INF = float("inf")


def pairs(*given: tuple[int, int]) -> tuple[Tensor, Tensor]:
    table = torch.tensor(given, dtype=torch.int64).view(-1, 2)
    return table[:, 0], table[:, 1]


def random_scores(seed: int, B: int, K: int) -> Tensor:
    return torch.randn(B, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 9), st.sampled_from([0.05, 1.0, 3.0]))
def test_one_positive_each_is_cross_entropy(seed: int, B: int, K: int, temperature: float) -> None:
    scores = random_scores(seed, B, K)
    target = torch.randint(K, (B,), generator=torch.Generator().manual_seed(seed))
    loss = softmax_loss(scores, torch.zeros(B, K).double(), torch.arange(B), target, temperature)
    torch.testing.assert_close(loss, F.cross_entropy(scores / temperature, target))


def test_customers_count_alike_however_much_they_buy() -> None:
    scores = random_scores(0, 3, 5)
    rows, columns = pairs((2, 1), (0, 0), (2, 4), (2, 3))  # customer 1 buys nothing and does not count
    each = [F.cross_entropy(scores[row][None], column[None]) for row, column in zip(rows, columns, strict=True)]
    by_hand = (each[1] + (each[0] + each[2] + each[3]) / 3) / 2
    torch.testing.assert_close(softmax_loss(scores, torch.zeros(5).double(), rows, columns, 1.0), by_hand)


def test_minus_infinity_leaves_a_product_out() -> None:
    scores = random_scores(1, 2, 4).requires_grad_()
    weight = torch.tensor([[0, 0, -INF, 0], [-INF, 0, 0, -INF]], dtype=torch.float64)
    loss = softmax_loss(scores, weight, *pairs((0, 1), (1, 2)), 1.0)
    first = F.cross_entropy(scores[0, [0, 1, 3]][None], torch.tensor([1]))
    second = F.cross_entropy(scores[1, [1, 2]][None], torch.tensor([1]))
    torch.testing.assert_close(loss, (first + second) / 2)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert ((gradient == 0) == (weight == -INF)).all()


def test_a_positive_always_counts_fully() -> None:
    scores = random_scores(2, 1, 4)
    weight = torch.tensor([0.0, 1.5, -INF, 0.0], dtype=torch.float64)
    expected = torch.logsumexp(torch.stack([scores[0, 0], scores[0, 1] + 1.5, scores[0, 2], scores[0, 3]]), 0)
    loss = softmax_loss(scores, weight, *pairs((0, 2)), 1.0)
    torch.testing.assert_close(loss, expected - scores[0, 2])


def test_no_positive_is_zero() -> None:
    scores = random_scores(3, 2, 3).requires_grad_()
    loss = softmax_loss(scores, torch.zeros(2, 3).double(), *pairs(), 1.0)
    loss.backward()
    assert loss == 0
    assert (scores.grad == 0).all()


def test_a_customer_without_any_product_leaves_the_others_alone() -> None:
    """Whoever bought everything that was there has no first-time product and no negative either."""
    scores = random_scores(4, 2, 3).requires_grad_()
    weight = torch.tensor([[0.0] * 3, [-INF] * 3], dtype=torch.float64)
    loss = softmax_loss(scores, weight, *pairs((0, 1)), 1.0)
    loss.backward()
    torch.testing.assert_close(loss, F.cross_entropy(scores[:1], torch.tensor([1])))
    assert scores.grad.isfinite().all()
    assert (scores.grad[1] == 0).all()


def test_large_scores_do_not_overflow() -> None:
    scores = torch.tensor([[1e4, -1e4, 9e3]], requires_grad=True)
    loss = softmax_loss(scores, torch.zeros(3), *pairs((0, 2)), 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(1e4, rel=1e-6)
    assert scores.grad.isfinite().all()


def learned_ranking(sign: float) -> float:
    """Rank correlation between what is bought and the scores learned with log-weights of a sign.

    Products are sampled by popularity: product j comes into the sum with probability q_j, so it must weigh -log q_j.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    K, B = 30, 64
    bought = np.sort(rng.dirichlet(np.ones(K)))[::-1].copy()
    rate = np.clip(bought / bought.max(), 0.05, 1.0)
    scores = torch.zeros(K, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.05)
    for _ in range(300):
        drawn = torch.from_numpy(rng.random(K) < rate)
        weight = torch.where(drawn, sign * -torch.from_numpy(np.log(rate)).float(), -INF)
        target = torch.from_numpy(rng.choice(K, B, p=bought))
        loss = softmax_loss(scores.expand(B, K), weight.expand(B, K), torch.arange(B), target, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ranks = scores.detach().numpy().argsort().argsort()
    return float(np.corrcoef(ranks, np.arange(K)[::-1])[0, 1])


def test_the_sign_of_the_sampling_correction() -> None:
    right, none, wrong = learned_ranking(1.0), learned_ranking(0.0), learned_ranking(-1.0)
    assert right > 0.9
    assert wrong < none < right
    assert wrong < 0


# Losses of one purchase against others


def test_bpr_by_hand() -> None:
    positive, negative = torch.tensor([2.0, 0.0]).double(), torch.tensor([[1.0, 3.0], [0.0, -1.0]]).double()
    sigmoid = torch.sigmoid(positive[:, None] - negative)
    torch.testing.assert_close(bpr_loss(positive, negative), -sigmoid.log().mean())
    weight = torch.tensor([[1.0, 0.0], [0.25, 0.75]]).double()
    torch.testing.assert_close(bpr_loss(positive, negative, weight), -(weight * sigmoid.log()).sum(1).mean())


def test_bpr_knows_only_differences() -> None:
    positive, negative = random_scores(0, 1, 4)[0], random_scores(1, 4, 3)
    torch.testing.assert_close(bpr_loss(positive + 7, negative + 7), bpr_loss(positive, negative))


def test_bce_is_cross_entropy_over_all_examples() -> None:
    positive, negative = random_scores(0, 1, 4)[0], random_scores(1, 4, 3)
    logits = torch.cat([positive, negative.flatten()])
    wanted = torch.cat([torch.ones(4), torch.zeros(12)]).double()
    total = F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
    torch.testing.assert_close(bce_loss(positive, negative), total / 4)


def test_mse_by_hand() -> None:
    assert float(mse_loss(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0]))) == pytest.approx((1 + 4) / 2)


def test_no_purchase_no_loss() -> None:
    nothing, none = torch.zeros(0), torch.zeros(0, 3)
    for loss in (bpr_loss(nothing, none), bce_loss(nothing, none), mse_loss(nothing, nothing)):
        assert float(loss) == 0.0


@pytest.mark.parametrize("loss", [bpr_loss, bce_loss])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_scores_stay_finite(loss: Callable[..., Tensor], size: float) -> None:
    positive = torch.full((2,), size, requires_grad=True)
    value = loss(positive, torch.full((2, 2), -size))
    value.backward()
    assert torch.isfinite(value)
    assert positive.grad is not None
    assert torch.isfinite(positive.grad).all()


# Whole baskets against drawn products


@given(
    st.integers(0, 99), st.integers(1, 70), st.integers(1, 9), st.sampled_from([0.1, 1.0]), st.sampled_from([1, 1.2])
)
def test_baskets_by_plain_arithmetic(seed: int, B: int, K: int, temperature: float, push: float) -> None:
    random = torch.Generator().manual_seed(seed)
    users, items = (torch.randn(n, 3, generator=random, dtype=torch.float64, requires_grad=True) for n in (B, K))
    positive = torch.randn(B, generator=random, dtype=torch.float64)
    weight = torch.rand(B, generator=random, dtype=torch.float64)
    hidden = torch.rand(B, K, generator=random) < 0.3
    hidden[:, 0] &= K > 1
    hidden[hidden.all(1), 0] = False
    loss = basket_softmax_loss(users, items, positive, hidden.nonzero().unbind(1), weight, temperature, push)
    scores = (users @ items.T / temperature).masked_fill(hidden, -INF)
    expected = (weight * (push * torch.logsumexp(scores, 1) - positive / temperature)).sum()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)  # the softmax is taken in float32
    for one, other in zip(
        torch.autograd.grad(loss, (users, items)), torch.autograd.grad(expected, (users, items)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_basket_of_all_that_was_drawn_pushes_nothing_down() -> None:
    users, items = torch.ones(1, 2, requires_grad=True), torch.ones(3, 2, requires_grad=True)
    own = torch.zeros(3, dtype=torch.int64), torch.arange(3)
    loss = basket_softmax_loss(users, items, torch.tensor([0.5]), own, torch.ones(1), 1.0, 1.0)
    assert loss.item() == pytest.approx(-0.5)  # what it is pulled up by stays
    assert all(not gradient.any() for gradient in torch.autograd.grad(loss, (users, items)))


def test_drawing_everything_is_cross_entropy() -> None:
    random = torch.Generator().manual_seed(4)
    users, items = (torch.randn(n, 3, generator=random, dtype=torch.float64) for n in (5, 7))
    wanted = torch.tensor([3, 0, 6, 3, 2])
    own = torch.arange(5), wanted
    scores = users @ items.T
    loss = sampled_softmax_loss(users, items, scores[own], own, pool=7, temperature=0.5)
    # all but the one bought are drawn: 7 stand for the pool of 7, the bought one's place is taken by itself
    others = scores.div(0.5).index_put(own, torch.tensor(-INF).double())
    expected = torch.logaddexp(scores[own] / 0.5, torch.logsumexp(others, 1)) - scores[own] / 0.5
    torch.testing.assert_close(loss, expected.mean(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss, F.cross_entropy(scores / 0.5, wanted), rtol=1e-5, atol=1e-5)


def test_a_sample_stands_for_its_pool() -> None:
    """The mean over many draws of the estimated sum is the sum over the pool."""
    random = torch.Generator().manual_seed(5)
    users, items = (torch.randn(n, 3, generator=random, dtype=torch.float64) for n in (1, 40))
    none = (torch.zeros(0, dtype=torch.int64),) * 2
    positive = torch.tensor([-INF], dtype=torch.float64)  # the estimate alone
    sums = []
    for _ in range(400):
        drawn = items[torch.randperm(40, generator=random)[:10]]
        loss = sampled_softmax_loss(users, drawn, positive.clamp(min=-50), none, pool=40, temperature=1.0)
        sums.append(float((loss - 50).exp()))
    whole = float(torch.exp(users @ items.T).sum())
    assert np.mean(sums) == pytest.approx(whole, rel=0.1)


@given(st.integers(0, 99), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.sampled_from([0.02, 0.5, 2.0]))
def test_a_mean_in_which_high_scores_weigh_more(seed: int, lengths: list[int], temperature: float) -> None:
    scores = random_scores(seed, 1, sum(lengths))[0].requires_grad_()
    rows = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    found = log_mean_exp(scores, rows, torch.tensor(lengths), temperature)
    expected = torch.stack(
        [temperature * (part / temperature).exp().mean().log() for part in torch.split(scores, lengths)]
    )
    torch.testing.assert_close(found, expected)
    ours, theirs = (torch.autograd.grad(value.sum(), scores)[0] for value in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_a_hot_mean_is_the_plain_one() -> None:
    scores = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64)
    found = log_mean_exp(scores, torch.zeros(3, dtype=torch.int64), torch.tensor([3]), 1e6)
    torch.testing.assert_close(found, scores.mean()[None], rtol=1e-5, atol=1e-6)


# Softmax in bfloat16, as under autocast


def basket_loss(users: Tensor, items: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
    weight = torch.linspace(0.5, 1.5, len(users)) / len(users)
    return basket_softmax_loss(users, items, torch.zeros(len(users)), own, weight, 0.3, 1.2)


def drawn_loss(users: Tensor, items: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
    return sampled_softmax_loss(users, items, torch.zeros(len(users)), own, 500, 0.3)


def plain_basket_loss(users: Tensor, items: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
    weight = torch.linspace(0.5, 1.5, len(users)) / len(users)
    return (weight * 1.2 * torch.logsumexp((users @ items.T / 0.3).index_put(own, torch.tensor(-INF)), 1)).sum()


def plain_drawn_loss(users: Tensor, items: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
    others = torch.logsumexp((users @ items.T / 0.3).index_put(own, torch.tensor(-INF)), 1)
    return torch.logaddexp(torch.zeros(len(users)), others + np.log(500 / len(items))).mean()


@pytest.mark.parametrize(
    ("loss", "plain"), [(basket_loss, plain_basket_loss), (drawn_loss, plain_drawn_loss)], ids=["baskets", "drawn"]
)
@pytest.mark.parametrize("size", [0.1, 1.0])
def test_gradients_in_bfloat16(loss: Callable[..., Tensor], plain: Callable[..., Tensor], size: float) -> None:
    """Against plain operations in float32; a number of 8 bits is off by 1 in 512 at most."""
    random = torch.Generator().manual_seed(6)
    users, items = (size * torch.randn(n, 16, generator=random) / 2 for n in (70, 90))  # more rows than a block has
    own = torch.arange(70), torch.arange(70)
    found, expected = [], []
    for kept, made, dtype in ((found, loss, torch.bfloat16), (expected, plain, torch.float32)):
        leaves = users.clone().requires_grad_(), items.clone().requires_grad_()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype == torch.bfloat16):
            value = made(*leaves, own)
        kept += [value, *torch.autograd.grad(value, leaves)]
    assert all(one.dtype == torch.float32 for one in found)
    torch.testing.assert_close(found[0], expected[0], rtol=0.005, atol=0.0)
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert (ours - theirs).norm() < 0.01 * theirs.norm()  # .003 with small scores, .007 with some of 20
    assert not torch.equal(found[1], expected[1]), "this was float32"
