"""The customers most likely to buy a product, or any of several: who, how likely, and why, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from embedrec.columns import CUSTOMER, RANK, REASON
from embedrec.evaluation.calibration import PurchaseProbability
from embedrec.evaluation.likelihood import HALF_LIFE, Likelihood, Progress
from embedrec.features import DAY, Snapshot
from embedrec.features.history import NEVER, Bools, Floats, Ints
from embedrec.serving.reasons import sentence

PROBABILITY, LAST_PURCHASE, BOUGHT_BEFORE = "probability", "last_purchase", "bought_before"
AUDIENCE = (RANK, CUSTOMER, PROBABILITY, LAST_PURCHASE, BOUGHT_BEFORE, REASON)
CUSTOMERS, LEFT_OUT, EXPECTED, DAYS, PRODUCTS = "customers", "left_out", "expected_buyers", "days", "products"
AT_ONCE = 64  # products scored at once for everybody; bounds the memory
OFTEN = 3  # purchases from a category that are called often
BUSY = 0.75  # share of customers who shop less than one who shops often


def rank_customers(
    likelihood: Likelihood, items: Ints, chance: PurchaseProbability | None, progress: Progress | None = None
) -> tuple[Ints, Floats]:
    """Return places of customers in `likelihood.users`, the likeliest first, and their probabilities [B].

    Of several products somebody buys any with the probability 1 - exp(-Σ p), p being that of each alone; without a map
    to probabilities these are NaN. Equals come in the order of their ids.
    """
    total, expected = np.zeros(len(likelihood.users)), np.zeros(len(likelihood.users))
    for start in range(0, len(items), AT_ONCE):
        of_each = likelihood.of(items[start : start + AT_ONCE])
        total += of_each.sum(1)
        expected += np.nan if chance is None else chance(of_each).sum(1)
        if progress:
            progress(min(start + AT_ONCE, len(items)), len(items))
    probability = expected if len(items) == 1 else -np.expm1(-expected)
    return np.lexsort((-total, -probability)), probability


def recent_buyers(snapshot: Snapshot, wanted: Bools, days: int) -> Ints:
    """Return users who bought one of the wanted[N] products within so many days before the date."""
    history = snapshot.history
    recent = (history.times >= snapshot.as_of - days * DAY) & (history.times < snapshot.as_of)
    return np.unique(history.users[recent & wanted[history.items]])


def audience_table(
    snapshot: Snapshot, users: Ints, probability: Floats, wanted: Bools, dated: bool, several: bool
) -> pd.DataFrame:
    """Describe users[n], the likeliest first; wanted[N] are the products of the audience."""
    history = snapshot.history
    lines = history.lines(users, NEVER, snapshot.as_of)
    rows, items = lines.rows, history.items[lines.values]
    asked = wanted[items]
    bought = np.bincount(rows[asked], minlength=len(users))
    last = np.full((2, len(users)), NEVER)
    np.maximum.at(last[0], rows, history.times[lines.values])
    np.maximum.at(last[1], rows[asked], history.times[lines.values][asked])
    return pd.DataFrame(
        {
            RANK: np.arange(1, len(users) + 1),
            CUSTOMER: history.customer_ids[users].to_numpy(object),
            PROBABILITY: probability,
            LAST_PURCHASE: pd.Series(_dates(last[0]) if dated else [None] * len(users), dtype="object"),
            BOUGHT_BEFORE: bought,
            REASON: pd.Series(
                _reasons(snapshot, users, wanted, bought, last[1], dated, "from these" if several else "it"),
                dtype="object",
            ),
        }
    )[list(AUDIENCE)]


def _dates(times: Ints) -> list[date]:
    days: list[date] = times.astype("datetime64[s]").astype("datetime64[D]").tolist()
    return days


def _reasons(
    snapshot: Snapshot, users: Ints, wanted: Bools, bought: Ints, last: Ints, dated: bool, it: str
) -> Sequence[str]:
    """[n]: that they bought it before, else that they buy from its category, else how much they shop."""
    categories = _category_purchases(snapshot, users, wanted)
    busy, days, words = _busy(snapshot, users), _dates(last), []
    for place, times in enumerate(bought):
        name, count = categories[place]
        if times:
            often = f"{times} times" if times > 1 else "once"
            day = days[place]
            words.append(f"bought {it} {often}" + (f", last on {day.day} {day:%b %Y}" if dated else ""))
        elif count:
            words.append(f"buys often from {name}" if count >= OFTEN else f"bought from {name} before")
        else:
            words.append("shops often" if busy[place] else "shops from time to time")
    return [sentence([one]) for one in words]


def _category_purchases(snapshot: Snapshot, users: Ints, wanted: Bools) -> list[tuple[str, int]]:
    """[n]: of the categories of wanted[N], the one that each customer bought from most, and how often; ("", 0)."""
    names = snapshot.encoder.catalogue.category
    codes, distinct = pd.factorize(pd.Series(names, dtype="object"))  # -1 = none
    of_wanted = np.zeros(len(distinct) + 1, np.bool_)
    of_wanted[codes[wanted]] = True
    of_wanted[-1] = False
    lines = snapshot.history.lines(users, NEVER, snapshot.as_of)
    category = codes[snapshot.history.items[lines.values]]
    here = of_wanted[category]
    pair, counts = np.unique(lines.rows[here] * (len(distinct) + 1) + category[here], return_counts=True)
    found = [("", 0)] * len(users)
    for one in np.argsort(counts, kind="stable"):  # the last, with the most, stays
        row, code = divmod(int(pair[one]), len(distinct) + 1)
        found[row] = (str(distinct[code]), int(counts[one]))
    return found


def _busy(snapshot: Snapshot, users: Ints) -> Bools:
    """[n]: they shop more of late than three of four customers."""
    history = snapshot.history
    past = history.times < snapshot.as_of
    worth = np.exp2(-(snapshot.as_of - history.times[past]) / DAY / HALF_LIFE)
    lately = np.bincount(history.users[past], worth, minlength=history.n_users)
    return np.asarray(lately[users] > np.quantile(lately[lately > 0], BUSY) if past.any() else users < 0)
