"""Indexes a large catalogue for a bundle, if the index finds nearly all that exact search does.

Measured is what customers would get: the first 20 of the products that are new to them, through the index and exactly.
Lists that may repeat what was bought miss less, for what was bought is always scored.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from embedrec.bundle import MIN_RECALL, IndexRecord
from embedrec.features import Customers, FeatureEncoder, FeatureSchema, build_history
from embedrec.features.history import NEVER
from embedrec.models import ModelConfig, TwoTowerScorer, load_scorer
from embedrec.models.approximate import LARGE, PLACES, ProductIndex

AIM = 0.99  # recall that the number of probes is chosen by, so that what is stated is no lucky draw near `MIN_RECALL`
ASKED = 500  # customers: 10,000 products, a recall known to about 0.001
SEARCHED = 8  # the share of the cells, one in so many, beyond which searching them gains little on exact search
FRESH = 20  # likewise of products that nobody bought yet, all of which are scored for everybody

_log = logging.getLogger(__name__)


def indexed(
    model: ModelConfig, schema: FeatureSchema, weights: dict[str, Tensor], frames: dict[str, pd.DataFrame]
) -> tuple[bytes, IndexRecord] | None:
    """Return the index for a bundle of these parts and what is known of it; None where exact search serves better.

    A large catalogue that gets none is told of as a warning.
    """
    if len(frames["products"]) < LARGE:
        return None
    made = _index_or_why_not(model, schema, weights, frames)
    if isinstance(made, str):
        _log.warning("the bundle has no index of its large catalogue: %s; it is searched exactly, more slowly", made)
        return None
    return made


def _index_or_why_not(
    model: ModelConfig, schema: FeatureSchema, weights: dict[str, Tensor], frames: dict[str, pd.DataFrame]
) -> tuple[bytes, IndexRecord] | str:
    history, catalogue = build_history(*(frames[name] for name in ("customers", "products", "events")))
    snapshot = FeatureEncoder(schema, history, catalogue).at(history.end)  # as whoever loads the bundle sees it
    scorer = load_scorer(model, schema, weights)
    if not isinstance(scorer, TwoTowerScorer):
        return f"there is none for the model {model.name}"
    scorer.observe(snapshot)
    if len(scorer.unsold_) * FRESH > len(scorer.every_):
        return f"{len(scorer.unsold_)} products were never sold, and all of those are scored for everybody"
    try:
        index = scorer.make_index()
    except ImportError:
        return "faiss is not installed; install embedrec[ann]"
    buyers = history.buyers(NEVER, snapshot.as_of)
    chosen = np.random.default_rng(0).permutation(buyers)[:ASKED]
    recall = _search_enough(scorer, index, [snapshot.customers(user[None]) for user in chosen])
    if recall < MIN_RECALL:
        return f"it finds {recall:.4f} of the first {PLACES} products, wanted {MIN_RECALL}"
    record = IndexRecord(recall=recall, places=PLACES, customers=len(chosen), cells=index.cells, probes=index.probes)
    return index.plain(), record


def _search_enough(scorer: TwoTowerScorer, index: ProductIndex, customers: list[Customers]) -> float:
    """Double the probes until the recall is as aimed at, or they are too many; return the recall."""
    scorer.use_index(None)
    exact = [_first_new(scorer, one) for one in customers]
    scorer.use_index(index)
    while True:
        found = [_first_new(scorer, one) for one in customers]
        recall = float(np.mean([_share(here, there) for here, there in zip(found, exact, strict=True)]))
        if recall >= AIM or 2 * index.probes * SEARCHED > index.cells:
            return recall
        index.probes *= 2


def _first_new(scorer: TwoTowerScorer, customer: Customers) -> Tensor:
    allowed = torch.from_numpy(scorer.snapshot_.products.candidates).repeat(1, 1)
    allowed[0, torch.from_numpy(customer.bought.values)] = False
    return scorer.best(customer, PLACES, allowed).items[0]


def _share(found: Tensor, exact: Tensor) -> float:
    wanted = exact[exact >= 0]
    return float(torch.isin(wanted, found).double().mean()) if len(wanted) else 1.0
