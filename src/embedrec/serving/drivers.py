"""What made a whole list: the basket's products and the other parts of the scores, exactly.

The lift of a list is how far its mean score lies above the mean score of the catalogue. Scores are sums of parts, so
the lift is the sum of the parts' lifts; the part "history" is split further by what each product of the basket adds,
and "repeat", which speaks for a product of the basket itself, is that product's own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.columns import PRODUCT
from embedrec.features import Customers
from embedrec.features.history import Ints
from embedrec.models import Scorer

PART, WORDS, LIFT = "part", "words", "lift"
DRIVEN = (PART, WORDS, PRODUCT, LIFT)
BASKET = {"history", "repeat"}
DRIVERS = {
    "identity": "who they are",
    "activity": "how much they look around and buy",
    "category": "their favourite category",
    "price": "their usual price",
    "order": "the order of what they bought",
    "looks": "what they looked at",
    "habits": "new products of their categories",
    "popularity": "what sells to everybody",
    "taste": "what sells to everybody",
    "newness": "what is new in the shop",
    "esteem": "what is rated highly",
    "random": "chance",
}
OTHERS = "the basket as a whole"


def drivers(scorer: Scorer, customer: Customers, items: Ints, ids: pd.Index) -> pd.DataFrame:
    """Return part, words, product_id (None but for products of the basket) and lift, the strongest first.

    items[n] is the list, ids[N] what products are called; the lifts add up to that of the list.
    """
    bought, size = customer.bought.values, len(items)
    explanation = scorer.explain(customer, np.concatenate([items, bought]))
    parts = {name: part.numpy() for name, part in explanation.parts.items()}
    lifts = {name: float(part[:size].mean()) - explanation.average[name] for name, part in parts.items()}
    own = np.zeros(0)
    if len(explanation.bought):
        own = explanation.pull[:size].numpy().mean(axis=0) - scorer.average_pull(customer).numpy()
        if "repeat" in parts:
            own = own + parts["repeat"][size:] * (np.isin(bought, items) / size - 1 / len(ids))
    rows: list[tuple[str, str, str | None, float]] = [
        ("history", "", str(ids[item]), float(lift)) for item, lift in zip(explanation.bought, own, strict=True)
    ]
    whole = sum(lifts.pop(name, 0.0) for name in BASKET) - float(own.sum())
    named: dict[str, tuple[str, float]] = {"history": (OTHERS, whole)}
    for name, lift in lifts.items():
        words = DRIVERS.get(name, name)
        same = next((part for part, (other, _) in named.items() if other == words), name)
        named[same] = (words, named.get(same, (words, 0.0))[1] + lift)
    rows += [(name, words, None, lift) for name, (words, lift) in named.items()]
    table = pd.DataFrame(rows, columns=list(DRIVEN)).astype({PRODUCT: object})
    table[PRODUCT] = table[PRODUCT].where(table[PRODUCT].notna(), None)
    return table.sort_values(LIFT, ascending=False, kind="stable", ignore_index=True)
