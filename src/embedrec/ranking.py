"""Turn scores into ranked lists: the one place where the order of two products is decided.

The evaluator and the page call the same `top_k`, so the measured list is the one a customer sees. `top_k_dot` ranks
for models whose score is nothing but a dot product, and never holds all scores at once; the evaluator, which needs
every score for AUC, does not use it.
Shapes: B or U users (rows), N items (columns), D dimensions, K = min(k, N) places, W shortlisted items.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# `top_k` looks at the maxima of so many columns each, about √(N / K), and then at the columns of K chunks.
CHUNK = 64
# `top_k_dot` does likewise with groups, and groups of groups: it needs no tie rule there and has users side by side.
GROUP = 8
# Rows of the second pass handled at once, which bounds its memory.
_TIE_BLOCK = 128
# What `top_k_dot` holds at once: users of a block, scores of a block, pairs whose vectors are gathered.
_USER_BLOCK = 128
_HELD_SCORES = 1 << 23
_HELD_PAIRS = 1 << 17


class RankedItems(NamedTuple):
    """The best items of each user, best first; item -1 with score -inf where fewer than K were candidates."""

    items: Tensor
    scores: Tensor


def top_k(scores: Tensor, k: int) -> RankedItems:
    """Rank scores[B, N] (float32 or float64) → items[B, K] (int64) and their scores[B, K], K = min(k, N).

    The one tie rule: the higher score first, then the lower item index, exact also for ties across the K-th
    place. `-inf` marks an item that is not a candidate. No row is sorted in full, and a row's list does not depend
    on the rows beside it. NaN scores are our own bug and fail an assertion.
    """
    assert scores.ndim == 2, f"scores[B, N] expected, got shape {tuple(scores.shape)}"
    assert scores.dtype in (torch.float32, torch.float64), scores.dtype
    assert k >= 1, k
    items = _best(scores, min(k, scores.shape[1]))
    values = scores.gather(1, items)
    return RankedItems(items.masked_fill(values == -torch.inf, -1), values)


@torch.no_grad()
def top_k_dot(
    users: Tensor,
    items: Tensor,
    k: int,
    *,
    exclude: tuple[Tensor, Tensor] | None = None,
    candidates: Tensor | None = None,
    products: torch.dtype = torch.float32,
) -> RankedItems:
    """Rank every item for every user by dot product: users[U, D], items[N, D] (float32) → items and scores [U, K].

    `exclude` = (offsets[U + 1], numbers): user u is not shown the items numbers[offsets[u] : offsets[u + 1]].
    `candidates`[N] (bool): False = shown to nobody. K = min(k, N); ties and ends of lists as in `top_k`.

    The score of a pair is `dot`, whatever is ranked beside it. A matrix product only finds, block by block, the
    W > K items of each user that come into question. It rounds differently, so a list stands if its last score is
    above all that an item left out can reach; for any other user, every item within reach is scored. `products` =
    bfloat16 is quicker where the CPU multiplies it natively, and gives the very same lists and scores.
    Memory: some 200 MB, and copies of the item vectors. NaN and overflow are our own bugs and fail an assertion.
    """
    assert users.dtype == items.dtype == torch.float32, (users.dtype, items.dtype)
    assert torch.get_float32_matmul_precision() == "highest", "rounding errors are bounded for full float32 only"
    assert k >= 1, k
    n_users, places = len(users), min(k, len(items))
    shown = torch.ones(len(items), dtype=torch.bool) if candidates is None else candidates
    ranked = RankedItems(torch.full((n_users, places), -1), torch.full((n_users, places), -torch.inf))
    if not bool(shown.any()):
        return ranked
    catalogue = _Catalogue.of(items[shown], products)
    number = shown.nonzero().squeeze(1)  # of each row of the catalogue
    row = torch.where(shown, shown.cumsum(0) - 1, -1)  # of each item
    offsets, excluded = exclude or (torch.zeros(n_users + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert len(offsets) == n_users + 1, (len(offsets), n_users)
    size = max(1, min(_USER_BLOCK, _HELD_SCORES // len(number)))
    held = torch.empty(len(catalogue.vectors), size, dtype=products)  # fresh memory for each block would take longer
    for start in range(0, n_users, size):
        block = slice(start, min(start + size, n_users))
        ends = offsets[start : block.stop + 1]
        hidden = row[excluded[ends[0] : ends[-1]]]
        user = torch.arange(len(ends) - 1).repeat_interleave(ends.diff())
        found = _rank_block(users[block], catalogue, places, (hidden[hidden >= 0], user[hidden >= 0]), held)
        best = found.items.shape[1]
        ranked.items[block, :best] = torch.where(found.items >= 0, number[found.items], -1)
        ranked.scores[block, :best] = found.scores
    return ranked


def sum_error(dims: int) -> float:
    """How far a float32 sum of `dims` products can be from any other, in lengths |u||v| of the two vectors.

    In any order it is within about D 2⁻²⁴ |u||v| of the true one (Higham, Accuracy and Stability of Numerical
    Algorithms, section 3.1); twice that covers both sums, and the rounding of all bounds made with it.
    """
    return 2 * (dims + 8) * 2**-24


def multiplies_bfloat16() -> bool:
    """Whether the processor itself does, with sums in float32; elsewhere it would take longer than float32."""
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def dot(left: Tensor, right: Tensor) -> Tensor:
    """left[..., D] · right[..., D] → [...]: products added in pairs, in pairs of pairs and so on.

    Single additions in a fixed order round the same way everywhere; `sum` and a matrix product choose their order
    by the shape of everything computed beside a pair.
    """
    terms = left * right
    while (width := terms.shape[-1]) > 1:
        half = width // 2
        pairs = terms[..., :half] + terms[..., half : 2 * half]
        terms = torch.cat([pairs, terms[..., 2 * half :]], dim=-1) if width % 2 else pairs
    return terms.squeeze(-1)


class _Catalogue(NamedTuple):
    """What `top_k_dot` ranks: the vectors, their rounded copy for the matrix product, and bounds of both."""

    size: int  # items; what follows them makes up the last group
    vectors: Tensor  # [N, D] float32
    rounded: Tensor  # [N, D] of the type of the products
    longest: float  # greatest length of a vector
    furthest: float  # greatest distance between a vector and its rounded copy

    @classmethod
    def of(cls, vectors: Tensor, products: torch.dtype) -> _Catalogue:
        """Round vectors[N, D], N ≥ 1."""
        size = len(vectors)
        vectors = torch.nn.functional.pad(vectors, (0, 0, 0, -len(vectors) % GROUP**2))
        rounded = vectors.to(products)
        return cls(size, vectors, rounded, float(_length(vectors).max()), float(_length(vectors - rounded).max()))


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length in float64, where no square of a float32 overflows or vanishes: [..., D] → [...]."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64)
    return length


def _margins(users: Tensor, rounded: Tensor, catalogue: _Catalogue) -> tuple[Tensor, Tensor]:
    """Bound how far products of users[B, D] with items are from `dot`: float32 ones [B], and rounded ones [B].

    To `sum_error` comes what rounding does: with u', v' the rounded vectors, |u'v' - uv| ≤ |u' - u||v'| + |u||v' - v|
    (Cauchy-Schwarz).
    The last term is for hardware that takes numbers below the normal range for zero.
    """
    dims = users.shape[1]
    length, off = _length(users), _length(users - rounded)
    assert bool((length * catalogue.longest < 1e37).all()), "a score is NaN or overflows"
    item = catalogue.longest + catalogue.furthest
    summing = sum_error(dims) * (length + off) * item
    summing += 4 * dims * torch.finfo(torch.float32).tiny * (1 + length + off + item)
    return summing, summing + 1.001 * (off * item + length * catalogue.furthest)


def _rank_block(
    users: Tensor, catalogue: _Catalogue, places: int, hidden: tuple[Tensor, Tensor], held: Tensor
) -> RankedItems:
    """Rank the catalogue for users[B, D] but for the pairs `hidden` (item, user); `held`[N, ≥ B] is scratch memory."""
    n_items = len(catalogue.vectors)
    places = min(places, catalogue.size)
    rounded = users.to(held.dtype)
    float_margin, margin = _margins(users, rounded, catalogue)
    product = torch.mm(catalogue.rounded, rounded.T, out=held[:, : len(users)])
    product[hidden] = -torch.inf
    product[catalogue.size :] = -torch.inf
    shortlist = _shortlist(product, 2 * places + 8)  # wide enough that nearly every list stands at once
    estimate = product.T.gather(1, shortlist).float()
    scores = dot(users[:, None], catalogue.vectors[shortlist]).masked_fill_(estimate == -torch.inf, -torch.inf)
    within, best = top_k(scores, places)
    ranked = RankedItems(torch.where(within >= 0, shortlist.gather(1, within.clamp(min=0)), -1), best)
    stored = torch.finfo(held.dtype).eps / 2  # the product is rounded once more when it is stored
    # `kept` is so by proof. Hardware that sums in less than float32 would show here, and its lists are not used.
    kept = ((scores - estimate).abs() <= margin[:, None] + stored * estimate.abs()) | (estimate == -torch.inf)
    least = estimate.amin(dim=1)
    stands = (best[:, -1] > least + stored * least.abs() + margin) & kept.all(dim=1)
    stands |= (least == -torch.inf) | (shortlist.shape[1] == n_items)  # every candidate is on the shortlist
    for rows in torch.split((~stands).nonzero().squeeze(1), max(1, _HELD_SCORES // 8 // n_items)):
        floor = best[rows, -1] - float_margin[rows]
        redone = _rank_within_reach(users[rows], catalogue.vectors, floor, product.T[rows] == -torch.inf, places)
        ranked.items[rows], ranked.scores[rows] = redone
    return ranked


def _shortlist(product: Tensor, width: int) -> Tensor:
    """Items with the greatest products, ascending, product[N, B] → [B, W]: none left out has a greater one.

    They are in the W groups with the greatest maximum, which are found in the same way.
    """
    n_items = product.shape[0]
    width = min(width, n_items)
    if n_items % GROUP or n_items < 4 * width * GROUP:
        return product.T.float().topk(width, dim=1, sorted=False).indices.sort(dim=1).values
    groups = _shortlist(product.view(n_items // GROUP, GROUP, -1).amax(1), width)
    items = (groups[:, :, None] * GROUP + torch.arange(GROUP)).flatten(1)
    found = product.T.gather(1, items).float().topk(width, dim=1, sorted=False).indices
    return items.gather(1, found.sort(dim=1).values)


def _rank_within_reach(users: Tensor, items: Tensor, floor: Tensor, hidden: Tensor, places: int) -> RankedItems:
    """Rank for users[R, D] all items whose float32 product is at least floor[R], but for hidden[R, N]."""
    product = users @ items.T
    user, item = ((product >= floor[:, None]) & ~hidden).nonzero(as_tuple=True)
    scores = torch.full_like(product, -torch.inf)
    for pairs in torch.split(torch.arange(len(user)), _HELD_PAIRS):
        scores[user[pairs], item[pairs]] = dot(users[user[pairs]], items[item[pairs]])
    return top_k(scores, places)


def _best(scores: Tensor, places: int) -> Tensor:
    """Item indices of the first places, scores[B, N] → [B, K]; non-candidates fill the last ones in any order.

    Ranked by their greatest score and then by their position, the first K chunks hold the first K items: for an
    item of any other chunk, the best item of each of these K is better, or as good with a lower index.
    """
    n_items = scores.shape[1]
    if n_items <= 4 * places * CHUNK:
        return _best_of_few(scores, places)
    whole = n_items - n_items % CHUNK
    in_chunks = scores[:, :whole].view(len(scores), whole // CHUNK, CHUNK)
    chunks = _best(in_chunks.amax(2), places).sort(dim=1).values
    rows = torch.arange(scores.shape[0], device=scores.device)[:, None]
    # Lowest index first, and at the end the few columns after the last whole chunk.
    few = torch.cat([in_chunks[rows, chunks].flatten(1), scores[:, whole:]], dim=1)
    found = _best_of_few(few, places)
    behind = whole + found - places * CHUNK
    inside = chunks.gather(1, (found // CHUNK).clamp(max=places - 1)) * CHUNK + found % CHUNK
    return torch.where(found < places * CHUNK, inside, behind)


def _best_of_few(scores: Tensor, places: int) -> Tensor:
    """Do the work of `_best` without chunks: `torch.topk` breaks ties arbitrarily, so they are settled after it."""
    n_items = scores.shape[1]
    # One place more shows whether the last one is tied with an item left out.
    values, items = scores.topk(min(places + 1, n_items), dim=1)
    assert not values.isnan().any(), "a score is NaN"  # topk and amax put NaN first, so this sees every row
    if n_items > places:
        last, next_one = values[:, places - 1], values[:, places]
        values, items = values[:, :places], items[:, :places]
        tied = ((last == next_one) & (last > -torch.inf)).nonzero().squeeze(1)
        for rows in torch.split(tied, _TIE_BLOCK):
            items[rows] = _settle_last_place(scores[rows], values[rows], items[rows])
    # Equal scores inside the list: order by item, then stably by score.
    items = items.sort(dim=1).values
    by_score = scores.gather(1, items).sort(dim=1, descending=True, stable=True).indices
    return items.gather(1, by_score)


def _settle_last_place(scores: Tensor, values: Tensor, items: Tensor) -> Tensor:
    """Give the places tied with the last one to the lowest indices: scores[R, N], items[R, K] → [R, K]."""
    n_items, places = scores.shape[1], items.shape[1]
    last = values[:, -1:]
    descending = torch.arange(n_items, 0, -1, dtype=torch.int32, device=scores.device)
    lowest_tied = torch.where(scores == last, descending, 0).topk(places, dim=1).indices
    above = (values > last).sum(dim=1, keepdim=True)
    place = torch.arange(places, device=scores.device).expand_as(items)
    return torch.where(place < above, items, lowest_tied.gather(1, (place - above).clamp(min=0)))
