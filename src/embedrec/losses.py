"""Losses as pure functions. Shapes: B customers, K products scored for all of them, P positive pairs."""

from __future__ import annotations

import torch
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
