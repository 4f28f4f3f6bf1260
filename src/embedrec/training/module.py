"""`RecommenderModule`: Lightning wiring of network, loss and optimiser; the maths lives in `losses` and `models`."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from embedrec.data.parts import AnyBatch, Part
from embedrec.errors import TrainingError
from embedrec.models import Network
from embedrec.training.config import LossConfig, TrainerConfig
from embedrec.training.objectives import loss_of
from embedrec.training.row_adam import RowAdam


class RecommenderModule(pl.LightningModule):
    """One network, one loss, AdamW or Adam by rows, with warm-up and cosine decay."""

    def __init__(self, network: Network, loss: LossConfig, trainer: TrainerConfig) -> None:
        super().__init__()
        self.network = network
        self.loss_config = loss
        self.trainer_config = trainer
        self.step_loss = math.nan
        """Of the last batch, the parts of all processes together."""

    def training_step(self, batch: AnyBatch | Part, batch_idx: int) -> Tensor:
        """Return the loss of one batch, or of a part of it.

        Raises:
            TrainingError: the loss of the batch is not a finite number.
        """
        loss = loss_of(self.network, batch, self.loss_config)
        whole = self.trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean")
        self.step_loss = float(whole)
        if not math.isfinite(self.step_loss):  # all processes see the same, and end alike
            raise TrainingError(self.diverged(f"the loss became {self.step_loss}"))
        return loss

    @property
    def _by_rows(self) -> bool:
        """The network is made of tables of which a step touches a few rows."""
        return any(isinstance(part, nn.Embedding) and part.sparse for part in self.network.modules())

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm of the gradients; those of rows stay, since Adam's step has a bounded length whatever theirs.

        Raises:
            TrainingError: it is not a finite number; the weights are as they were before the step.
        """
        if self._by_rows:
            norm = sum(float(weight.grad._values().norm()) for weight in self.parameters() if weight.grad is not None)
        else:
            norm = clip_grad_norm_(self.parameters(), self.trainer_config.gradient_clip).item()
        if not math.isfinite(norm):
            raise TrainingError(self.diverged(f"the gradients became {norm}"))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let no weight that is not a number into a checkpoint."""
        if not all(bool(weight.isfinite().all()) for weight in self.parameters()):
            raise TrainingError(self.diverged("a weight became inf or nan"))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the weights of another network.

        Raises:
            TrainingError: they are of another model, other data or another version.
        """
        found, wanted = (
            {name: w.shape for name, w in one.items()} for one in (checkpoint["state_dict"], self.state_dict())
        )
        if found != wanted:
            other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
            raise TrainingError(
                "the checkpoint belongs to another model, other data or another version of embedrec "
                f"({other[0]} differs): start a new run"
            )

    def diverged(self, what: str) -> str:
        """Say when something stopped being a number, and what helps."""
        step = self.trainer.fit_loop.batch_idx
        return (
            f"{what} in epoch {self.current_epoch}, step {step}; "
            f"lower trainer.learning_rate (now {self.trainer_config.learning_rate:g})"
        )

    def configure_optimizers(self) -> Any:
        """AdamW, or Adam by rows; the rate rises over the warm-up, then falls as a cosine to zero at `max_epochs`."""
        config = self.trainer_config
        optimizer: Optimizer
        if self._by_rows:
            optimizer = RowAdam(self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        else:
            optimizer = torch.optim.AdamW(
                self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
            )
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        warmup = min(config.warmup_steps, steps // 2)

        def rate(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            progress = (step - warmup) / max(steps - warmup, 1)
            return 0.5 * (1 + float(torch.cos(torch.tensor(min(progress, 1.0) * torch.pi))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
