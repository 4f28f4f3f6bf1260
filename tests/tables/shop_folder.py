"""A shop's folder, written from the texts a test gives and read back."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from embedrec.columns import DETAILS, INTERACTIONS, PURCHASES
from embedrec.errors import DataError
from embedrec.tables import DataConfig, TableAccount, Tables, read_tables

HEADER = "customer_id,product_id,purchase_date\n"
Content = str | bytes


class Shop:
    """Writes tables into one folder and reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: Content) -> Path:
        path = self.folder / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    def read(
        self,
        purchases: Content,
        details: Content | None = None,
        interactions: Content | None = None,
        *,
        columns: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> Tables:
        for name, content in ((PURCHASES, purchases), (DETAILS, details), (INTERACTIONS, interactions)):
            if content is not None:
                self.write(f"{name}.csv", content)
        return read_tables(
            DataConfig.model_validate(
                {"name": "t", "path": str(self.folder), "columns": columns or {}, "files": files or {}}
            )
        )

    def refused(self, *args: Any, **kwargs: Any) -> str:
        """Read what must be refused, and return the one line that says why."""
        with pytest.raises(DataError) as caught:
            self.read(*args, **kwargs)
        message = str(caught.value)
        assert "\n" not in message
        return message


def rows(count: int, line: Callable[[int], str] = lambda i: f"C{i},P{i},2024-01-{i % 28 + 1:02d}") -> str:
    """`count` good purchase lines, so that one bad line beside them stays below five in a hundred."""
    return "".join(line(i) + "\n" for i in range(count))


def account_of(tables: Tables, table: str = PURCHASES) -> TableAccount:
    return next(account for account in tables.accounts if account.table == table)
