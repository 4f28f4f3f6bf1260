from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.errors import DataError
from embedrec.tables.numbers import parse_numbers


def numbers(*cells: object) -> list[float]:
    return parse_numbers(pd.Series(cells), "f.csv, column price")[0].tolist()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_plain_numbers_are_read_exactly(values: list[float]) -> None:
    assert numbers(*map(repr, values), "0.5") == [*values, 0.5]  # '1.125' alone could be grouped


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["$1,299.00", "5"], [1299.0, 5.0]),
        (["1.299,00 €", "4,5"], [1299.0, 4.5]),
        (["4,5", "3,25"], [4.5, 3.25]),
        (["1,299", "15.99"], [1299.0, 15.99]),
        (["1.299", "15,99"], [1299.0, 15.99]),
        (["1,234,567", "2,345"], [1234567.0, 2345.0]),
        (["1.299", "15", "0.99"], [1.299, 15.0, 0.99]),
        (["1.250", "15.5"], [1.25, 15.5]),
        (["1.250", "0.500", "12.000"], [1.25, 0.5, 12.0]),
        (["1.250", "1250.125"], [1.25, 1250.125]),
        (["1.299", "2.500", "1.299.000"], [1299.0, 2500.0, 1299000.0]),
        (["0,500", "1,250"], [0.5, 1.25]),
        (["USD 5.00", "5.00 GBP"], [5.0, 5.0]),
        (["1 299,50", "1'299.50"], [1299.5, 1299.5]),
        (["£0.5", "1e3"], [0.5, 1000.0]),
    ],
)
def test_spellings(cells: list[str], values: list[float]) -> None:
    np.testing.assert_array_equal(numbers(*cells), values)


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["1,299", "500"], "comma"),
        (["15", "1.299", "2.500"], "point"),
        (["1.299", "2500"], "point"),  # people group some thousands and others not
        (["1.299 €", "15"], "point"),
        (["1.299", "15,99", "15.99"], "point"),
    ],
)
def test_a_comma_or_point_that_could_be_either_stops(cells: list[str], sign: str) -> None:
    with pytest.raises(DataError, match=rf"column price: '1.299.*' may be read with a decimal {sign} or a thousands"):
        numbers(*cells)


def test_numbers_below_a_thousand_are_never_grouped() -> None:
    values, bad = parse_numbers(pd.Series(["4.125", "3,875", "4"]), "f", thousands=False)
    assert values.tolist() == [4.125, 3.875, 4.0]
    assert not bad.any()


def test_missing_and_bad_cells_are_told_apart() -> None:
    values, bad = parse_numbers(pd.Series(["", "NA", "nan", "-", "inf", "1e400", "cheap", "1_0", "7"]), "f")
    assert values.notna().tolist() == [False] * 8 + [True]
    assert bad.tolist() == [False] * 4 + [True] * 4 + [False]


def test_float_columns() -> None:
    values, bad = parse_numbers(pd.Series([1.5, np.nan, np.inf]), "f")
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan])
    assert bad.tolist() == [False, False, True]
