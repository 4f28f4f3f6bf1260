"""`ShopData`: hands Lightning the batches of the epoch it is in."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl

from embedrec.data.batches import Batches, Snapshots
from embedrec.data.cuts import Cut
from embedrec.features import FeatureEncoder


class ShopData(pl.LightningDataModule):
    """Training cuts as batches; the trainer must reload it every epoch."""

    def __init__(
        self, encoder: FeatureEncoder, cuts: Sequence[Cut], batch_size: int, negatives: int | None, seed: int
    ) -> None:
        super().__init__()
        self.cuts = list(cuts)
        self.batch_size = batch_size
        self.negatives = negatives
        self.seed = seed
        self._snapshots = Snapshots(encoder)

    def train_dataloader(self) -> Batches:
        """Return the batches of the current epoch."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        return Batches(self._snapshots, self.cuts, self.batch_size, self.negatives, self.seed, epoch)
