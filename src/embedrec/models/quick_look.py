"""A quick look at all products: rough scores that say which few are worth scoring exactly, and how far off they are.

Legend: B customers, N products, D dimensions.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from embedrec.ranking import multiplies_bfloat16, sum_error

ROUGH = torch.bfloat16
"""Half the memory to read, and twice the products at once, where a processor multiplies it natively."""
SUMMED = 2  # columns that hold what is added to every customer's product


class Rough(NamedTuple):
    """Scores [B, N] of a quick look; the exact ones are within `margin`[B] before they are rounded to be stored."""

    scores: Tensor
    margin: Tensor

    def floor(self, least: Tensor, added: Tensor) -> Tensor:
        """[B]: no product with an exact score of at least least[B] is below this in `scores`.

        `scores` may have been added to since, up to added[B] in size, and rounded a second time.
        """
        reach = least.double() - self.margin
        return (reach - torch.finfo(self.scores.dtype).eps * (reach.abs() + added)).float()


class QuickLook(NamedTuple):
    """Product vectors made ready for the matrix product, and bounds of what was rounded off."""

    vectors: Tensor  # [D + 2, N]; the last two add up to what is the same for every customer
    longest: float  # greatest length of a vector
    furthest: float  # greatest distance between a vector and its rounded copy
    largest: float  # greatest value, in size, that is the same for every customer

    @classmethod
    def of(cls, vectors: Tensor, everybody: Tensor) -> Self:
        """Round vectors[N, D] and everybody[N] (float64)."""
        dtype = ROUGH if multiplies_bfloat16() else torch.float32
        rounded = vectors.to(dtype)
        first = everybody.to(dtype)
        second = (everybody - first.double()).to(dtype)
        return cls(
            torch.cat([rounded, first[:, None], second[:, None]], dim=1).T.contiguous(),
            float(vectors.norm(dim=1).max()),
            float((vectors - rounded.double()).norm(dim=1).max()),
            float(everybody.abs().max()),
        )

    def scores(self, users: Tensor) -> Rough:
        """Multiply users[B, D] (float64) with all products.

        To `ranking.sum_error`, which covers the rounding of exact scores to float32, comes what rounding the vectors to
        u', v' does, |u'v' - uv| ≤ |u' - u||v'| + |u||v' - v| (Cauchy-Schwarz), and what two roundings leave of the sum
        that is the same for everybody.
        """
        rounded = users.to(self.vectors.dtype)
        product = torch.cat([rounded, rounded.new_ones(len(users), SUMMED)], dim=1) @ self.vectors
        length, off = users.norm(dim=1), (users - rounded.double()).norm(dim=1)
        item = self.longest + self.furthest
        summing = sum_error(users.shape[1] + SUMMED) * ((length + off) * item + self.largest)
        left = torch.finfo(rounded.dtype).eps ** 2 * self.largest
        return Rough(product, summing + 1.001 * (off * item + length * self.furthest) + left)
