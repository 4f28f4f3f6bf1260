"""`RecommenderModule`: Lightning wiring of network, loss and optimiser; the maths lives in `losses` and `models`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from embedrec.data.baskets import BasketBatch
from embedrec.data.batches import Batch
from embedrec.data.pairs import PairBatch
from embedrec.errors import TrainingError
from embedrec.models import Network
from embedrec.training.config import LossConfig, TrainerConfig
from embedrec.training.objectives import loss_of
from embedrec.training.row_adam import RowAdam

TRAIN_LOSS = "train_loss"


class RecommenderModule(pl.LightningModule):
    """One network, one loss, AdamW with warm-up and cosine decay."""

    def __init__(self, network: Network, loss: LossConfig, trainer: TrainerConfig) -> None:
        super().__init__()
        self.network = network
        self.loss_config = loss
        self.trainer_config = trainer

    def training_step(self, batch: Batch | PairBatch | BasketBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises:
            TrainingError: the loss is not a finite number.
        """
        loss = loss_of(self.network, batch, self.loss_config)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss.item()} in epoch {self.current_epoch}, step {batch_idx}; "
                f"lower trainer.learning_rate (now {self.trainer_config.learning_rate:g})"
            )
        self.log(TRAIN_LOSS, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=batch.size)
        return loss

    @property
    def _by_rows(self) -> bool:
        """The network is made of tables of which a step touches a few rows."""
        return any(isinstance(part, nn.Embedding) and part.sparse for part in self.network.modules())

    def configure_gradient_clipping(self, optimizer: Any, *settings: Any, **named: Any) -> None:
        """Clip, but for gradients of rows: Adam's steps have a bounded length whatever theirs is."""
        if not self._by_rows:
            super().configure_gradient_clipping(optimizer, *settings, **named)

    def configure_optimizers(self) -> Any:
        """AdamW; the learning rate rises over the warm-up, then falls as a cosine to zero at `max_epochs`."""
        config = self.trainer_config
        optimizer: torch.optim.Optimizer
        if self._by_rows:
            optimizer = RowAdam(self.parameters(), lr=config.learning_rate)
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
