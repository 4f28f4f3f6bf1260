"""Categories that lie in others: their rows, what stands for unknown ones, and the vectors a tower makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from embedrec.columns import CATEGORY, PRICE, PRODUCT
from embedrec.features import FeatureEncoder
from embedrec.features.hierarchy import DEEPEST, nearest_rows, parent_rows, with_parents
from embedrec.models.towers import Categories
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, tables_of

NAMES = ("Drinks", "Drinks > Tea", "Drinks > Tea > Green", "Food")


def test_a_category_lies_in_all_above_it() -> None:
    assert with_parents(["Food", "Drinks > Tea > Green"]) == NAMES
    assert parent_rows(NAMES).tolist() == [0, 0, 1, 2, 0]
    assert with_parents(["<b>bold</b>", "a>b"]) == ("<b>bold</b>", "a>b"), "only with blanks around it"


def test_a_text_full_of_marks_is_one_category() -> None:
    """64 kB of them would else be 20,000 categories of 32 kB each."""
    deepest = " > ".join(["a"] * (DEEPEST + 1))
    assert len(with_parents([deepest])) == DEEPEST + 1
    assert with_parents([f"{deepest} > a"]) == (f"{deepest} > a",)
    assert with_parents([" > a"]) == (" > a",), "what has no name is no category"


def test_an_unknown_category_is_what_it_lies_in() -> None:
    wanted = ["Drinks > Tea > Black", "Drinks > Coffee", "Food", "Toys > Trains", None, np.nan]
    assert nearest_rows(wanted, NAMES).tolist() == [2, 1, 4, 0, 0, 0]


def test_a_vector_is_its_own_and_all_above() -> None:
    table = Categories(NAMES, dim=3, std=1.0)
    own = table.weight
    found = table(torch.tensor([0, 1, 2, 3, 4]))
    torch.testing.assert_close(found, torch.stack([own[0], own[1], own[2] + own[1], own[3] + own[2] + own[1], own[4]]))


def test_what_a_category_costs_counts_all_in_it() -> None:
    details = {
        PRODUCT: ["p1", "p2", "p3", "p4"],
        CATEGORY: pd.Series(["Drinks > Tea", "Drinks > Coffee", "Food", None]),
        PRICE: [1.0, 3.0, 7.0, 31.0],
    }
    tables = tables_of(
        frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, details), lines(("c", "p1", 1), ("c", "p3", 2))
    )
    schema = FeatureEncoder.fit(*history_of(tables), at_day(9)).schema
    assert schema.categories == ("Drinks", "Drinks > Coffee", "Drinks > Tea", "Food")
    every, drinks = np.log1p([1.0, 3.0, 7.0, 31.0]).mean(), np.log1p([1.0, 3.0]).mean()
    np.testing.assert_allclose(schema.category_price, [every, drinks, *np.log1p([3.0, 1.0, 7.0])])
