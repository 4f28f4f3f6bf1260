"""What a run leaves to read: metrics.json, data_report.json, report.html."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.ranking import KS
from embedrec.evaluation.run_report import write_run_report
from embedrec.evaluation.summary import finite
from embedrec.evaluation.verdict import Verdict
from embedrec.experiment.config import RunConfig
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import Shop
from embedrec.features import DAY
from embedrec.features.history import NEVER
from embedrec.metrics import popularity_shares
from embedrec.splits import Split, day

NAMES = {
    "two_tower": "two-tower model",
    "popularity": "popularity",
    "popularity_recent": "28-day popularity",
    "personal_frequency": "personal frequency",
    "user_knn": "user-kNN",
    "item_knn": "item-kNN",
    "svd": "SVD",
    "ials": "implicit ALS",
    "mf_bpr": "MF-BPR",
    "biased_mf": "biased MF",
    "neural_mf": "neural MF",
    "two_tower_ids": "two-tower, ids only",
    "two_tower_sequence": "two-tower, order of purchases",
    "random": "random order",
}
"""Model names as sentences and figures use them."""


def metrics_json(
    config: RunConfig, runner: Runner, outcomes: list[ModelOutcome], judged: Verdict | None, run_id: str | None
) -> dict[str, Any]:
    """Lay out metrics.json; beside the contract it holds a synthetic shop's oracle."""
    shop = runner.shop
    split, history = shop.split, shop.history
    content: dict[str, Any] = {
        "run_id": run_id,
        "seed": config.seed,
        "data": {
            "name": config.data.name,
            "fingerprint": shop.tables.fingerprint,
            "train": {
                "from": _day(split, split.start),
                "to": _day(split, split.test_from),  # test figures come from the refit on everything before the test
                "purchases": int((history.times < split.test_from).sum()),
            },
            "valid": _window(split, split.valid_from, split.test_from, len(runner.valid_truth.users)),
            "test": _window(split, split.test_from, split.end - 1, len(runner.test_truth.users)),
        },
        "protocol": {"split": split.protocol, "candidates": "all"},
        "models": {one.name: one.plain() for one in outcomes},
        "verdict": judged.sentence if judged else "",
    }
    if truth := _oracle(shop):
        content["oracle"] = truth
    return content


def paired(outcomes: list[ModelOutcome], seed: int) -> dict[str, Any]:
    """NDCG@10 of the first model minus that of every other, customer by customer: {view: {model: difference}}."""
    first, *others = outcomes
    table: dict[str, Any] = {}
    for view in ("all", "new"):
        ours = first.ranked[view].metric("ndcg", 10)
        gaps = {one.name: paired_difference(ours, one.ranked[view].metric("ndcg", 10), seed) for one in others}
        table[view] = {
            name: {"value": finite(gap.mean), "low": finite(gap.low), "high": finite(gap.high), "n": gap.n}
            for name, gap in gaps.items()
        }
    return {"model": first.name, "ndcg@10": table}


def data_report(shop: Shop) -> dict[str, Any]:
    """Return where every row went, what is in the tables, and what the data doctor found."""
    history, split = shop.history, shop.split
    first, last = int(history.times.min()), history.end - 1
    return {
        "fingerprint": shop.tables.fingerprint,
        "tables": [asdict(account) for account in shop.tables.accounts],
        "warnings": list(shop.tables.warnings),
        "customers": history.n_users,
        "products": history.n_items,
        "purchases": len(history.times),
        "from": _day(split, first),
        "until": _day(split, last),
        "days": round((last + 1 - first) / DAY, 1) if split.dated else None,
        "too_little": shop.too_little or None,
        **shop.examination.plain(),
    }


def write_report(
    path: Path,
    config: RunConfig,
    runner: Runner,
    outcomes: list[ModelOutcome],
    judged: Verdict,
    metrics: dict[str, Any],
) -> None:
    """Write report.html."""
    shop = runner.shop
    curves = {}
    for one in outcomes:
        entries = {k: one.test["all"][f"recall@{k}"] for k in KS}
        if all(entry["value"] is not None for entry in entries.values()):
            curves[one.name] = {k: (entry["value"], entry["low"], entry["high"]) for k, entry in entries.items()}
    counts = shop.history.distinct_customers(NEVER + 1, shop.split.test_from)
    bought = runner.test_truth.targets.values
    shares = {one.name: popularity_shares(one.ranked["all"].top[:, :10], counts) for one in outcomes}
    if len(bought):
        shares = {"bought in the test window": popularity_shares(bought[:, None], counts), **shares}
    write_run_report(
        path,
        metrics,
        champion=config.model.name,
        verdict=judged,
        learning_curve=outcomes[0].curve,
        recall_curves=curves,  # type: ignore[arg-type]  # no None is left
        popularity={name: part.tolist() for name, part in shares.items() if not np.isnan(part).any()},
        accounts=shop.tables.accounts,
        findings=shop.examination.findings,
        oracle=metrics.get("oracle"),
        names=NAMES,
    )


def _oracle(shop: Shop) -> dict[str, Any] | None:
    """Return the best reachable figures of a synthetic shop, if they were computed for this test window."""
    if shop.oracle is None or not shop.split.dated:
        return None
    content: dict[str, Any] = json.loads(shop.oracle.read_text(encoding="utf-8"))
    return content if content["protocol"]["test_from"] == day(shop.split.test_from) else None


def _window(split: Split, start: int, end: int, customers: int) -> dict[str, Any]:
    if not split.tested:
        return {"from": None, "to": None, "customers": 0}
    return {"from": _day(split, start), "to": _day(split, end), "customers": customers}


def _day(split: Split, time: int) -> str | None:
    """Show a time, unless it was made up for data without dates."""
    return day(time) if split.dated else None
