"""Two years of shopping in a `World`, and how far each purchase's clock has run.

A purchase is new, or it repeats an earlier one. A customer buys a consumable as something new once; from then
on each purchase is followed by one more of the same product with probability `loyalty * interest on that
day`, after a delay of about the product's cycle: 1 + floor(cycle * exp(JITTER * logistic noise)) days. A
durable has no clock and is picked anew with a quarter of its chance. So every (customer, product) pair runs
its own course, independent of the others given the `World`, which is what makes the oracle exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedrec.demo_shop.world import DAYS, FIRST_DATE, WEEKS, Floats, Ints, World

JITTER = 0.12
ANEW = 0.25  # of a durable's chance, once the customer has it
CELLS = 2_000_000  # (purchase, product) probabilities held in memory at a time


@dataclass(frozen=True)
class Purchases:
    """N purchases, by day, customer, product; no two alike."""

    customer: Ints  # [N]
    product: Ints  # [N]
    day: Ints  # [N] days since FIRST_DATE
    next_day: Ints  # [N] day of the repeat that this purchase caused; DAYS = none so far

    @property
    def dates(self) -> npt.NDArray[np.datetime64]:
        """The days as dates[N]."""
        return np.asarray(FIRST_DATE + self.day)


def simulate(world: World, rng: np.random.Generator) -> Purchases:
    """Run the shop from the first day to the last."""
    customer, product, day = _new_purchases(world, rng)
    generations = []
    while len(day):
        returns = rng.random(len(day)) < world.loyalty[product] * world.interest(customer, day)
        delay = 1 + np.floor(world.cycle[product] * np.exp(JITTER * rng.logistic(size=len(day))))
        next_day = np.where(returns, np.minimum(day + np.nan_to_num(delay), DAYS), DAYS).astype(np.int64)
        generations.append((customer, product, day, next_day))
        again = next_day < DAYS
        customer, product, day = customer[again], product[again], next_day[again]
    customer, product, day, next_day = (np.concatenate(parts) for parts in zip(*generations, strict=True))
    order = np.lexsort((product, customer, day))
    return Purchases(customer[order], product[order], day[order], next_day[order])


def returned_within(world: World, product: Ints, days: Ints) -> Floats:
    """products[N], days[N] → [N], the chance that a repeat, if there is one, comes within so many days.

    The distribution function of the delay in `simulate`, a log-logistic one: 1 / (1 + (cycle / days)^(1 /
    JITTER)).
    """
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(days > 0, 1 / (1 + (world.cycle[product] / np.maximum(days, 0)) ** (1 / JITTER)), 0.0)


def _new_purchases(world: World, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Draw customers[N], products[N], days[N] of the purchases that repeat nothing, in order of time."""
    everybody = np.arange(len(world.activity))
    weeks = []
    for week in range(WEEKS):
        days = np.arange(week * 7, min(week * 7 + 7, DAYS))[:, None]
        counts = rng.poisson(world.activity * world.interest(everybody, days))
        customer = np.repeat(np.tile(everybody, len(days)), counts.ravel())
        weeks.append((customer, _pick(world, customer, week, rng), np.repeat(days, counts.sum(axis=1))))
    customer, product, day = (np.concatenate(parts) for parts in zip(*weeks, strict=True))

    pair = customer * len(world.launch) + product
    kept = (rng.random(len(pair)) < ANEW) & (world.loyalty[product] == 0)
    kept[np.unique(pair, return_index=True)[1]] = True  # the first purchase of each pair
    customer, product, day, pair = customer[kept], product[kept], day[kept], pair[kept]
    once = np.sort(np.unique(pair * DAYS + day, return_index=True)[1])
    return customer[once], product[once], day[once]


def _pick(world: World, customers: Ints, week: int, rng: np.random.Generator) -> Ints:
    """customers[N] → products[N], each drawn from that customer's choice in this week."""
    size = max(1, CELLS // len(world.launch))
    picked = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(customers), size):
        reach = world.choice(customers[start : start + size], week).cumsum(axis=1)
        # Scaled by the row's end, which rounding leaves a hair off 1, so that the draw never runs past it.
        draw = rng.random(len(reach)) * reach[:, -1]
        picked.append((reach <= draw[:, None]).sum(axis=1))
    return np.concatenate(picked)
