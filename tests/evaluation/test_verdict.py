"""Every sentence the verdict can say, on arrays made for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.verdict import (
    MIN_CUSTOMERS,
    SIMPLE_MODELS,
    Verdict,
    best_simple_model,
    verdict,
    verdict_of_comparison,
)
from embedrec.experiment.board import Board, best_simple, judge_comparison
from embedrec.experiment.outcome import ModelOutcome

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
        "two_tower finds the next products better than personal_frequency: NDCG@10 0.381 against 0.334 (14 % higher), "
        "beyond chance (95 % interval of the difference +0.0"
    )
    assert answer.sentence.endswith(", 1,012 customers).")
    assert answer[1:] == ("two_tower", True, True)


def test_a_simple_rival_wins() -> None:
    answer = judge(two_tower=0.30, personal_frequency=0.36)
    assert answer.sentence.startswith(
        "personal_frequency finds the next products better than two_tower: "
        "NDCG@10 0.360 against 0.300 (20 % higher), beyond chance"
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
    assert answer.sentence == (
        "Neither two_tower nor popularity finds the next products better than a random order beyond chance: "
        "NDCG@10 0.0102 and 0.0101, of a random order 0.0100, 1,012 customers. Serve none."
    )
    assert answer[1:] == ("", False, True)


def test_random_is_a_floor_and_no_rival() -> None:
    assert judge(two_tower=0.1, popularity=0.2, random=0.3).winner == ""
    assert judge(two_tower=0.1, random=0.3).sentence.startswith("two_tower does not find the next products better than")
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
        (0.2006, 0.2, "NDCG@10 0.201 against 0.200 (0.3 % higher), beyond"),
        (0.9, 0.2, "NDCG@10 0.900 against 0.200 (4.5 times as high), beyond"),
        (0.5, 0.0, "NDCG@10 0.500 against 0.000, beyond"),
        (0.0267, 0.0189, "NDCG@10 0.0267 against 0.0189 (41 % higher), beyond"),
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
    assert answer.sentence.startswith("The two-tower model finds the next products better than popularity:")
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


def compare(
    n: int = N,
    *,
    valid: dict[str, float | None] | None = None,
    simple: frozenset[str] = SIMPLE_MODELS,
    spread: float = 0.05,
    **means: float,
) -> Verdict:
    """Judge models with these test means; validation agrees with the test where `valid` says nothing else."""
    values = {model: around(mean, n, seed, spread) for seed, (model, mean) in enumerate(means.items())}
    return verdict_of_comparison(values, {**means, **(valid or {})}, 0, simple=simple)


def test_the_best_trained_model_against_the_best_simple_one() -> None:
    answer = compare(popularity=0.07, ials=0.36, two_tower=0.381, personal_frequency=0.334, random=0.01)
    assert answer.sentence.startswith(
        "two_tower finds the next products better than personal_frequency: NDCG@10 0.381 against 0.334 (14 % higher), "
        "beyond chance (95 % interval of the difference +0.0"
    )
    assert answer.sentence.endswith(", 1,012 customers).")
    assert answer[1:] == ("two_tower", True, True)


def test_validation_chooses_and_the_test_judges() -> None:
    """Neither the trained model nor the simple one that is ahead on the test is picked, or spoken of."""
    answer = compare(
        valid={"ials": 0.39, "two_tower": 0.38, "popularity": 0.31, "item_knn": 0.30},
        ials=0.36,
        two_tower=0.381,
        popularity=0.31,
        item_knn=0.33,
    )
    assert answer.sentence.startswith("ials finds the next products better than popularity: NDCG@10 0.360 against 0.31")
    assert "two_tower" not in answer.sentence
    assert "item_knn" not in answer.sentence
    assert answer[1:] == ("ials", True, True)


def test_the_interval_is_that_of_the_two_models_on_the_test() -> None:
    values = {"two_tower": around(0.37), "ials": around(0.36, seed=1), "popularity": around(0.35, seed=2)}
    answer = verdict_of_comparison(values, {"two_tower": 0.1, "ials": 0.2, "popularity": 0.3}, 7)
    gap = paired_difference(values["ials"], values["popularity"], 7)
    assert f"(95 % interval of the difference {gap.low:+.3f} to {gap.high:+.3f}, 1,012 customers)" in answer.sentence


@pytest.mark.parametrize("others", [0, 11])
@pytest.mark.parametrize(("lead", "clear"), [(0.0057, True), (0.003, False)])
def test_others_do_not_change_what_is_said_of_two(lead: float, clear: bool, others: int) -> None:
    """Validation has chosen, so the test answers one question; nobody says corrected beside an interval that is not."""
    many = {f"other_{place}": 0.29 for place in range(others)}
    answer = compare(two_tower=0.30 + lead, popularity=0.30, **many)
    assert answer == compare(two_tower=0.30 + lead, popularity=0.30)
    assert answer[1:] == ("two_tower" if clear else "popularity", clear, True)
    assert ("interval of the difference +" in answer.sentence) is clear
    assert "corrected" not in answer.sentence


@pytest.mark.parametrize("absent", [None, 0.0])
def test_without_a_validation_figure_a_model_is_chosen_last(absent: float | None) -> None:
    answer = compare(
        valid={"ials": absent, "popularity": absent}, ials=0.5, two_tower=0.3, popularity=0.4, item_knn=0.2
    )
    assert answer.sentence.startswith("two_tower finds the next products better than item_knn:")
    nothing = compare(valid={"two_tower": None, "popularity": None}, two_tower=0.5, popularity=0.4)
    assert nothing.winner == "two_tower"


def test_the_rival_is_the_best_simple_model_on_validation() -> None:
    valid = {"two_tower": 0.9, "popularity": 0.2, "item_knn": 0.3, "user_knn": 0.3, "personal_frequency": None}
    assert best_simple_model(valid) == "item_knn", "of equals the first"
    assert best_simple_model({"popularity": None, "random": 0.1}) == "popularity"
    assert best_simple_model({"two_tower": 0.9, "random": 0.1}) is None
    assert best_simple_model(valid, simple=frozenset({"two_tower"})) == "two_tower"


def test_a_model_without_validation_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="validated"):
        verdict_of_comparison({"two_tower": around(0.3), "popularity": around(0.2)}, {"two_tower": 0.3}, 0)


@pytest.mark.parametrize("name", ["popularity", "personal_frequency"])
def test_a_comparison_that_a_simple_model_wins(name: str) -> None:
    answer = compare(two_tower=0.30, ials=0.29, **{name: 0.36})
    assert answer.sentence.startswith(f"{name} finds the next products better than two_tower: NDCG@10 0.360 against")
    assert answer.sentence.endswith(f", 1,012 customers): serve the simple {name}.")
    assert answer[1:] == (name, True, True)


@pytest.mark.parametrize("lead", [0.001, -0.001])
def test_a_comparison_within_chance_goes_to_the_simple_model(lead: float) -> None:
    answer = compare(two_tower=0.334 + lead, ials=0.1, personal_frequency=0.334)
    assert answer.sentence.startswith("two_tower is no better than personal_frequency beyond chance (NDCG@10 0.33")
    assert answer.sentence.endswith(": serve the simple personal_frequency.")
    assert answer[1:] == ("personal_frequency", False, True)


def test_only_simple_models() -> None:
    clear = compare(popularity=0.1, item_knn=0.3, random=0.0)
    assert clear.sentence.startswith("item_knn finds the next products better than popularity: NDCG@10 0.300 against")
    assert ", beyond chance (" in clear.sentence
    assert clear.sentence.endswith(" customers): serve the simple item_knn.")


@pytest.mark.parametrize("lead", [0.0001, -0.0001])
def test_of_one_kind_validation_decides_in_doubt(lead: float) -> None:
    close = compare(valid={"item_knn": 0.4}, popularity=0.3, item_knn=0.3 + lead)
    assert close.sentence.startswith("item_knn and popularity do not differ beyond chance (NDCG@10 0.300 against 0.300")
    assert close.sentence.endswith("): serve the simple item_knn, the better one on validation.")
    assert close[1:] == ("item_knn", False, True)


def test_only_trained_models() -> None:
    answer = compare(two_tower=0.3, ials=0.36, svd=0.2)
    assert answer.sentence.startswith("ials finds the next products better than two_tower: NDCG@10 0.360 against 0.300")
    assert answer.sentence.endswith(" customers): serve ials.")
    assert answer[1:] == ("ials", True, True)
    refuted = compare(valid={"two_tower": 0.4}, two_tower=0.3, ials=0.36, svd=0.2)
    assert refuted.sentence.startswith("ials finds the next products better than two_tower: NDCG@10 0.360 against")
    assert "difference −0.0" in refuted.sentence
    assert refuted[1:] == ("ials", True, True)


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
    assert answer.sentence.startswith("Neither two_tower nor popularity finds the next products better than a random")
    assert "NDCG@10 0.0101 and 0.0102, of a random order 0.0100" in answer.sentence
    assert answer[1:] == ("", False, True)


def test_small_comparisons() -> None:
    assert "measured alone" in compare(two_tower=0.3).sentence
    assert compare(two_tower=0.3, random=0.01).winner == "two_tower"
    assert compare(two_tower=0.3, random=0.01).beyond_chance
    assert compare(random=0.01).winner == "random"
    models = ("two_tower", "ials", "popularity")
    nobody = verdict_of_comparison({model: [] for model in models}, dict.fromkeys(models), 0)
    assert nobody.sentence.startswith("Too few customers to tell (n = 0; about 200 are needed)")
    assert nobody[1:] == ("", False, False)


def test_readable_names_in_a_comparison() -> None:
    values = {"two_tower": around(0.3), "popularity": around(0.4, seed=1)}
    names = {"two_tower": "two-tower model", "popularity": "popularity"}
    said = verdict_of_comparison(values, {"two_tower": 0.3, "popularity": 0.4}, 0, names).sentence
    assert "better than two-tower model:" in said


# As a comparison hands it over


class OnTest:
    """Stands in for ranked lists: NDCG@10 by customer is all that is asked."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def metric(self, name: str, k: int) -> np.ndarray:
        assert (name, k) == ("ndcg", 10)
        return self.values


def board(**models: tuple[list[float | None], float]) -> Board:
    """Return a board of models, each with the validation NDCG@10 of its seeds and a test mean."""
    found = Board(runner=None)  # type: ignore[arg-type]  # not asked
    for place, (name, (valid, mean)) in enumerate(models.items()):
        ranked: dict[str, Any] = {"all": OnTest(around(mean, seed=place))}
        figures = [{"all": {"ndcg@10": {"value": value}}} for value in valid]
        found.outcomes[name] = [ModelOutcome(name, None, one, ranked=ranked) for one in figures]
    return found


def test_the_verdict_and_the_tests_have_one_rival() -> None:
    compared = board(
        two_tower=([0.5, 0.1], 0.9),  # 0.3 on average, though its first seed is the best of all
        ials=([0.4, 0.4], 0.8),
        popularity=([None], 0.7),
        item_knn=([0.2], 0.5),
        user_knn=([0.1], 0.6),
    )
    assert best_simple(compared) == "item_knn"
    said = judge_comparison(compared, 0)
    assert said.sentence.startswith("Implicit ALS finds the next products better than item-kNN: NDCG@10 0.800 against")
    assert said.winner == "ials"
