"""`Runner`: choose on validation, refit on everything before the test, read the test once.

    fit on train → best epoch by validation NDCG@10 → refit on train + validation for as many epochs → test

Rivals go the same way, without epochs to choose.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.loggers import Logger

from embedrec.data.cuts import training_cuts
from embedrec.data.datamodule import ShopData
from embedrec.evaluation.ranking import RankedView, Truth, rank
from embedrec.evaluation.summary import Figures, summarise
from embedrec.experiment.config import RunConfig
from embedrec.experiment.shop import Shop
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models import RIVALS, ClassicConfig, Scorer, TwoTower, TwoTowerConfig, TwoTowerScorer
from embedrec.training import Fit, fit


@dataclass
class ModelOutcome:
    """What one model achieved."""

    name: str
    scorer: Scorer
    valid: dict[str, Figures]
    test: dict[str, Figures] = field(default_factory=dict)
    ranked: dict[str, RankedView] = field(default_factory=dict)
    fit_seconds: float = 0.0
    """Choosing on validation and the refit."""
    peak_mb: int = 0
    """Largest memory of the process up to the end of this model."""
    curve: list[dict[str, float | None]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Return the model's entry of metrics.json."""
        return {
            "valid": self.valid,
            "test": self.test,
            "fit_seconds": round(self.fit_seconds, 3),
            "peak_mb": self.peak_mb,
        }


class Runner:
    """One run: the shop, the two moments of fitting, and the folder that keeps what must survive a kill."""

    def __init__(self, config: RunConfig, shop: Shop, checkpoints: Path, logger: Logger | None, progress: bool) -> None:
        self.config = config
        self.shop = shop
        self.before_valid = self._moment(shop.split.valid_from)
        self.before_test = self._moment(shop.split.test_from)
        self.valid_truth = Truth.of_window(self.before_valid, shop.split.test_from)
        self.test_truth = Truth.of_window(self.before_test, shop.split.end)
        self._checkpoints = checkpoints
        self._logger = logger
        self._progress = progress

    def _moment(self, until: int) -> Snapshot:
        """Fit the encoder on everything before a date and return the shop as of it."""
        return FeatureEncoder.fit(self.shop.history, self.shop.catalogue, until).at(until)

    def rivals(self) -> list[ClassicConfig]:
        """Return the simple models that stand beside the one asked for."""
        seeded = [
            rival.model_copy(update={"seed": self.config.seed}) if rival.name == "random" else rival for rival in RIVALS
        ]
        return [rival for rival in seeded if rival.name != self.config.model.name]

    def measure_classic(self, config: ClassicConfig, *, test: bool) -> ModelOutcome:
        """Fit a counting model on train and measure it on validation; refit and test where asked."""
        with _clock() as seconds:
            scorer = config.build(self.before_valid.encoder.schema).fit(self.before_valid)
        outcome = ModelOutcome(config.name, scorer, self._validate(scorer, self.before_valid), fit_seconds=seconds[0])
        if test:
            with _clock() as seconds:
                outcome.scorer = config.build(self.before_test.encoder.schema).fit(self.before_test)
            outcome.fit_seconds += seconds[0]
            self._test(outcome)
        outcome.peak_mb = _peak_mb()
        return outcome

    def measure_learned(self, config: TwoTowerConfig, *, test: bool) -> ModelOutcome | None:
        """Train, choose the epoch on validation, refit and test; None where there is nothing to learn from."""
        split = self.shop.split
        horizon = split.test_from - split.valid_from  # of the refit too: the end of the test must not reach training
        select, refit = self._data(self.before_valid, horizon), self._data(self.before_test, horizon)
        if not (select.cuts and refit.cuts and len(self.valid_truth.users)):
            return None
        with _clock() as seconds:
            network = self._network(config, self.before_valid)
            chosen = self._fit(network, select, self._checkpoints, logger=self._logger, validate=self._ndcg)
        scorer = TwoTowerScorer(network).observe(self.before_valid)
        outcome = ModelOutcome(
            config.name,
            scorer,
            self._validate(scorer, self.before_valid),
            fit_seconds=seconds[0],
            curve=chosen.curve,
        )
        if test:
            with _clock() as seconds:
                network = self._network(config, self.before_test)
                self._fit(network, refit, self._checkpoints / "refit", epochs=chosen.epochs)
            outcome.fit_seconds += seconds[0]
            outcome.scorer = TwoTowerScorer(network).observe(self.before_test)
            self._test(outcome)
        outcome.peak_mb = _peak_mb()
        return outcome

    def _data(self, moment: Snapshot, horizon: int) -> ShopData:
        config = self.config
        cuts = training_cuts(moment.history, moment.as_of, horizon, config.trainer.cuts)
        negatives = None if config.loss.negatives == "all" else config.loss.negatives
        return ShopData(moment.encoder, cuts, config.trainer.batch_size, negatives, config.seed)

    def _network(self, config: TwoTowerConfig, moment: Snapshot) -> TwoTower:
        torch.manual_seed(self.config.seed)
        return config.build(moment.encoder.schema)

    def _fit(self, network: TwoTower, data: ShopData, folder: Path, **how: Any) -> Fit:
        config = self.config
        return fit(network, data, config.loss, config.trainer, folder=folder, progress=self._progress, **how)

    def _ndcg(self, network: TwoTower) -> float:
        scorer = TwoTowerScorer(network).observe(self.before_valid)
        view = rank(scorer, self.before_valid, self.valid_truth, ("all",))["all"]
        return float(view.metric("ndcg", 10).mean())

    def _validate(self, scorer: Scorer, moment: Snapshot) -> dict[str, Figures]:
        ranked = rank(scorer, moment, self.valid_truth)
        return summarise(ranked, int(moment.products.candidates.sum()), self.config.seed)

    def _test(self, outcome: ModelOutcome) -> None:
        outcome.ranked = rank(outcome.scorer, self.before_test, self.test_truth)
        outcome.test = summarise(outcome.ranked, int(self.before_test.products.candidates.sum()), self.config.seed)


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


@contextmanager
def _clock() -> Iterator[list[float]]:
    """Measure wall time in seconds; the list is filled on leaving."""
    seconds: list[float] = []
    start = time.perf_counter()
    try:
        yield seconds
    finally:
        seconds.append(time.perf_counter() - start)
