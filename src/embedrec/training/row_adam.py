"""Adam that updates only the rows of an embedding table that a step has touched.

Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1, each row with a step count of its own. A
dense Adam would go on pushing every customer by old momentum in all the steps they have no part in, and its cost
grows with the shop instead of with the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

BLOCK = 512  # rows at once: they stay in the processor's cache through all the arithmetic


class RowAdam(Optimizer):
    """For tables [R, d] with sparse gradients (`nn.Embedding(…, sparse=True)`)."""

    def __init__(
        self, tables: Iterable[Tensor], lr: float, betas: tuple[float, float] = (0.9, 0.99), eps: float = 1e-8
    ) -> None:
        super().__init__(tables, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the rows that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._update(table, table.grad, group["lr"], group["betas"], group["eps"])
        return loss

    def _update(self, table: Tensor, gradient: Tensor, rate: float, betas: tuple[float, float], eps: float) -> None:
        (beta1, beta2), gradient = betas, gradient.coalesce()
        state = self.state[table]
        if not state:
            state["steps"] = table.new_zeros(len(table), 1)
            state["mean"], state["square"] = torch.zeros_like(table), torch.zeros_like(table)
        steps, means, squares = state["steps"], state["mean"], state["square"]
        touched = zip(torch.split(gradient.indices()[0], BLOCK), torch.split(gradient.values(), BLOCK), strict=True)
        for rows, change in touched:
            count = steps.index_select(0, rows).add_(1)
            mean = means.index_select(0, rows).lerp_(change, 1 - beta1)
            square = squares.index_select(0, rows).mul_(beta2).addcmul_(change, change, value=1 - beta2)
            for kept, value in ((steps, count), (means, mean), (squares, square)):
                kept.index_copy_(0, rows, value)
            spread = square.div_(1 - beta2**count).sqrt_().add_(eps)
            table.index_add_(0, rows, mean.div_(spread).div_(1 - beta1**count), alpha=-rate)
