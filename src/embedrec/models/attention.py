"""The order of events: causal self-attention over the last events of a customer.

Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", sections 3.1 and 3.2, with norms before each layer.
A token is the product's own vector, its place in the window, what was done with it (a purchase, a view, a cart), and
the days since the event before it.

Legend: B customers, T tokens of the longest history, d dimensions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 2  # of each layer; they divide the dimensions
BESIDE_PURCHASES = 2  # kinds of events, views and carts; a purchase is what a product means without a word
GAP = 1.0 / 3.0  # brings the log of a gap in days to about the size of the other numbers


class Block(nn.Module):
    """Self-attention, then a small network for each token; both add to what comes in."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.inward, self.outward = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.each = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens[B, T, d] → [B, T, d]; a token sees itself and those before it."""
        query, key, value = self._by_head(self.inward(self.before(tokens)))
        rate = self.rate if self.training else 0.0
        seen = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
        tokens = tokens + self.dropout(self.outward(seen.transpose(1, 2).reshape(tokens.shape)))
        added: Tensor = tokens + self.dropout(self.each(self.between(tokens)))
        return added

    def read(self, tokens: Tensor, last: Tensor) -> Tensor:
        """tokens[B, T, d], last[B] → [B, T, d]: what self-attention adds to the token `last` from each token.

        Biases are nobody's, and left out.
        """
        before = self.before(tokens)
        query, key, _ = self._by_head(self.inward(before))
        *_, value = self._by_head(F.linear(before, self.inward.weight))
        asked = query[torch.arange(len(last)), :, last, None]  # [B, heads, 1, d / heads]
        later = torch.arange(tokens.shape[1]) > last[:, None]
        weight = (asked @ key.transpose(2, 3) / query.shape[-1] ** 0.5).masked_fill(later[:, None, None], -torch.inf)
        seen = weight.softmax(-1).transpose(2, 3) * value  # [B, heads, T, d / heads]
        return F.linear(seen.transpose(1, 2).reshape(tokens.shape), self.outward.weight)

    def _by_head(self, inward: Tensor) -> tuple[Tensor, ...]:
        """[B, T, 3 d] → query, key and value, each [B, heads, T, d / heads]."""
        size, length, width = inward.shape
        return inward.view(size, length, 3, self.heads, width // 3 // self.heads).permute(2, 0, 3, 1, 4).unbind()


class OrderEncoder(nn.Module):
    """At most `events` tokens of each customer, oldest first → what each of them and those before it lead to."""

    def __init__(self, dim: int, blocks: int, events: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.LayerNorm(dim)
        self.place = nn.Embedding(events, dim)
        self.gap = nn.Linear(1, dim)
        nn.init.normal_(self.place.weight, std=0.02)
        nn.init.zeros_(self.gap.weight)  # gaps say nothing until it is learned that they do
        self.blocks = nn.ModuleList(Block(dim, HEADS, dropout) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)
        self.leave = nn.LayerNorm(dim)
        self.kind = nn.Parameter(torch.zeros(BESIDE_PURCHASES, dim))

    def forward(self, vectors: Tensor, kinds: Tensor, gaps: Tensor) -> Tensor:
        """Read vectors[B, T, d] of products, kinds[B, T] as in `features.events`, gaps[B, T] in days → [B, T, d].

        What stands after a customer's last token may be anything: no token before it looks there.
        """
        tokens = self.dropout(self._enter(vectors, kinds, gaps))
        for block in self.blocks:
            tokens = block(tokens)
        left: Tensor = self.leave(tokens)
        return left

    def shares(self, vectors: Tensor, kinds: Tensor, gaps: Tensor, last: Tensor) -> Tensor:
        """[B, T, d]: what each token adds to what is returned for the token `last` [B], without dropout.

        Within the blocks that token is a sum: what it was, what attention adds from each token, and what the small
        networks add, which is no single token's and left out like places, gaps and biases. The last norm is linear
        once mean and spread are known. A token that has itself read earlier ones in a block below counts as one.
        """
        rows, tokens = torch.arange(len(last)), self._enter(vectors, kinds, gaps)
        shares = torch.zeros_like(tokens)
        shares[rows, last] = self.enter(vectors)[rows, last]
        for block in self.blocks:
            assert isinstance(block, Block)
            shares, tokens = shares + block.read(tokens, last), block(tokens)
        spread = (tokens[rows, last].var(1, correction=0) + self.leave.eps).sqrt()[:, None, None]
        left: Tensor = (shares - shares.mean(2, keepdim=True)) / spread * self.leave.weight
        return left

    def _enter(self, vectors: Tensor, kinds: Tensor, gaps: Tensor) -> Tensor:
        entered: Tensor = (
            self.enter(vectors) + self.place.weight[: vectors.shape[1]] + self.gap(torch.log1p(gaps)[..., None] * GAP)
        )
        if kinds.any():
            entered = entered + F.embedding(kinds, torch.cat([torch.zeros_like(self.kind[:1]), self.kind]))
        return entered

    def reach(self) -> Tensor:
        """Return a length that nothing it returns exceeds: before scale and shift the last norm gives it √d."""
        reach: Tensor = self.leave.weight.abs().max() * len(self.leave.weight) ** 0.5 + self.leave.bias.norm()
        return reach
