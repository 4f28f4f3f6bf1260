"""`Runner`: choose on validation, refit on everything before the test, read the test once.

    fit on train → best epoch by validation NDCG@10 → refit on train + validation for as many epochs → test

Rivals go the same way, without epochs to choose.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger

from embedrec.data.datamodule import TrainingData
from embedrec.data.pairs import Pairs
from embedrec.evaluation.calibration import PurchaseProbability, calibration
from embedrec.evaluation.likelihood import audience_probability
from embedrec.evaluation.ranking import VIEWS, RankedView, Truth, rank
from embedrec.evaluation.ratings import MeanRatings, rating_errors
from embedrec.evaluation.slices import slices
from embedrec.evaluation.summary import Figures, headline, summarise
from embedrec.experiment.config import RunConfig
from embedrec.experiment.examples import LACKING, Rated, pattern_settings, rated, training_data
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.shop import Shop
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.features.history import NEVER, Floats
from embedrec.features.patterns import patterns
from embedrec.models import (
    ClassicConfig,
    LearnedConfig,
    Network,
    PairNetwork,
    PairScorer,
    Scorer,
    TwoTower,
    TwoTowerIds,
    TwoTowerSequence,
    scorer_of,
)
from embedrec.models.classic.collaborative import basket_matrix
from embedrec.models.inputs import product_inputs
from embedrec.training import NDCG, RMSE, Fit, Monitor, Report, Validate, fit, fit_on_ray, processes

CALIBRATED = 2000
"""Customers whose lists tell how likely a recommended product is bought; enough, and quick."""

WATCHED = 5000
"""Customers ranked to choose the epoch, at most; the figures of the chosen epoch are of everybody."""

WATCHED_SCORES = 100_000_000
"""Scores, customers times products, that a look at an epoch may cost: as much as an epoch of a mid-sized shop."""

FEWEST_WATCHED = 1000
"""Customers however large the catalogue is, or chance would choose the epoch."""


class Runner:
    """One shop and its two moments of fitting, shared by all models that are measured on it."""

    def __init__(self, shop: Shop, progress: bool = True) -> None:
        self.shop = shop
        self.before_valid = self._moment(shop.split.valid_from)
        self.before_test = self._moment(shop.split.test_from)
        self.valid_truth = Truth.of_window(self.before_valid, shop.split.test_from)
        self.test_truth = Truth.of_window(self.before_test, shop.split.end)
        affordable = WATCHED_SCORES // max(self.candidates(self.before_valid), 1)
        watched = min(WATCHED, max(FEWEST_WATCHED, affordable))
        self._watched = self.valid_truth.sample(self.before_valid, watched)
        # published splits mask what a customer has: there a list filled with it would tell nothing of the model
        masked = shop.split.protocol != "global_time" and not self.valid_truth.repeat_share(self.before_valid)
        self._watched_view = "new" if masked else "all"
        self.newcomers = Truth.of_newcomers(self.before_test, shop.split.end)
        self._progress = progress

    def _moment(self, until: int) -> Snapshot:
        """Fit the encoder on everything before a date and return the shop as of it."""
        return FeatureEncoder.fit(self.shop.history, self.shop.catalogue, until, dated=self.shop.split.dated).at(until)

    def measure(
        self,
        config: RunConfig,
        checkpoints: Path,
        logger: Logger | None = None,
        *,
        test: bool,
        report: Report | None = None,
    ) -> ModelOutcome | None:
        """Fit a model on train and measure it on validation; refit and test where asked.

        `checkpoints` keeps what must survive a kill. None where a learned model has nothing to learn from. `report`
        is told the validation figure of each epoch.

        Raises:
            NotApplicableError: the model does not suit these data.
            TrainingError: training cannot go on.
            Pruned: `report` ended the training.
        """
        reset_peak()
        if isinstance(config.model, LearnedConfig):
            outcome = self._measure_learned(config, config.model, checkpoints, logger, test, report)
        else:
            outcome = self._measure_classic(config, config.model, test)
        if outcome is not None:
            outcome.peak_mb = peak_mb()
        return outcome

    def _measure_classic(self, config: RunConfig, model: ClassicConfig, test: bool) -> ModelOutcome:
        with _clock() as seconds:
            scorer = model.build(self.before_valid.encoder.schema).fit(self.before_valid)
        outcome = self._outcome(model.name, scorer, config, seconds[0])
        if test:
            with _clock() as seconds:
                scorer = model.build(self.before_test.encoder.schema).fit(self.before_test)
            outcome.fit_seconds += seconds[0]
            self._test(outcome, scorer, config)
        return outcome

    def _measure_learned(
        self,
        config: RunConfig,
        model: LearnedConfig,
        checkpoints: Path,
        logger: Logger | None,
        test: bool,
        report: Report | None,
    ) -> ModelOutcome | None:
        """Train, choose the epoch on validation, refit and test."""
        select, refit = self._examples(config, model)
        if not (len(select) and len(refit) and len(self.valid_truth.users)):
            return None
        monitor, validate = self._monitor(model)
        with _clock() as seconds:
            network = self._network(config, model, self.before_valid, select)
            how = {"logger": logger, "validate": validate, "monitor": monitor, "report": report}
            chosen = self._fit(config, network, select, checkpoints, **how)
        outcome = self._outcome(model.name, scorer_of(network).observe(self.before_valid), config, seconds[0])
        outcome.curve = chosen.curve
        if monitor is RMSE:
            outcome.score = chosen.curve[chosen.epochs - 1][RMSE.key]
        if test:
            with _clock() as seconds:
                network = self._network(config, model, self.before_test, refit)
                self._fit(config, network, refit, checkpoints / "refit", epochs=chosen.epochs)
            outcome.fit_seconds += seconds[0]
            self._test(outcome, scorer_of(network).observe(self.before_test), config)
        return outcome

    def nothing_to_learn(self, config: RunConfig) -> str:
        """Say why `measure` had nothing to learn from, or to choose the epoch by."""
        model = config.model
        assert isinstance(model, LearnedConfig)
        if not all(map(len, self._examples(config, model))):
            return LACKING[model.recipe.examples]
        return "no customer bought both before and within the validation window"

    def _examples(self, config: RunConfig, model: LearnedConfig) -> tuple[TrainingData, TrainingData]:
        """Return what there is to learn from to choose the epoch, and for the refit."""
        select, refit = (
            training_data(config, model, self.shop, moment) for moment in (self.before_valid, self.before_test)
        )
        return select, refit

    def _network(self, config: RunConfig, model: LearnedConfig, moment: Snapshot, data: TrainingData) -> Network:
        torch.manual_seed(config.seed)
        network = model.build(moment.encoder.schema)
        if isinstance(network, TwoTowerIds):
            network.start(basket_matrix(moment))
        if isinstance(network, TwoTowerSequence):
            network.keep_products(product_inputs(moment.products))
            network.start(basket_matrix(moment), self.shop.split.dated)
        if isinstance(network, PairNetwork):
            assert isinstance(data.examples, Pairs)
            network.prepare(data.examples.users, data.examples.items, data.examples.values, moment.products)
        wanted = pattern_settings(model, self.shop)
        if isinstance(network, TwoTower) and wanted:
            found = patterns(moment.history, moment.as_of, wanted)
            network.keep_patterns(torch.from_numpy(found), torch.from_numpy(moment.products.row))
        return network

    def _fit(self, config: RunConfig, network: Network, data: TrainingData, folder: Path, **how: Any) -> Fit:
        learn = fit_on_ray if config.trainer.engine == "ray" else fit
        return learn(network, data, config.loss, config.trainer, folder=folder, progress=self._progress, **how)

    def _monitor(self, model: LearnedConfig) -> tuple[Monitor, Validate]:
        """Return the figure by which the epoch is chosen."""
        if model.recipe.examples == "ratings":
            return RMSE, self._rmse
        return NDCG, self._ndcg

    def _ndcg(self, network: Network) -> float:
        scorer = scorer_of(network, torch.float32).observe(self.before_valid)
        ranked = _rank(scorer, self.before_valid, self._watched, (self._watched_view,), auc=False)
        return float(ranked[self._watched_view].metric("ndcg", 10).mean())

    def _rmse(self, network: Network) -> float:
        scorer = scorer_of(network).observe(self.before_valid)
        assert isinstance(scorer, PairScorer)
        given, predicted = predicted_ratings(scorer, self.before_valid, self.shop.split.test_from)
        return processes.from_first(float(np.sqrt(np.square(predicted - given.stars).mean())))

    def _outcome(self, model: str, scorer: Scorer, config: RunConfig, seconds: float) -> ModelOutcome:
        """Measure a fitted model on validation."""
        ranked = _rank(scorer, self.before_valid, self.valid_truth)
        valid = summarise([ranked], self.candidates(self.before_valid), config.seed)
        chances = self._chances(scorer, self.before_valid, self.shop.split.test_from)
        return ModelOutcome(
            model,
            scorer,
            valid,
            score=headline(valid, view=self._watched_view),
            valid_ranked=ranked,
            probability=PurchaseProbability.fit(chances),
            audience=audience_probability(scorer, self.before_valid, self.shop.split.test_from),
            fit_seconds=seconds,
        )

    def _chances(self, scorer: Scorer, moment: Snapshot, until: int) -> RankedView:
        """Rank for customers who buy in the window and for those who do not: what a probability is about."""
        truth = Truth.of_everybody(moment, until, CALIBRATED)
        return _rank(scorer, moment, truth, ("all",), without_target=True)["all"]

    def _test(self, outcome: ModelOutcome, scorer: Scorer, config: RunConfig) -> None:
        """Measure the refitted model on the test, the one time it is read."""
        seed, moment = config.seed, self.before_test
        outcome.scorer = scorer
        outcome.ranked = _rank(scorer, moment, self.test_truth)
        outcome.test = summarise([outcome.ranked], self.candidates(moment), seed)
        newcomers = _rank(scorer, moment, self.newcomers, ("all",))["all"]
        outcome.slices = slices(outcome.ranked["all"], moment, seed, newcomers)
        outcome.calibration = calibration(outcome.probability, self._chances(scorer, moment, self.shop.split.end))
        if isinstance(config.model, LearnedConfig) and config.model.recipe.examples == "ratings":
            assert isinstance(scorer, PairScorer)
            outcome.ratings = rating_figures(scorer, moment, self.shop.split.end, seed)

    @staticmethod
    def candidates(moment: Snapshot) -> int:
        """Return how many products could be recommended."""
        return int(moment.products.candidates.sum())


def _rank(
    scorer: Scorer,
    moment: Snapshot,
    truth: Truth,
    views: tuple[str, ...] = VIEWS,
    *,
    without_target: bool = False,
    auc: bool = True,
) -> dict[str, RankedView]:
    """`rank`; processes that are together rank for some of the customers each, and all get every list."""
    place, parts = processes.place(), processes.count()
    mine = rank(scorer, moment, truth.part(place, parts), views, without_target=without_target, auc=auc)
    if parts == 1:
        return mine
    said = processes.gathered({view: ranked.arrays() for view, ranked in mine.items()})
    return {view: RankedView.joined([RankedView.from_arrays(one[view]) for one in said]) for view in views}


def mean_ratings(moment: Snapshot) -> MeanRatings:
    """Fit the reference that a model of ratings has to beat, on all ratings before a moment."""
    past = rated(moment, moment.as_of, since=NEVER)
    return MeanRatings.fit(past.users, past.items, past.stars)


def rating_figures(scorer: PairScorer, moment: Snapshot, until: int, seed: int) -> Figures:
    """Return RMSE, MSE and MAE of the ratings predicted for [moment, until)."""
    given, predicted = predicted_ratings(scorer, moment, until)
    return rating_errors(predicted, given.stars, given.users, seed)


def predicted_ratings(scorer: PairScorer, moment: Snapshot, until: int) -> tuple[Rated, Floats]:
    """Return the ratings given in [moment, until) and what was predicted for them, on the scale seen before."""
    given = rated(moment, until)
    return given, np.clip(scorer.rate(given.users, given.items), *mean_ratings(moment).scale)


def reset_peak() -> None:
    """Let the peak of memory start anew, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> int:
    """Return the largest memory of the process since `reset_peak`, in MB."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024)
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
