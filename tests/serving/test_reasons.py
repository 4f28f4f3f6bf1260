"""A reason is true: what it says the customer bought, they bought, that often, and last on that day."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import torch

from embedrec import Recommender
from embedrec.bundle import read_bundle
from embedrec.columns import CATEGORY, PRODUCT, REASON, TIME
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.features.history import DAY, Ragged
from embedrec.features.schema import LOOKS
from embedrec.models import Explanation, TwoTowerSequenceConfig, scorer_of
from embedrec.serving.reasons import THIS_MONTH, WORDS, reasons
from runs import Trained
from shops import at_day, history_of, small_shop

BEFORE = re.compile(r"Bought (?:(\d+) times|once) before, last on (\d+ \w{3} \d{4})")
AGAIN = re.compile(
    r"Time to buy again: (?:usually every (\d+) days?|customers usually do after (\d+) days?), "
    r"last on (\d+ \w{3} \d{4})"
)
BECAUSE_OF = re.compile(r"because they bought (.+?)(?: and (.+))?")
FAVOURITE = re.compile(r"fits their favourite category, (.+)")


@pytest.fixture(scope="module", params=["trained", "simple"])
def shop(request: pytest.FixtureRequest) -> Recommender:
    run: Trained = request.getfixturevalue(request.param)
    return Recommender.load(run.bundle)


def phrases(reason: str) -> list[str]:
    assert reason[0].isupper()
    return (reason[0].lower() + reason[1:]).split("; ")


def named_in(reason: str) -> list[str]:
    """The products that a reason names."""
    matches = [BECAUSE_OF.fullmatch(phrase) for phrase in phrases(reason)]
    return [name for match in matches if match for name in match.groups() if name]


def test_every_reason_is_true(shop: Recommender) -> None:
    assert not shop.titles, "names in reasons are ids"
    kinds = set()
    snapshot: Snapshot = shop._snapshot
    customers = snapshot.history.distinct_customers(snapshot.as_of - 28 * DAY, snapshot.as_of)
    sold_this_month = set(snapshot.history.product_ids[customers >= 3])
    for customer in shop.customer_ids[:120]:
        bought = shop.purchases(customer)
        for product, reason in shop.recommend(customer, k=30)[[PRODUCT, REASON]].itertuples(index=False):
            own = bought[bought[PRODUCT] == product]
            if match := BEFORE.fullmatch(reason):
                kinds.add("before")
                assert int(match[1] or 1) == len(own)
                assert pd.Timestamp(match[2]) == own[TIME].max().normalize()
                continue
            if match := AGAIN.fullmatch(reason):
                kinds.add("again")
                assert pd.Timestamp(match[3]) == own[TIME].max().normalize()
                days = np.unique(own[TIME].to_numpy("datetime64[D]")).astype(np.int64)
                assert bool(match[1]) == (len(days) >= 3), "their own rhythm takes three days of buying"
                if match[1]:
                    assert int(match[1]) == max(1, round(float(np.exp(np.log(np.diff(days)).mean()))))
                continue
            assert own.empty, f"{product} was bought before, but its reason is {reason!r}"
            assert 1 <= len(phrases(reason)) <= 2
            for phrase in phrases(reason):
                if match := FAVOURITE.fullmatch(phrase):
                    kinds.add("category")
                    counts = bought[CATEGORY].value_counts()
                    assert counts[match[1]] == counts.max()
                elif named := named_in(reason):
                    kinds.add("with")
                    assert set(named) <= set(bought[PRODUCT])
                    assert len(set(named)) == len(named)
                else:
                    assert phrase in {*WORDS.values(), THIS_MONTH, "new, from a category they buy"}
                    if phrase == THIS_MONTH:
                        kinds.add("month")
                        assert product in sold_this_month
    assert "again" in kinds
    wanted = {"before"} if shop.info.model == "personal_frequency" else {"before", "with"}
    assert wanted <= kinds


def test_a_newcomers_reasons_name_the_basket(trained: Trained) -> None:
    shop = Recommender.load(trained.bundle)
    basket = list(shop.product_ids[:3])
    named = {name for reason in shop.recommend_new(basket, k=100)[REASON] for name in named_in(reason)}
    assert named
    assert named <= set(basket)


def item_never_bought(trained: Trained) -> int:
    """The first product that the first customer never bought."""
    snapshot: Snapshot = Recommender.load(trained.bundle)._snapshot
    return int(np.setdiff1d(np.arange(snapshot.history.n_items), snapshot.customers(np.array([0])).bought.values)[0])


def why(
    trained: Trained, parts: dict[str, float], average: dict[str, float], pull: list[float], **known: object
) -> str:
    """The reason for a product never bought, from parts of a score given by hand; `known` of the customer."""
    shop = Recommender.load(trained.bundle)
    snapshot: Snapshot = shop._snapshot
    customer = dataclasses.replace(snapshot.customers(np.array([0])), **known)  # type: ignore[arg-type]
    bought, item = customer.bought.values, item_never_bought(trained)
    pulls = torch.tensor([pull + [0.0] * (len(bought) - len(pull))], dtype=torch.float64)
    explanation = Explanation({name: torch.tensor([part]) for name, part in parts.items()}, average, bought, pulls)
    names = [f"thing {number}" for number in range(snapshot.history.n_items)]
    return reasons(explanation, snapshot, customer, np.array([item]), names)[0]


def test_a_part_counts_by_its_lift_over_the_average(trained: Trained) -> None:
    parts = {"popularity": 9.0, "price": 2.0}
    assert why(trained, parts, {"popularity": 9.0, "price": 0.0}, []) == "Fits their usual price level"
    assert why(trained, parts, {"popularity": 0.0, "price": 0.0}, []) == "Popular with other customers"


def test_the_strongest_pulls_are_named(trained: Trained) -> None:
    shop = Recommender.load(trained.bundle)
    bought = shop._snapshot.customers(np.array([0])).bought.values
    assert len(bought) >= 3
    parts, average = {"history": 1.0, "popularity": 0.0}, {"history": 0.0, "popularity": 0.0}
    said = why(trained, parts, average, [0.1, 0.7, 0.4])
    assert said == f"Because they bought thing {bought[1]} and thing {bought[2]}"
    assert why(trained, parts, average, [0.0, 0.3, -1.0]) == f"Because they bought thing {bought[1]}"


def test_without_a_pull_nothing_is_named(trained: Trained) -> None:
    parts, average = {"history": 1.0, "popularity": 0.0}, {"history": 0.0, "popularity": 0.0}
    assert why(trained, parts, average, [-0.5]) == "Popular with other customers"


def test_the_repeat_part_is_no_reason_for_a_new_product(trained: Trained) -> None:
    said = why(trained, {"repeat": 5.0, "identity": 1.0}, {"repeat": -5.0, "identity": 0.0}, [])
    assert said == "Fits this customer's own taste"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (0.51, "Fits their usual price level; fits this customer's own taste"),
        (0.49, "Fits their usual price level"),
        (-1.0, "Fits their usual price level"),
    ],
)
def test_a_second_part_is_named_where_it_weighs_half_as_much(trained: Trained, second: float, said: str) -> None:
    parts = {"activity": 0.1, "identity": second, "price": 1.0}
    assert why(trained, parts, dict.fromkeys(parts, 0.0), []) == said


def test_parts_of_one_meaning_count_together(trained: Trained) -> None:
    parts = {"price": 1.0, "popularity": 0.6, "taste": 0.6}
    said = why(trained, parts, dict.fromkeys(parts, 0.0), [])
    assert said == "Popular with other customers; fits their usual price level"


def test_where_nothing_lifts_the_least_harmful_part_is_named(trained: Trained) -> None:
    parts = {"price": -1.0, "identity": -3.0}
    assert why(trained, parts, dict.fromkeys(parts, 0.0), []) == "Fits their usual price level"


def test_what_was_looked_at_and_what_is_new(trained: Trained) -> None:
    parts = {"looks": 0.0, "habits": 2.0, "newness": 1.5, "price": 0.1}
    average = dict.fromkeys(parts, 0.0)
    assert why(trained, parts, average, []) == "New, from a category they buy; new in the shop", "it was not looked at"
    like_those = why(trained, parts | {"looks": 3.0}, average, [])
    assert like_those == "Fits what they looked at; new, from a category they buy", "others were"
    assert why(trained, parts | {"habits": 0.0}, average, []) == "New in the shop"
    assert why(trained, parts | {"habits": 0.0, "newness": 0.0}, average, []) == "Fits their usual price level"
    item = item_never_bought(trained)
    seen = {"seen": Ragged(np.array([0, 1]), np.array([item]))}
    for carts, said in ((0.0, "They looked at it before"), (0.7, "They put it in the cart and have not bought it yet")):
        looks = np.full((1, len(LOOKS)), 0.5)
        looks[0, LOOKS.index("carts")] = carts
        assert why(trained, {"looks": 3.0, "price": 0.1}, average, [], **seen, looks=looks) == said


def test_products_are_called_by_their_title(trained: Trained) -> None:
    bundle = read_bundle(trained.bundle)
    products = bundle.frames["products"]
    titles = pd.Series([f"Thing {one}" for one in products[PRODUCT]], dtype="str")
    bundle.frames["products"] = products.assign(title=titles)
    shop = Recommender(bundle)
    shown = (shop.recommend(customer, k=30)[REASON] for customer in shop.customer_ids[:60])
    named = {name for table in shown for reason in table for name in named_in(reason)}
    assert named
    assert named <= set(titles)


def test_a_model_of_sequences_names_what_was_bought() -> None:
    until = at_day(200)
    snapshot = FeatureEncoder.fit(*history_of(small_shop(5)), until).at(until)
    torch.manual_seed(0)
    scorer = scorer_of(TwoTowerSequenceConfig(dim=8, events=4).build(snapshot.encoder.schema)).observe(snapshot)
    customer = snapshot.customers(np.bincount(snapshot.history.users).argmax()[None])
    new = np.setdiff1d(np.arange(snapshot.history.n_items), customer.bought.values)
    ids = snapshot.history.product_ids
    named = [named_in(reason) for reason in reasons(scorer.explain(customer, new), snapshot, customer, new, ids)]
    assert {name for names in named for name in names} <= set(ids[customer.line_items[-4:]])
    assert sum(bool(names) for names in named) > len(new) / 4
