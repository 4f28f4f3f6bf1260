"""What is done once for each distinct text, or only for tied rows, comes out as if done for every row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.tables import delimited
from embedrec.tables.dates import parse_dates
from embedrec.tables.distinct import by_distinct, in_text_order, is_folded, repeated, spread, stacked, unfolded
from embedrec.tables.folding import folded
from embedrec.tables.ordering import in_order, order_of

TEXTS = st.lists(st.sampled_from(["", "a", "b", "é", "B", "\U0001f600"]), max_size=40)
SMALL = st.integers(0, 2)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_pieces_come_back_as_they_were(pieces: list[list[str]]) -> None:
    column = folded(pa.chunked_array([pa.array(piece, pa.large_string()) for piece in pieces]))
    texts = [text for piece in pieces for text in piece]
    assert column.tolist() == texts
    first = next((piece for piece in pieces if piece), [])
    assert is_folded(column) == (0 < 2 * len(set(first)) <= len(first))
    codes, distinct = by_distinct(column)
    assert distinct.tolist() == list(dict.fromkeys(texts))
    assert distinct.take(codes).tolist() == texts
    assert spread(distinct, codes).tolist() == texts


def test_texts_are_sorted_by_code_points_and_unused_ones_go() -> None:
    column = pd.Series(["b", None, "\U0001f600", "\uffee", "B"], dtype="category").iloc[:4]
    assert in_text_order(column).cat.categories.tolist() == ["b", "\uffee", "\U0001f600"]
    assert in_text_order(column).isna().tolist() == [False, True, False, False]


def test_stacked_tables_keep_what_is_folded() -> None:
    one = pd.DataFrame({"id": pd.Series(["a", "b"], dtype="category"), "n": [1.0, 2.0]})
    two = pd.DataFrame({"id": pd.Series(["c", "a"], dtype="str"), "part": pd.Series(["x", None], dtype="category")})
    both = stacked([one, two])
    assert is_folded(both["id"])
    assert is_folded(both["part"])
    assert unfolded(both)["id"].tolist() == ["a", "b", "c", "a"]
    assert both["part"].isna().tolist() == [True, True, False, True]


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), max_size=60))
def test_repeated_rows_are_those_pandas_finds(rows: list[tuple[int, int, int]]) -> None:
    cells = pd.DataFrame(rows, columns=["a", "b", "c"]).astype({"a": "str", "b": "str", "c": "float64"})
    wanted = cells.duplicated().tolist()
    assert repeated(cells).tolist() == wanted
    assert repeated(cells.astype({"b": "category"})).tolist() == wanted
    assert repeated(cells.astype({"a": "category", "b": "category"})).tolist() == wanted


@given(st.lists(st.tuples(SMALL, SMALL, st.sampled_from([0.0, 1.0, np.nan])), max_size=60))
def test_rows_are_sorted_as_by_lexsort(rows: list[tuple[int, int, float]]) -> None:
    first, second, third = (np.array([row[i] for row in rows]) for i in range(3))
    assert order_of((first, second, third), len(rows)).tolist() == np.lexsort((third, second, first)).tolist()


def test_missing_moments_come_last_and_missing_texts_first() -> None:
    moments = pd.Series(["NaT", "2024-01-02", "NaT", "2024-01-02"], dtype="datetime64[s]")
    for kind in ("str", "category"):
        texts = pd.Series(["b", "z", None, None], dtype="str").astype(kind)
        ordered = in_order(pd.DataFrame({"time": moments, "text": texts, "row": range(4)}))
        assert ordered["row"].tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize("bad", ["", "2024-02-30", "0001-01-01", "2024-01-05 10", "2024-01-05T10:00:00Z", "5.1.2024"])
def test_one_odd_date_among_many_leaves_the_others(bad: str) -> None:
    texts = [f"2024-01-{i % 28 + 1:02d} 10:{i % 60:02d}" for i in range(500)]
    texts[311] = bad
    quick, slow = parse_dates(pd.Series(texts), "f"), parse_dates(pd.Series([f" {text}" for text in texts]), "f")
    assert quick.values.tolist() == slow.values.tolist()
    assert quick.reasons.tolist() == slow.reasons.tolist()
    assert quick.notes == slow.notes


def test_misfits_keep_their_numbers_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"C{i},P{i % 5},2024-01-01" for i in range(200)]
    for bad in (0, 60, 61, 130, 199):
        lines[bad] = f"C{bad},P"
    monkeypatch.setattr(delimited, "LARGEST_RECORD", 600)
    raw = delimited.parse_delimited(("customer_id,product_id,purchase_date\n" + "\n".join(lines) + "\n").encode(), "f")
    assert [one.line for one in raw.rejected] == [2, 62, 63, 132, 201]
    assert [raw.line_of(int(record)) for record in raw.records[[0, 59, 60, 194]]] == [3, 64, 65, 200]
    assert raw.cells["customer_id"].iloc[[0, 59, 60, 194]].tolist() == ["C1", "C62", "C63", "C198"]
