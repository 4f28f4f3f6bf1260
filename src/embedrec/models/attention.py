"""The order of purchases: causal self-attention over the last events of a customer.

Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", sections 3.1 and 3.2, with norms before each layer.
A token is the product's own vector, its place counted from the latest event, and the days to the event after it, or to
the date where it is the latest.

Legend: B customers, L purchase lines of all of them, T tokens of the longest history, d dimensions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
        query, key, value = self.inward(self.before(tokens)).view(size, length, 3, self.heads, -1).unbind(2)
        rate = self.rate if self.training else 0.0
        seen = F.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), dropout_p=rate, is_causal=True
        )
        tokens = tokens + self.dropout(self.outward(seen.transpose(1, 2).reshape(size, length, dim)))
        added: Tensor = tokens + self.dropout(self.each(self.between(tokens)))
        return added


class OrderEncoder(nn.Module):
    """The last `events` purchase lines of each customer → one vector [B, d], 0 where there is none."""

    def __init__(self, dim: int, blocks: int, events: int, dropout: float) -> None:
        super().__init__()
        self.events = events
        self.enter = nn.LayerNorm(dim)
        self.place = nn.Embedding(events, dim)
        self.gap = nn.Linear(1, dim)
        nn.init.normal_(self.place.weight, std=0.02)
        nn.init.zeros_(self.gap.weight)
        self.blocks = nn.ModuleList(Block(dim, 2 - dim % 2, dropout) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)
        self.leave = nn.LayerNorm(dim)

    def forward(self, vectors: Tensor, positions: Tensor, offsets: Tensor, ages: Tensor) -> Tensor:
        """Read customers' lines, oldest first: line l is of the product with vectors[positions[l]], ages[L] in days."""
        lengths = offsets.diff().clamp(max=self.events)
        longest = int(lengths.max()) if len(lengths) else 0
        if not longest:
            return vectors.new_zeros(len(lengths), vectors.shape[1])
        from_start = torch.arange(longest, device=lengths.device)
        to_end = lengths[:, None] - 1 - from_start  # 0 = the latest; below 0 there is nothing
        line = (offsets[1:, None] - 1 - to_end.clamp(min=0)).clamp(min=0)
        later = torch.where(to_end > 0, ages[(line + 1).clamp(max=len(ages) - 1)], ages.new_zeros(()))
        gap = torch.log1p((ages[line] - later).clamp(min=0)) * GAP
        tokens = self.enter(F.embedding(positions[line], vectors))
        tokens = tokens + self.place(to_end.clamp(min=0)) + self.gap(gap[..., None])
        tokens = self.dropout(tokens)
        for block in self.blocks:
            tokens = block(tokens)  # what stands after a customer's last token is never looked at
        last: Tensor = self.leave(tokens[torch.arange(len(lengths)), (lengths - 1).clamp(min=0)])
        return last * (lengths > 0)[:, None]
