"""Measure a bundle again from the bundle alone: its weights and encoder, on a shop's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embedrec.bundle import read_bundle
from embedrec.errors import DataError
from embedrec.evaluation.ranking import Truth, rank
from embedrec.evaluation.summary import summarise
from embedrec.experiment.config import parse_config
from embedrec.experiment.runner import rating_figures
from embedrec.features import FeatureEncoder, build_history
from embedrec.models import BiasedMfConfig, PairScorer, load_scorer
from embedrec.splits import arrange, choose_protocol, parse_date
from embedrec.tables import read_tables


def reevaluate(folder: Path, data: str) -> dict[str, Any]:
    """Return {"model", "bundle", "data", "test"} with the figures of the bundle's test window on `data`.

    A model of ratings gets "ratings" as well.

    The tables are read with the column settings the bundle was trained with. Purchases from the bundle's test cutoff
    to the end of `data` are the truth, so newer tables measure the same weights on a later window as well. Without
    dates, what was held out in training is held out again.

    Raises:
        BundleError: the bundle is damaged.
        DataError: the tables cannot be read, hold nothing after the bundle's cutoff, or are others than those that a
            random part was held out of.
    """
    bundle = read_bundle(folder)
    config = parse_config(bundle.manifest.config)
    files = config.data.files if Path(data).is_dir() else type(config.data.files)()
    tables = read_tables(config.data.model_copy(update={"path": data, "files": files}))
    cutoff = parse_date("test_from", bundle.manifest.split["test_from"])
    protocol = choose_protocol(tables, config.split)
    if protocol != "global_time":
        if protocol == "random" and tables.fingerprint != bundle.manifest.data["fingerprint"]:
            raise DataError(
                f"{data}: these are not the tables the bundle was made on, and a random part of others would hold "
                "purchases it has learned from"
            )
        tables, windows = arrange(tables, config.split)
        cutoff = windows.test_from
    history, catalogue = build_history(tables.customers, tables.products, tables.events)
    if history.end <= cutoff:
        raise DataError(
            f"{data}: no purchase on or after {bundle.manifest.split['test_from']}, the bundle's test cutoff"
        )
    snapshot = FeatureEncoder(bundle.schema, history, catalogue).at(cutoff)
    scorer = load_scorer(bundle.manifest.model, bundle.schema, bundle.weights).observe(snapshot)
    ranked = rank(scorer, snapshot, Truth.of_window(snapshot, history.end))
    candidates = int(snapshot.products.candidates.sum())
    ratings = {}
    if isinstance(config.model, BiasedMfConfig) and isinstance(scorer, PairScorer):
        ratings = {"ratings": rating_figures(scorer, snapshot, history.end, config.seed)}
    return {
        "model": bundle.manifest.model.name,
        "bundle": bundle.manifest.id,
        "data": tables.fingerprint,
        "test": summarise([ranked], candidates, config.seed),
        **ratings,
    }
