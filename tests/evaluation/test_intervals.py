"""Bootstrap intervals against scipy's, on missing values, and in the empty cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from embedrec.evaluation import intervals
from embedrec.evaluation.intervals import RESAMPLES, bootstrap_means, bootstrap_ratios, paired_difference


def skewed(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.4, 1.2, size=n)


def test_agrees_with_scipy() -> None:
    values = skewed(300)
    peer = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    mean, low, high = bootstrap_means(values[:, None], seed=2, resamples=20_000)
    # Monte-Carlo error of a 2.5 % quantile of 20,000 normal draws, twice (both sides are drawn), four sigma.
    error = np.sqrt(2 * 0.025 * 0.975 / 20_000) / stats.norm.pdf(1.96) * values.std() / np.sqrt(len(values))
    assert mean[0] == pytest.approx(values.mean())
    assert low[0] == pytest.approx(peer.low, abs=4 * error)
    assert high[0] == pytest.approx(peer.high, abs=4 * error)


def test_covers_the_true_mean_about_as_often_as_it_says() -> None:
    true_mean, inside, trials = 0.4 / 1.6, 0, 200
    for trial in range(trials):
        _, low, high = bootstrap_means(skewed(200, seed=trial)[:, None], seed=trial)
        inside += low[0] <= true_mean <= high[0]
    chance_low, chance_high = stats.binom(trials, 0.94).interval(0.999)
    assert chance_low <= inside <= chance_high


def test_missing_values_are_left_out_by_column() -> None:
    values = skewed(400).reshape(200, 2)
    values[::4, 1] = np.nan
    mean, low, high = bootstrap_means(values, seed=0, resamples=5000)
    kept = values[~np.isnan(values[:, 1]), 1]
    alone = bootstrap_means(kept[:, None], seed=1, resamples=5000)
    spread = kept.std() / np.sqrt(len(kept))
    assert mean == pytest.approx([values[:, 0].mean(), kept.mean()])
    assert [low[1], high[1]] == pytest.approx([alone.low[0], alone.high[0]], abs=0.15 * spread)


def test_a_column_does_not_depend_on_its_neighbours() -> None:
    values = skewed(600).reshape(200, 3)
    together = bootstrap_means(values, seed=5)
    for column in range(3):
        alone = bootstrap_means(values[:, [column]], seed=5)
        assert alone.low[0] == pytest.approx(together.low[column])
        assert alone.high[0] == pytest.approx(together.high[column])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = skewed(90)[:, None]
    whole = bootstrap_means(values, seed=3)
    monkeypatch.setattr(intervals, "_BLOCK_DRAWS", 1000)
    in_blocks = bootstrap_means(values, seed=3)
    np.testing.assert_allclose(np.array(whole), np.array(in_blocks), rtol=1e-12)


def test_same_seed_same_interval_and_another_seed_another() -> None:
    values = skewed(90)[:, None]
    assert bootstrap_means(values, seed=3).low == bootstrap_means(values, seed=3).low
    assert bootstrap_means(values, seed=3).low != bootstrap_means(values, seed=4).low


def test_no_customers_is_nan() -> None:
    assert np.isnan(np.array(bootstrap_means(np.zeros((0, 2)), seed=0))).all()
    difference = paired_difference([], [], seed=0)
    assert np.isnan(difference[:4]).all()
    assert difference.n == 0


def test_a_column_without_values_is_nan_and_the_others_are_not() -> None:
    means = bootstrap_means([[0.5, np.nan], [0.5, np.nan]], seed=0)
    assert np.isnan([part[1] for part in means]).all()
    assert [part[0] for part in means] == [0.5, 0.5, 0.5]


def test_one_pair_is_no_evidence() -> None:
    """Its interval would have no width, and its p-value would be the smallest there is."""
    difference = paired_difference([0.5, np.nan], [0.25, 0.1], seed=0)
    assert (difference.mean, difference.n) == (0.25, 1)
    assert np.isnan(difference[1:4]).all()
    two = paired_difference([0.5, 0.1], [0.25, 0.2], seed=0)
    assert two.low < two.mean < two.high
    assert 0 < two.p_value <= 1


def test_one_value_is_its_own_interval() -> None:
    means = bootstrap_means([[0.3, 0.7], [np.nan, 0.1]], seed=0)
    assert [part[0] for part in means] == [0.3, 0.3, 0.3]


# A ratio of sums


def test_a_customer_is_drawn_with_all_that_belongs_to_it() -> None:
    """Values alike within customers: resampling single values would promise too narrow an interval."""
    random = np.random.default_rng(0)
    level, counts = skewed(150), random.integers(1, 30, size=150)
    ratio, low, high = bootstrap_ratios((level * counts)[:, None], counts[:, None], seed=1, resamples=4000)
    assert ratio[0] == pytest.approx(np.repeat(level, counts).mean())
    replicates = []
    for _ in range(4000):
        drawn = random.integers(0, 150, size=150)
        replicates.append(np.repeat(level[drawn], counts[drawn]).mean())
    assert [low[0], high[0]] == pytest.approx(np.percentile(replicates, [2.5, 97.5]), abs=0.15 * np.std(replicates))
    apart = bootstrap_means(np.repeat(level, counts)[:, None], seed=1)
    assert high[0] - low[0] > 2 * (apart.high[0] - apart.low[0])


def test_equal_weights_make_a_mean() -> None:
    values = skewed(80)[:, None]
    ours = bootstrap_ratios(3 * values, np.full((80, 1), 3), seed=2)
    np.testing.assert_allclose(np.array(ours), np.array(bootstrap_means(values, seed=2)))


def test_no_weight_is_nan() -> None:
    assert np.isnan(np.array(bootstrap_ratios(np.zeros((3, 1)), np.zeros((3, 1)), seed=0))).all()
    assert np.isnan(np.array(bootstrap_ratios(np.zeros((0, 2)), np.zeros((0, 2)), seed=0))).all()


def test_pairs_are_compared_customer_by_customer() -> None:
    base = skewed(300)
    better = base + 0.02 + 0.01 * np.random.default_rng(1).standard_normal(300)
    difference = paired_difference(better, base, seed=0)
    spread = (better - base).std() / np.sqrt(300)
    assert difference.mean == pytest.approx((better - base).mean())
    assert [difference.low, difference.high] == pytest.approx(
        [difference.mean - 1.96 * spread, difference.mean + 1.96 * spread], abs=0.3 * spread
    )
    assert difference.p_value == pytest.approx(2 / (RESAMPLES + 1))
    unpaired = bootstrap_means(np.stack([better, base], axis=1), seed=0)
    assert unpaired.low[0] < unpaired.high[1], "the two intervals overlap, the paired one tells them apart"


def test_swapping_the_sides_mirrors_the_difference() -> None:
    a, b = skewed(150, seed=1), skewed(150, seed=2)
    there, back = paired_difference(a, b, seed=0), paired_difference(b, a, seed=0)
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert there.p_value == back.p_value


def test_equal_sides_differ_by_nothing() -> None:
    assert paired_difference(skewed(50), skewed(50), seed=0) == (0.0, 0.0, 0.0, 1.0, 50)


def test_a_customer_either_side_does_not_know_is_left_out() -> None:
    found = paired_difference([1.0, np.nan, 0.5, 0.25], [0.0, 0.0, np.nan, 0.0], seed=0)
    assert found == paired_difference([1.0, 0.25], [0.0, 0.0], seed=0)
    assert (found.mean, found.n) == (0.625, 2)


def test_pairs_of_different_length_are_our_bug() -> None:
    with pytest.raises(AssertionError, match="not paired"):
        paired_difference([1.0], [1.0, 2.0], seed=0)
