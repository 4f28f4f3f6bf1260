"""Made-up times for the protocols other than `global_time`, so that the code for windows in time serves them all.

Each event belongs to a part: train, validation or test. A time in the window of its part replaces its own:

    order of events   train                                     validation and test, after it
    unknown           80 days, products spread at random;       10 days each, likewise
                      in a given split views and carts first
    known             one day a purchase, ending as it begins   as many days as customers usually purchase in them

Purchases of one moment, such as those of a basket, follow each other in random order.

Features, training dates and metrics then see the held-out parts as the future, as they do with real dates.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from embedrec.columns import EVENT, KNOWN_FROM, ORDER, PART, PARTS, PRODUCT, PURCHASE, TIME
from embedrec.errors import DataError
from embedrec.splits.config import Protocol, SplitConfig
from embedrec.splits.rows import Bools, Floats, Ints, Rows, numbered, seconds, shuffled, steps
from embedrec.splits.windows import Split, split_by_time, untested
from embedrec.tables import Tables
from embedrec.tables.ordering import in_order

DAY = 86_400  # seconds
ORIGIN = 946_684_800  # 2000-01-01
TRAIN_DAYS = 80
HELD_OUT_DAYS = 10
HELD_OUT = 0.1  # of each customer's products
VALID_FROM = ORIGIN + TRAIN_DAYS * DAY
TRAIN, VALID, TEST = range(3)  # in the order of their windows

LEAVE_LAST_OUT = (
    "the last purchase of each customer is held out, whenever it was: the models know other customers' later "
    "purchases, so the figures are higher than in daily use"
)
RANDOM = "a random part of each customer's products is held out: the figures say little about the future"
TOO_FEW_EACH = "no customer has a purchase that could be held out, so there is nothing to test on"
LOOKS_FIRST = (
    "views and carts have no order: those of the training part count as known from the start, also where they were of "
    "a product that is held out"
)
WITHOUT_VALID = "the given split has no validation part: a random 10 % of each customer's training products are one"


def arrange(tables: Tables, config: SplitConfig) -> tuple[Tables, Split]:
    """Return the tables with the times that the protocol goes by, and its windows.

    With `global_time` these are the tables' own. Where nothing can be held out all is for training. The columns `split`
    and `order` have done their work and are left out.

    Raises:
        ConfigError: dates are set for a protocol without dates, or they do not lie within the data.
        DataError: the tables lack what the protocol needs, or a given split leaves nothing to train or test on.
    """
    protocol = choose_protocol(tables, config)
    lean = tables.events.drop(columns=[PART, ORDER], errors="ignore")
    bought = (lean[EVENT] == PURCHASE).to_numpy()
    if protocol == "global_time":
        split = split_by_time(seconds(lean[TIME])[bought], config)
        return replace(tables, events=lean, warnings=(*tables.warnings, *filter(None, [split.warning]))), split

    rows, rng = Rows.of(tables, config.seed), np.random.default_rng(config.seed)
    parts, warning = _parts(protocol, rows, tables.events, rng)
    lacking = [goal for part, goal in ((TRAIN, "train"), (TEST, "test")) if not (bought & (parts == part)).any()]
    if lacking and (protocol == "given" or not bought.any()):
        raise DataError(f"split.protocol={protocol} leaves no purchase to {lacking[0]} on: more purchases are needed")
    if lacking:
        parts, warning = np.full_like(parts, TRAIN), TOO_FEW_EACH
    in_sequence = rows.moments is not None and protocol != "random"
    looks_first = protocol == "given" and not in_sequence
    if in_sequence:
        test_from, times = _one_day_a_purchase(rows, parts)
    else:
        test_from, times = _at_random(rows, parts, rng, looks_first)
    start, end = int(times[bought].min()), int(times[bought].max()) + 1
    split = Split(start, VALID_FROM, test_from, end, protocol, warning)
    if lacking:
        split = untested(start, end, protocol, warning)
    events = in_order(lean.assign(**{TIME: times.astype("datetime64[s]")}))
    products = tables.products
    if KNOWN_FROM in products:  # the attributes stood on the rows: they are known from the first one on
        products = products.assign(**{KNOWN_FROM: products[PRODUCT].map(events.groupby(PRODUCT)[TIME].min())})
    told = [warning, LOOKS_FIRST if looks_first and (~bought & (parts == TRAIN)).any() else ""]
    warnings = (*tables.warnings, *filter(None, told))
    return replace(tables, events=events, products=products, warnings=warnings), split


def choose_protocol(tables: Tables, config: SplitConfig) -> Protocol:
    """Return the protocol asked for, or the usual one of such tables.

    Raises:
        ConfigError: dates are set for a protocol without dates.
        DataError: the tables lack what the protocol needs.
    """
    published = PART in tables.events
    usual: Protocol = "given" if published else "global_time" if tables.time == "dates" else "random"
    protocol = config.protocol or usual
    config.check_dates(protocol)
    if protocol == "given" and not published:
        raise DataError(
            "split.protocol=given needs a column that says train, valid or test on every row: "
            "name it with data.columns.split=HEADER"
        )
    if protocol == "given" and tables.events[PART].isna().any():
        raise DataError(
            "split.protocol=given needs a part on every row and customer_interactions has none: "
            "leave that table out with data.files.customer_interactions=-"
        )
    if protocol == "global_time" and tables.time != "dates":
        raise DataError(
            "split.protocol=global_time needs dates and the purchases carry none (data.columns.purchase_date=-): "
            "set split.protocol=random"
        )
    if protocol == "leave_last_out" and tables.time == "none":
        raise DataError(
            "split.protocol=leave_last_out needs to know which purchase was last, but the purchases carry neither "
            "dates nor an order: set split.protocol=random, or name the order with data.columns.order=HEADER"
        )
    return protocol


def _parts(protocol: Protocol, rows: Rows, events: pd.DataFrame, rng: np.random.Generator) -> tuple[Ints, str]:
    """Return the part of each event, [E], and the protocol's warning."""
    if protocol == "leave_last_out":
        # The last line, one drawn from those of the last moment, whether or not the customer had bought its product
        # before. A view or cart goes with the purchase it followed; one at the same moment as a purchase followed it.
        index, count = steps(rows.users, rows)
        still_to_come = np.where(count > 1, count - index, np.int64(TEST))  # a customer's only purchase is for training
        return np.maximum(TEST - still_to_come, TRAIN), LEAVE_LAST_OUT
    if protocol == "random":
        place = _place(rows, np.ones(len(rows.users), bool), rng)
        return (place >= 1 - 2 * HELD_OUT).astype(np.int64) + (place >= 1 - HELD_OUT), RANDOM
    number_of = {name: part for part, name in enumerate(PARTS)}
    parts: Ints = np.asarray(events[PART].map(number_of), np.int64)
    if (rows.bought & (parts == VALID)).any():
        return parts, ""
    place, among = np.zeros(len(parts)), rows.bought & (parts == TRAIN)
    place[among] = _place(rows, among, rng)  # views and carts of what is held out stay in training, as published
    return np.where(place < 1 - HELD_OUT, parts, VALID), WITHOUT_VALID


def _place(rows: Rows, among: Bools, rng: np.random.Generator) -> Floats:
    """Put each customer's products in random order: the place of every row's, 0 to 1.

    A customer's only product stands at 0, in training.
    """
    place, count = shuffled(rows.users[among], rows.pairs[among], rows.bought[among], rng)
    return np.where(count == 1, 0.0, place)


def _at_random(rows: Rows, parts: Ints, rng: np.random.Generator, looks_first: bool) -> tuple[int, Ints]:
    """Return where the test begins and a time for each event, [E] seconds, where no order is known.

    With `looks_first` the views and carts of training come before all purchases. At the test all of them are known,
    those of held-out products too, and so they must be at every date that a model learns from.
    """
    place, _ = shuffled(rows.users * 3 + parts, rows.pairs * 3 + parts, rows.bought, rng)
    start = np.array([ORIGIN, VALID_FROM, VALID_FROM + HELD_OUT_DAYS * DAY])
    length = np.array([TRAIN_DAYS, HELD_OUT_DAYS, HELD_OUT_DAYS]) * DAY
    times = start[parts] + (place * length[parts]).astype(np.int64)
    first = looks_first & ~rows.bought & (parts == TRAIN)
    return int(start[TEST]), np.where(first, ORIGIN - DAY, times)


def _one_day_a_purchase(rows: Rows, parts: Ints) -> tuple[int, Ints]:
    """Return where the test begins and a time for each event, [E] seconds, where it is known which came first."""
    index, count = steps(numbered(rows.users * 3 + parts), rows)
    last = rows.bought & (index == count)
    usual = [count[last & (parts == part)] for part in (VALID, TEST)]
    valid, test = (max(1, round(float(np.median(counts)))) if len(counts) else 1 for counts in usual)  # days
    test_from = VALID_FROM + valid * DAY
    within = np.maximum(index - 0.5, 0) / np.maximum(count, 1)  # of a held-out window
    times = [
        VALID_FROM - (count - index + 1) * DAY,
        VALID_FROM + (within * valid * DAY).astype(np.int64),
        test_from + (within * test * DAY).astype(np.int64),
    ]
    return test_from, np.choose(parts, times)
