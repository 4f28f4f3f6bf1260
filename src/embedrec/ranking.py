"""Turn scores into ranked lists: the one place where the order of two products is decided.

The evaluator and the page call the same `top_k`, so the measured list is the one a customer sees.
Shapes: B users (rows), N items (columns), K = min(k, N) places.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Rows of the second pass handled at once, which bounds its memory.
_TIE_BLOCK = 128


class RankedItems(NamedTuple):
    """The best items of each user, best first; item -1 with score -inf where fewer than K were candidates."""

    items: Tensor
    scores: Tensor


def top_k(scores: Tensor, k: int) -> RankedItems:
    """Rank scores[B, N] (float32 or float64) → items[B, K] (int64) and their scores[B, K], K = min(k, N).

    The one tie rule: the higher score first, then the lower item index, exact also for ties across the K-th
    place. `-inf` marks an item that is not a candidate. `torch.topk` alone breaks ties arbitrarily, so rows
    tied across the last place get a second pass; no row is sorted in full, and a row's list does not depend
    on the rows beside it. NaN scores are our own bug and fail an assertion.
    """
    assert scores.ndim == 2, f"scores[B, N] expected, got shape {tuple(scores.shape)}"
    assert scores.dtype in (torch.float32, torch.float64), scores.dtype
    assert k >= 1, k
    n_items = scores.shape[1]
    places = min(k, n_items)
    # One place more shows whether the last one is tied with an item left out.
    values, items = scores.topk(min(places + 1, n_items), dim=1)
    assert not values.isnan().any(), "a score is NaN"  # topk puts NaN first, so this sees every row
    if n_items > places:
        last, next_one = values[:, places - 1], values[:, places]
        values, items = values[:, :places], items[:, :places]
        tied = ((last == next_one) & (last > -torch.inf)).nonzero().squeeze(1)
        for rows in torch.split(tied, _TIE_BLOCK):
            items[rows] = _settle_last_place(scores[rows], values[rows], items[rows])
    # Equal scores inside the list: order by item, then stably by score.
    items, by_item = items.sort(dim=1)
    values, by_score = values.gather(1, by_item).sort(dim=1, descending=True, stable=True)
    items = items.gather(1, by_score)
    return RankedItems(items.masked_fill(values == -torch.inf, -1), values)


def _settle_last_place(scores: Tensor, values: Tensor, items: Tensor) -> Tensor:
    """Give the places tied with the last one to the lowest indices: scores[R, N], items[R, K] → [R, K]."""
    n_items, places = scores.shape[1], items.shape[1]
    last = values[:, -1:]
    descending = torch.arange(n_items, 0, -1, dtype=torch.int32, device=scores.device)
    lowest_tied = torch.where(scores == last, descending, 0).topk(places, dim=1).indices
    above = (values > last).sum(dim=1, keepdim=True)
    place = torch.arange(places, device=scores.device).expand_as(items)
    return torch.where(place < above, items, lowest_tied.gather(1, (place - above).clamp(min=0)))
