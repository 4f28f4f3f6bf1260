"""`RecommenderModule`: Lightning wiring of network, loss and optimiser; the maths lives in `losses` and `models`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from embedrec.data.batches import Batch
from embedrec.errors import TrainingError
from embedrec.losses import softmax_loss
from embedrec.models import TwoTower
from embedrec.training.config import SoftmaxConfig, TrainerConfig

TRAIN_LOSS = "train_loss"


class RecommenderModule(pl.LightningModule):
    """One network, one loss, AdamW with warm-up and cosine decay."""

    def __init__(self, network: TwoTower, loss: SoftmaxConfig, trainer: TrainerConfig) -> None:
        super().__init__()
        self.network = network
        self.loss_config = loss
        self.trainer_config = trainer

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises:
            TrainingError: the loss is not a finite number.
        """
        scores = self.network(batch.customers, batch.products, batch.items)
        loss = self._loss(scores, batch)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss.item()} in epoch {self.current_epoch}, step {batch_idx}; "
                f"lower trainer.learning_rate (now {self.trainer_config.learning_rate:g})"
            )
        self.log(TRAIN_LOSS, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(scores))
        return loss

    def _loss(self, scores: Tensor, batch: Batch) -> Tensor:
        config = self.loss_config
        loss = softmax_loss(scores, batch.log_weight, batch.rows, batch.columns, config.temperature)
        if not config.first_time_weight:
            return loss
        unseen = batch.log_weight.index_put(
            (batch.bought_rows, batch.bought_columns), batch.log_weight.new_tensor(-torch.inf)
        )
        first = batch.first_time
        return loss + config.first_time_weight * softmax_loss(
            scores, unseen, batch.rows[first], batch.columns[first], config.temperature
        )

    def configure_optimizers(self) -> Any:
        """AdamW; the learning rate rises over the warm-up, then falls as a cosine to zero at `max_epochs`."""
        config = self.trainer_config
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
