"""HTML fragments of the tab Model: how good it is, how sure, for whom it fails. All figures are those of the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from embedrec.app.judging import HITS, QUALITY, QUALITY_MEANS, buyers, judge
from embedrec.app.model_card import model_card
from embedrec.app.tips import tip
from embedrec.app.views import _count, _day, _text, model_name, model_words
from embedrec.evaluation.words import slice_name

if TYPE_CHECKING:
    from embedrec.bundle import Manifest
    from embedrec.serving.profile import ModelInfo

FOUND = "recall@10"
SHOWN_WEAK = 6
LEAST = 30  # customers, below which a slice is too small to call weak
INTERVAL_MEANS = "where the figure would mostly fall with other customers of the same kind"
HITS_MEANS = "of 100 tested customers, how many then bought at least one of the ten products recommended to them"
FOUND_MEANS = "the share of what customers then bought that stood among their ten suggestions; also called recall@10"
VIEWS = {"all": "All purchases", "new": "Only products they never bought before"}
FAR = 1.25  # ratio of said and happened, from which a chance is misleading
_LONGEST = 44  # characters of a category's name


def model_page(manifest: Manifest, info: ModelInfo, age_days: int | None) -> str:
    """The whole tab."""
    own = manifest.metrics.get(info.model, {})
    return (
        f'<div class="er-result">{_verdict(manifest, info, age_days)}{_boards(manifest, info)}'
        f'<div class="er-sides">{_weak(own)}{_calibration(own)}</div>{model_card(manifest, info, age_days)}</div>'
    )


def _verdict(manifest: Manifest, info: ModelInfo, age_days: int | None) -> str:
    figures = manifest.metrics.get(info.model, {}).get("test", {}).get("all", {})
    tiles = []
    if _known(figures.get(HITS)):
        tiles.append((f"{buyers(figures)} of 100", "customers bought from their ten suggestions"))
        tiles.append((f"{figures[HITS]['n']:,}", "customers in the test"))
    if info.data_until is not None:
        tiles.append((_day(info.data_until), "last purchase it knows"))
    if age_days is not None:
        tiles.append((_count(age_days, "day"), "since then"))
    shown = "".join(f"<div><dd>{figure}</dd><dt>{words}</dt></div>" for figure, words in tiles)
    return (
        f'<section class="er-card"><p class="er-eyebrow">In use</p>'
        f'<h3 class="er-id">{_text(model_name(info.model))}</h3>'
        f'<p class="er-plain">{_plainly(manifest, info)}</p><dl class="er-tiles">{shown}</dl>'
        f'<p class="er-quiet er-said">In the words of the test: {_text(info.verdict)}</p></section>'
    )


def _plainly(manifest: Manifest, info: ModelInfo) -> str:
    """Say whether it is worth having, by the figures of the test: against the best of the others, chance set aside."""
    tested = {name: one["test"]["all"] for name, one in manifest.metrics.items() if _measured(one, "all")}
    own = tested.pop(info.model, None)
    if own is None or not tested:
        return "Nobody has measured how good it is."
    rival = max(tested, key=lambda name: (tested[name][QUALITY]["value"], name))
    other = tested[rival]
    judged = judge(
        own,
        other,
        "It is clearly better than everything else that was tried",
        "Something else is clearly better",
        "It is not clearly better than the best other",
    )
    return (
        f"{judged}: of 100 customers, {buyers(own)} bought something from its ten suggestions, and {buyers(other)} "
        f"from those of the best other, {model_words(rival)}."
    )


def _boards(manifest: Manifest, info: ModelInfo) -> str:
    boards = [
        _board(title, rows, info.model)
        for view, title in VIEWS.items()
        if (rows := {name: one["test"][view] for name, one in manifest.metrics.items() if _measured(one, view)})
    ]
    if not boards:
        return (
            '<section class="er-card"><h3>How good are the models?</h3>'
            '<p class="er-quiet">Nobody was tested: there were too few purchases to hold any back.</p></section>'
        )
    more = f'<details class="er-more"><summary>{VIEWS["new"]}</summary>{boards[1]}</details>' if boards[1:] else ""
    interval = tip("95 % interval", INTERVAL_MEANS)
    return (
        '<section class="er-card"><h3>How good are the models?</h3><p class="er-quiet er-said">Every model recommended '
        "ten products to each customer of the test, without knowing what they bought then. Thin lines and brackets "
        f"are the {interval}: where two overlap, the difference may be luck.</p>{boards[0]}{more}</section>"
    )


def _board(title: str, rows: Mapping[str, Any], own: str) -> str:
    best = max(_highest(one[HITS]) for one in rows.values()) or 1.0
    ranked = sorted(rows, key=lambda name: (-rows[name][QUALITY]["value"], name))
    body = "".join(_row(name, rows[name], name == own, best) for name in ranked)
    return (
        f'<table class="er-table er-board"><caption>{title} · {rows[ranked[0]][QUALITY]["n"]:,} customers</caption>'
        f'<thead><tr><th scope="col">Model</th><th scope="col">{tip("Customers who bought from it", HITS_MEANS)}</th>'
        f'<th scope="col" class="er-number">{tip("Quality of the list", QUALITY_MEANS)}</th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _row(name: str, figures: Mapping[str, Any], own: bool, best: float) -> str:
    hits, quality = figures[HITS], figures[QUALITY]
    low, high = (100 * hits[end] / best if hits[end] is not None else None for end in ("low", "high"))
    whisker = (
        ""
        if low is None or high is None
        else f'<span style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%"></span>'
    )
    bar = (
        '<span class="er-gauge" aria-hidden="true">'
        f'<span style="width:{100 * hits["value"] / best:.1f}%"></span>{whisker}</span>'
    )
    tag = ' <span class="er-tag er-only">in use</span>' if own else ""
    return (
        f'<tr{" class=er-own" if own else ""}><th scope="row">{_text(model_name(name))}{tag}</th>'
        f"<td>{bar}<span>{100 * hits['value']:.0f} of 100 {_range(hits, 100, 0)}</span></td>"
        f'<td class="er-number">{quality["value"]:.3f} {_range(quality, 1, 3)}</td></tr>'
    )


def _range(entry: Mapping[str, Any], times: int, decimals: int) -> str:
    if entry["low"] is None or entry["high"] is None:
        return ""
    low, high = (f"{times * entry[end]:.{decimals}f}" for end in ("low", "high"))
    return f'<span class="er-range">({low}–{high})</span>'


class Weak(NamedTuple):
    """A part of the customers or products for which the model finds clearly less than on average."""

    words: str  # escaped
    value: float
    n: int


def weak_slices(own: Mapping[str, Any]) -> list[Weak]:
    """Return where less is found than on average, beyond chance: the 95 % interval ends below it; the worst first."""
    average = own.get("test", {}).get("all", {}).get(FOUND, {})
    if not _known(average):
        return []
    weak = [
        Weak(_group(group, name), figures[FOUND]["value"], figures[FOUND]["n"])
        for group, parts in own.get("slices", {}).items()
        for name, figures in parts.items()
        if _known(figures.get(FOUND)) and figures[FOUND]["n"] >= LEAST and figures[FOUND]["high"] < average["value"]
    ]
    return sorted(weak, key=lambda one: one.value)[:SHOWN_WEAK]


def _weak(own: Mapping[str, Any]) -> str:
    found = weak_slices(own)
    average = own.get("test", {}).get("all", {}).get(FOUND, {})
    if not own.get("slices") or not _known(average):
        said = "This bundle does not say for whom the model works: nobody was tested, or it is of an older kind."
        return f'<section class="er-card er-side"><h3>Where it is weak</h3><p class="er-quiet">{said}</p></section>'
    word = tip("found", FOUND_MEANS)
    lead = f"On average {_percent(average['value'])} of what customers then bought was {word}. "
    if found:
        items = "".join(
            f"<li><span>{one.words}</span> <strong>{_percent(one.value)}</strong> "
            f'<span class="er-range">{_count(one.n, "customer")}</span></li>'
            for one in found
        )
        lead, listed = f"{lead}Clearly less for:", f'<ul class="er-weak">{items}</ul>'
    else:
        lead, listed = f"{lead}No group of customers or products does clearly worse.", ""
    return f'<section class="er-card er-side"><h3>Where it is weak</h3><p class="er-quiet">{lead}</p>{listed}</section>'


def _group(group: str, name: str) -> str:
    words = slice_name(group, name)
    if group == "history_length":
        many = "product" if name == "1" else "products"
        return f"Customers with {_text(name.replace('-', '–').replace('+', ' or more'))} {many} bought before"
    if group == "item_popularity":
        return {
            "tail": "The long tail: products that are no bestsellers",
            "cold": "Products never sold before",
            "head": "Bestsellers",
        }.get(name, _text(words))
    if group == "customer":
        return {"cold": "First-time customers", "warm": "Known customers"}.get(name, _text(words))
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    return f"Products of the category <bdi>{_text(short)}</bdi>"


def _calibration(own: Mapping[str, Any]) -> str:
    measured = own.get("calibration") or {}
    bins = measured.get("bins") or []
    if not bins or measured.get("ece") is None:
        said = '<p class="er-quiet">Whether its chances come true was not measured for this bundle.</p>'
    else:
        top, points = max(bins, key=lambda part: part["predicted"]), 100 * measured["ece"]
        said = (
            f'<p class="er-quiet">Where it said {_percent(top["predicted"])}, {_percent(top["observed"])} were bought. '
            f"Over {measured['n']:,} suggestions to customers of the test, chances were off by {points:.1f} percentage "
            f"points on average. {_trust(top)}</p>{_reliability(bins)}"
        )
    return f'<section class="er-card er-side"><h3>Do its chances come true?</h3>{said}</section>'


def _trust(top: Mapping[str, Any]) -> str:
    """Say how to read chances, by the highest ones, which people act on."""
    if top["predicted"] > FAR * top["observed"]:
        return "High chances come out too high: read them as an order, not as a promise."
    if top["observed"] > FAR * top["predicted"]:
        return "High chances come out too low: more is bought than it says."
    return "They can be taken at their word."


def _reliability(bins: Sequence[Mapping[str, Any]]) -> str:
    """Said against happened, with the line on which every chance would come true."""
    top = max(max(part["predicted"], part["observed"]) for part in bins) or 1.0
    size, edge = 200, 12

    def at(value: float) -> float:
        return round(edge + (size - 2 * edge) * value / top, 1)

    dots = "".join(
        f'<circle cx="{at(part["predicted"])}" cy="{size - at(part["observed"])}" r="5"><title>said '
        f"{_percent(part['predicted'])}, happened {_percent(part['observed'])}</title></circle>"
        for part in bins
    )
    said = "; ".join(f"said {_percent(part['predicted'])}, happened {_percent(part['observed'])}" for part in bins)
    return (
        f'<figure class="er-reliable"><svg viewBox="0 0 {size} {size}" role="img" aria-label="{said}">'
        f'<path d="M{edge} {size - edge}L{size - edge} {edge}"/>{dots}</svg><figcaption>Across: the chance it said, '
        f"up: how often it happened, both from 0 to {_percent(top)}. On the line every chance comes true."
        "</figcaption></figure>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def _measured(one: Mapping[str, Any], view: str) -> bool:
    return all(_known(one.get("test", {}).get(view, {}).get(metric)) for metric in (HITS, QUALITY))


def _known(entry: Mapping[str, Any] | None) -> bool:
    return entry is not None and entry.get("value") is not None


def _highest(entry: Mapping[str, Any]) -> float:
    return float(entry["value"] if entry["high"] is None else entry["high"])
