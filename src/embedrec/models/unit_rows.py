"""`unit_rows`: rows of an embedding table, each divided by its length, with sparse gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK = 2**15  # numbers at once: they stay in the processor's cache
TINY = 1e-12


def unit_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return the unit vectors [n, d] of rows[n] of a table[R, d]; a row of zeros stays as it is.

    What `F.normalize(F.embedding(rows, table, sparse=True))` says, block by block instead of in many passes over the
    memory.
    """
    unit: Tensor = _UnitRows.apply(table, rows)  # type: ignore[no-untyped-call]
    return unit


class _UnitRows(torch.autograd.Function):
    """y = x / |x|; with a gradient g of y, that of x is (g - y (y · g)) / |x|."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        unit, inverse = table.new_empty(len(rows), table.shape[1]), table.new_empty(len(rows), 1)
        for chosen, result, scale in _blocks(rows, unit, inverse):
            some = table.index_select(0, chosen)
            length = torch.linalg.vector_norm(some, dim=1, keepdim=True).clamp_(min=TINY)
            torch.mul(some, torch.reciprocal(length, out=scale), out=result)
        ctx.save_for_backward(unit, inverse, rows)
        ctx.size = table.shape
        return unit

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        unit, inverse, rows = ctx.saved_tensors
        values = torch.empty_like(unit)
        for gradient, direction, scale, result in _blocks(gradients[0], unit, inverse, values):
            along = (gradient * direction).sum(1, keepdim=True)
            torch.addcmul(gradient, direction, along, value=-1, out=result).mul_(scale)
        return torch.sparse_coo_tensor(rows[None], values, ctx.size, check_invariants=False), None


def _blocks(*tensors: Tensor) -> zip[tuple[Tensor, ...]]:
    """Split tensors[n, *] alike; blocks are views."""
    some = max(BLOCK // max(tensor.shape[1:].numel() for tensor in tensors), 1)
    return zip(*(torch.split(tensor, some) for tensor in tensors), strict=True)
