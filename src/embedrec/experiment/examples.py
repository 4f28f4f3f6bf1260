"""What a model learns from before a moment, as its recipe says: `training_data`; and ratings, those to predict too."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, assert_never

import numpy as np

from embedrec.data.baskets import BasketBatches
from embedrec.data.batches import Batches, Snapshots
from embedrec.data.cuts import training_cuts
from embedrec.data.datamodule import TrainingData
from embedrec.data.pairs import PairBatches, Pairs
from embedrec.data.sequences import SequenceBatches, Sequences
from embedrec.errors import NotApplicableError
from embedrec.experiment.config import RunConfig
from embedrec.experiment.shop import Shop
from embedrec.features import DAY, Snapshot
from embedrec.features.history import Floats, Ints
from embedrec.features.patterns import HALF_LIFE, PatternSettings
from embedrec.models import LearnedConfig, TwoTowerConfig, TwoTowerSequenceConfig
from embedrec.training.config import SoftmaxConfig

LACKING = {
    "cuts": "no customer bought both before and within a training window",
    "pairs": "nobody bought anything before the validation window",
    "ratings": "no customer rated anything before the validation window",
    "baskets": "nobody bought anything before the validation window",
    "sequences": "no customer made two purchases before the validation window",
}
"""Why there is no example, by their kind."""


def training_data(config: RunConfig, model: LearnedConfig, shop: Shop, moment: Snapshot) -> TrainingData:
    """Return the examples that the recipe of a model names, in its batches; there may be none.

    Raises:
        NotApplicableError: the shop has nothing of the kind.
    """
    size, negatives = config.trainer.batch_size, config.loss.negatives
    drawn = negatives if isinstance(negatives, int) else moment.history.n_items
    if model.recipe.examples == "cuts":
        cuts = training_cuts(moment.history, moment.as_of, horizon(shop), config.trainer.cuts)
        snapshots = Snapshots(moment.encoder, pattern_settings(model, shop))
        draw = config.loss.draw if isinstance(config.loss, SoftmaxConfig) else "uniform"
        return TrainingData(cuts, partial(Batches, snapshots, cuts, size, negatives, draw=draw), config.seed)
    if model.recipe.examples == "ratings":
        pairs = _ratings(model, shop, moment)
        return TrainingData(pairs, partial(PairBatches, pairs, size, 0), config.seed)
    if model.recipe.examples == "pairs":
        pairs = Pairs.bought(moment)
        return TrainingData(pairs, partial(PairBatches, pairs, size, drawn), config.seed)
    if model.recipe.examples == "baskets":
        pairs = Pairs.bought(moment)
        return TrainingData(pairs, partial(BasketBatches, pairs, size, drawn), config.seed)
    if model.recipe.examples == "sequences":
        sequences = _sequences(model, shop, moment)
        return TrainingData(sequences, partial(SequenceBatches, sequences, size, drawn), config.seed)
    assert_never(model.recipe.examples)


def horizon(shop: Shop) -> int:
    """Return how far training dates look ahead, in seconds: as far as validation.

    The refit does the same: the end of the test must not reach training.
    """
    return shop.split.test_from - shop.split.valid_from


def pattern_settings(model: object, shop: Shop) -> PatternSettings | None:
    """Return how a model wants patterns computed, None where it uses none."""
    dim = model.patterns if isinstance(model, TwoTowerConfig) and model.history else 0
    return PatternSettings(dim, HALF_LIFE * horizon(shop) / DAY) if dim else None


def _ratings(model: LearnedConfig, shop: Shop, moment: Snapshot) -> Pairs:
    pairs, split = Pairs.rated(moment), shop.split
    if not len(pairs) or not len(rated(moment, split.test_from, since=split.valid_from).stars):
        raise NotApplicableError(
            f"model={model.name} predicts the rating that each customer gives, and here no customer rated anything "
            "before the test, or none in validation; a rating in product_details is the same for everybody: to "
            "predict it is a table look-up, not a recommendation. Choose another model"
        )
    return pairs


def _sequences(model: LearnedConfig, shop: Shop, moment: Snapshot) -> Sequences:
    if shop.tables.time == "none" or shop.split.protocol == "random":
        raise NotApplicableError(
            f"model={model.name} learns from the order of purchases, and here they have none (no dates, "
            "and no data.columns.order, or split.protocol=random): choose another model or protocol"
        )
    assert isinstance(model, TwoTowerSequenceConfig)  # the one that says how many events it reads
    return Sequences(moment, model.events, model.looks)


class Rated(NamedTuple):
    """Ratings that customers gave in a window, n of them."""

    users: Ints
    items: Ints
    stars: Floats


def rated(moment: Snapshot, until: int, since: int | None = None) -> Rated:
    """Return the ratings given in a window (seconds) that begins at the moment unless `since` is given."""
    history = moment.history
    start = moment.as_of if since is None else since
    lines = (history.times >= start) & (history.times < until) & ~np.isnan(history.stars)
    return Rated(history.users[lines], history.items[lines], history.stars[lines])
