"""Losses as pure functions.

Shapes: B customers, K products scored for all of them, P purchases to predict (positives), n negatives of each.
"""

from __future__ import annotations

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
