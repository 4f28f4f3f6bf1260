"""The demo shop as its three tables, with the gaps that real tables have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    DETAILS,
    INTERACTIONS,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASES,
    TIME,
    TIME_SPENT,
)
from embedrec.demo_shop.purchases import Purchases
from embedrec.demo_shop.world import BROWSING_DAYS, CATEGORIES, Floats, Ints, World

# Called so in the brief's file; `embedrec.columns` names the column after the reader has settled its
# synonyms.
RATINGS = "ratings"

NO_DETAIL = 0.04  # share of the category, price and ratings cells that are empty
NO_BEHAVIOUR = 0.05  # share of the page_views and time_spent cells that are empty
NO_ROW = 0.03  # share of the customers whom customer_interactions does not list


def shop_tables(world: World, purchases: Purchases, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """The three tables by name, as they go into the files."""
    history = pd.DataFrame(
        {
            CUSTOMER: _customer_ids(purchases.customer),
            PRODUCT: _product_ids(purchases.product),
            TIME: purchases.dates.astype(str),
        }
    )
    return {
        INTERACTIONS: customer_interactions(world, purchases, rng),
        PURCHASES: history,
        DETAILS: product_details(world, rng),
    }


def customer_interactions(world: World, purchases: Purchases, rng: np.random.Generator) -> pd.DataFrame:
    """One row a customer: page_views (number) and time_spent (minutes) of the first BROWSING_DAYS.

    Nothing here depends on what happened later: who came later has empty cells, and only customers who had
    bought by then may be left out.
    """
    count = len(world.activity)
    days = world.interested_days(0, BROWSING_DAYS)
    visits = 3.0 * (days > 0) + 6.0 * world.activity * days
    views = rng.poisson(visits * rng.lognormal(0, 0.5, count)).astype(float)
    minutes = (views * 1.4 * rng.lognormal(0, 0.4, count)).round(1)
    table = pd.DataFrame({CUSTOMER: _customer_ids(np.arange(count)), PAGE_VIEWS: views, TIME_SPENT: minutes})
    came_later = days == 0
    table[PAGE_VIEWS] = table[PAGE_VIEWS].mask(came_later | (rng.random(count) < NO_BEHAVIOUR)).astype("Int64")
    table[TIME_SPENT] = table[TIME_SPENT].mask(came_later | (rng.random(count) < NO_BEHAVIOUR))

    bought = np.isin(np.arange(count), purchases.customer[purchases.day < BROWSING_DAYS])
    return table[~(bought & (rng.random(count) < NO_ROW))]


def product_details(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """One row a product: category, price (the shop's currency), ratings (1 to 5 stars, everybody's mean)."""
    count = len(world.launch)
    names = np.array([c.name for c in CATEGORIES], dtype=object)
    medians = np.array([c.price for c in CATEGORIES])
    stars: Floats = np.clip(3.8 + 0.8 * world.quality + rng.normal(0, 0.3, count), 1, 5).round(1)
    table = pd.DataFrame(
        {
            PRODUCT: _product_ids(np.arange(count)),
            CATEGORY: names[world.category],
            PRICE: (medians[world.category] * np.exp(0.5 * world.price_standing)).round(2),
            RATINGS: stars,
        }
    )
    for column in (CATEGORY, PRICE, RATINGS):
        table[column] = table[column].mask(rng.random(count) < NO_DETAIL)
    return table


def _customer_ids(numbers: Ints) -> list[str]:
    return [f"C{number + 1:04d}" for number in numbers]


def _product_ids(numbers: Ints) -> list[str]:
    return [f"P{number + 1:03d}" for number in numbers]
