"""HTML fragments of the tab Compare: two lists for one customer, what differs, why, and which was measured better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedrec.app.judging import QUALITY, QUALITY_MEANS, buyers, judge
from embedrec.app.service import known
from embedrec.app.tips import tip
from embedrec.app.views import _count, _day, _text, model_words, notice
from embedrec.columns import CATEGORY, PRODUCT, RANK, REASON

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender

_ALIKE = "there was no clear difference between the two"
NOBODY = notice(
    "Whose lists do you want to compare?",
    "Type a customer ID and press Enter, or let yourself be surprised. You see what this page’s model recommends "
    "beside what something simpler would.",
)


@dataclass(frozen=True)
class Side:
    """One of the two lists."""

    where: str
    """"A" or "B"."""
    shop: Recommender
    table: pd.DataFrame
    """As `Recommender.recommend` returns it."""

    @property
    def products(self) -> list[str]:
        """The products, best first."""
        return [str(one) for one in self.table[PRODUCT]]

    @property
    def words(self) -> str:
        """What the model is, in everyday words, safe as HTML."""
        return model_words(self.shop.info.model)


def comparison(left: Side, right: Side, bought: Collection[str]) -> str:
    """Both lists, what sets them apart, and what the test says of the two."""
    unknown = left.table.attrs["cold_start"]
    note = (
        notice("We do not know this customer yet.", "Both lists start from what is popular; check the ID for a slip.")
        if unknown and right.table.attrs["cold_start"]
        else ""
    )
    return (
        f'<div class="er-result">{note}<section class="er-card er-differs"><h3>What differs</h3>'
        f"<ul>{_differences(left, right, bought)}</ul>"
        f'<p class="er-quiet">{measured(left.shop, right.shop)}</p></section>'
        f'<div class="er-sides">{_list(left, right, bought)}{_list(right, left, bought)}</div></div>'
    )


def _differences(left: Side, right: Side, bought: Collection[str]) -> str:
    ours, theirs = left.products, right.products
    both = [one for one in ours if one in theirs]
    if ours == theirs:
        return "<li>Nothing: the two lists are the same, in the same order.</li>"
    said = [f"{_count(len(both), 'product')} on both lists, {len(ours) - len(both)} only on A, "
            f"{len(theirs) - len(both)} only on B."]  # fmt: skip
    for side, other in ((left, theirs), (right, ours)):
        if why := _why(side, other):
            said.append(f"Why only on {side.where}: {why}.")
    farthest = max(both, key=lambda one: abs(ours.index(one) - theirs.index(one)), default=None)
    if farthest is not None and ours.index(farthest) != theirs.index(farthest):
        name = f'<bdi class="er-name">{_text(left.shop.titles.get(farthest, farthest))}</bdi>'
        said.append(
            f"The largest move: {name} is number {ours.index(farthest) + 1} on A and number "
            f"{theirs.index(farthest) + 1} on B."
        )
    counts = [sum(one in bought for one in side.products) for side in (left, right)]
    if counts[0] != counts[1]:
        said.append(f"Products bought before: {counts[0]} on A, {counts[1]} on B.")
    kinds = [side.table[CATEGORY].dropna().nunique() for side in (left, right)]
    if kinds[0] != kinds[1]:
        said.append(f"Different categories: {kinds[0]} on A, {kinds[1]} on B.")
    return "".join(f"<li>{one}</li>" for one in said)


def _why(side: Side, other: Collection[str]) -> str:
    """Count the reasons of the products that only one side has, the most frequent first; escaped."""
    alone = side.table[~side.table[PRODUCT].isin(list(other))]
    counts = Counter(_kind(reason) for reason in alone[REASON])
    return ", ".join(f"{_text(kind)} ({count})" for kind, count in counts.most_common())


def _kind(reason: str) -> str:
    """Cut a reason to what it has in common with others of its kind."""
    first = reason.partition(";")[0]
    first = first[:1].lower() + first[1:]
    for start, kind in (("because they bought", "goes with what they bought"), ("bought ", "bought before")):
        if first.startswith(start):
            return kind
    return first.partition(",")[0]


def _list(side: Side, other: Side, bought: Collection[str]) -> str:
    info, elsewhere = side.shop.info, other.products
    until = "" if info.data_until is None else f", data until {_day(info.data_until)}"
    which = "" if info.id == other.shop.info.id else f" · bundle {_text(info.id)}"
    rows = (
        "".join(_entry(row, side, elsewhere, other.where, bought) for row in side.table.to_dict("records"))
        or "<li>Nothing to recommend.</li>"
    )
    return (
        f'<section class="er-card er-side" aria-label="List {side.where}"><p class="er-eyebrow">'
        f"List {side.where}</p><h3>{side.words[:1].upper() + side.words[1:]}</h3>"
        f'<p class="er-code">{_text(info.data_name)}{until}{which}</p><ol class="er-ranked">{rows}</ol></section>'
    )


def _entry(row: Mapping[Any, Any], side: Side, elsewhere: list[str], where: str, bought: Collection[str]) -> str:
    product = str(row[PRODUCT])
    title = side.shop.titles.get(product)
    if product in elsewhere:
        there = elsewhere.index(product) + 1
        tag = f'<span class="er-tag">{"same place" if there == row[RANK] else f"{there} on {where}"}</span>'
    else:
        tag = '<span class="er-tag er-only">only here</span>'
    again = '<span class="er-tag">bought before</span>' if product in bought else ""
    details = [product] if title else []
    if (category := known(row[CATEGORY])) is not None:
        details.append(str(category))
    below = f'<span class="er-code" dir="auto">{_text(" · ".join(details))}</span>' if details else ""
    return (
        f'<li><span class="er-rank">{row[RANK]}</span><div><span class="er-name" dir="auto">'
        f"{_text(title or product)}</span> {tag} {again}{below}"
        f'<span class="er-why">{_text(row[REASON])}</span></div></li>'
    )


def measured(left: Recommender, right: Recommender) -> str:
    """Say which of two was better in the test, or why nobody knows."""
    if left.manifest.data["fingerprint"] != right.manifest.data["fingerprint"] or (
        left.manifest.split != right.manifest.split
    ):
        return "Which is better? The two were tested on different purchases, so their figures cannot be compared."
    ours = _tested(left)
    theirs = _tested(right)
    if not ours or not theirs:
        missing = model_words((right if ours else left).info.model)
        return (
            f"Which is better? Nobody has measured {missing} on this shop’s test period yet; your data team can, "
            "with <code>scripts/compare.py</code>."
        )
    word = tip("quality of the list", QUALITY_MEANS)
    figures = (
        f"of 100 customers, {buyers(ours)} bought something from the ten products of A and {buyers(theirs)} from "
        f"those of B; {word} {ours[QUALITY]['value']:.3f} against {theirs[QUALITY]['value']:.3f} "
        f"({ours[QUALITY]['n']:,} customers)"
    )
    judged = judge(ours, theirs, "A was clearly better", "B was clearly better", _ALIKE)
    return f"In the test {judged}: {figures}."


def _tested(shop: Recommender) -> dict[str, Any]:
    """Test figures of what a shop answers with; empty where it was not measured.

    A rule stands in for the bundle's own model, and its figures are in the same manifest.
    """
    figures: dict[str, Any] = shop.manifest.metrics.get(shop.info.model, {}).get("test", {}).get("all", {})
    return figures if figures.get(QUALITY, {}).get("value") is not None else {}
