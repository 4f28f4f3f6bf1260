"""A list of ids that somebody hands over as CSV, for a question about them: read and checked as a shop's tables are."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from embedrec.columns import CUSTOMER, DETAILS, INTERACTIONS
from embedrec.errors import DataError
from embedrec.tables.config import ColumnsConfig
from embedrec.tables.delimited import parse_delimited
from embedrec.tables.guarded import GZIP, ZIP
from embedrec.tables.headers import find_columns
from embedrec.tables.ledger import Ledger
from embedrec.tables.model import TableAccount
from embedrec.tables.opening import OLD_EXCEL
from embedrec.tables.parquet import PARQUET
from embedrec.tables.raw import RawTable
from embedrec.tables.values import empty_rows, id_column

PACKED = (PARQUET, GZIP, *ZIP, OLD_EXCEL)


@dataclass(frozen=True)
class IdList:
    """Distinct ids in the order of the file, and where every row went."""

    ids: tuple[str, ...]
    account: TableAccount
    quarantine: pd.DataFrame
    """One row for each that could not be understood: table, file, line, column, reason, text."""


def parse_ids_csv(content: bytes, file: str, column: str) -> IdList:
    """Read the ids in `column` (customer_id or product_id, or a synonym) of the bytes of a delimited text file.

    Raises:
        DataError: it is no delimited text, has no such column or no id, or over 5 % of its rows cannot be understood.
    """
    if content.startswith(PACKED):
        raise DataError(f"{file}: this is a packed file or a workbook: save the sheet as CSV")
    return read_ids(parse_delimited(content, file), column)


def read_ids(raw: RawTable, column: str) -> IdList:
    """Read the ids in `column` (customer_id or product_id, or a synonym) of a file.

    Raises:
        DataError: it has no such column or no id, or over 5 % of its rows cannot be understood.
    """
    table = INTERACTIONS if column == CUSTOMER else DETAILS
    try:
        header = find_columns(table, raw.file, raw.headers, (column,), (column,), ColumnsConfig())[column]
        ledger = Ledger("ids", raw)
        ledger.set_aside(empty_rows(ledger), "without a single value")
        ids = id_column(ledger, header)
        ledger.quarantine(ids.isna().to_numpy(), header, "is missing")
        ledger.drop_duplicates(ids.duplicated().to_numpy(), f"with a {column} that stands above already")
        account = ledger.account()
    except DataError as error:
        if "data.columns" not in str(error):
            raise
        raise DataError(f"{error}; settings do not reach this file: call its column {column}") from error
    if not account.used:
        raise DataError(f"{raw.file} names no {column}: put one id in each row of the column {column}")
    return IdList(tuple(map(str, ids[ledger.used])), account, ledger.quarantined_rows())
