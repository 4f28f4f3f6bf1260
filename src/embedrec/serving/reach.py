"""What an audience would have been worth: how many of the real buyers of the test window stand at its top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embedrec.features.history import Bools

SHARES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.50, 1.0)
FEWEST_BUYERS = 10


@dataclass(frozen=True)
class Reach:
    """The reach-lift curve of one audience, on purchases that the model had not seen."""

    customers: int
    """Who had bought anything before the test window, and so were ranked."""
    buyers: int
    """Of them, who bought within it."""
    curve: pd.DataFrame | None
    """share_contacted, share_reached (of the buyers), lift (over contacting as many at random)."""
    why: str = ""
    """Why there is no curve."""


def reach_of(bought: Bools) -> Reach:
    """Draw the curve from bought[B], whether each customer bought in the window, the likeliest first."""
    customers, buyers = len(bought), int(bought.sum())
    if buyers < FEWEST_BUYERS:
        why = (
            f"only {buyers} of {customers:,} customers bought within the test window; "
            f"a curve needs at least {FEWEST_BUYERS}"
        )
        return Reach(customers, buyers, None, why)
    contacted = np.array([max(round(share * customers), 1) for share in SHARES])
    reached = np.cumsum(bought)[contacted - 1] / buyers
    lift = reached * customers / contacted
    return Reach(customers, buyers, pd.DataFrame({"share_contacted": SHARES, "share_reached": reached, "lift": lift}))
