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

TINY = 1e-36  # a mean square below it is none
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
        (beta1, beta2), (rows, changes) = betas, _by_row(gradient)
        state = self.state[table]
        if not state:
            state["steps"] = table.new_zeros(len(table), 1)
            state["mean"], state["square"] = torch.zeros_like(table), torch.zeros_like(table)
        steps, means, squares = state["steps"], state["mean"], state["square"]
        count = steps.index_select(0, rows).add_(1)
        steps.index_copy_(0, rows, count)
        unbiased, speed = 1 / (1 - beta2**count), lr / (1 - beta1**count)
        some = max(BLOCK // table.shape[1], 1)
        parts = (torch.split(part, some) for part in (rows, changes, unbiased, speed))
        for chosen, change, scale, rate in zip(*parts, strict=True):
            mean = means.index_select(0, chosen).lerp_(change, 1 - beta1)
            square = squares.index_select(0, chosen).mul_(beta2).addcmul_(change, change, value=1 - beta2)
            means.index_copy_(0, chosen, mean)
            squares.index_copy_(0, chosen, square)
            # 1 / (root + eps) by way of 1 / root, which torch takes six times as fast as a root
            inverse = square.mul_(scale).clamp_(min=TINY).rsqrt_()
            step = mean.mul_(inverse).div_(inverse.mul_(eps).add_(1))
            weights = table.index_select(0, chosen)
            if weight_decay:
                weights.mul_(1 - lr * weight_decay)
            table.index_copy_(0, chosen, weights.addcmul_(step, rate, value=-1))


def _by_row(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return distinct rows[n] and what each is changed by [n, d]; sorting is spared where they ascend already."""
    rows = gradient._indices()[0]
    if not bool((rows[1:] > rows[:-1]).all()):
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
