"""Returned pieces come off the purchases they came from, and every line has its count."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop_folder import Shop, account_of, rows

from embedrec.features import build_history
from embedrec.tables import Tables
from embedrec.tables.returns import pieces_left

HEADER = "customer_id,product_id,purchase_date,quantity\n"
EVENTS = "customer_id,product_id,purchase_date,event\n"
NETTED = "of returned pieces, netted against earlier purchases, set aside"
TOO_MANY = "of returned pieces, more than were bought before, set aside"
WHOLE = "of purchases returned in whole set aside"


def left(tables: Tables, product: str = "P1") -> list[tuple[str, float]]:
    """The purchases of a product: day of the month and pieces."""
    found = tables.purchases[tables.purchases["product_id"] == product]
    return [(f"{date:%d}", pieces) for date, pieces in zip(found["purchase_date"], found["quantity"], strict=True)]


def told(tables: Tables) -> list[str]:
    account = account_of(tables)
    assert account.read == account.used + account.quarantined + account.duplicates + account.set_aside
    return [note for note in account.notes if "return" in note]


def lines(*pieces: tuple[int, int]) -> str:
    """Lines of one customer and product (day of the month, pieces), and one of another product."""
    return HEADER + "C1,P9,2024-01-01,1\n" + "".join(f"C1,P1,2024-01-{day:02d},{count}\n" for day, count in pieces)


@pytest.mark.parametrize(
    ("pieces", "purchases", "notes"),
    [
        ([(2, 6), (4, -2)], [("02", 4)], [f"1 row {NETTED}", "1 purchase returned in part: kept with the pieces left"]),
        ([(2, 6), (4, -2), (5, -4)], [], [f"2 rows {NETTED}", f"1 row {WHOLE}"]),
        ([(2, 6), (3, 2), (4, -2)], [("02", 6)], [f"1 row {NETTED}", f"1 row {WHOLE}"]),
        (
            [(2, 6), (3, 2), (4, -3), (5, 1)],
            [("02", 5), ("05", 1)],
            [f"1 row {NETTED}", f"1 row {WHOLE}", "1 purchase returned in part: kept with the pieces left"],
        ),
        ([(4, -2), (5, 2)], [("05", 2)], [f"1 row {TOO_MANY}"]),
        ([(2, 3), (4, -5), (5, 2)], [("05", 2)], [f"1 row {TOO_MANY}", f"1 row {WHOLE}"]),
        ([(4, -2), (4, 2), (4, 12)], [("04", 12)], [f"1 row {NETTED}", f"1 row {WHOLE}"]),
    ],
    ids=["in part", "twice", "the latest", "walks back", "nothing before", "too many", "one moment"],
)
def test_a_return_takes_back_what_was_bought_last(
    shop: Shop, pieces: list[tuple[int, int]], purchases: list[tuple[str, float]], notes: list[str]
) -> None:
    tables = shop.read(lines(*pieces))
    assert left(tables) == purchases
    assert told(tables) == notes


def test_nobody_returns_what_others_bought(shop: Shop) -> None:
    tables = shop.read(HEADER + "C1,P1,2024-01-02,3\nC2,P1,2024-01-04,-3\nC1,P2,2024-01-04,-3\n")
    assert left(tables) == [("02", 3)]
    assert told(tables) == [f"2 rows {TOO_MANY}"]


def test_without_dates_a_return_takes_back_any_purchase(shop: Shop) -> None:
    text = "customer_id,product_id,quantity\nC1,P1,-2\nC1,P1,2\nC1,P1,3\n"
    tables = shop.read(text, columns={"purchase_date": "-"})
    assert tables.purchases["quantity"].tolist() == [3]


def test_an_order_tells_which_purchase_was_the_last(shop: Shop) -> None:
    text = "customer_id,product_id,quantity,step\nC1,P1,-2,2\nC1,P1,2,3\nC1,P1,7,1\n"
    tables = shop.read(text, columns={"purchase_date": "-", "order": "step"})
    assert tables.purchases.set_index("order")["quantity"].to_dict() == {1: 5, 3: 2}


def test_a_line_without_quantity_is_one_piece(shop: Shop) -> None:
    text = EVENTS + "C1,P1,2024-01-02,purchase\nC1,P1,2024-01-03,purchase\nC1,P1,2024-01-04,Cancelled\n"
    assert left(shop.read(text)) == [("02", 1)]
    mapped = text.replace("Cancelled", "retoure")
    assert left(shop.read(mapped, columns={"event_map": {"retoure": "return"}})) == [("02", 1)]
    tables = shop.read(text, columns={"event_map": {"cancelled": "-"}})
    assert left(tables) == [("02", 1), ("03", 1)]
    assert "1 row with event 'Cancelled' set aside" in account_of(tables).notes


def test_what_floats_leave_over_is_no_piece(shop: Shop) -> None:
    """1 - 0.3 - 0.3 - 0.3 - 0.1 is no 0 in floats."""
    text = lines((2, 1)) + "".join(f"C1,P1,2024-01-{10 + i},{n}\n" for i, n in enumerate([-0.3, -0.3, -0.3, -0.1]))
    tables = shop.read(text)
    assert left(tables) == []
    assert told(tables) == [f"4 rows {NETTED}", f"1 row {WHOLE}"]


@pytest.mark.parametrize("pieces", ["2", "-2"])
def test_the_sign_of_an_event_named_return_does_not_matter(shop: Shop, pieces: str) -> None:
    """Nor does that of its price."""
    text = EVENTS.replace("event", "event,quantity,price")
    tables = shop.read(text + f"C1,P1,2024-01-02,purchase,5,3.5\nC1,P1,2024-01-04,return,{pieces},-3.5\n")
    assert left(tables) == [("02", 3)]
    assert not len(tables.quarantine)


def test_a_return_that_names_no_product_finds_no_purchase(shop: Shop) -> None:
    tables = shop.read(EVENTS + "C1,P1,2024-01-02,purchase\nC1,,2024-01-04,refund\n")
    assert left(tables) == [("02", 1)]
    assert told(tables) == [f"1 row {TOO_MANY}"]


def test_copies_are_dropped_before_returns_are_netted(shop: Shop) -> None:
    """Or one copy would come back and the other stay."""
    twice = lines((2, 6), (2, 6), (4, -6), (4, -6))
    account = account_of(shop.read(twice))
    assert (account.used, account.duplicates, account.set_aside) == (1, 2, 2)
    numbered = "".join(f"{line},{'invoice' if n == 0 else 'I1'}\n" for n, line in enumerate(twice.splitlines()))
    account = account_of(shop.read(numbered))
    assert (account.used, account.duplicates, account.set_aside) == (1, 0, 4), "further pieces of an order"


def test_a_line_that_cannot_be_understood_takes_nothing_back(shop: Shop) -> None:
    tables = shop.read(lines((2, 6)) + "C1,P1,2024-02-30,-6\n" + rows(30, lambda i: f"C{i},P2,2024-01-05,1"))
    assert left(tables) == [("02", 6)]
    assert len(tables.quarantine) == 1


def test_returns_among_interactions_are_set_aside(shop: Shop) -> None:
    tables = shop.read(lines((2, 6)), interactions=EVENTS + "C1,P1,2024-01-01,view\nC1,P1,2024-01-03,return\n")
    assert left(tables) == [("02", 6)]
    note = "1 row of event return (returns are read from purchase_history) set aside"
    assert note in account_of(tables, "customer_interactions").notes


def test_customers_spent_what_they_kept(shop: Shop) -> None:
    text = HEADER.replace("\n", ",price\n") + "C1,P1,2024-01-02,5,3.5\nC1,P1,2024-01-04,-3,3.5\n"
    tables = shop.read(text)
    history, _ = build_history(tables.customers, tables.products, tables.events)
    assert history.spend.tolist() == [7.0]


def test_the_order_of_rows_leaves_no_trace(shop: Shop) -> None:
    """Also where purchases differ in their price alone, and one of them comes back."""
    line = [f"C1,P{i % 2},2024-01-0{i % 3 + 1},2,{i}.5" for i in range(12)]
    line += [f"C1,P{i % 2},2024-01-0{i % 2 + 2},-{i + 1},1.5" for i in range(5)]
    header = HEADER.replace("\n", ",price\n")
    before = shop.read(header + "\n".join(line))
    assert len(before.purchases) < 12
    for seed in range(5):
        random.Random(seed).shuffle(line)
        assert shop.read(header + "\n".join(line)).fingerprint == before.fingerprint


MOVES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(-6, 6).filter(bool)), max_size=30)


@given(MOVES)
def test_pieces_left_are_those_of_a_stack(moves: list[tuple[int, int, int]]) -> None:
    """Lines of (pair, moment, pieces), against one return after the other."""
    pairs, moments, pieces = np.array(moves or np.empty((0, 3)), dtype=np.int64).T
    found = pieces_left(pairs, moments, pieces.astype(float), np.zeros(len(moves)))
    left = pieces.tolist()
    for row in sorted(range(len(moves)), key=lambda one: (moves[one][1], -moves[one][2])):
        for held in sorted(range(len(moves)), key=lambda one: (-moves[one][1], moves[one][2])):
            before = moves[held][0] == moves[row][0] and moves[held][1] <= moves[row][1]
            if moves[row][2] < 0 and moves[held][2] > 0 and before:
                taken = min(-left[row], left[held])
                left[row] += taken
                left[held] -= taken
    # which of the purchases alike in all is taken back does not matter
    assert sorted(zip(moves, found.tolist(), strict=True)) == sorted(zip(moves, left, strict=True))
