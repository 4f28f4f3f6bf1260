"""Fair tuning: equal shares, never below the default on validation, and no trace of a kill."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.errors import ConfigError, NotApplicableError, StorageError, TrainingError
from embedrec.experiment.comparison_config import parse_comparison
from embedrec.experiment.config import RunConfig
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.tuned import Tuned
from embedrec.search.tuning import Tuner, changed, tuner_of

Score = Callable[[RunConfig], float | None]
IALS = {"model.dim": [32, 64, 128], "model.alpha": {"low": 1.0, "high": 40.0, "log": True}}


class FakeRunner:
    """Measures by a formula; remembers what it was asked for."""

    def __init__(self, score: Score) -> None:
        self.score, self.runs = score, list[RunConfig]()

    def measure(self, run: RunConfig, checkpoints: Path, *, test: bool) -> ModelOutcome:
        assert not test, "no trial sees the test"
        self.runs.append(run)
        return ModelOutcome(run.model.name, None, {}, score=self.score(run))


def comparison(model: str = "ials", tune: int = 6, seed: int = 0, **search: Any) -> Any:
    """A comparison of one model and of popularity, to be tuned."""
    plain = {
        "data": {"name": "files", "path": "shop"},
        "settings": {model: {"name": model}, "popularity": {"name": "popularity"}},
        "seed": seed,
        "tune": tune,
        "hparams_search": {"models": {"ials": IALS}} | search,
    }
    return parse_comparison(plain)


def tuner(**settings: Any) -> tuple[Tuner, RunConfig]:
    made = comparison(**settings)
    found = tuner_of(made)
    assert found is not None
    return found, made.base


def tuned(folder: Path, score: Score, said: list[str] | None = None, **settings: Any) -> Tuned:
    tune, run = tuner(**settings)
    found = tune(run, FakeRunner(score), folder, (said if said is not None else []).append)  # type: ignore[arg-type]
    assert found is not None
    return found


def kept(folder: Path) -> list[dict[str, Any]]:
    """trials.json without its times."""
    trials = json.loads((folder / "trials.json").read_text(encoding="utf-8"))
    return [{key: value for key, value in one.items() if key != "seconds"} for one in trials]


def alpha(run: RunConfig) -> float:
    return run.model.alpha  # type: ignore[union-attr, no-any-return]


def dim(run: RunConfig) -> int:
    return run.model.dim  # type: ignore[union-attr, no-any-return]


def peak(run: RunConfig) -> float:
    """Best at alpha 20 and dim 128; the default is 5 and 64."""
    return 0.3 - abs(math.log(alpha(run) / 20)) / 10 + dim(run) / 10_000


# What is chosen


def test_every_trial_is_new_and_the_first_is_the_default(tmp_path: Path) -> None:
    tune, run = tuner(tune=8)
    runner, said = FakeRunner(peak), list[str]()
    found = tune(run, runner, tmp_path, said.append)  # type: ignore[arg-type]
    assert found is not None
    assert runner.runs[0] == run
    assert len(runner.runs) == len({(alpha(one), dim(one)) for one in runner.runs}) == 8
    assert found.run in runner.runs
    assert (found.trials, found.failed, found.exhausted) == (8, 0, False)
    assert found.default == {"model.dim": 64, "model.alpha": 5.0}
    assert found.settings == {"model.dim": dim(found.run), "model.alpha": alpha(found.run)}
    assert found.default_score == peak(run)
    assert said[0] == f"trial 1/8: NDCG@10 {peak(run):.4f} (the default settings)"
    assert said[7].startswith("trial 8/8: NDCG@10 0.")
    assert "(model.dim=" in said[7]


@settings(max_examples=40)
@given(values=st.lists(st.sampled_from([None, 0.1, 0.2, 0.3, math.nan, math.inf]), min_size=5, max_size=5))
def test_the_best_trial_is_chosen_and_never_one_below_the_default(values: list[float | None]) -> None:
    stream = iter(values)
    with TemporaryDirectory() as folder:
        found = tuned(Path(folder), lambda _: next(stream), tune=5)
        runs = [one["settings"] for one in kept(Path(folder))]
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        assert not found.better
        assert found.score is None
        assert found.reason == "nobody could be measured on validation"
        return
    assert found.score == max(known)
    assert found.settings == runs[values.index(max(known))], "the earliest of equals, so the default where it ties"
    assert found.failed == 5 - len(known)


def test_of_ratings_the_lower_error_is_better(tmp_path: Path) -> None:
    axes = {"model.dim": [8, 16, 32]}
    said: list[str] = []
    found = tuned(tmp_path, lambda run: 1.0 - dim(run) / 100, said, model="biased_mf", models={"biased_mf": axes})
    assert found.settings == {"model.dim": 32}
    assert found.objective == "rmse"
    assert said[0].startswith("trial 1/6: RMSE 0.6800")
    worst = tuned(tmp_path / "b", lambda run: dim(run) / 100, model="biased_mf", models={"biased_mf": axes})
    assert worst.settings == {"model.dim": 8}


@settings(max_examples=40)
@given(
    few=st.lists(st.integers(1, 200), min_size=1, max_size=4, unique=True),
    low=st.integers(1, 5),
    width=st.integers(1, 4),
    log=st.booleans(),
    trials=st.integers(1, 25),
)
def test_a_small_space_is_exhausted_and_nothing_is_tried_twice(
    few: list[int], low: int, width: int, log: bool, trials: int
) -> None:
    axes = {"model.dim": few, "model.iterations": {"low": low, "high": low + width, "log": log}}
    runner = FakeRunner(lambda _: 0.5)
    tune, run = tuner(tune=trials, models={"ials": axes})
    with TemporaryDirectory() as folder:
        found = tune(run, runner, Path(folder), lambda _: None)  # type: ignore[arg-type]
    assert found is not None
    seen = [(dim(one), one.model.iterations) for one in runner.runs]  # type: ignore[union-attr]
    every = {(64, 15), *itertools.product(few, range(low, low + width + 1))}
    assert len(seen) == len(set(seen)) == min(trials, len(every)) == found.trials
    assert set(seen) <= every
    assert found.exhausted == (trials > len(every))


def test_numbers_that_look_the_same_end_the_search(tmp_path: Path) -> None:
    found = tuned(tmp_path, lambda _: 0.1, models={"ials": {"model.alpha": {"low": 5.0, "high": 5.00001}}})
    assert (found.trials, found.exhausted) == (1, True)


def test_tpe_learns_from_its_trials(tmp_path: Path) -> None:
    """Of 40 trials the later half lies closer to the optimum than draws at random."""

    def distance(sampler: str) -> float:
        tuned(tmp_path / sampler, peak, tune=40, sampler=sampler)
        late = [one["settings"]["model.alpha"] for one in kept(tmp_path / sampler)][20:]
        return sum(abs(math.log(one / 20)) for one in late) / len(late)

    assert distance("tpe") < 0.7 * distance("random")


def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        tuned(tmp_path / name, peak, seed=seed)
    assert kept(tmp_path / "a") == kept(tmp_path / "b")
    assert kept(tmp_path / "a")[1:] != kept(tmp_path / "c")[1:]


def test_a_default_outside_the_space_stays_as_it_is(tmp_path: Path) -> None:
    axes = {"model.neighbours": [10, 20], "model.shrinkage": {"low": 0.1, "high": 9.0, "log": True}}
    found = tuned(tmp_path, lambda _: 0.1, model="item_knn", models={"item_knn": axes})
    assert found.default == {"model.neighbours": 200, "model.shrinkage": 0.0}
    assert found.trials == 6
    assert not found.better


def test_what_has_no_space_is_left_alone(tmp_path: Path) -> None:
    made = comparison()
    tune = tuner_of(made)
    assert tune is not None
    runner = FakeRunner(peak)
    assert tune(made.runs["popularity"], runner, tmp_path / "p", print) is None  # type: ignore[arg-type]
    assert not runner.runs
    assert not (tmp_path / "p").exists()


# Kills and failures


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it."""


@settings(max_examples=40)
@given(at=st.lists(st.integers(0, 7), min_size=1, max_size=2, unique=True), sampler=st.sampled_from(["tpe", "random"]))
def test_a_killed_search_ends_like_an_undisturbed_one(at: list[int], sampler: str) -> None:
    count = itertools.count()

    def mortal(run: RunConfig) -> float:
        if next(count) in at:
            raise Killed
        return peak(run)

    with TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        expected = tuned(whole, peak, sampler=sampler)
        for _ in range(len(at)):
            try:
                tuned(broken, mortal, sampler=sampler)
            except Killed:
                continue
        found = tuned(broken, mortal, sampler=sampler)
        assert kept(broken) == kept(whole)
        assert next(count) <= 6 + len(at) + 1, "a finished trial is not run again"
    assert (found.run, found.score, found.trials) == (expected.run, expected.score, expected.trials)


def test_a_trial_that_kills_every_time_is_given_up(tmp_path: Path) -> None:
    calls = itertools.count()

    def deadly(run: RunConfig) -> float:
        if alpha(run) != 5.0 and next(calls) < 3:
            raise Killed
        return 0.5

    for _ in range(3):
        with pytest.raises(Killed):
            tuned(tmp_path, deadly)
    found = tuned(tmp_path, deadly)
    assert found.failed == 1
    assert kept(tmp_path)[1]["error"] == "killed 3 times while it ran; out of memory?"
    assert next(calls) == 3 + 4, "the others were run"


def test_stopping_by_hand_is_no_kill(tmp_path: Path) -> None:
    def stopped(run: RunConfig) -> float:
        if alpha(run) != 5.0:
            raise KeyboardInterrupt
        return 0.5

    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path, stopped)
    assert tuned(tmp_path, peak).failed == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("of all things"), r"ZeroDivisionError: of all things \(see .*/1/error.txt\)"),
        (TrainingError("loss is not finite"), "loss is not finite"),
        (ConfigError("dim=3 cannot be"), "dim=3 cannot be"),
    ],
)
def test_one_failed_trial_is_recorded_and_the_others_go_on(tmp_path: Path, error: Exception, said: str) -> None:
    count = itertools.count()

    def fragile(run: RunConfig) -> float:
        if next(count) == 1:
            raise error
        return peak(run)

    lines: list[str] = []
    found = tuned(tmp_path, fragile, lines)
    assert (found.trials, found.failed) == (6, 1)
    assert found.score is not None
    assert re.search(said, found.reason)
    assert re.search(f"trial 2/6: failed; {said}", lines[1])
    if isinstance(error, ZeroDivisionError):
        assert "Traceback" in (tmp_path / "1" / "error.txt").read_text(encoding="utf-8")


def test_a_failed_default_leaves_the_choice_to_the_others(tmp_path: Path) -> None:
    def fragile(run: RunConfig) -> float:
        if alpha(run) == 5.0:
            raise TrainingError("no")
        return peak(run)

    found = tuned(tmp_path, fragile)
    assert found.better
    assert found.default_score is None


@pytest.mark.parametrize("error", [StorageError("disk full"), OSError(28, "No space left on device")])
def test_a_full_disk_ends_the_search_and_leaves_it_to_be_continued(tmp_path: Path, error: Exception) -> None:
    def full(run: RunConfig) -> float:
        if alpha(run) != 5.0:
            raise error
        return 0.5

    with pytest.raises(type(error)):
        tuned(tmp_path, full)
    assert len(kept(tmp_path)) == 1
    assert tuned(tmp_path, peak).trials == 6


def test_default_settings_that_cannot_be_are_no_trials_own(tmp_path: Path) -> None:
    def refuse(_: RunConfig) -> float:
        raise ConfigError("there is no GPU here")

    with pytest.raises(ConfigError, match="no GPU"):
        tuned(tmp_path, refuse)


def test_a_model_that_suits_no_such_data_is_not_tuned(tmp_path: Path) -> None:
    def refuse(_: RunConfig) -> float:
        raise NotApplicableError("no ratings")

    tune, run = tuner()
    assert tune(run, FakeRunner(refuse), tmp_path, print) is None  # type: ignore[arg-type]


# Settings


def test_nothing_is_tuned_unless_asked_for() -> None:
    assert tuner_of(comparison(tune=0)) is None


REFUSED: dict[str, dict[str, Any]] = {
    "hparams_search.models: there is no model ialz, did you mean 'ials'": {"models": {"ialz": IALS}},
    "models.ials: model.dimm: there is no such setting, did you mean 'dim'": {"models": {"ials": {"model.dimm": [1]}}},
    "models.ials: model.dim='0'": {"models": {"ials": {"model.dim": [0, 1]}}},
    "sampler=grid cannot be cut into equal shares": {"sampler": "grid"},
    "hparams_search.minutes does not go with tune=N": {"minutes": 3.0},
    "hparams_search.storage does not go with tune=N": {"storage": "sqlite:///x.db"},
    "model is no axis of a comparison": {"space": {"model": ["ials", "svd"]}},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tuner_of(comparison(**REFUSED[message]))


def test_settings_are_changed_by_name() -> None:
    run = comparison().base
    other = changed(run, {"model.dim": 32, "seed": 7})
    assert (dim(other), other.seed) == (32, 7)
    assert changed(run, {}) == run
