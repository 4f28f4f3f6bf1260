from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
from shop_folder import HEADER, Shop, rows

from embedrec.tables import DataConfig, delimited, progress, read_tables


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_reading_tells_how_far_it_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    content = HEADER + rows(100)
    monkeypatch.setattr(delimited, "LARGEST_RECORD", -(-len(content) // 4))  # four blocks
    shop.write("purchase_history.csv", content)
    heard: list[tuple[str, float]] = []
    tables = read_tables(DataConfig(name="t", path=str(shop.folder)), lambda *said: heard.append(said))
    assert len(tables.purchases) == 100
    *reading, checking, sorting = heard
    assert {doing for doing, _ in reading} == {"reading 'purchase_history.csv'"}
    assert [round(share, 1) for _, share in reading] == [0.3, 0.5, 0.8, 1.0]
    assert checking == ("checking the tables", 0.0)
    assert sorting == ("checking the tables", 0.5)


@pytest.mark.parametrize(
    ("stream", "wanted", "moment", "shown"),
    [
        (Terminal, True, 0.0, True),
        (Terminal, True, 60.0, False),
        (Terminal, False, 0.0, False),
        (io.StringIO, True, 0.0, False),
    ],
)
def test_a_bar_is_for_terminals_and_patience(
    monkeypatch: pytest.MonkeyPatch, stream: Callable[[], io.StringIO], wanted: bool, moment: float, shown: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "MOMENT", moment)
    monkeypatch.setattr(sys, "stderr", out := stream())
    with progress.told(wanted) as tell:
        tell("reading 'a [b].csv'", 0.5)
    assert ("reading 'a [b].csv'" in out.getvalue()) == shown
