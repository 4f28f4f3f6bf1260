from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.errors import DataError
from embedrec.tables.ids import LONGEST_ID, parse_ids


def ids(*cells: object) -> list[str | None]:
    kind = "float64" if isinstance(cells[0], float) else "str"
    values = parse_ids(pd.Series(cells, dtype=kind), "f.csv, column id").values
    return [None if pd.isna(value) else value for value in values]


def reason(cell: str) -> str:
    return str(parse_ids(pd.Series([cell], dtype="str"), "f").reasons[0])


@given(st.lists(st.from_regex(r"[A-Za-z0-9_é-]{1,12}", fullmatch=True), min_size=1, max_size=30))
def test_ids_come_back_as_they_were(texts: list[str]) -> None:
    assert ids(*texts) == texts


def test_leading_zeros_and_long_numbers_are_kept() -> None:
    assert ids("007", "7", "9007199254740993") == ["007", "7", "9007199254740993"]
    notes = parse_ids(pd.Series(["007", "7"], dtype="str"), "f").notes
    assert any("leading zeros" in note for note in notes)


def test_missing_looking_ids_are_ids_and_noted() -> None:
    assert ids("NA", "null", "nan", "", "  ") == ["NA", "null", "nan", None, None]
    assert any("'NA'" in note for note in parse_ids(pd.Series(["NA"], dtype="str"), "f").notes)


def test_spaces_and_invisible_characters_go_and_collisions_are_listed() -> None:
    cells = [" A\u00a0", "A", "B\u200b", "e\u0301", "\u00e9"]
    assert ids(*cells) == ["A", "A", "B", "\u00e9", "\u00e9"]
    (note,) = parse_ids(pd.Series(cells, dtype="str"), "f").notes
    shown = r"2 of them now equal to another id: ' A\xa0' = 'A', 'e\u0301' = '\xe9'"
    assert note.replace("é", r"\xe9").replace("e\u0301", r"e\u0301").endswith(shown)


def test_marks_of_direction_and_soft_hyphens_go_too() -> None:
    cells = ["A\u200e", "\u202aA\u202c", "\u2067A\u2069", "\u061cA", "A\u00ad", "A"]
    assert ids(*cells) == ["A"] * 6
    (note,) = parse_ids(pd.Series(cells, dtype="str"), "f").notes
    assert r"5 of them now equal to another id: 'A\u200e' = '\u202aA\u202c' = " in note


def test_collisions_are_listed_only_so_far_and_empty_cells_are_none() -> None:
    cells = ["", " ", *(f"{pad}{i}" for i in range(7) for pad in ("", " "))]
    (note,) = parse_ids(pd.Series(cells, dtype="str"), "f").notes
    assert "8 ids had spaces" in note
    assert note.endswith(
        "7 of them now equal to another id: '0' = ' 0', '1' = ' 1', '2' = ' 2', '3' = ' 3', '4' = ' 4', …"
    )


def test_point_zero_is_repaired_where_one_to_one() -> None:
    assert ids("17850.0", "13047.0", "") == ["17850", "13047", None]
    assert ids("1.0", "1.5") == ["1.0", "1.5"]  # not whole: versions, say
    with pytest.raises(DataError, match=r"column id: '101\.0' and '101' may be one id or two"):
        ids("101.0", "101")


def test_float_columns() -> None:
    assert ids(17850.0, float("nan")) == ["17850", None]
    with pytest.raises(DataError, match=r"above 2\^53"):
        ids(2.0**53)


def test_what_is_no_id() -> None:
    assert "rounded by a spreadsheet" in reason("1.0E+05")
    assert reason("1,0E+05") == reason("1.0E+05")
    assert "longer than" in reason("x" * (LONGEST_ID + 1))
    for sign in "\x00\x1b\x7f\x85\u2028\u2029":  # those that no question to a Recommender may hold
        assert "control" in reason(f"a{sign}b")
    assert reason("12e5") == reason("x" * LONGEST_ID) == ""
