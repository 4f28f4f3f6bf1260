"""Losses as pure functions.

Shapes: B customers, K products scored for all of them, P purchases to predict (positives), n negatives of each.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def softmax_loss(scores: Tensor, log_weight: Tensor, rows: Tensor, columns: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of every positive against the weighted products, averaged per customer, then over customers.

        loss_b = mean over positives p of [ logsumexp_j(s_bj / t + w_bj) - s_bp / t ]

    With w = 0 for every product this is the softmax over the whole catalogue. With products sampled at rate q_j,
    w_bj = -log q_j makes the sum an unbiased estimate of the catalogue's (sampled softmax: Bengio & Senecal 2008,
    "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model", eq. 6; the
    "logQ correction" of Yi et al. 2019, section 3). Positives always carry w = 0.

    Args:
        scores: [B, K].
        log_weight: [B, K] or [K]; -inf leaves a product out of that customer's sum.
        rows: [P] customer of each positive, within the batch.
        columns: [P] product of each positive, as a column of `scores`.
        temperature: divides every score; small ones sharpen the softmax.

    Returns:
        A scalar; zero where there is no positive.
    """
    if not len(rows):
        return scores.sum() * 0.0
    logits = scores / temperature
    weight = log_weight.expand_as(logits).index_put((rows, columns), logits.new_zeros(len(rows)))
    # only rows with a positive: a row of -inf alone, where everything was bought, would have a gradient of NaN
    asked, place = torch.unique(rows, return_inverse=True)
    total = torch.logsumexp((logits + weight)[asked], dim=1)
    each = total[place] - logits[rows, columns]
    count = torch.bincount(place).to(each.dtype)
    return (each / count[place]).sum() / len(asked)


def bpr_loss(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """Bayesian personalised ranking: a product bought should score above one that was not.

        loss = mean over p of sum_j w_pj * -ln sigmoid(s_p - s_pj)

    Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback", section 4 (BPR-Opt without its
    regularisation, which is the optimiser's weight decay). -ln sigmoid(x) = softplus(-x).

    Args:
        positive: [P] scores of the purchases.
        negative: [P, n] scores of products set against each.
        weight: [P, n], 1/n each where absent.

    Returns:
        A scalar; zero where there is no positive.
    """
    worse = F.softplus(negative - positive[:, None])
    each = worse.mean(dim=1) if weight is None else (weight * worse).sum(dim=1)
    return each.mean() if len(each) else each.sum()


def bce_loss(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy: is this a purchase, yes or no.

        loss = mean over p of [ -ln sigmoid(s_p) - sum_j w_pj * ln(1 - sigmoid(s_pj)) ]

    He et al. 2017, "Neural Collaborative Filtering", equation 7.

    Args:
        positive: [P] scores (log-odds) of the purchases.
        negative: [P, n] scores of products set against each.
        weight: [P, n], 1 each where absent.

    Returns:
        A scalar; zero where there is no positive.
    """
    wrong = F.softplus(negative)
    each = F.softplus(-positive) + (wrong if weight is None else weight * wrong).sum(dim=1)
    return each.mean() if len(each) else each.sum()


def mse_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of predicted[P] against wanted[P]; zero where there is nothing to predict."""
    each = (predicted - wanted).square()
    return each.mean() if len(each) else each.sum()


def basket_softmax_loss(
    users: Tensor,
    items: Tensor,
    positive: Tensor,
    own: tuple[Tensor, Tensor],
    weight: Tensor,
    temperature: float,
    push: float,
) -> Tensor:
    """Softmax over whole baskets against products drawn for all customers of the batch alike.

        loss = sum_b w_b [ push · ln Σ_j exp(u_b · v_j / t) - s_b / t ]         j drawn and not in the basket of b

    With push = 1 this is the sampled softmax without the positives in its denominator, averaged over the basket: the
    "softmax loss" of Wu et al. 2024, "On the Effectiveness of Sampled Softmax Loss for Item Recommendation". A greater
    push counts what was not bought for more than what was: products that a customer does not know yet are many.

    Args:
        users: [B, d] customer vectors.
        items: [K, d] vectors of the products drawn.
        positive: [B] mean score s_b of the products that each customer bought.
        own: rows[C] and columns[C] of the [B, K] scores where a drawn product was bought; they are left out.
        weight: [B] of each customer; adds up to 1.
        temperature: divides every score; small ones sharpen the softmax.
        push: weight of the products not bought.

    Returns:
        A scalar.
    """
    negative: Tensor = _LogSumExp.apply(users, items, *own, temperature)  # type: ignore[no-untyped-call]
    negative = torch.where(negative > LOWEST, negative, 0.0)  # nothing was drawn that a customer does not own
    return (weight * (push * negative - positive / temperature)).sum()


def log_mean_exp(scores: Tensor, rows: Tensor, lengths: Tensor, temperature: float) -> Tensor:
    """The mean score of each customer's purchases in which high ones weigh more: [B] of scores[P].

        s_b = t · ln( mean over p of exp(s_p / t) )

    In place of the plain mean it makes `basket_softmax_loss` the bilateral softmax loss (BSL) of Wu et al. 2024, "BSL:
    Understanding and Improving Softmax Loss for Recommendation": purchases that fit a customer badly count for less.

    Args:
        scores: [P], customer by customer.
        rows: [P] whose purchase each is.
        lengths: [B] purchases of each customer, at least one.
        temperature: t; without bound it gives the plain mean.
    """
    scaled = scores / temperature
    top = scaled.detach().new_full((len(lengths),), -torch.inf).scatter_reduce(0, rows, scaled.detach(), "amax")
    mass = scaled.new_zeros(len(lengths)).index_add(0, rows, (scaled - top[rows]).exp())
    return temperature * (top + (mass / lengths).log())


def sampled_softmax_loss(
    users: Tensor, items: Tensor, positive: Tensor, own: tuple[Tensor, Tensor], pool: int, temperature: float
) -> Tensor:
    """Cross-entropy of each purchase against products drawn uniformly for all of them alike, averaged.

        loss = mean over p of [ ln( exp(s_p / t) + pool / K · Σ_j exp(u_p · v_j / t) ) - s_p / t ]

    with j over the products drawn but for p's own.

    The sum over the K drawn, times pool / K, is an unbiased estimate of the sum over the pool they are drawn from
    (Bengio and Senecal 2008, eq. 6, as in `softmax_loss`).

    Args:
        users: [P, d] what each purchase is predicted from.
        items: [K, d] vectors of the products drawn.
        positive: [P] score of the product bought.
        own: rows[C] and columns[C] of the [P, K] scores where a drawn product is the one bought.
        pool: number of products that could be drawn.
        temperature: divides every score.

    Returns:
        A scalar; zero where there is no purchase.
    """
    other = _LogSumExp.apply(users, items, *own, temperature)  # type: ignore[no-untyped-call]
    wanted = positive / temperature
    each = torch.logaddexp(wanted, other + math.log(pool / len(items))) - wanted
    return each.mean() if len(each) else each.sum()


LOWEST, TINY = -1e4, 1e-30
ROWS_IN_CACHE = 64  # of the score matrix, whose passes then need not wait for the memory


class _LogSumExp(torch.autograd.Function):
    """ln Σ_j exp(u_b · v_j / t), [B]; keeps the softmax instead of the scores, so that going back needs no exp."""

    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, rows: Tensor, columns: Tensor, temperature: float) -> Tensor:
        kind = (
            torch.get_autocast_dtype(users.device.type) if torch.is_autocast_enabled(users.device.type) else users.dtype
        )
        scaled, others = (users / temperature).to(kind), items.to(kind)
        shares = scaled @ others.T
        shares[rows, columns] = -torch.inf
        total = users.new_empty(len(users))
        for block, result in zip(torch.split(shares, ROWS_IN_CACHE), torch.split(total, ROWS_IN_CACHE), strict=True):
            scores = block.float()
            # a row of -inf alone: everything drawn was bought, so there is nothing to push down
            top = scores.amax(1, keepdim=True).clamp_(min=LOWEST)
            share = scores.sub_(top).exp_()
            mass = share.sum(1, keepdim=True).clamp_(min=TINY)
            block.copy_(share.div_(mass))
            torch.add(top[:, 0], mass[:, 0].log(), out=result)
        ctx.save_for_backward(users, others, shares)
        ctx.temperature = temperature
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        users, items, shares = ctx.saved_tensors
        outer = gradients[0][:, None] / ctx.temperature
        to_users = (shares @ items).to(users.dtype) * outer
        to_items = (shares.T @ (users * outer).to(shares.dtype)).to(users.dtype)
        return to_users, to_items, None, None, None
