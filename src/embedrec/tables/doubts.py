"""What the reader takes as it stands but a shop may not have meant: said aloud, and how to settle it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from embedrec.columns import EVENT, PRICE, RETURN
from embedrec.errors import quoted
from embedrec.tables.config import IGNORE
from embedrec.tables.distinct import by_distinct
from embedrec.tables.headers import key, listing
from embedrec.tables.ledger import Ledger
from embedrec.tables.numbers import CURRENCY
from embedrec.tables.raw import RawTable
from embedrec.tables.values import as_text

STATUS = frozenset(
    key(name) for name in ("status", "order status", "payment status", "financial status", "bestellstatus")
)
_NOT_SOLD = re.compile(r"cancel|refund|return|void|declined|failed|storn|retour")
_CODES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}


def cancelled_lines(ledger: Ledger, columns: Mapping[str, str], bought: np.ndarray) -> tuple[str, ...]:
    """Warn of lines counted as purchases whose status, in a column that is not used, says they were none."""
    if EVENT in columns:
        return ()
    warnings = []
    for header in ledger.raw.headers:
        if key(header) not in STATUS or header in columns.values():
            continue
        codes, names = by_distinct(as_text(ledger.raw.cells[header]))
        doubtful = np.array([bool(_NOT_SOLD.search(key(name))) for name in names], dtype=bool)
        counted = bought & ledger.used
        if count := int((doubtful[codes] & counted).sum()):
            mend = "take these orders out of the file"  # a status on an order's first line tells nothing of the others
            if (names.str.strip() != "").to_numpy()[codes[counted]].all():
                mend = (
                    f"to set them aside give data.columns.{EVENT}={quoted(header)} and the meaning of each of its "
                    f"names, +data.columns.event_map.NAME={IGNORE} (or purchase, {RETURN})"
                )
            warnings.append(
                f"{ledger.raw.file}: {count:,} lines count as purchases though their {quoted(header)} is "
                f"{listing(names[doubtful], 3)}: {mend}"
            )
    return tuple(warnings)


def several_currencies(raw: RawTable, header: str | None) -> tuple[str, ...]:
    """Warn of prices in several currencies, which are read as if they were one."""
    if header is None or raw.cells[header].dtype.kind in "fM":
        return ()
    _, distinct = by_distinct(raw.cells[header])
    signs = distinct[~distinct.str.isdecimal()].str.strip().str.extract(f"({CURRENCY})", expand=False).dropna()
    found = sorted({_CODES.get(sign.strip(), sign.strip()) for sign in signs.unique()})
    if len(found) < 2:
        return ()
    return (
        f"{raw.file}: {quoted(header)} holds {listing(found, 6)}, read as if all were one currency: convert them, or "
        f"leave the prices out with data.columns.{PRICE}=-",
    )
