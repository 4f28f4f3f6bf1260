"""The model card of the page: what the model is, what it learned from, its settings, and when not to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embedrec.app.views import OLD, _count, _day, _text
from embedrec.evaluation.words import SPLITS

if TYPE_CHECKING:
    from embedrec.bundle import Manifest
    from embedrec.serving.profile import ModelInfo

FEW = 200  # test customers, below which differences drown in chance
HOW = {
    "two_tower": "It places customers and products in one space, learned from who bought what and when, and from what "
    "the tables say of them. Products close to a customer are recommended; what they buy again, what they looked at "
    "and what sells to everybody add to it.",
    "two_tower_ids": "It places customers and products in one space, learned from who bought what and nothing else. "
    "Products close to a customer are recommended.",
    "two_tower_sequence": "It reads a customer’s last purchases in their order and looks for what usually comes next.",
    "popularity": "It counts buyers: everybody gets what most customers bought.",
    "popularity_recent": "It counts the buyers of the last weeks: everybody gets what most customers bought of late.",
    "personal_frequency": "It counts what each customer buys often and lately, and fills up with what sells now.",
    "item_knn": "It looks for products that the same customers buy as those in a customer’s history.",
    "user_knn": "It looks for customers with similar purchases and takes what they bought.",
    "svd": "It finds patterns in who bought what and continues each customer’s own.",
    "ials": "It finds patterns in who bought what and continues each customer’s own.",
    "mf_bpr": "It learns a taste for each customer and each product from who bought what.",
    "neural_mf": "It learns a taste for each customer and each product from who bought what, with a small network.",
    "biased_mf": "It predicts the stars a customer would give and recommends the highest.",
    "random": "It picks at random, and is here as a floor for the others.",
}
SETTINGS = {
    "dim": "Length of the vector of a customer or product",
    "history_dropout": "Share of purchases hidden while learning",
    "half_life": "Days after which a purchase counts half",
    "patterns": "Length of the patterns of what is bought together",
    "pattern_weight": "Weight of those patterns",
    "features": "Uses what the tables say of products and customers",
    "history": "Uses what customers bought",
    "repeat": "Treats products bought before apart",
    "looks": "Uses what customers looked at",
    "popularity": "Uses what sells to everybody",
    "new_product_lift": "Lift for products nobody bought yet",
    "days": "Days looked back on",
    "neighbours": "Neighbours asked",
    "events": "Last purchases that are read",
}
"""Names of settings in words; others are shown under their own."""


def model_card(manifest: Manifest, info: ModelInfo, age_days: int | None) -> str:
    """The card as sections of HTML; everything in it is read from the bundle."""
    return (
        '<section class="er-card"><h3>Model card</h3>'
        f"<h4>What it is</h4><p>{HOW.get(info.model, 'A model of another kind.')}</p>"
        f"<h4>What it learned from</h4><p>{_learned(manifest, info)}</p>"
        f'<h4>When not to trust it</h4><ul class="er-bullets">{_doubts(manifest, info, age_days)}</ul>'
        f"{_settings(manifest)}</section>"
    )


def _learned(manifest: Manifest, info: ModelInfo) -> str:
    dates = (
        "The data carry no dates."
        if info.data_from is None or info.data_until is None
        else f"Purchases from {_day(info.data_from)} to {_day(info.data_until)}; what it learned comes from those "
        f"before {_day(datetime.fromisoformat(manifest.split['test_from']))}, and the later ones were the test."
    )
    return (
        f"{_text(info.data_name)}: {_count(info.customers, 'customer')} and {_count(info.products, 'product')}. {dates}"
        " The bundle holds customers’ purchase histories: treat it as the shop’s own data."
    )


def _doubts(manifest: Manifest, info: ModelInfo, age_days: int | None) -> str:
    own = manifest.metrics.get(info.model, {}).get("test", {}).get("all", {}).get("ndcg@10", {})
    doubts = []
    if info.synthetic:
        doubts.append("The shop is made up: nothing here says anything of real customers.")
    if age_days is not None and age_days > OLD:
        doubts.append(f"The data ended {age_days:,} days ago: seasons, prices and the range may have changed.")
    if info.beaten_by or info.fallback_from:
        doubts.append("A simple rule does as well on this shop’s data: its suggestions are as good.")
    if not own.get("n"):
        doubts.append("It was not tested on held-back purchases: how good it is, nobody knows.")
    elif own["n"] < FEW:
        doubts.append(f"The test had only {_count(own['n'], 'customer')}: its figures may be luck.")
    if (protocol := manifest.split["protocol"]) not in ("global_time", "given"):
        doubts.append(_text(SPLITS.get(protocol, "")))
    doubts += [
        "For people who have not bought anything yet it knows only what is popular.",
        "It says what is likely to be bought, not what an e-mail or a discount would change.",
        *(f"Of the data: {_text(warning)}." for warning in manifest.data["warnings"]),
    ]
    return "".join(f"<li>{one}</li>" for one in doubts if one)


def _settings(manifest: Manifest) -> str:
    model = manifest.model.model_dump(mode="json", exclude={"name"})
    rows = [(SETTINGS.get(name, name), _said(value)) for name, value in model.items() if value is not None]
    loss = manifest.config.get("loss") or {}
    trainer = manifest.config.get("trainer") or {}
    if manifest.fallback_from is None and isinstance(loss, Mapping) and loss.get("name"):
        rows.append(("Learning goal (loss)", str(loss["name"])))
        rows.append(("Rounds of learning at most", _said(trainer.get("max_epochs"))))
    rows += [
        ("Model", f"{manifest.model.name}, bundle {manifest.id}"),
        ("Fingerprint of the data", str(manifest.data["fingerprint"])[:16]),
        ("Seed of the random numbers", _said(manifest.config.get("seed"))),
    ]
    listed = "".join(f"<div><dt>{_text(label)}</dt><dd>{_text(value)}</dd></div>" for label, value in rows)
    return f'<details class="er-more"><summary>Settings</summary><dl class="er-settings">{listed}</dl></details>'


def _said(value: Any) -> str:
    return (
        "yes" if value is True else "no" if value is False else f"{value:g}" if isinstance(value, float) else str(value)
    )
