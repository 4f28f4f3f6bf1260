"""The best reachable NDCG@10 on the demo shop, known because the shop's `World` is known.

At the cutoff the oracle knows every parameter and which purchases still wait for their repeat; it knows
nothing of what happens afterwards. In the window, customer c buys product p at least once with probability

    1 - exp(-new[c, p]) * Π (1 - due)

    new[c, p]  expected new purchases: the sum over the window's days of activity * interest * choice; where c
               has p already, times ANEW for a durable and 0 for a consumable
    due        over c's earlier purchases of p without a repeat so far: the chance of a repeat in the window,
               r (F(end) - F(cutoff)) / (1 - r F(cutoff)), r = loyalty * interest, F = `returned_within`

This is no approximation: interest moves by day and choice by week here as in the simulation, new purchases
are Poisson, repeats run on their own, and the repeat of a purchase in the window names no further product.

Of all rankings, the one by this probability has the highest expected NDCG@k. Given the state at the cutoff
products are independent, so swapping i with a later j takes away (P_i - P_j) times a factor that is
never negative, ideal DCG included; and that a test customer buys at all scales all of that customer's
probabilities alike. The figure is an upper limit in expectation: a model must estimate the tastes that the
oracle is told. It is measured on the one window that came to pass, so chance moves it as it moves a model's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embedrec.demo_shop.purchases import ANEW, CELLS, Purchases, returned_within
from embedrec.demo_shop.world import DAYS, FIRST_DATE, WEEKS, Floats, Ints, World

Booleans = npt.NDArray[np.bool_]
K = 10
QUANTILE = 0.9


def cutoff_of(purchases: Purchases) -> np.datetime64:
    """The linear 90 % quantile of the purchase times, floored to the second: where the test window begins."""
    seconds = purchases.dates.astype("datetime64[s]").astype(np.int64)
    return np.datetime64(int(np.floor(np.quantile(seconds, QUANTILE))), "s")


def oracle_report(world: World, purchases: Purchases, seed: int) -> dict[str, object]:
    """What `oracle.json` holds: the protocol, the oracle's NDCG@10 and the customers it averages over.

    Views: `all` masks nothing; `new` masks what the customer bought before, and averages over the customers
    with a first-time target. A view without customers has the figure None.
    """
    cutoff = cutoff_of(purchases)
    first_day = int(np.ceil((cutoff - FIRST_DATE) / np.timedelta64(1, "D")))
    before = purchases.day < first_day
    tested = np.intersect1d(purchases.customer[before], purchases.customer[~before])
    products = len(world.launch)

    found: dict[str, list[Floats]] = {"all": [], "new": []}
    size = max(1, CELLS // products)
    for start in range(0, len(tested), size):
        customers = tested[start : start + size]
        scores = chances(world, purchases, customers, first_day)
        bought = pairs(world, purchases, before, customers)
        targets = pairs(world, purchases, ~before, customers)
        found["all"].append(ndcg(scores, targets))
        scores[bought] = -np.inf
        targets &= ~bought
        some = targets.any(axis=1)
        found["new"].append(ndcg(scores[some], targets[some]))

    values = {view: np.concatenate([np.empty(0), *parts]) for view, parts in found.items()}
    return {
        "synthetic": True,
        "seed": seed,
        "protocol": {
            "split": "global_time",
            "test_from": str(cutoff),
            "test_until": str(FIRST_DATE + (DAYS - 1)),
            "candidates": "all",
        },
        f"ndcg@{K}": {view: round(float(v.mean()), 6) if len(v) else None for view, v in values.items()},
        "customers": {view: len(v) for view, v in values.items()},
    }


def chances(world: World, purchases: Purchases, customers: Ints, first_day: int) -> Floats:
    """customers[N] → [N, P], the chance to be bought from first_day to the end, as of first_day."""
    before = purchases.day < first_day
    new = np.zeros((len(customers), len(world.launch)))
    for week in range(first_day // 7, WEEKS):
        days = world.interested_days(max(week * 7, first_day), min(week * 7 + 7, DAYS))
        new += world.choice(customers, week) * (world.activity * days)[customers, None]
    bought = pairs(world, purchases, before, customers)
    new *= np.where(bought, np.where(world.loyalty > 0, 0.0, ANEW), 1.0)

    row = _rows(world, customers)
    waiting = before & (purchases.next_day >= first_day) & (row[purchases.customer] >= 0)
    waiting &= world.loyalty[purchases.product] > 0
    customer, product, day = purchases.customer[waiting], purchases.product[waiting], purchases.day[waiting]
    follows = world.loyalty[product] * world.interest(customer, day)
    past = returned_within(world, product, first_day - 1 - day)
    due = follows * (returned_within(world, product, DAYS - 1 - day) - past) / (1 - follows * past)
    stays_away = np.exp(-new)
    np.multiply.at(stays_away, (row[customer], product), 1 - due)
    return np.asarray(1 - stays_away)


def pairs(world: World, purchases: Purchases, chosen: Booleans, customers: Ints) -> Booleans:
    """customers[N] → [N, P]: who bought what in the purchases marked by chosen[len(purchases)]."""
    row = _rows(world, customers)
    chosen = chosen & (row[purchases.customer] >= 0)
    table = np.zeros((len(customers), len(world.launch)), dtype=bool)
    table[row[purchases.customer[chosen]], purchases.product[chosen]] = True
    return table


def ndcg(scores: Floats, targets: Booleans, k: int = K) -> Floats:
    """scores[N, P], targets[N, P] with at least one target a row → NDCG@k [N].

    The sum over the hits in the first k ranks of 1 / log2(rank + 1), divided by the same with min(k, targets)
    hits on top (Järvelin and Kekäläinen 2002, binary gains). Ties go to the lower product.
    """
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(2, top.shape[1] + 2))
    hits = np.take_along_axis(targets, top, axis=1)
    ideal = discount.cumsum()[np.minimum(targets.sum(axis=1), top.shape[1]) - 1]
    return np.asarray(hits @ discount / ideal)


def _rows(world: World, customers: Ints) -> Ints:
    """customers[N] → [C], the position of each customer of the world in `customers`, or -1."""
    row = np.full(len(world.activity), -1)
    row[customers] = np.arange(len(customers))
    return row
