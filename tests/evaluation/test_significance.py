"""Paired tests against scipy, Holm's correction on a worked example, and the empty cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.significance import against, holm, wilcoxon


def test_holm_by_hand() -> None:
    """.01 · 4, .02 · 3, .03 · 2 and .035 · 1; the last two may not fall below .06."""
    assert holm([0.03, 0.01, 0.035, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([0.04]) == pytest.approx([0.04])
    assert holm([]).shape == (0,)


def test_holm_leaves_out_what_was_not_tested() -> None:
    np.testing.assert_allclose(holm([np.nan, 0.02, 0.01]), [np.nan, 0.02, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_holm_rejects_step_by_step(p_values: list[float], level: float) -> None:
    """The procedure as Holm wrote it: go up while p(i) ≤ level / (m − i + 1), stop at the first that is not."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    rejected = set()
    for step, place in enumerate(order):
        if p_values[place] * (len(p_values) - step) > level:
            break
        rejected.add(place)
    assert set(np.flatnonzero(holm(p_values) <= level)) == rejected


def gaps(n: int, mean: float, zeros: int = 0, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(mean, 1, n)
    values[:zeros] = 0
    return values


def test_wilcoxon_counts_signs_of_ranks() -> None:
    """Without zeros and ties against the exact null distribution, which 60 pairs come close to."""
    values = gaps(60, 0.3)
    assert wilcoxon(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, abs=0.005)


def test_zeros_are_ranked_and_dropped() -> None:
    """Pratt's statistic by hand: zeros take the lowest ranks and stay out of the sum."""
    values = gaps(100, 0.4, zeros=70)
    ranks = stats.rankdata(np.abs(values))
    positive = ranks[values > 0].sum()
    n, zeros = 100, 70
    mean = (n * (n + 1) - zeros * (zeros + 1)) / 4
    variance = (n * (n + 1) * (2 * n + 1) - zeros * (zeros + 1) * (2 * zeros + 1)) / 24
    z = (positive - mean) / np.sqrt(variance)
    assert wilcoxon(values) == pytest.approx(2 * stats.norm.sf(abs(z)))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_pairs_do_not_warn(n: int) -> None:
    assert 0 < wilcoxon(np.full(n, 0.1)) <= 1


def test_nothing_differs() -> None:
    assert wilcoxon(np.zeros(30)) == 1.0
    assert np.isnan(wilcoxon(np.array([np.nan])))
    found = against(np.ones(30), {"same": np.ones(30)}, seed=0)["same"]
    assert found == {
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "n": 30,
        "p_bootstrap": 1.0,
        "p_wilcoxon": 1.0,
        "holm_bootstrap": 1.0,
        "holm_wilcoxon": 1.0,
    }


def test_several_models() -> None:
    rival = np.random.default_rng(9).random(400)
    models = {"better": rival + gaps(400, 0.5), "same": rival + gaps(400, 0, seed=1), "odd": rival + gaps(400, 0.1)}
    models["better"][:3] = np.nan
    found = against(rival, models, seed=4)
    assert list(found) == list(models)
    for name, values in models.items():
        gap = paired_difference(values, rival, seed=4)
        row = found[name]
        assert (row["difference"], row["low"], row["high"], row["n"]) == gap[:3] + gap[4:]
        assert row["p_bootstrap"] == gap.p_value
    for test in ("bootstrap", "wilcoxon"):
        raw = [row[f"p_{test}"] for row in found.values()]
        assert [row[f"holm_{test}"] for row in found.values()] == pytest.approx(holm(raw).tolist())
    assert found["better"]["n"] == 397
    assert found["better"]["holm_wilcoxon"] < 0.001 < 0.05 < found["same"]["holm_wilcoxon"]
    assert json.loads(json.dumps(found)) == found


def test_one_customer_is_no_evidence_and_json_has_no_nan() -> None:
    models = {"one": [0.9, np.nan, np.nan], "three": [0.9, 0.1, 0.3]}
    found = against([0.1, 0.2, 0.3], models, seed=0)
    one = found["one"]
    assert (one["difference"], one["n"]) == (pytest.approx(0.8), 1)
    assert [one[name] for name in ("low", "high", "p_bootstrap", "holm_bootstrap")] == [None] * 4
    assert found["three"]["holm_bootstrap"] == found["three"]["p_bootstrap"], "the only test of its family"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_nobody_to_compare() -> None:
    found = against([], {"a": []}, seed=0)["a"]
    assert found.pop("n") == 0
    assert set(found.values()) == {None}
    assert against(np.ones(3), {}, seed=0) == {}
