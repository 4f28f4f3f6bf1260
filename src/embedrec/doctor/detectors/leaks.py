"""Columns that know the future: their values go with what was bought after the cut, beyond what went before tells.

For a column x over products (or customers), with purchases b before the cut and a after it, the partial rank
correlation  r(x, a | b) = (r_xa − r_xb r_ab) / √((1 − r_xb²)(1 − r_ab²))  of Spearman's r. An honest attribute drives
past and future sales alike, so that the past explains what it has in common with the future: prices and ratings stay
below .1. A count over the whole period holds the future itself: .72 to .80 on four public sets.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from embedrec.columns import (
    CUSTOMER,
    DETAILS,
    INTERACTIONS,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    RATING,
    RATING_COUNT,
    TIME_SPENT,
)
from embedrec.features import Catalogue, History
from embedrec.features.history import Floats
from embedrec.report import Finding
from embedrec.splits import Split
from embedrec.tables import Tables

LEAKS = 0.3
"""Partial correlation from which a column knows the future; three times what honest ones reach."""
CHANCE = 4.0  # standard errors, 1 / √n, that it must lie above zero as well
COUNTS = 0.8  # rank correlation with the purchases of the whole period, from which it is called their count
DATES_FIRST = 0.95  # rank correlation with the moment of the first purchase, from which it is called that moment
FEWEST = 50  # values


def leaks(tables: Tables, history: History, catalogue: Catalogue, split: Split) -> list[Finding]:
    """Name the columns, used or not, that tell of purchases after the cut."""
    past = history.times < split.test_from
    found: list[Finding] = []
    for kind, numbers, size, columns in (
        (PRODUCT, history.items, history.n_items, _product_columns(tables, history, catalogue)),
        (CUSTOMER, history.users, history.n_users, _customer_columns(tables, history)),
    ):
        before, after = (np.bincount(numbers[some], minlength=size).astype(float) for some in (past, ~past))
        first = np.full(size, np.inf)
        np.minimum.at(first, numbers, history.times)
        for name, values, used in columns:
            finding = _judge(f"{name} of {kind.removesuffix('_id')}s", values, before, after, used)
            found += [finding] if finding else _first_purchase(name, kind, values, first, split, used)
    return found


def partial_correlation(x: Floats, y: Floats, given: Floats) -> float:
    """Rank correlation of x[n] and y[n] beyond what given[n] has in common with both; 0 where one is constant."""
    xy, xb, yb = (_rank_correlation(*pair) for pair in ((x, y), (x, given), (y, given)))
    unexplained = (1 - xb**2) * (1 - yb**2)
    return (xy - xb * yb) / float(np.sqrt(unexplained)) if unexplained > 1e-12 else 0.0


def _judge(name: str, values: Floats, before: Floats, after: Floats, used: bool) -> Finding | None:
    known = ~np.isnan(values)
    if known.sum() < FEWEST:
        return None
    beyond = partial_correlation(values[known], after[known], before[known])
    if beyond < max(LEAKS, CHANCE / np.sqrt(known.sum())):
        return None
    whole = _rank_correlation(values[known], (before + after)[known])
    counts = f"it counts the whole period (rank correlation {whole:.2f})" if whole > COUNTS else "it knows the future"
    sentence = (
        f"{name} tells of purchases after the cut what those before it do not (partial rank correlation {beyond:.2f}): "
        f"{counts}; {_mend(used)}"
    )
    return Finding("stop" if used else "warn", sentence, {"partial": round(beyond, 4), "whole": round(whole, 4)})


def _first_purchase(name: str, kind: str, values: Floats, first: Floats, split: Split, used: bool) -> list[Finding]:
    """Recognise a column that says when each product or customer was first seen buying."""
    known = ~np.isnan(values) & np.isfinite(first)
    later = known & (first >= split.test_from)
    if not split.dated or known.sum() < FEWEST or not later.any():
        return []
    alike = _rank_correlation(values[known], first[known])
    if alike < DATES_FIRST:
        return []
    kind = kind.removesuffix("_id")
    sentence = (
        f"{name} of {kind}s is when each was first bought (rank correlation {alike:.2f}): for {later.sum():,} {kind}s "
        f"that lies after the cut; {_mend(used)}"
    )
    return [Finding("stop" if used else "warn", sentence, {"first": round(alike, 4), "later": int(later.sum())})]


def _mend(used: bool) -> str:
    return "leave it out with data.columns" if used else "no model reads it; keep it so"


def _rank_correlation(x: Floats, y: Floats) -> float:
    ranks = [np.asarray(pd.Series(one).rank(), np.float64) for one in (x, y)]
    return float(np.corrcoef(np.stack(ranks))[0, 1]) if all(one.max() > one.min() for one in ranks) else 0.0


def _product_columns(tables: Tables, history: History, catalogue: Catalogue) -> Iterator[tuple[str, Floats, bool]]:
    """Give each column's name, values[N], and whether models read it."""
    yield from ((PRICE, catalogue.price, True), (RATING, catalogue.rating, True))
    yield RATING_COUNT, catalogue.rating_count, True
    yield from _unused(tables, DETAILS, history.product_ids)


def _customer_columns(tables: Tables, history: History) -> Iterator[tuple[str, Floats, bool]]:
    yield from ((PAGE_VIEWS, history.total_views, True), (TIME_SPENT, history.total_time, True))
    yield from _unused(tables, INTERACTIONS, history.customer_ids)


def _unused(tables: Tables, table: str, ids: pd.Index) -> Iterator[tuple[str, Floats, bool]]:
    columns = tables.unused.get(table, pd.DataFrame()).reindex(ids)
    for name in columns:
        yield str(name), columns[name].to_numpy(np.float64), False
