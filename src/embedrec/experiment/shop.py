"""`Shop`: tables read, numbered, and cut in time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedrec.demo_shop import ORACLE, is_complete, write_demo_shop
from embedrec.features import DAY, Catalogue, History, build_history
from embedrec.splits import Split, SplitConfig, arrange
from embedrec.tables import DataConfig, Tables, read_tables
from embedrec.tables.progress import told

DEMO = "demo"
MIN_PURCHASES = 1000
"""With fewer purchases before the test there is too little signal to fit embeddings."""
MIN_RETURNING = 25
"""At least this many customers must have bought on two days, or little shows what follows a purchase."""


@dataclass(frozen=True)
class Shop:
    """One shop, ready for fitting and measuring."""

    tables: Tables
    history: History
    catalogue: Catalogue
    split: Split
    oracle: Path | None
    """Where the best reachable figures lie; only a synthetic shop has them."""

    @property
    def too_little(self) -> str:
        """Why a learned model cannot be trusted on this shop; empty where it can."""
        before = self.history.times < self.split.test_from
        past = self.history.users[before]
        visits = np.unique(np.stack([past, self.history.times[before] // DAY]), axis=1)[0]
        returning = int((np.bincount(visits) >= 2).sum())
        if len(past) < MIN_PURCHASES:
            return f"{len(past):,} purchases before the test, about {MIN_PURCHASES:,} are needed to train embeddings"
        if returning < MIN_RETURNING:
            repeatedly = "on two days" if self.split.dated else "twice"
            return f"{returning} customers who bought {repeatedly} before the test, about {MIN_RETURNING} are needed"
        return ""


def open_shop(data: DataConfig, split: SplitConfig, progress: bool = False) -> Shop:
    """Read the tables of a shop; the demo shop is made on first use.

    With a protocol other than `global_time` the events of `Shop.tables` carry made-up times. `progress` is shown on a
    terminal.

    Raises:
        DataError: as `read_tables`, or the protocol asks for what the tables do not hold.
        ConfigError: the split's dates do not lie within the data.
    """
    oracle = Path(data.path) / ORACLE if data.path else None
    if data.name == DEMO and oracle and not is_complete(oracle.parent):
        write_demo_shop(oracle.parent)
    with told(progress) as tell:
        tables, windows = arrange(read_tables(data, tell), split)
        tell("numbering customers and products", 0.0)
        history, catalogue = build_history(tables.customers, tables.products, tables.events)
    return Shop(tables, history, catalogue, windows, oracle if oracle and oracle.exists() else None)
