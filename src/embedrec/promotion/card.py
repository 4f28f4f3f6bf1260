"""The model card of a registered version: what it is, what it learned from, how good it is, and why it was chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from embedrec.bundle import Manifest
from embedrec.evaluation.words import VIEWS
from embedrec.experiment.documents import NAMES
from embedrec.promotion.judging import Contest

SHOWN = {"ndcg@10": "NDCG@10", "recall@10": "Recall@10", "hit_rate@10": "Hit rate@10"}
HEADLINE = "ndcg@10"
TAG_LIMIT = 500  # characters of one tag


def model_card(
    manifest: Manifest,
    figures: Mapping[str, Any],
    contest: Contest | None,
    former: str,
    overridden: Sequence[str],
) -> str:
    """Write the card as Markdown.

    figures     {view: {metric: {value, low, high, n}}}, measured from the bundle alone; empty where that was impossible
    former      what held the alias before, in words
    overridden  objections that --force set aside
    """
    data, split = manifest.data, manifest.split
    synthetic = " (synthetic)" if data["synthetic"] else ""
    dates = (
        f"Purchases from {data['from']} to {data['until']}; the weights learned from those before "
        f"{split['test_from']}, and the later ones are the test."
        if data["dated"]
        else f"Purchases without dates, split by `{split['protocol']}`."
    )
    paragraphs = [
        f"# {_name(manifest.model.name)}",
        f"Recommends the next products of a customer of `{data['name']}`{synthetic}. Model `{manifest.model.name}`, "
        f"bundle `{manifest.id}`, seed {manifest.config['seed']}. It holds customers' dated purchase histories: treat "
        "it as the shop's data.",
        f"**Data.** {dates} Fingerprint `{data['fingerprint'][:16]}`.",
        "\n".join(f"- {warning}" for warning in data["warnings"]),
        "**Test**, measured from the bundle alone, with 95 % intervals over customers:" if figures else "",
        _table(figures) if figures else "",
        f"**Simple rules on the same test** (NDCG@10, all): {_rivals(manifest)}",
        f"**Verdict.** {manifest.verdict}",
        f"**Former holder of the alias.** {former}" + (f" {contest.sentence}." if contest else ""),
        f"**Forced.** Registered although {'; '.join(overridden)}." if overridden else "",
    ]
    return "\n\n".join(one for one in paragraphs if one) + "\n"


def card_tags(manifest: Manifest, contest: Contest | None, overridden: Sequence[str]) -> dict[str, str]:
    """Return what others filter versions by."""
    own = manifest.metrics.get(manifest.model.name, {}).get("test", {}).get("all", {}).get(HEADLINE, {})
    tags: dict[str, Any] = {
        "model": manifest.model.name,
        "data.name": manifest.data["name"],
        "data.fingerprint": manifest.data["fingerprint"],
        "data.until": manifest.data["until"] if manifest.data["dated"] else None,
        "test_from": manifest.split["test_from"] if manifest.data["dated"] else None,
        "ndcg_at_10": own.get("value"),
        "customers": own.get("n"),
        "verdict": manifest.verdict[:TAG_LIMIT],
        "forced": "; ".join(overridden)[:TAG_LIMIT] or None,
    }
    if contest:
        tags |= {
            "compared_with": contest.champion,
            "compared_customers": contest.customers,
            "difference": contest.gap,
            "difference_low": contest.low,
            "difference_high": contest.high,
        }
    return {name: str(value) for name, value in tags.items() if not _missing(value)}


def _table(figures: Mapping[str, Any]) -> str:
    rows = ["| what counts | customers | " + " | ".join(SHOWN.values()) + " |", "|---" * (2 + len(SHOWN)) + "|"]
    for view, named in figures.items():
        if named[HEADLINE]["value"] is None:
            continue
        cells = [_figure(named[metric]) for metric in SHOWN]
        rows.append(f"| {view}: {VIEWS[view]} | {named[HEADLINE]['n']:,} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _figure(entry: Mapping[str, float]) -> str:
    return f"{entry['value']:.4f} ({entry['low']:.4f}–{entry['high']:.4f})"


def _rivals(manifest: Manifest) -> str:
    measured = {
        name: one["test"]["all"][HEADLINE]
        for name, one in manifest.metrics.items()
        if name != manifest.model.name and one.get("test")
    }
    return ", ".join(f"{_name(name)} {_figure(one)}" for name, one in measured.items() if one["value"] is not None)


def _name(model: str) -> str:
    shown = NAMES.get(model, model)
    return shown[:1].upper() + shown[1:]


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
