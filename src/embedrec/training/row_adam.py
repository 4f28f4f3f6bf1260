"""Adam that updates only the rows of an embedding table that a step has touched.

Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1, each row with a step count of its own. A
dense Adam would go on pushing every customer by old momentum in all the steps they have no part in, and its cost
grows with the shop instead of with the batch. A row has one second moment, the mean over its numbers, as in row-wise
AdaGrad (Mudigere et al. 2022, "Software-Hardware Co-design for Fast and Scalable Training of Deep Learning
Recommendation Models"): a third less memory to move, and the direction of a gradient stays as it is.
Weights decay where they are updated (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm
2): what is frequent is held back as often as it is pushed.
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
        (beta1, beta2), (rows, changes) = betas, _by_row(gradient)
        state = self.state[table]
        if not state:
            state["mean"] = torch.zeros_like(table)
            state["square"], state["steps"] = table.new_zeros(len(table)), table.new_zeros(len(table))
        count = state["steps"].index_select(0, rows).add_(1)
        size = torch.linalg.vector_norm(changes, dim=1).square_().div_(table.shape[1])
        square = state["square"].index_select(0, rows).lerp_(size, 1 - beta2)
        state["steps"].index_copy_(0, rows, count)
        state["square"].index_copy_(0, rows, square)
        spread = square.div_(1 - beta2**count).sqrt_().add_(eps)
        rate = lr / (1 - beta1**count) / spread
        some = max(BLOCK // table.shape[1], 1)
        parts = (torch.split(part, some) for part in (rows, changes, rate[:, None]))
        for chosen, change, speed in zip(*parts, strict=True):
            mean = state["mean"].index_select(0, chosen).lerp_(change, 1 - beta1)
            state["mean"].index_copy_(0, chosen, mean)
            weights = table.index_select(0, chosen)
            if weight_decay:
                weights.mul_(1 - lr * weight_decay)
            table.index_copy_(0, chosen, weights.addcmul_(mean, speed, value=-1))


def _by_row(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return distinct rows[n] and what each is changed by [n, d]; sorting is spared where they ascend already."""
    rows = gradient._indices()[0]
    if not bool((rows[1:] > rows[:-1]).all()):
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
