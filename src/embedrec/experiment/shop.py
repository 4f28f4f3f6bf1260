"""`Shop`: tables read, numbered, and cut in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from embedrec.demo_shop import ORACLE, is_complete, write_demo_shop
from embedrec.doctor import Examination, examine, too_little
from embedrec.features import Catalogue, History, build_history
from embedrec.splits import Split, SplitConfig, arrange
from embedrec.tables import DataConfig, Tables, read_tables
from embedrec.tables.progress import Tell, silent, told

DEMO = "demo"


@dataclass(frozen=True)
class Shop:
    """One shop, ready for fitting and measuring."""

    tables: Tables
    history: History
    catalogue: Catalogue
    split: Split
    oracle: Path | None
    """Where the best reachable figures lie; only a synthetic shop has them."""

    @cached_property
    def too_little(self) -> str:
        """Why a learned model cannot be trusted on this shop; empty where it can."""
        return too_little(self.history, self.split)

    @cached_property
    def examination(self) -> Examination:
        """What the data doctor finds."""
        return examine(self.tables, self.history, self.catalogue, self.split)


def open_shop(data: DataConfig, split: SplitConfig, progress: bool = False) -> Shop:
    """Read the tables of a shop; the demo shop is made on first use.

    With a protocol other than `global_time` the events of `Shop.tables` carry made-up times. `progress` is shown on a
    terminal.

    Raises:
        DataError: as `read_tables`, or the protocol asks for what the tables do not hold.
        ConfigError: the split's dates do not lie within the data.
    """
    oracle = Path(data.path) / ORACLE if data.path else None
    with told(progress) as tell:
        tables = open_tables(data, tell)
        tell("numbering customers and products", 0.0)
        return split_shop(tables, split, oracle if oracle and oracle.exists() else None)


def open_tables(data: DataConfig, tell: Tell = silent) -> Tables:
    """Read the tables of a shop; the demo shop is made on first use.

    Raises DataError as `read_tables`.
    """
    if data.name == DEMO and data.path and not is_complete(Path(data.path)):
        write_demo_shop(Path(data.path))
    return read_tables(data, tell)


def split_shop(tables: Tables, split: SplitConfig, oracle: Path | None = None) -> Shop:
    """Number the ids of a shop and cut it in time.

    Raises DataError or ConfigError as `open_shop` where it cannot be split so.
    """
    arranged, windows = arrange(tables, split)
    history, catalogue = build_history(arranged.customers, arranged.products, arranged.events)
    return Shop(arranged, history, catalogue, windows, oracle)
