"""Columns that know the future: they count later purchases, date the first one, or average later ratings.

For a column x over products (or customers), with purchases b before the cut and a after it, the partial rank
correlation  r(x, a | b) = (r_xa − r_xb r_ab) / √((1 − r_xb²)(1 − r_ab²))  of Spearman's r. An honest attribute drives
past and future sales alike, so that the past explains what it has in common with the future: prices, ratings and
review counts of five sets stay below .1. A count over the whole period holds the future itself: .72 to .80 on three.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from embedrec.doctor.measured import Column, columns_of
from embedrec.features import Catalogue, History
from embedrec.features.history import Bools, Floats, Ints
from embedrec.report import Finding, Severity, percent
from embedrec.splits import Split
from embedrec.tables import Tables

KNOWS = 0.3
"""Partial correlation from which a column knows the future; three times what honest ones reach."""
CHANCE = 4.0  # standard errors, 1 / √n, that it must lie above zero as well
COUNTS = 0.8  # rank correlation with the purchases of the whole period, from which it is called their count
DATES_FIRST = 0.95  # rank correlation with the moment of the first purchase, from which it is called that moment
AVERAGES = 0.8  # share of the products whose value is the mean of all ratings, from which it is called that mean
ROUNDED = 0.05  # stars: a mean rounded to one decimal is no further off
FEWEST = 50  # values


def leaks(tables: Tables, history: History, catalogue: Catalogue, split: Split) -> list[Finding]:
    """Name the columns, used or not, that know what happened after the cut; at most one finding each."""
    rules: list[Callable[[Column, History, Split], Finding | None]] = [counts_later, dates_first, averages_later]
    found = []
    for column in columns_of(tables, history, catalogue):
        if np.count_nonzero(~np.isnan(column.values)) >= FEWEST:
            said = (rule(column, history, split) for rule in rules)
            found += [one for one in said if one is not None][:1]
    return found


def counts_later(column: Column, history: History, split: Split) -> Finding | None:
    """Recognise what goes with purchases after the cut beyond what those before it explain."""
    known = ~np.isnan(column.values)
    numbers, past = _numbers(column, history), history.times < split.test_from
    before, after = (np.bincount(numbers[some], minlength=len(known))[known] for some in (past, ~past))
    values = column.values[known]
    beyond = partial_correlation(values, after, before)
    if beyond < max(KNOWS, CHANCE / np.sqrt(len(values))):
        return None
    whole = rank_correlation(values, before + after)
    what = f"it counts the whole period (rank correlation {whole:.2f})" if whole > COUNTS else "it was measured later"
    sentence = (
        f"{column.called} knows what is bought after the cut, beyond what past purchases tell (partial rank "
        f"correlation {beyond:.2f}): {what}; {_mend(column)}"
    )
    return Finding(_severity(column), sentence, {"partial": round(beyond, 4), "whole": round(whole, 4)})


def dates_first(column: Column, history: History, split: Split) -> Finding | None:
    """Recognise the moment of the first purchase, which for some lies after the cut."""
    first = np.full(len(column.values), np.inf)
    np.minimum.at(first, _numbers(column, history), history.times)
    known = ~np.isnan(column.values) & np.isfinite(first)
    later = int((known & (first >= split.test_from)).sum())
    if not split.dated or known.sum() < FEWEST or not later:
        return None
    alike = rank_correlation(column.values[known], first[known])
    if alike < DATES_FIRST:
        return None
    sentence = (
        f"{column.called} is when each {column.of} was first bought (rank correlation {alike:.2f}), for {later:,} of "
        f"them after the cut; {_mend(column)}"
    )
    if column.of == "customer":
        sentence = sentence.replace("was first bought", "first bought")
    return Finding(_severity(column), sentence, {"first": round(alike, 4), "later": later})


def averages_later(column: Column, history: History, split: Split) -> Finding | None:
    """Recognise a product's mean of all ratings that customers gave, those after the cut among them."""
    rated = ~np.isnan(history.stars)
    if column.of != "product" or not rated.any():
        return None
    past = rated & (history.times < split.test_from)
    later = np.bincount(history.items[rated & ~past], minlength=history.n_items) > 0
    whole, before = (_means(history, some) for some in (rated, past))
    telling = later & ~np.isnan(column.values) & ~(np.abs(whole - before) <= ROUNDED)  # the two differ
    if telling.sum() < FEWEST:
        return None
    share = float((np.abs(column.values - whole)[telling] <= ROUNDED).mean())
    if share < AVERAGES:
        return None
    sentence = (
        f"{column.called} is the mean of what customers gave, after the cut too: so for {percent(share)} of the "
        f"products whose mean changed with it; {_mend(column)}"
    )
    return Finding(_severity(column), sentence, {"share": round(share, 4)})


def partial_correlation(x: Floats | Ints, y: Floats | Ints, given: Floats | Ints) -> float:
    """Rank correlation of x[n] and y[n] beyond what given[n] has in common with both; 0 where one is constant."""
    xy, xb, yb = (rank_correlation(*pair) for pair in ((x, y), (x, given), (y, given)))
    unexplained = (1 - xb**2) * (1 - yb**2)
    return (xy - xb * yb) / float(np.sqrt(unexplained)) if unexplained > 1e-12 else 0.0


def rank_correlation(x: Floats | Ints, y: Floats | Ints) -> float:
    """Spearman's correlation of x[n] and y[n], ties at their mean rank; 0 where one is constant."""
    ranks = pd.Series(x).rank(), pd.Series(y).rank()
    return float(ranks[0].corr(ranks[1])) if all(one.nunique() > 1 for one in ranks) else 0.0


def _numbers(column: Column, history: History) -> Ints:
    return history.items if column.of == "product" else history.users


def _means(history: History, some: Bools) -> Floats:
    """[N]: mean of some ratings by product, NaN where there is none."""
    count, total = (np.bincount(history.items[some], of, history.n_items) for of in (None, history.stars[some]))
    means: Floats = np.divide(total, count, out=np.full(history.n_items, np.nan), where=count > 0)
    return means


def _severity(column: Column) -> Severity:
    return "stop" if column.used else "warn"


def _mend(column: Column) -> str:
    return f"leave it out with data.columns.{column.name}=-" if column.used else "no model reads it: keep it so"
