"""Whether models differ from one rival beyond chance: two paired tests, corrected for how many models were tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.summary import finite
from embedrec.features.history import Floats


def against(rival: ArrayLike, models: Mapping[str, ArrayLike], seed: int) -> dict[str, dict[str, float | int | None]]:
    """Compare each of `models` with the rival, all float[n] by customer in one order: one view, one family of tests.

    Returns for each model, null where no customer is known to both sides, and for the bootstrap where only one is:

        difference, low, high, n           mean of model − rival, its 95 % interval by paired bootstrap, and the pairs
        p_bootstrap, p_wilcoxon            two-sided, uncorrected
        holm_bootstrap, holm_wilcoxon      corrected over the models given
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, values in models.items():
        gap = paired_difference(values, rival, seed)
        rows[name] = {
            "difference": finite(gap.mean),
            "low": finite(gap.low),
            "high": finite(gap.high),
            "n": gap.n,
            "p_bootstrap": gap.p_value,
            "p_wilcoxon": wilcoxon(np.asarray(values, dtype=np.float64) - np.asarray(rival, dtype=np.float64)),
        }
    for test in ("bootstrap", "wilcoxon"):
        corrected = holm([row[f"p_{test}"] for row in rows.values()])
        for row, p_value in zip(rows.values(), corrected, strict=True):
            row[f"p_{test}"] = finite(row[f"p_{test}"])
            row[f"holm_{test}"] = finite(p_value)
    return rows


def wilcoxon(gaps: Floats) -> float:
    """Two-sided p of the signed-rank test on gaps[n] by the normal approximation; NaN gaps are left out.

    Zeros, the customers whom both sides serve alike, are ranked and then dropped (Pratt, "Remarks on zeros and ties in
    the Wilcoxon signed rank procedures", JASA 1959). Nothing but zeros is 1, nothing at all NaN.
    """
    from scipy import stats

    known = gaps[~np.isnan(gaps)]
    if not known.any():
        return 1.0 if len(known) else float("nan")
    return float(stats.wilcoxon(known, zero_method="pratt", method="approx").pvalue)


def holm(p_values: ArrayLike) -> Floats:
    """Correct m p-values for the family they belong to, so that one false alarm in it stays as rare as one test's.

    The i-th smallest is multiplied by m − i + 1, is at least the one before it and at most 1. NaN is no test and stays.
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
    """
    corrected = np.array(p_values, dtype=np.float64)
    tests = np.flatnonzero(~np.isnan(corrected))
    order = tests[np.argsort(corrected[tests], kind="stable")]
    steps = corrected[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
