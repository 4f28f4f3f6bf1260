"""Which products a customer is listed, by whether they bought them before."""

from __future__ import annotations

import torch
from torch import Tensor

from embedrec.features import Customers

NEW, AGAIN = "new", "again"
Choice = str | None
"""`NEW` = nothing that the customer bought before, `AGAIN` = nothing else; None = both."""


def allowed_to(customers: Customers, allowed: Tensor, only: Choice) -> Tensor:
    """Return which of allowed[N] are for each of B customers, [B, N]; [N] where that is the same for all."""
    if only is None:
        return allowed
    bought = torch.zeros(customers.size, len(allowed), dtype=torch.bool)
    bought[torch.from_numpy(customers.bought.rows), torch.from_numpy(customers.bought.values)] = True
    return allowed & (~bought if only == NEW else bought)
