"""Cells of the files that people open in a spreadsheet."""

from __future__ import annotations

import pandas as pd
import pytest

from embedrec.spreadsheets import safe_to_open


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=cmd()|'/C calc'!A0", "'=cmd()|'/C calc'!A0"),
        ("+1", "'+1"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\\r=1"),
        ("Tea = milk", "Tea = milk"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("a\x00b\u2028c", "a\\x00b\\u2028c"),
        ("café ☕", "café ☕"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    assert safe_to_open(pd.DataFrame({"a": [text]}))["a"].tolist() == [shown]


def test_numbers_stay_numbers() -> None:
    table = pd.DataFrame({"score": [-0.5, 2.0], "rank": [1, 2], "cold": [True, False], "text": pd.array(["=1", None])})
    safe = safe_to_open(table)
    pd.testing.assert_frame_equal(safe[["score", "rank", "cold"]], table[["score", "rank", "cold"]])
    assert safe["text"].tolist()[0] == "'=1"
    assert safe["text"].isna().tolist() == [False, True]
    assert table["text"].tolist()[0] == "=1"
