"""What kind of event a row is, by the name the shop gave it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from embedrec.columns import CART, EVENT_KINDS, PURCHASE, RETURN, VIEW
from embedrec.errors import quoted
from embedrec.tables.config import IGNORE, ColumnsConfig
from embedrec.tables.distinct import by_distinct
from embedrec.tables.headers import key, listing
from embedrec.tables.ledger import Ledger
from embedrec.tables.values import as_text

# Compared by `key`; what the settings say goes before it. Only names that can mean nothing else.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    VIEW: ("page view", "product view", "product viewed", "view item", "viewed"),
    CART: ("add to cart", "added to cart"),
    PURCHASE: ("purchased", "transaction", "buy", "bought"),
    IGNORE: ("remove from cart", "removed from cart"),
}
KNOWN = {key(kind): kind for kind in EVENT_KINDS} | {key(name): kind for kind in SYNONYMS for name in SYNONYMS[kind]}
RETURN_NAMES = re.compile(r"(return|refund|cancel)(s|ed|led|l?ation)?")
BEGIN_AS_RETURNS = ("return", "refund", "cancel")  # but may be a returning visit: set aside


def kinds_of_rows(ledger: Ledger, header: str | None, config: ColumnsConfig, default_kind: str) -> pd.Categorical[str]:
    """Return purchase, return, view, cart, '-' or '' (unknown) for each row.

    Rows of '-' are set aside, counted by name; those of '' are quarantined.
    """
    if header is None:
        return pd.Categorical.from_codes(
            np.zeros(len(ledger.raw.cells), np.int8), pd.Index([default_kind], dtype="str")
        )
    codes, names = by_distinct(as_text(ledger.raw.cells[header]))
    known = KNOWN | {key(name): kind for name, kind in config.event_map.items()}
    meaning: list[str] = []
    unknown: list[str] = []
    for name in names:
        plain = key(name)
        left_out = plain.startswith(BEGIN_AS_RETURNS) or not name.strip()
        kind = known.get(plain, RETURN if RETURN_NAMES.fullmatch(plain) else IGNORE if left_out else "")
        meaning.append(kind)
        if not kind:
            unknown.append(name)
    every = pd.Index([*EVENT_KINDS, RETURN, IGNORE, ""], dtype="str")
    kinds = pd.Categorical.from_codes(every.get_indexer(pd.Index(meaning, dtype="str")).astype(np.int8)[codes], every)
    others = ", ".join((*EVENT_KINDS[1:], RETURN, IGNORE))
    ledger.quarantine(
        kinds == "",
        header,
        f"is not one of {', '.join(EVENT_KINDS)}",
        f"give the meaning of {listing(unknown)} with +data.columns.event_map.NAME=purchase (or {others})",
    )
    for code, (name, kind) in enumerate(zip(names, meaning, strict=True)):
        if kind == IGNORE:
            rule = f"with event {quoted(name.strip())}" if name.strip() else "without an event"
            ledger.set_aside(codes == code, rule)
    return kinds
