"""Adam that updates only the rows of an embedding table that a step has touched.

Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1, each row with a step count of its own. A
dense Adam would go on pushing every customer by old momentum in all the steps they have no part in, and its cost
grows with the shop instead of with the batch. Weights decay where they are updated (Loshchilov and Hutter 2019,
"Decoupled Weight Decay Regularization", algorithm 2): what is frequent is held back as often as it is pushed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

BLOCK = 2**15  # numbers at once: they stay in the processor's cache, and torch wakes no second thread for so few


class RowAdam(Optimizer):
    """For tables [R, d] with sparse gradients (`nn.Embedding(…, sparse=True)`)."""

    def __init__(
        self,
        tables: Iterable[Tensor],
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(tables, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps})

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
                    self._update(table, table.grad, **group)
        return loss

    def _update(
        self,
        table: Tensor,
        gradient: Tensor,
        *,
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
        **_: Any,
    ) -> None:
        (beta1, beta2), gradient = betas, gradient.coalesce()
        state = self.state[table]
        if not state:
            state["steps"] = table.new_zeros(len(table), 1)
            state["mean"], state["square"] = torch.zeros_like(table), torch.zeros_like(table)
        steps, means, squares = state["steps"], state["mean"], state["square"]
        some = max(BLOCK // table.shape[1], 1)
        touched = zip(torch.split(gradient.indices()[0], some), torch.split(gradient.values(), some), strict=True)
        for rows, change in touched:
            count = steps.index_select(0, rows).add_(1)
            mean = means.index_select(0, rows).lerp_(change, 1 - beta1)
            square = squares.index_select(0, rows).mul_(beta2).addcmul_(change, change, value=1 - beta2)
            for kept, value in ((steps, count), (means, mean), (squares, square)):
                kept.index_copy_(0, rows, value)
            spread = square.div_(1 - beta2**count).sqrt_().add_(eps)
            step = mean.div_(spread).div_(1 - beta1**count)
            if weight_decay:
                step.add_(table.index_select(0, rows), alpha=weight_decay)
            table.index_add_(0, rows, step, alpha=-lr)
