"""One customer with far too many events, such as a till, a reseller or a test account: said, and capped."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.errors import quoted
from embedrec.tables.ledger import Ledger
from embedrec.tables.ordering import tie_breaks

DOMINANT = 0.1  # of the events
FEWEST_EVENTS = 1_000  # in a smaller table one customer easily has a tenth


def cap_busiest(ledger: Ledger, customers: pd.Series, moments: pd.Series, most: int) -> tuple[str, ...]:
    """Set aside all but the last `most` rows of each customer; return a warning where one has much of the table.

    `moments` say which rows come last; of equal or missing ones chance decides, not their order in the file.
    """
    used = np.flatnonzero(ledger.used)
    counts = customers.iloc[used].value_counts()
    if counts.empty:
        return ()
    busiest, count, kept = counts.index[0], int(counts.iloc[0]), ""
    if count > most:
        rows = used[customers.iloc[used].isin(counts.index[counts > most]).to_numpy()]
        ties = tie_breaks(ledger.raw.cells.iloc[rows])
        latest_first = rows[np.lexsort((ties, moments.iloc[rows].to_numpy()))][::-1]
        behind = customers.iloc[latest_first].reset_index(drop=True)
        early = np.zeros(len(customers), dtype=bool)
        early[latest_first[(behind.groupby(behind).cumcount() >= most).to_numpy()]] = True
        setting = "data.max_events_per_customer"
        ledger.set_aside(early, f"beyond the last {most:,} of their customer ({setting})")
        kept = f", of which the last {most:,} are used ({setting})"
    elif len(used) < FEWEST_EVENTS or count <= DOMINANT * len(used):
        return ()
    share = f"{count / len(used):.0%} of the {len(used):,} events are of customer {quoted(busiest)}"
    return (
        f"{ledger.raw.file}: {share}{kept}: a till, a reseller or a test account? "
        "Leave it out of the file if it is no customer",
    )
