"""Every sentence the verdict can say, on arrays made for it."""

from __future__ import annotations

import numpy as np
import pytest

from embedrec.evaluation.verdict import (
    MIN_CUSTOMERS,
    SIMPLE_MODELS,
    Verdict,
    verdict,
    verdict_of_comparison,
)

N = 1012


def around(mean: float, n: int = N, seed: int = 0, spread: float = 0.05) -> np.ndarray:
    """n values with exactly this mean."""
    noise = np.random.default_rng(seed).standard_normal(n) * spread
    return noise - noise.mean() + mean


def judge(n: int = N, **means: float) -> Verdict:
    return verdict({model: around(mean, n, seed) for seed, (model, mean) in enumerate(means.items())}, "two_tower", 0)


def test_the_trained_model_wins() -> None:
    answer = judge(popularity=0.07, two_tower=0.381, personal_frequency=0.334)
    assert answer.sentence.startswith(
        "two_tower finds the next products best: NDCG@10 0.381, 14 % above personal_frequency (0.334), "
        "beyond chance (95 % interval of the difference +0.0"
    )
    assert answer.sentence.endswith(", 1,012 customers).")
    assert answer[1:] == ("two_tower", True, True)


def test_a_simple_rival_wins() -> None:
    answer = judge(two_tower=0.30, personal_frequency=0.36)
    assert answer.sentence.startswith(
        "personal_frequency finds the next products best: NDCG@10 0.360, 20 % above two_tower (0.300), beyond"
    )
    assert "difference −0.0" in answer.sentence
    assert answer.sentence.endswith(": serve the simple personal_frequency.")
    assert answer[1:] == ("personal_frequency", True, True)


def test_a_rival_that_is_trained_is_not_called_simple() -> None:
    assert judge(two_tower=0.30, ials=0.36).sentence.endswith(": serve ials.")


def test_a_lead_within_chance_goes_to_the_rival() -> None:
    answer = judge(two_tower=0.335, popularity=0.334)
    assert answer.sentence.startswith(
        "two_tower is no better than popularity beyond chance (NDCG@10 0.335 against 0.334; 95 % interval"
    )
    assert answer.sentence.endswith("): serve the simple popularity.")
    assert answer[1:] == ("popularity", False, True)


def test_the_best_rival_counts_not_the_first() -> None:
    assert judge(two_tower=0.2, popularity=0.1, item_knn=0.3, ials=0.25).winner == "item_knn"


@pytest.mark.parametrize(("n", "enough"), [(MIN_CUSTOMERS - 1, False), (MIN_CUSTOMERS, True)])
def test_too_few_customers_to_tell(n: int, enough: bool) -> None:
    answer = judge(n, two_tower=0.5, popularity=0.1)
    assert answer.enough_data is enough
    assert answer.beyond_chance is enough
    assert answer.winner == "two_tower"
    assert answer.sentence.startswith("Too few customers to tell (n = 199; about 200 are needed): two_tower ") is not (
        enough
    )


def test_too_few_customers_and_a_tie_is_no_lead() -> None:
    assert judge(12, two_tower=0.3, popularity=0.3, random=0.0).winner == "popularity"


def test_no_customers_at_all() -> None:
    answer = verdict({"two_tower": [], "popularity": []}, "two_tower", 0)
    assert answer.sentence.startswith("Too few customers to tell (n = 0; about 200 are needed)")
    assert answer[1:] == ("", False, False)


def test_chance_level_signal_recommends_nothing() -> None:
    answer = judge(two_tower=0.0102, popularity=0.0101, random=0.0100)
    assert answer.sentence.startswith("No model finds the next products better than a random order beyond chance")
    assert "two_tower 0.0102" in answer.sentence
    assert answer[1:] == ("", False, True)


def test_random_is_a_floor_and_no_rival() -> None:
    assert judge(two_tower=0.1, popularity=0.2, random=0.3).winner == ""
    assert judge(two_tower=0.3, popularity=0.2, random=0.01).winner == "two_tower"
    assert judge(two_tower=0.3, random=0.01).winner == "two_tower"
    assert judge(12, two_tower=0.1, popularity=0.2, random=0.3).winner == "popularity"


def test_a_model_measured_alone() -> None:
    answer = judge(two_tower=0.3)
    assert "measured alone" in answer.sentence
    assert answer[1:] == ("two_tower", False, True)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (0.2006, 0.2, "0.3 % above popularity"),
        (0.9, 0.2, "4.5 times that of popularity"),
        (0.5, 0.0, "NDCG@10 0.500, above popularity (0.000)"),
        (0.0267, 0.0189, "NDCG@10 0.0267, 41 % above popularity (0.0189)"),
    ],
)
def test_how_far_above(ours: float, theirs: float, said: str) -> None:
    values = {"two_tower": around(ours, spread=1e-4), "popularity": around(theirs, spread=1e-4)}
    if theirs == 0:
        values["popularity"] = np.zeros(N)
    assert said in verdict(values, "two_tower", 0).sentence


def test_readable_names() -> None:
    values = {"two_tower": around(0.4), "popularity": around(0.2)}
    answer = verdict(values, "two_tower", 0, names={"two_tower": "The two-tower model"})
    assert answer.sentence.startswith("The two-tower model finds")
    assert "above popularity (" in answer.sentence
    assert answer.winner == "two_tower"


def test_customers_some_model_does_not_know_are_left_out() -> None:
    ours, theirs = around(0.4), around(0.2)
    ours[:5] = np.nan
    assert f"{N - 5:,} customers" in verdict({"two_tower": ours, "popularity": theirs}, "two_tower", 0).sentence


def test_the_sentence_is_one_line_and_repeats() -> None:
    first, second = (judge(two_tower=0.30, ials=0.36) for _ in range(2))
    assert first == second
    assert "\n" not in first.sentence


# A comparison of many models


def compare(n: int = N, *, simple: frozenset[str] = SIMPLE_MODELS, spread: float = 0.05, **means: float) -> Verdict:
    values = {model: around(mean, n, seed, spread) for seed, (model, mean) in enumerate(means.items())}
    return verdict_of_comparison(values, 0, simple=simple)


def test_the_best_trained_model_against_the_best_simple_one() -> None:
    answer = compare(popularity=0.07, ials=0.36, two_tower=0.381, personal_frequency=0.334, random=0.01)
    assert answer.sentence.startswith(
        "two_tower finds the next products best: NDCG@10 0.381, 14 % above personal_frequency (0.334), "
        "beyond chance (95 % interval of the difference +0.0"
    )
    assert answer.sentence.endswith(", 1,012 customers; corrected for 2 comparisons).")
    assert answer[1:] == ("two_tower", True, True)


@pytest.mark.parametrize("name", ["popularity", "personal_frequency"])
def test_a_comparison_that_a_simple_model_wins(name: str) -> None:
    answer = compare(two_tower=0.30, ials=0.29, **{name: 0.36})
    assert answer.sentence.startswith(f"{name} finds the next products best: NDCG@10 0.360, 20 % above two_tower")
    assert answer.sentence.endswith(f"; corrected for 2 comparisons): serve the simple {name}.")
    assert answer[1:] == (name, True, True)


@pytest.mark.parametrize("lead", [0.001, -0.001])
def test_a_comparison_within_chance_goes_to_the_simple_model(lead: float) -> None:
    answer = compare(two_tower=0.334 + lead, ials=0.1, personal_frequency=0.334)
    assert answer.sentence.startswith("two_tower is no better than personal_frequency beyond chance (NDCG@10 0.33")
    assert answer.sentence.endswith(": serve the simple personal_frequency.")
    assert answer[1:] == ("personal_frequency", False, True)


def test_a_model_picked_among_many_must_do_better() -> None:
    """A lead that is beyond chance for one trained model alone need not be for the best of twelve."""
    lead = {"two_tower": 0.3057, "popularity": 0.30}
    others = [f"other_{place}" for place in range(11)]
    alone = compare(**lead)
    assert alone[1:] == ("two_tower", True, True)
    assert "corrected" not in alone.sentence
    among_many = compare(**lead, **dict.fromkeys(others, 0.3))
    assert among_many[1:] == ("popularity", False, True)
    assert "two_tower is no better than popularity beyond chance" in among_many.sentence
    assert "; corrected for 12 comparisons): serve the simple popularity." in among_many.sentence


def test_only_simple_models() -> None:
    clear = compare(popularity=0.1, item_knn=0.3, random=0.0)
    assert clear.sentence.startswith("item_knn finds the next products best: NDCG@10 0.300, 3.0 times that of")
    assert ", beyond chance (" in clear.sentence
    assert clear.sentence.endswith(" customers): serve the simple item_knn.")
    close = compare(popularity=0.3, item_knn=0.3001)
    assert ", but not beyond chance (" in close.sentence
    assert close[1:] == ("item_knn", False, True)


def test_only_trained_models() -> None:
    answer = compare(two_tower=0.3, ials=0.36, svd=0.2)
    assert answer.sentence.startswith("ials finds the next products best: NDCG@10 0.360, 20 % above two_tower")
    assert answer.sentence.endswith("; corrected for 2 comparisons): serve ials.")
    assert answer[1:] == ("ials", True, True)


def test_what_is_simple_can_be_said() -> None:
    answer = compare(two_tower=0.3, svd=0.36, simple=frozenset({"svd"}))
    assert answer.sentence.endswith(": serve the simple svd.")


@pytest.mark.parametrize(("n", "enough"), [(MIN_CUSTOMERS - 1, False), (MIN_CUSTOMERS, True)])
def test_a_comparison_needs_customers(n: int, enough: bool) -> None:
    answer = compare(n, two_tower=0.5, ials=0.4, popularity=0.1)
    assert answer[1:] == ("two_tower", enough, enough)
    assert answer.sentence.startswith("Too few customers to tell (n = 199; about 200 are needed): two_tower ") is not (
        enough
    )


def test_a_comparison_at_the_floor_recommends_nothing() -> None:
    answer = compare(two_tower=0.0101, ials=0.0100, popularity=0.0102, random=0.0100)
    assert answer.sentence.startswith("No model finds the next products better than a random order beyond chance")
    assert "NDCG@10 of popularity 0.0102, of a random order 0.0100" in answer.sentence
    assert answer[1:] == ("", False, True)


def test_small_comparisons() -> None:
    assert "measured alone" in compare(two_tower=0.3).sentence
    assert compare(two_tower=0.3, random=0.01).winner == "two_tower"
    assert compare(two_tower=0.3, random=0.01).beyond_chance
    assert compare(random=0.01).winner == "random"
    nobody = verdict_of_comparison({"two_tower": [], "ials": [], "popularity": []}, 0)
    assert nobody.sentence.startswith("Too few customers to tell (n = 0; about 200 are needed)")
    assert nobody[1:] == ("", False, False)


def test_readable_names_in_a_comparison() -> None:
    values = {"two_tower": around(0.3), "popularity": around(0.4, seed=1)}
    names = {"two_tower": "two-tower model", "popularity": "popularity"}
    assert "above two-tower model (" in verdict_of_comparison(values, 0, names).sentence
