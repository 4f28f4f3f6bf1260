"""Measure a bundle again from the bundle alone: its weights and encoder, on a shop's tables.

A bundle may also be measured on the test window of another one, so that two can be compared on the same purchases.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedrec.bundle import Bundle, read_bundle
from embedrec.errors import DataError
from embedrec.evaluation.ranking import VIEWS, RankedView, Truth, rank
from embedrec.evaluation.summary import Figures, summarise
from embedrec.experiment.config import RunConfig, parse_config
from embedrec.experiment.runner import rating_figures
from embedrec.features import Catalogue, FeatureEncoder, History, Snapshot, build_history
from embedrec.models import BiasedMfConfig, PairScorer, Scorer, load_scorer
from embedrec.splits import arrange, choose_protocol, parse_date
from embedrec.tables import DataConfig, Tables, read_tables
from embedrec.tables.progress import told


@dataclass(frozen=True)
class Window:
    """The purchases of a shop from a bundle's test cutoff on: the truth that bundles are measured against."""

    fingerprint: str
    history: History
    catalogue: Catalogue
    cutoff: int  # seconds

    def observed_by(self, bundle: Bundle) -> tuple[Scorer, Snapshot]:
        """Return the model of a bundle as it would answer at the cutoff, and what it may know then."""
        snapshot = FeatureEncoder(bundle.schema, self.history, self.catalogue).at(self.cutoff)
        return load_scorer(bundle.manifest.model, bundle.schema, bundle.weights).observe(snapshot), snapshot

    def rank(self, bundle: Bundle, views: tuple[str, ...] = VIEWS) -> dict[str, RankedView]:
        """Rank the catalogue for every customer of the window."""
        scorer, snapshot = self.observed_by(bundle)
        return rank(scorer, snapshot, Truth.of_window(snapshot, self.history.end), views)


def settings_of(bundle: Bundle) -> RunConfig:
    """Return the settings a bundle was made with; where its tables lay is no part of them."""
    return parse_config(bundle.manifest.config)


def moved(data: DataConfig, place: str) -> DataConfig:
    """Return the settings of tables that lie at another place."""
    return data.model_copy(update={"path": place, "files": data.files if Path(place).is_dir() else type(data.files)()})


def open_window(bundle: Bundle, tables: Tables, place: str) -> Window:
    """Cut the test window of a bundle out of a shop's tables; `place` is what an error calls them.

    Purchases from the bundle's test cutoff to the end of the tables are the truth, so newer tables give a later window
    as well. Without dates, what was held out in training is held out again.

    Raises:
        DataError: the tables hold nothing after the cutoff, or are others than those that a random part was held out
            of.
    """
    manifest, config = bundle.manifest, settings_of(bundle)
    cutoff = parse_date("test_from", manifest.split["test_from"])
    protocol = choose_protocol(tables, config.split)
    if protocol != "global_time":
        if protocol == "random" and tables.fingerprint != manifest.data["fingerprint"]:
            raise DataError(
                f"{place}: these are not the tables the bundle was made on, and a random part of others would hold "
                "purchases it has learned from"
            )
        tables, windows = arrange(tables, config.split)
        cutoff = windows.test_from
    history, catalogue = build_history(tables.customers, tables.products, tables.events)
    if history.end <= cutoff:
        raise DataError(f"{place}: no purchase on or after {manifest.split['test_from']}, the bundle's test cutoff")
    return Window(tables.fingerprint, history, catalogue, cutoff)


def figures(bundle: Bundle, window: Window) -> tuple[dict[str, Figures], dict[str, RankedView]]:
    """Return the test figures of a bundle as metrics.json holds them, and the lists behind them."""
    scorer, snapshot = window.observed_by(bundle)
    ranked = rank(scorer, snapshot, Truth.of_window(snapshot, window.history.end))
    return summarise([ranked], int(snapshot.products.candidates.sum()), settings_of(bundle).seed), ranked


def reevaluate(folder: Path, data: str) -> dict[str, Any]:
    """Return {"model", "bundle", "data", "test"} with the figures of the bundle's test window on `data`.

    A model of ratings gets "ratings" as well. The tables are read with the column settings the bundle was trained with.

    Raises:
        BundleError: the bundle is damaged.
        DataError: the tables cannot be read, or as `open_window`.
    """
    bundle = read_bundle(folder)
    config = settings_of(bundle)
    with told() as tell:
        window = open_window(bundle, read_tables(moved(config.data, data), tell), data)
    test, _ = figures(bundle, window)
    ratings = {}
    if isinstance(config.model, BiasedMfConfig):
        scorer, snapshot = window.observed_by(bundle)
        if isinstance(scorer, PairScorer):
            ratings = {"ratings": rating_figures(scorer, snapshot, window.history.end, config.seed)}
    return {
        "model": bundle.manifest.model.name,
        "bundle": bundle.manifest.id,
        "data": window.fingerprint,
        "test": test,
        **ratings,
    }
