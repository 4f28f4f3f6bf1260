"""The order of purchases: causal self-attention over the last events of a customer.

Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", sections 3.1 and 3.2, with norms before each layer.
A token is the product's own vector, its place in the window, and the days since the event before it.

Legend: B customers, T tokens of the longest history, d dimensions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 2  # of each layer; they divide the dimensions
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
        size, length, dim = tokens.shape
        query, key, value = (
            self.inward(self.before(tokens)).view(size, length, 3, self.heads, dim // self.heads).unbind(2)
        )
        rate = self.rate if self.training else 0.0
        seen = F.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), dropout_p=rate, is_causal=True
        )
        tokens = tokens + self.dropout(self.outward(seen.transpose(1, 2).reshape(size, length, dim)))
        added: Tensor = tokens + self.dropout(self.each(self.between(tokens)))
        return added


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

    def forward(self, vectors: Tensor, gaps: Tensor) -> Tensor:
        """Read vectors[B, T, d] of products and gaps[B, T] in days → [B, T, d].

        What stands after a customer's last token may be anything: no token before it looks there.
        """
        place = self.place.weight[: vectors.shape[1]]
        tokens = self.dropout(self.enter(vectors) + place + self.gap(torch.log1p(gaps)[..., None] * GAP))
        for block in self.blocks:
            tokens = block(tokens)
        left: Tensor = self.leave(tokens)
        return left

    def reach(self) -> Tensor:
        """Return a length that nothing it returns exceeds: before scale and shift the last norm gives it √d."""
        longest: Tensor = self.leave.weight.abs().max() * len(self.leave.weight) ** 0.5 + self.leave.bias.norm()
        return longest
