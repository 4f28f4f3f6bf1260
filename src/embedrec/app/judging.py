"""Which of two tested models is better, in words: figures are those of `metrics.json`, for one view of the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HITS, QUALITY = "hit_rate@10", "ndcg@10"
QUALITY_MEANS = (
    "how well the ten places are used, 0 to 1: a product that the customer then bought counts, and the higher it "
    "stands the more it counts; also called NDCG@10"
)


def judge(ours: Mapping[str, Any], theirs: Mapping[str, Any], better: str, worse: str, alike: str) -> str:
    """Return `better` or `worse` where the intervals of the two do not overlap, else `alike`."""
    if ours[QUALITY]["low"] > theirs[QUALITY]["high"]:
        return better
    return worse if theirs[QUALITY]["low"] > ours[QUALITY]["high"] else alike


def buyers(figures: Mapping[str, Any]) -> str:
    """Of 100 customers, those who bought something from their list."""
    return f"{100 * figures[HITS]['value']:.0f}"
