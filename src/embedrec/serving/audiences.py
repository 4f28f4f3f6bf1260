"""Audiences of one shop as of one date: all customers are made ready once, then any product is a quick question."""

from __future__ import annotations

from threading import Lock

import numpy as np
import pandas as pd

from embedrec.evaluation.calibration import PurchaseProbability
from embedrec.evaluation.likelihood import Likelihood, Progress
from embedrec.features import Snapshot
from embedrec.features.history import NEVER, Bools, Floats, Ints
from embedrec.models import Scorer
from embedrec.serving.audience import (
    CUSTOMERS,
    EXPECTED,
    LEFT_OUT,
    PROBABILITY,
    PRODUCTS,
    audience_table,
    rank_customers,
    recent_buyers,
)
from embedrec.serving.reach import Reach, reach_of


class Audiences:
    """Ranks everybody who ever bought; `chance` is the map to probabilities, None where the bundle has none."""

    def __init__(self, scorer: Scorer, snapshot: Snapshot, chance: PurchaseProbability | None, dated: bool) -> None:
        self._scorer, self._snapshot, self._chance, self._dated = scorer, snapshot, chance, dated
        self._likelihood: Likelihood | None = None  # made when somebody asks
        self._making = Lock()

    def of(self, wanted: Bools, n: int, recent_days: int, several: bool, progress: Progress | None) -> pd.DataFrame:
        """Return the n customers most likely to buy any of wanted[N] products, as `Recommender.audience` does.

        `several` products are called "these" in reasons. `attrs`: customers, left_out, expected_buyers, products.
        """
        order, probability = self._ranked(wanted, progress)
        users = self._everybody(progress).users
        recent = recent_buyers(self._snapshot, wanted, recent_days) if recent_days else order[:0]
        kept = order[~np.isin(users[order], recent)]
        shown = kept[:n]
        table = audience_table(self._snapshot, users[shown], probability[shown], wanted, self._dated, several)
        expected = None if self._chance is None else float(table[PROBABILITY].sum())
        table.attrs |= {CUSTOMERS: len(order), LEFT_OUT: len(order) - len(kept), EXPECTED: expected}
        table.attrs[PRODUCTS] = int(wanted.sum())
        return table

    def reach(self, wanted: Bools, progress: Progress | None) -> Reach:
        """Return how many of those who bought wanted[N] products since the date such an audience would have held."""
        history, as_of = self._snapshot.history, self._snapshot.as_of
        users = self._everybody(progress).users
        known = wanted & self._snapshot.products.candidates
        if not known.any():
            return Reach(len(users), 0, None, "none of this was for sale before the test window")
        order, _ = self._ranked(known, progress)
        bought = history.users[(history.times >= as_of) & wanted[history.items]]
        return reach_of(np.isin(users[order], bought))

    def _everybody(self, progress: Progress | None) -> Likelihood:
        with self._making:
            if self._likelihood is None:
                users = self._snapshot.history.buyers(NEVER, self._snapshot.as_of)
                self._likelihood = Likelihood(self._scorer, self._snapshot, users, progress)
            return self._likelihood

    def _ranked(self, wanted: Bools, progress: Progress | None) -> tuple[Ints, Floats]:
        return rank_customers(self._everybody(progress), np.flatnonzero(wanted), self._chance, progress)
