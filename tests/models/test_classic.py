"""Models that count, against loops over dictionaries; ties and purchases of long ago included."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from embedrec.columns import CATEGORY, CUSTOMER, PRODUCT
from embedrec.features import DAY, FeatureEncoder, Snapshot
from embedrec.models import PopularityRecentConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig
from embedrec.models.classic.random import RandomConfig
from embedrec.tables import Tables
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, small_shop, tables_of

quick = settings(max_examples=25)
Counts = dict[int, int]


def snapshot_of(tables: Tables, now: int) -> Snapshot:
    return FeatureEncoder.fit(*history_of(tables), now).at(now)


def bought(*rows: tuple[str, str, float]) -> Tables:
    """A shop of purchases by hand, with a product Z that is listed and never sold."""
    listed = frame(PRODUCT_COLUMNS, {PRODUCT: ["Z"], CATEGORY: [None]})
    return tables_of(frame(CUSTOMER_COLUMNS, {CUSTOMER: []}), listed, lines(*rows))


def past(snapshot: Snapshot) -> list[tuple[int, int, int]]:
    history = snapshot.history
    rows = zip(history.users.tolist(), history.items.tolist(), history.times.tolist(), strict=True)
    return [row for row in rows if row[2] < snapshot.as_of]


def buyers(snapshot: Snapshot, days: float) -> Counts:
    """Product → distinct customers within the last days."""
    found = defaultdict(set)
    for user, item, time in past(snapshot):
        if time >= snapshot.as_of - days * DAY:
            found[item].add(user)
    return {item: len(found[item]) for item in range(snapshot.history.n_items)}


def by_popularity(snapshot: Snapshot, days: float) -> list[int]:
    recent, ever = buyers(snapshot, days), buyers(snapshot, np.inf)
    return sorted(recent, key=lambda item: (-recent[item], -ever[item], item))


def personal_frequency(snapshot: Snapshot, user: int, half_life: float) -> list[float]:
    """Own decayed counts and a millionth of this month's customers; their ties by all-time customers."""
    recent, ever = buyers(snapshot, 28), buyers(snapshot, np.inf)
    most = max(ever.values())
    score = [1e-6 * (recent[item] + ever[item] / (most + 1)) for item in range(snapshot.history.n_items)]
    for buyer, item, time in past(snapshot):
        if buyer == user:
            score[item] += 0.5 ** ((snapshot.as_of - time) / DAY / half_life)
    return score


def ranking(scores: torch.Tensor) -> list[int]:
    return np.lexsort((np.arange(len(scores)), -scores.numpy())).tolist()


@quick
@given(st.integers(0, 50), st.integers(20, 310), st.integers(5, 40))
def test_popularity_ever(seed: int, day: int, products: int) -> None:
    snapshot = snapshot_of(small_shop(seed, products=products), at_day(day))
    scores = PopularityConfig().build(snapshot.encoder.schema).fit(snapshot).score(np.array([0, 3]))
    assert torch.equal(scores[0], scores[1])
    expected = buyers(snapshot, np.inf)
    assert scores[0].tolist() == [expected[item] for item in range(len(expected))]


@quick
@given(st.integers(0, 50), st.integers(20, 310), st.integers(1, 60))
def test_popularity_of_late_with_ties_by_all_time(seed: int, day: int, days: int) -> None:
    snapshot = snapshot_of(small_shop(seed), at_day(day))
    scores = PopularityRecentConfig(days=days).build(snapshot.encoder.schema).fit(snapshot).score(np.array([0]))
    assert ranking(scores[0]) == by_popularity(snapshot, days)
    assert torch.floor(scores[0]).tolist() == list(buyers(snapshot, days).values())


def test_the_window_of_popularity_by_hand() -> None:
    snapshot = snapshot_of(
        bought(("Ann", "A", 71.9), ("Bob", "A", 60), ("Ann", "B", 72), ("Ann", "B", 80), ("Bob", "C", 100)), at_day(100)
    )
    scores = PopularityRecentConfig(days=28).build(snapshot.encoder.schema).fit(snapshot).score(np.array([0]))
    # A: sold earlier to both; B: on the first day of the window and again, to one; C: at the date itself; Z: never
    np.testing.assert_allclose(scores[0], [0 + 2 / 3, 1 + 1 / 3, 0, 0])


@quick
@given(st.integers(0, 50), st.integers(20, 310), st.sampled_from([0.5, 7.0, 60.0, 36500.0]))
def test_personal_frequency(seed: int, day: int, half_life: float) -> None:
    snapshot = snapshot_of(small_shop(seed, customers=15, products=20), at_day(day))
    model = PersonalFrequencyConfig(half_life=half_life).build(snapshot.encoder.schema).fit(snapshot)
    users = np.arange(snapshot.history.n_users)
    for user, scores in zip(users, model.score(users), strict=True):
        np.testing.assert_allclose(scores, personal_frequency(snapshot, user, half_life), rtol=1e-9)


def test_ties_among_own_products_go_to_what_sells() -> None:
    """Ann's basket of ten is bought in one go; how many others bought each lately decides, to the last customer."""
    basket = [("Ann", f"P{i}", 90) for i in range(10)]
    others = [(f"C{c:03d}", f"P{i}", 95) for i in range(10) for c in range(100 + i)]
    snapshot = snapshot_of(bought(*basket, *others), at_day(100))
    for half_life in (0.5, 60.0, 36500.0):
        model = PersonalFrequencyConfig(half_life=half_life).build(snapshot.encoder.schema).fit(snapshot)
        assert ranking(model.score(np.array([0]))[0])[:10] == list(range(9, -1, -1))


def test_twice_a_half_life_ago_is_once_now() -> None:
    rows = [("Ann", "A", 40), ("Ann", "A", 40), ("Ann", "B", 100), ("Bob", "A", 99), ("Cid", "C", 99), ("Dan", "C", 98)]
    snapshot = snapshot_of(bought(*rows), at_day(100) + 1)
    model = PersonalFrequencyConfig(half_life=60.0).build(snapshot.encoder.schema).fit(snapshot)
    scores = model.score(np.array([0]))[0]
    assert scores[0] - scores[1] == pytest.approx(1e-6 / 3)  # but for one customer more who ever bought A
    assert ranking(scores)[:2] == [0, 1]
    assert ranking(scores)[2:] == [2, 3]


@pytest.mark.parametrize("half_life", [0.5, 60.0, 365.0])
def test_what_sells_this_month_overtakes_a_single_purchase_of_long_ago(half_life: float) -> None:
    """Fifty buyers weigh 50 millionths, as much as one own purchase 14.3 half-lives ago."""
    now = 20 * half_life + 30
    lately = [(f"C{c:02d}", "B", now - 1) for c in range(50)]
    for half_lives, expected in ((14.0, ["A", "B"]), (14.6, ["B", "A"]), (19.0, ["B", "A"])):
        snapshot = snapshot_of(bought(("Ann", "A", now - half_lives * half_life), *lately), at_day(now))
        model = PersonalFrequencyConfig(half_life=half_life).build(snapshot.encoder.schema).fit(snapshot)
        scores = model.score(np.array([0]))[0]
        assert [snapshot.history.product_ids[item] for item in ranking(scores)[:2]] == expected


def test_random_gives_each_customer_their_own_order() -> None:
    snapshot = snapshot_of(small_shop(0), at_day(200))
    users = np.arange(40)
    scores = RandomConfig(seed=1).build(snapshot.encoder.schema).fit(snapshot).score(users)
    assert len({tuple(ranking(row)) for row in scores}) == 40
    assert abs(float(scores.mean()) - 0.5) < 0.03
    assert not torch.equal(scores, RandomConfig(seed=2).build(snapshot.encoder.schema).fit(snapshot).score(users))


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (RandomConfig, {"seed": -1}),
        (PopularityRecentConfig, {"days": 0}),
        (PopularityRecentConfig, {"days": 1.5}),
        (PersonalFrequencyConfig, {"half_life": 0.0}),
        (PersonalFrequencyConfig, {"half_life": float("nan")}),
        (PopularityConfig, {"days": 3}),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(config: type, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)
