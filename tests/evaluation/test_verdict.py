"""Every sentence the verdict can say, on arrays made for it."""

from __future__ import annotations

import numpy as np
import pytest

from embedrec.evaluation.verdict import MIN_CUSTOMERS, Verdict, verdict

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
