"""Protocols without dates: what is held out, and that made-up times keep it in the future."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from embedrec.columns import CART, CATEGORY, CUSTOMER, EVENT, ORDER, PART, PRODUCT, PURCHASE, QUANTITY, TIME, VIEW
from embedrec.errors import ConfigError, DataError
from embedrec.experiment.reevaluation import reevaluate
from embedrec.experiment.shop import open_shop
from embedrec.features import DAY, FeatureEncoder
from embedrec.splits import Split, SplitConfig, arrange, choose_protocol
from embedrec.tables import DataConfig, Tables
from embedrec.tables.model import PRODUCT_COLUMNS
from runs import SIMPLE, UNTRACKED, train_here
from shops import frame, history_of, lines, small_shop, tables_of, write_shop

PARTS = ("train", "valid", "test")
ROW = "row"
Line = tuple[str, str, int, str]  # customer, product, day or order, kind of event
TWO_PRODUCTS: list[Line] = [("A", "P", 1, PURCHASE), ("A", "Q", 2, PURCHASE)]
TWO_CUSTOMERS: list[Line] = [("A", "P", 1, PURCHASE), ("B", "P", 1, PURCHASE)]

LINES = st.lists(
    st.tuples(
        st.sampled_from("ABCDE"),
        st.sampled_from("PQRSTU"),
        st.integers(0, 8),
        st.sampled_from([PURCHASE, PURCHASE, VIEW, CART]),
    ),
    min_size=4,
    max_size=60,
    unique=True,
)


def tables(rows: list[Line], time: str = "dates", parts: list[str] | None = None) -> Tables:
    """Make tables whose quantity numbers the rows, so that each is known again."""
    more = {} if parts is None else {PART: parts}
    if time == "order":
        more[ORDER] = [moment for _, _, moment, _ in rows]
    events = lines(
        *[(customer, product, moment if time == "dates" else 0) for customer, product, moment, _ in rows],
        quantity=np.arange(len(rows), dtype=float),
        **more,
    ).assign(**{EVENT: pd.Series([kind for *_, kind in rows], dtype="str")})
    if time != "dates":
        events[TIME] = pd.Series(pd.NaT, index=events.index, dtype="datetime64[s]")
    made = tables_of(frame(("customer_id", "page_views", "time_spent"), {CUSTOMER: []}), _no_products(), events)
    return replace(made, time=time)


def _no_products() -> pd.DataFrame:
    return frame(PRODUCT_COLUMNS, {PRODUCT: []})


def arranged(made: Tables, protocol: str) -> tuple[pd.DataFrame, Split, Tables]:
    """Arrange; return one row an event, in the order in which `tables` took them: its line, its time and its part."""
    try:
        after, split = arrange(made, SplitConfig(protocol=protocol))
    except DataError:
        reject()  # no purchase, or a given split without one in a part
    if not split.tested:
        reject()  # too little to hold out
    events = rows_of(after.events)
    part = np.digitize(events["seconds"], [split.valid_from, split.test_from])
    return events.assign(part=np.array(PARTS)[part]), split, after


def rows_of(events: pd.DataFrame) -> pd.DataFrame:
    """Put events in the order in which `tables` took them, with their time in seconds."""
    events = events.assign(**{ROW: events[QUANTITY].astype(int)}).set_index(ROW).sort_index()
    return events.assign(seconds=events[TIME].to_numpy("datetime64[s]").astype(np.int64))


def bought(events: pd.DataFrame) -> pd.DataFrame:
    return events[events[EVENT] == PURCHASE]


# What holds for every protocol


@settings(max_examples=50)
@given(LINES, st.sampled_from(["leave_last_out", "given", "random"]), st.randoms())
def test_every_row_has_one_place_and_the_order_of_rows_decides_nothing(
    rows: list[Line], protocol: str, shuffler: object
) -> None:
    parts = [PARTS[number % 3] for number in range(len(rows))]
    made = tables(rows, parts=parts)
    events, split, after = arranged(made, protocol)
    assert after.events.shape == (len(rows), 7)
    assert after.fingerprint == made.fingerprint
    assert [tuple(one) for one in events[[CUSTOMER, PRODUCT, EVENT]].to_numpy()] == [(c, p, k) for c, p, _, k in rows]
    purchases = bought(events)
    assert (split.start, split.end) == (purchases["seconds"].min(), purchases["seconds"].max() + 1)
    assert split.start < split.valid_from < split.test_from < split.end
    assert {"train", "test"} <= set(purchases["part"])

    order = list(range(len(rows)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    mixed = replace(made, events=made.events.iloc[order].reset_index(drop=True))
    pd.testing.assert_frame_equal(arrange(mixed, SplitConfig(protocol=protocol))[0].events, after.events)


def test_shuffled_files_give_the_same_split(tmp_path: Path) -> None:
    shop = small_shop(seed=5, views=200)
    for protocol in ("leave_last_out", "random"):
        kept = []
        for number in range(2):
            folder = write_shop(tmp_path / f"{protocol}{number}", shop)
            if number:
                for file in folder.glob("*.csv"):
                    pd.read_csv(file, dtype=str).sample(frac=1, random_state=1).to_csv(file, index=False)
            kept.append(open_shop(DataConfig(name="t", path=str(folder)), SplitConfig(protocol=protocol)))
        pd.testing.assert_frame_equal(kept[0].tables.events, kept[1].tables.events)
        assert kept[0].split == kept[1].split


def test_the_seed_decides_and_nothing_else() -> None:
    shop = small_shop(seed=1)
    first, again, other = (arrange(shop, SplitConfig(protocol="random", seed=seed))[0].events for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_a_warning_is_said_with_the_others() -> None:
    shop = replace(small_shop(), warnings=("one",))
    for protocol, words in (("random", "say little about the future"), ("leave_last_out", "other customers' later")):
        after, split = arrange(shop, SplitConfig(protocol=protocol))
        assert after.warnings == ("one", split.warning)
        assert words in split.warning
        assert not split.dated


def test_global_time_leaves_the_times_alone() -> None:
    shop = small_shop(views=50)
    after, split = arrange(shop, SplitConfig())
    pd.testing.assert_frame_equal(after.events, shop.events)
    assert (after.warnings, split.warning, split.protocol, split.dated) == ((), "", "global_time", True)


# Random


@settings(max_examples=50)
@given(LINES, st.sampled_from(["dates", "order", "none"]))
def test_random_holds_out_whole_pairs(rows: list[Line], time: str) -> None:
    if time == "none":  # without a time a second row would be a copy
        rows = list({(c, p, k): (c, p, 0, k) for c, p, _, k in rows}.values())
    events, _, _ = arranged(tables(rows, time), "random")
    assert events.groupby([CUSTOMER, PRODUCT])["seconds"].nunique().max() == 1, "views stand with the purchase"
    for _, mine in bought(events).groupby(CUSTOMER):
        counts = mine.drop_duplicates(PRODUCT)["part"].value_counts()
        if mine[PRODUCT].nunique() == 1:
            assert list(counts.index) == ["train"], "a customer's only product is for training"
        else:
            assert counts["train"] >= 1


def test_random_is_80_10_10_for_every_customer() -> None:
    rows = [(customer, f"P{number}", 0, PURCHASE) for customer in "ABC" for number in range(57)]
    events, split, _ = arranged(tables(rows, "none"), "random")
    for _, mine in events.groupby(CUSTOMER):
        counts = mine["part"].value_counts()
        assert counts["test"] in (5, 6)
        assert counts["valid"] in (5, 6)
        train = mine.loc[mine["part"] == "train", "seconds"]
        tenths = np.histogram(train, bins=10, range=(split.valid_from - 80 * DAY, split.valid_from))[0]
        assert set(tenths) <= {4, 5}, "evenly spread, so that each training date finds its share"


# Leave last out


@settings(max_examples=50)
@given(LINES, st.sampled_from(["dates", "order"]))
def test_leave_last_out_holds_out_the_last_line_and_the_one_before(rows: list[Line], time: str) -> None:
    events, split, _ = arranged(tables(rows, time), "leave_last_out")
    for _, mine in bought(events).groupby(CUSTOMER):
        latest_first = mine.sort_values("seconds", ascending=False)
        moments = [rows[number][2] for number in latest_first.index]
        assert moments == sorted(moments, reverse=True)
        held_out = ["test", "valid"] if len(mine) > 1 else []  # a customer's only purchase is for training
        days = range(1, len(mine) - len(held_out) + 1)
        assert latest_first["part"].tolist() == held_out + ["train" for _ in days]
        times = latest_first["seconds"].tolist()[len(held_out) :]
        assert times == [split.valid_from - day * DAY for day in days], "one day a purchase"
    assert (split.test_from - split.valid_from, split.end - split.test_from <= DAY) == (DAY, True)


@settings(max_examples=50)
@given(LINES)
def test_a_view_is_known_only_where_it_came_strictly_before(rows: list[Line]) -> None:
    events, _, _ = arranged(tables(rows), "leave_last_out")
    for number, (customer, _, moment, kind) in enumerate(rows):
        for other, (buyer, _, day, what) in enumerate(rows):
            if kind != PURCHASE and what == PURCHASE and buyer == customer:
                before = events.loc[number, "seconds"] < events.loc[other, "seconds"]
                assert before == (moment < day)


# Baskets: several purchases at one moment


BASKET = "PQRST"
BUYERS = 400
# Each product should come last in a fifth of the baskets, 80 of 400; four standard deviations (8) to either side.
A_FIFTH = range(80 - 32, 80 + 32 + 1)


def two_baskets() -> list[Line]:
    """Every customer buys the same products together on two days."""
    return [(f"C{buyer:03}", product, day, PURCHASE) for buyer in range(BUYERS) for day in (0, 1) for product in BASKET]


def last_of(events: pd.DataFrame, day: int) -> pd.Series:
    """The product that came last in each customer's basket of a day."""
    basket = events[[moment == day for _, _, moment, _ in two_baskets()]]
    return basket.sort_values("seconds").groupby(CUSTOMER)[PRODUCT].last()


@pytest.mark.parametrize("time", ["dates", "order"])
def test_the_id_of_a_product_does_not_tell_that_it_is_held_out(time: str) -> None:
    events, _, _ = arranged(tables(two_baskets(), time), "leave_last_out")
    for part in ("valid", "test"):
        assert set(events.loc[events["part"] == part, PRODUCT].value_counts()) <= set(A_FIFTH)


@pytest.mark.parametrize("time", ["dates", "order"])
def test_an_earlier_basket_does_not_tell_which_product_is_held_out(time: str) -> None:
    events, _, _ = arranged(tables(two_baskets(), time), "leave_last_out")
    held_out = events[events["part"] == "test"].set_index(CUSTOMER)[PRODUCT]
    assert (last_of(events, day=0) == held_out).sum() in A_FIFTH


@pytest.mark.parametrize("time", ["dates", "order"])
def test_baskets_of_a_given_split_come_in_random_order(time: str) -> None:
    parts = ["train" if day == 0 else PARTS[1 + (product > "Q")] for _, product, day, _ in two_baskets()]
    events, _, _ = arranged(tables(two_baskets(), time, parts), "given")
    assert set(last_of(events, day=0).value_counts()) <= set(A_FIFTH)


def test_the_seed_decides_which_of_a_basket_is_held_out() -> None:
    made = tables(two_baskets())
    first, again, other = (
        arrange(made, SplitConfig(protocol="leave_last_out", seed=seed))[0].events for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(first, again)
    assert (last_of(rows_of(first), day=1) == last_of(rows_of(other), day=1)).sum() in A_FIFTH


def test_newer_and_other_rows_do_not_change_what_is_held_out() -> None:
    # a bundle is measured again on newer tables: what it has learned from must not come to be held out
    rows = two_baskets()
    more: list[Line] = [("A", "O", 0, PURCHASE), ("A", "PA", 2, PURCHASE), ("C000", "Z", 3, PURCHASE)]
    before, _, _ = arranged(tables(rows), "leave_last_out")
    after, _, _ = arranged(tables(rows + more), "leave_last_out")
    others = before[CUSTOMER] != "C000"
    pd.testing.assert_frame_equal(before[others], after.loc[before.index[others]])


# Given


@settings(max_examples=50)
@given(LINES, st.sampled_from(["dates", "order", "none"]), st.integers(0, 2**31 - 1))
def test_given_parts_are_kept(rows: list[Line], time: str, seed: int) -> None:
    parts = list(np.random.default_rng(seed).choice(PARTS, len(rows)))
    assume(any(part == "valid" and row[3] == PURCHASE for part, row in zip(parts, rows, strict=True)))
    events, split, after = arranged(tables(rows, time, parts), "given")
    assert events["part"].tolist() == parts
    looked = any(part == "train" and row[3] != PURCHASE for part, row in zip(parts, rows, strict=True))
    assert (split.warning, len(after.warnings)) == ("", int(time == "none" and looked))
    if time == "none":
        return
    for _, mine in events.groupby([CUSTOMER, "part"]):
        for one in mine.index:
            for other in bought(mine).index:
                if rows[one][2] < rows[other][2]:
                    assert mine.loc[one, "seconds"] < mine.loc[other, "seconds"]


@settings(max_examples=50)
@given(LINES, st.sampled_from(["order", "none"]))
def test_without_a_valid_part_some_training_products_serve(rows: list[Line], time: str) -> None:
    parts = ["test" if number % 4 == 0 else "train" for number in range(len(rows))]
    events, split, _ = arranged(tables(rows, time, parts), "given")
    assert "no validation part" in split.warning
    assert (events["part"] == "test").tolist() == [part == "test" for part in parts]
    train = bought(events[events["part"] != "test"])
    assert train.groupby([CUSTOMER, PRODUCT])["part"].nunique().max() == 1
    looks = events[(events["part"] != "test") & (events[EVENT] != PURCHASE)]
    assert set(looks["part"]) <= {"train"}, "the part they were given"
    for _, mine in train.groupby(CUSTOMER):
        assert "train" in set(mine["part"])


def test_looks_of_a_given_split_come_before_all_purchases() -> None:
    """At the test all looks of training are known, those of held-out products too; so they must be while learning."""
    rows = [("A", f"P{number}", 0, kind) for number in range(6) for kind in (VIEW, PURCHASE)]
    rows += [("A", "P0", 0, CART), ("A", "P9", 0, VIEW)]
    parts = ["train" if kind != PURCHASE or product < "P4" else "test" for _, product, _, kind in rows[:-1]] + ["test"]
    events, split, arranged_tables = arranged(tables(rows, "none", parts), "given")
    looks, purchases = events[events[EVENT] != PURCHASE], bought(events)
    known = looks[looks[PRODUCT] != "P9"]
    assert known["seconds"].max() < purchases["seconds"].min()
    assert looks[looks[PRODUCT] == "P9"]["seconds"].min() >= split.test_from, "a look of the test part is not known"
    assert any("views and carts have no order" in warning for warning in arranged_tables.warnings)


def test_a_tenth_of_the_training_products_is_held_out() -> None:
    rows = [(customer, f"P{number:02d}", 0, PURCHASE) for customer in "ABCD" for number in range(50)]
    parts = ["test" if int(product[1:]) >= 40 else "train" for _, product, _, _ in rows]
    events, _, _ = arranged(tables(rows, "none", parts), "given")
    assert events.groupby(CUSTOMER)["part"].value_counts().unstack().to_numpy().tolist() == [[10, 36, 4]] * 4


def test_windows_of_an_ordered_split_are_as_long_as_their_usual_number_of_purchases() -> None:
    rows = [("A", f"P{number}", number, PURCHASE) for number in range(9)]
    parts = ["train"] * 5 + ["valid"] + ["test"] * 3
    events, split, _ = arranged(tables(rows, "order", parts), "given")
    days = (events["seconds"] - split.valid_from) / DAY
    assert days.tolist() == [-5, -4, -3, -2, -1, 0.5, 1.5, 2.5, 3.5]


# What the features see


def test_attributes_on_the_lines_are_told_from_their_first_made_up_day() -> None:
    rows = [("A", "P", 1, PURCHASE), ("A", "Q", 2, PURCHASE), ("A", "R", 3, PURCHASE)]
    made = tables([*rows, ("B", "P", 1, PURCHASE), ("B", "Q", 2, PURCHASE), ("B", "Q", 3, PURCHASE)])
    products = frame(PRODUCT_COLUMNS, {PRODUCT: ["P", "Q", "R"], CATEGORY: ["Books", "Toys", "Garden"]})
    known = pd.Series(pd.to_datetime(["2024-01-02"] * 3)).astype("datetime64[s]")
    after, split = arrange(
        replace(made, products=products.assign(known_from=known)), SplitConfig(protocol="leave_last_out")
    )
    days = (after.products["known_from"].to_numpy("datetime64[s]").astype(np.int64) - split.valid_from) / DAY
    assert days.tolist() == [-1, 0.5, 1.5]
    encoder = FeatureEncoder.fit(*history_of(after), split.test_from)
    assert encoder.schema.categories == ("Books", "Toys"), "the third is sold in the test window only"


def test_history_of_an_undated_shop(tmp_path: Path) -> None:
    shop = small_shop(seed=2)
    folder = write_shop(tmp_path / "shop", replace(shop, events=shop.events.drop_duplicates([CUSTOMER, PRODUCT])))
    for file in folder.glob("purchase_history.csv"):
        pd.read_csv(file, dtype=str).drop(columns=TIME).to_csv(file, index=False)
    undated = DataConfig(name="t", path=str(folder), columns={"purchase_date": "-"})
    opened = open_shop(undated, SplitConfig())
    assert (opened.tables.time, opened.split.protocol) == ("none", "random")
    assert opened.history.times.min() >= opened.split.start
    assert len(opened.history.returning_buyers(opened.split.test_from, opened.split.end)) > 10


@pytest.mark.parametrize("protocol", ["random", "leave_last_out"])
def test_a_bundle_is_measured_again_to_the_same_figures(tmp_path: Path, protocol: str) -> None:
    folder = write_shop(tmp_path / "shop", small_shop(seed=3, purchases=1500, customers=80))
    run = train_here(folder, tmp_path / "outputs", *SIMPLE, UNTRACKED, f"split.protocol={protocol}")
    again = reevaluate(run.bundle, str(folder))
    assert again["test"]["all"] == run.metrics["models"]["personal_frequency"]["test"]["all"]
    if protocol == "random":
        other = write_shop(tmp_path / "other", small_shop(seed=4))
        with pytest.raises(DataError, match="not the tables the bundle was made on"):
            reevaluate(run.bundle, str(other))


# Which protocol, and what is refused


@pytest.mark.parametrize(
    ("time", "parts", "usual"),
    [
        ("dates", False, "global_time"),
        ("dates", True, "given"),
        ("none", True, "given"),
        ("order", False, "random"),
        ("none", False, "random"),
    ],
)
def test_the_usual_protocol(time: str, parts: bool, usual: str) -> None:
    made = tables(TWO_PRODUCTS, time, ["train", "test"] if parts else None)
    assert choose_protocol(made, SplitConfig()) == usual


@pytest.mark.parametrize(
    ("time", "protocol", "words"),
    [
        ("none", "global_time", r"carry none \(data.columns.purchase_date=-\): set split.protocol=random"),
        ("order", "global_time", "set split.protocol=random"),
        ("none", "leave_last_out", "neither dates nor an order: set split.protocol=random"),
        ("dates", "given", "name it with data.columns.split=HEADER"),
    ],
)
def test_a_protocol_that_the_tables_cannot_serve(time: str, protocol: str, words: str) -> None:
    made = tables(TWO_PRODUCTS, time)
    with pytest.raises(DataError, match=words) as caught:
        arrange(made, SplitConfig(protocol=protocol))
    assert "\n" not in str(caught.value)


def test_rows_without_a_part_are_refused() -> None:
    made = tables([*TWO_PRODUCTS, ("A", "P", 1, VIEW)], parts=["train", "test", "test"])
    made.events.loc[made.events[EVENT] == VIEW, PART] = np.nan
    with pytest.raises(DataError, match="data.files.customer_interactions=-"):
        arrange(made, SplitConfig())


@pytest.mark.parametrize(
    ("rows", "protocol"),
    [(TWO_CUSTOMERS, "leave_last_out"), (TWO_CUSTOMERS, "random"), (TWO_PRODUCTS, "leave_last_out")],
)
def test_where_nothing_can_be_held_out_all_is_for_training(rows: list[Line], protocol: str) -> None:
    arranged, split = arrange(tables(rows), SplitConfig(protocol=protocol))
    assert not split.tested
    assert split.valid_from == split.test_from == split.end
    assert (arranged.purchases[TIME].to_numpy("datetime64[s]").astype(int) < split.test_from).all()
    assert "nothing to test on" in arranged.warnings[-1]


@pytest.mark.parametrize(("parts", "goal"), [(["train", "train"], "test"), (["test", "test"], "train")])
def test_a_given_split_needs_both_parts(parts: list[str], goal: str) -> None:
    with pytest.raises(DataError, match=f"split.protocol=given leaves no purchase to {goal} on"):
        arrange(tables(TWO_PRODUCTS, parts=parts), SplitConfig(protocol="given"))


@pytest.mark.parametrize("border", ["valid_from", "test_from"])
def test_dates_belong_to_global_time(border: str) -> None:
    with pytest.raises(ConfigError, match=rf"split.{border}=2024-01-03 has no meaning with split.protocol=random"):
        SplitConfig(protocol="random", **{border: "2024-01-03"})
    undated = tables(TWO_PRODUCTS, "none")
    with pytest.raises(ConfigError, match="set split.protocol=global_time"):
        arrange(undated, SplitConfig(**{border: "2024-01-03"}))
