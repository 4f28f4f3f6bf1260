"""How likely somebody buys a suggestion: in words, and as so many in 100."""

from __future__ import annotations

STEPS = ((2.0, "strong"), (1.0, "good"), (0.5, "fair"), (0.0, "faint"))
"""Least lift over the chance of a usual suggestion of the shop, and what it is called."""


def in_words(chance: float, usual: float | None) -> str:
    """Return the word for a chance beside the shop's `usual` one; empty where that is not known."""
    return "" if not usual else next(word for least, word in STEPS if chance >= least * usual)


def as_odds(chance: float) -> str:
    """Write a chance as people count; nothing is certain.

    >>> as_odds(0.3124), as_odds(0.0312), as_odds(0.0042), as_odds(0.00001), as_odds(1.0)
    ('31 in 100', '3 in 100', '4 in 1,000', 'under 1 in 1,000', 'over 99 in 100')
    """
    if chance >= 0.995:
        return "over 99 in 100"
    if chance >= 0.00995:
        return f"{100 * chance:.0f} in 100"
    return f"{1000 * chance:.0f} in 1,000" if chance >= 0.0005 else "under 1 in 1,000"


def meaning(days: int | None, usual: float | None) -> str:
    """Say in a sentence what the column means."""
    within = f" within {days} days" if days else ""
    told = f"Chance: how many of 100 such suggestions are bought{within}, as measured on purchases held back for it."
    if not usual:
        return told
    return (
        f"{told} Strong is at least twice the usual suggestion of this shop ({as_odds(usual)}), good at least as much, "
        "fair at least half, faint less."
    )
