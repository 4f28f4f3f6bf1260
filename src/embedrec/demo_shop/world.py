"""Who shops and what is on sale: the fixed truth behind the demo shop, before anybody has bought anything.

Letters in shapes: C customers, P products, L latent dimensions, N whatever is asked for.

Customer c buys something new on day d with the Poisson rate `activity[c] * interest(c, d)`, and picks product
p with probability `choice(week)[c, p]`, a softmax of

    sharpness * <taste[c], latent[p]> / sqrt(L)         personal liking, low rank: category plus own character
    - stinginess[c] * price_standing[p]                 dear or cheap within its category
    + appeal[p] + quality[p]                            heavy-tailed popularity
    - ageing[p] * weeks since launch + season           drift; a product is not on sale before its launch

A customer's interest is 0 before the first visit and halves every so often afterwards. A consumable also
comes back by itself, as `embedrec.demo_shop.purchases` tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIRST_DATE = np.datetime64("2024-01-01")
DAYS = 731  # 2024-01-01 … 2025-12-31
WEEKS = -(-DAYS // 7)
# Page views and time spent count the days before this one, so that they cannot tell of the test window.
BROWSING_DAYS = DAYS * 8 // 10

LATENT = 8
SHARPNESS = 1.7
# Mean per customer. Fewer are kept, as most choices of a product that the customer has already come to
# nothing; with the repeats it is about 20 purchases again.
NEW_PURCHASES = 20.5


class Category(NamedTuple):
    """One shelf of the shop."""

    name: str
    price: float  # median, in the shop's currency
    cycle: tuple[int, int] | None = None  # shortest and longest days between re-purchases; None = durable
    peak: int = 1  # day of the year when the season is at its best
    swing: float = 0.0  # log of the demand at the peak over the yearly middle


CATEGORIES = (
    Category("Beauty", 18, cycle=(35, 60)),
    Category("Coffee & Tea", 11, cycle=(20, 40)),
    Category("Pet Food", 24, cycle=(20, 35)),
    Category("Vitamins", 19, cycle=(28, 60), peak=15, swing=0.3),
    Category("Cleaning", 8, cycle=(25, 50), peak=90, swing=0.2),
    Category("Snacks", 5, cycle=(20, 35)),
    Category("Toys", 26, peak=345, swing=1.2),
    Category("Books", 14, peak=345, swing=0.5),
    Category("Garden", 32, peak=120, swing=1.3),
    Category("Electronics", 120, peak=332, swing=0.6),
    Category("Home & Living", 38, peak=300, swing=0.2),
    Category("Sports", 45, peak=170, swing=0.5),
)


@dataclass(frozen=True)
class World:
    """Every hidden parameter of one shop; see the module for what each does."""

    # customers
    activity: Floats  # [C] new purchases a day at full interest
    arrival: Ints  # [C] day of the first visit
    fading: Floats  # [C] interest lost per day, as a rate
    taste: Floats  # [C, L]
    stinginess: Floats  # [C]
    # products
    category: Ints  # [P] position in CATEGORIES
    latent: Floats  # [P, L]
    price_standing: Floats  # [P] standard deviations from the category's median log price
    appeal: Floats  # [P]
    quality: Floats  # [P]
    launch: Ints  # [P] day; DAYS = listed, not yet on sale
    ageing: Floats  # [P] log demand lost per week
    # repeats
    cycle: Floats  # [P] median days between re-purchases; NaN = durable
    loyalty: Floats  # [P] chance that a purchase at full interest is followed by another; 0 = durable

    def interest(self, customers: Ints, days: Ints) -> Floats:
        """customers[N], days[N], or what broadcasts to it → interest[N] in 0..1."""
        since = days - self.arrival[customers]
        return np.where(since < 0, 0.0, np.exp(-self.fading[customers] * np.maximum(since, 0)))

    def interested_days(self, start: int, stop: int) -> Floats:
        """Sum of the interest over the days start … stop-1 → [C], in days."""
        first = np.maximum(start, self.arrival) - self.arrival
        last = np.maximum(stop, self.arrival) - self.arrival
        # A geometric sum: exp(-f * n) over n = first … last-1.
        gap = np.exp(-self.fading * first) - np.exp(-self.fading * last)
        return np.asarray(gap / -np.expm1(-self.fading))

    def choice(self, customers: Ints, week: int) -> Floats:
        """customers[N] → probabilities[N, P] of a new purchase in this week, by product."""
        liking = self.taste[customers] @ self.latent.T * (SHARPNESS / np.sqrt(LATENT))
        liking -= np.outer(self.stinginess[customers], self.price_standing)
        weights = np.exp(liking + self._demand(week))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def _demand(self, week: int) -> Floats:
        """Log demand[P] common to all customers, -inf before the launch's week."""
        peak = np.array([c.peak for c in CATEGORIES])
        swing = np.array([c.swing for c in CATEGORIES])
        season = swing * np.cos(2 * np.pi * (week * 7 + 3 - peak) / 365.25)
        age = week - -(-self.launch // 7)
        demand = self.appeal + self.quality - self.ageing * np.maximum(age, 0) + season[self.category]
        return np.asarray(np.where(age < 0, -np.inf, demand))


def draw_world(customers: int, products: int, rng: np.random.Generator) -> World:
    """Draw the parameters of one shop. Taste, character and appeal are normal; activity is log-normal."""
    centres = rng.normal(size=(len(CATEGORIES), LATENT))
    category = rng.permutation(np.arange(products) % len(CATEGORIES))
    cycles = np.array([c.cycle or (np.nan, np.nan) for c in CATEGORIES], dtype=float)[category]
    consumable = ~np.isnan(cycles[:, 0])

    # Day 0 finds two fifths of the customers and two thirds of the products there already; the others come
    # later, some products in the last weeks, and the last of them are listed but not yet on sale.
    arrival = np.where(rng.random(customers) < 0.4, 0, rng.integers(0, int(DAYS * 0.95), customers))
    turn = (rng.permutation(products) + 1) / products
    launch = rng.integers(0, int(DAYS * 0.9), products)
    late = rng.integers(int(DAYS * 0.92), int(DAYS * 0.98), products)
    launch = np.select([turn <= 0.67, turn <= 0.96, turn <= 0.98], [0, launch, late], DAYS)
    fading = np.log(2) / rng.lognormal(np.log(1500), 1.0, customers)

    activity = rng.lognormal(0, 0.9, customers)
    activity[rng.random(customers) < 0.015] = 0.0  # registered, never bought
    world = World(
        activity=activity,
        arrival=arrival,
        fading=fading,
        taste=rng.normal(size=(customers, LATENT)),
        stinginess=rng.normal(0.2, 0.7, customers),
        category=category,
        latent=centres[category] + 0.8 * rng.normal(size=(products, LATENT)),
        price_standing=rng.normal(size=products),
        appeal=rng.normal(0, 1.0, products),
        quality=rng.normal(0, 0.5, products),
        launch=launch,
        ageing=rng.exponential(0.008, products),
        cycle=cycles[:, 0] + (cycles[:, 1] - cycles[:, 0]) * rng.random(products),
        loyalty=np.where(consumable, rng.uniform(0.4, 0.75, products), 0.0),
    )
    expected = world.activity * world.interested_days(0, DAYS)
    scale = NEW_PURCHASES * np.count_nonzero(activity) / expected.sum()
    return replace(world, activity=activity * scale)
