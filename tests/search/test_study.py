"""The study of a sweep: no trial lost, none twice, whoever dies when."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from filelock import FileLock
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from embedrec.errors import ConfigError
from embedrec.experiment.folders import write_json
from embedrec.search.settings import parse_search
from embedrec.search.space import make_space
from embedrec.search.study import MAX_KILLS, OUTCOME, Claim, SweepStudy, running_trial, trial_lock

SETTINGS = {"seed": 3, "data.name": "demo"}


def opened(folder: Path, seed: int = 0, first: dict[str, Any] | None = None, **search: Any) -> SweepStudy:
    settings = parse_search({"n_trials": 6, "space": {"x": {"low": 0.0, "high": 1.0}, "y": ["a", "b"]}, **search})
    folder.mkdir(exist_ok=True)
    study = SweepStudy(folder, settings, make_space({}, settings, "svd"), maximize=True, seed=seed)
    study.begin(SETTINGS, first)
    return study


def finish(study: SweepStudy, claim: Claim, **outcome: Any) -> None:
    folder = study.folder / str(claim.number)
    folder.mkdir(exist_ok=True)
    write_json(folder / OUTCOME, {"state": "finished", "value": claim.number / 10, **outcome})


def die(study: SweepStudy) -> None:
    """Let go of the locks as a killed process does, and nothing else."""
    study._alive.release()


def test_so_many_trials_and_no_more(tmp_path: Path) -> None:
    study = opened(tmp_path / "s")
    claims = []
    while claim := study.ask():
        finish(study, claim)
        study.settle([claim], killed=False)
        claims.append(claim)
    assert [one.number for one in claims] == list(range(6))
    assert study.unfinished() == 0
    assert [one.value for one in study.trials()] == [number / 10 for number in range(6)]
    study.close()
    again = opened(tmp_path / "s")
    assert again.ask() is None


def test_the_first_trial_is_what_the_others_have_to_beat(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", first={"x": 0.25, "y": "b"})
    first, second = study.ask(), study.ask()
    assert first.overrides == ["x=0.25", "y=b"]
    assert second.overrides != first.overrides
    die(study)
    again = opened(tmp_path / "s", first={"x": 0.25, "y": "b"})
    assert again.recover() == [0, 1]
    assert [again.ask(), again.ask()] == [first, second]
    assert again.ask().number == 2


def test_what_the_first_trial_leaves_open_is_drawn(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", first={"y": "b"})
    assert study.ask().overrides[1] == "y=b"


def test_more_trials_can_be_asked_for_later(tmp_path: Path) -> None:
    first = opened(tmp_path / "s", n_trials=1)
    claim = first.ask()
    assert claim is not None
    finish(first, claim)
    first.settle([claim], killed=False)
    first.close()
    second = opened(tmp_path / "s", n_trials=2)
    assert second.ask().number == 1  # type: ignore[union-attr]
    assert second.ask() is None


def test_what_is_drawn_does_not_depend_on_kills(tmp_path: Path) -> None:
    def drawn(name: str, reopen: bool) -> list[list[str]]:
        study, found = opened(tmp_path / name), []
        while claim := study.ask():
            found.append(claim.overrides)
            finish(study, claim)
            study.settle([claim], killed=False)
            if reopen:
                die(study)
                study = opened(tmp_path / name)
        return found

    calm = drawn("calm", reopen=False)
    assert calm == drawn("killed", reopen=True)
    assert len({tuple(one) for one in calm}) == len(calm)  # a sampler begun anew would draw the same again


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_small_space_is_not_searched_twice(tmp_path: Path, sampler: str) -> None:
    """Also where it is killed after every trial; once all settings were tried, they come again."""

    def drawn(name: str, reopen: bool) -> list[list[str]]:
        axes, found = {"x": [1, 2, 3], "y": ["a", "b"]}, []
        study = opened(tmp_path / name, space=axes, n_trials=8, sampler=sampler)
        while claim := study.ask():
            found.append(claim.overrides)
            finish(study, claim, value=0.5 if claim.overrides == ["x=2", "y=a"] else 0.1)
            study.settle([claim], killed=False)
            if reopen:
                die(study)
                study = opened(tmp_path / name, space=axes, n_trials=8, sampler=sampler)
        return found

    calm = drawn("calm", reopen=False)
    assert len({tuple(one) for one in calm[:6]}) == 6
    assert len(calm) == 8
    assert calm == drawn("killed", reopen=True)


def test_a_trial_killed_before_its_settings_were_drawn_gets_the_same(tmp_path: Path) -> None:
    expected = opened(tmp_path / "calm").ask()
    first = opened(tmp_path / "s")
    first._study.ask()  # and dies
    die(first)
    second = opened(tmp_path / "s")
    second.recover()
    assert second.ask() == expected


def test_a_killed_trial_is_asked_for_again_under_its_number(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    claim = first.ask()
    second = opened(tmp_path / "s")
    assert second.recover() == []  # its process lives
    die(first)
    assert second.recover() == [0]
    assert second.ask() == claim
    assert second.ask().number == 1  # type: ignore[union-attr]


def test_a_killed_trial_that_had_ended_is_told(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    claim = first.ask()
    assert claim is not None
    finish(first, claim)
    die(first)
    second = opened(tmp_path / "s")
    second.recover()
    assert [one.state for one in second.trials()] == [TrialState.COMPLETE]
    assert second.ask().number == 1  # type: ignore[union-attr]


def test_a_trial_that_outlives_its_driver_is_left_to_end(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    assert first.ask() is not None
    (tmp_path / "s" / "0").mkdir()
    with FileLock(trial_lock(tmp_path / "s" / "0")):
        die(first)
        second = opened(tmp_path / "s")
        assert second.recover() == []
    assert second.recover() == [0]


def test_a_trial_taken_over_is_not_run_by_its_first_driver(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    claim = first.ask()
    assert claim is not None
    search, folder = first.search, first.folder
    assert running_trial(folder, search, 0, first.driver, maximize=True) is not None
    die(first)
    second = opened(tmp_path / "s")
    second.recover()
    assert running_trial(folder, search, 0, first.driver, maximize=True) is None
    second.ask()
    assert running_trial(folder, search, 0, first.driver, maximize=True) is None
    assert running_trial(folder, search, 0, second.driver, maximize=True) is not None


def test_a_trial_that_is_always_killed_is_given_up(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", n_trials=1)
    for _ in range(MAX_KILLS):
        claim = study.ask()
        assert claim is not None
        study.settle([claim], killed=True)
    assert study.ask() is None
    (trial,) = study.trials()
    assert trial.state == TrialState.FAIL
    assert "killed 3 times" in trial.user_attrs["reason"]


def test_drivers_that_die_do_not_speak_against_their_trial(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", n_trials=1)
    claim = study.ask()
    for _ in range(2 * MAX_KILLS):
        die(study)
        study = opened(tmp_path / "s", n_trials=1)
        study.recover()
        assert study.ask() == claim


def test_a_killed_trial_that_gets_further_is_not_given_up(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", n_trials=1)
    for epoch in range(1, 2 * MAX_KILLS):
        claim = study.ask()
        assert claim is not None
        trial = running_trial(study.folder, study.search, 0, study.driver, maximize=True)
        assert trial is not None
        trial.report(0.1, epoch)
        study.settle([claim], killed=True)
    assert study.ask() == claim


def test_what_was_asked_for_and_not_run_goes_back_at_the_end(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", n_trials=1)
    claim = study.ask()
    study.close()
    assert study.trials() == []
    assert opened(tmp_path / "s", n_trials=1).ask() == claim


def test_a_study_elsewhere_belongs_to_one_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    (tmp_path / "other").mkdir()
    opened(tmp_path / "s", storage=url).close()
    opened(tmp_path / "s", storage=url).close()
    with pytest.raises(ConfigError, match="folder was"):
        opened(tmp_path / "other" / "s", storage=url)


def test_ctrl_c_does_not_count_as_a_kill(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", n_trials=1)
    for _ in range(2 * MAX_KILLS):
        claim = study.ask()
        assert claim is not None
        study.settle([claim], killed=False)
    assert study.ask() == claim


@pytest.mark.parametrize("seed", range(5))
def test_two_drivers_and_many_deaths(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever dies when, in the end each number has one outcome."""
    monkeypatch.setattr("embedrec.search.study.MAX_KILLS", 1000)
    rng = random.Random(seed)
    live = [opened(tmp_path / "s", n_trials=12), opened(tmp_path / "s", n_trials=12)]
    held: dict[int, list[Claim]] = {0: [], 1: []}
    done: list[int] = []
    while len(done) < 12:
        one = rng.randrange(2)
        action = rng.random()
        if action < 0.15:
            die(live[one])
            live[one], held[one] = opened(tmp_path / "s", n_trials=12), []
        elif action < 0.3:
            live[one].recover()
        elif held[one] and action < 0.6:
            claim = held[one].pop()
            finish(live[one], claim)
            if rng.random() < 0.7:
                live[one].settle([claim], killed=False)
            done.append(claim.number)
        elif claim := live[one].ask():
            held[one].append(claim)
    assert sorted(done) == list(range(12))
    live[0].recover()
    for study in live:
        die(study)
    last = opened(tmp_path / "s", n_trials=12)
    last.recover()
    assert last.ask() is None
    assert [one.state for one in last.trials()] == [TrialState.COMPLETE] * 12
    assert last.unfinished() == 0


def test_failed_and_pruned_trials_count(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", n_trials=3)
    for outcome in ({"state": "failed", "error": "why"}, {"state": "pruned"}, {"value": None}):
        claim = study.ask()
        assert claim is not None
        finish(study, claim, **outcome)
        study.settle([claim], killed=False)
    assert study.ask() is None
    assert [one.state for one in study.trials()] == [TrialState.FAIL, TrialState.PRUNED, TrialState.FAIL]


def test_a_grid_is_laid_out_once_also_after_a_kill(tmp_path: Path) -> None:
    axes = {"x": [1, 2, 3], "y": ["a", "b"]}
    first = opened(tmp_path / "s", sampler="grid", space=axes)
    for trial in first._study.get_trials()[3:]:  # as if killed after three
        first._study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
    die(first)
    second = opened(tmp_path / "s", sampler="grid", space=axes)
    second.recover()
    found = []
    while claim := second.ask():
        found.append(tuple(claim.overrides))
    assert len(found) == len(set(found)) == second.asked == 6


def test_a_grid_whose_layout_was_killed_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"x": [1, 2, 3], "y": ["a", "b"]}
    with monkeypatch.context() as patched:
        laid_out: list[Any] = []

        def killed(study: optuna.Study, params: Any) -> None:
            if len(laid_out) == 2:
                raise KeyboardInterrupt
            laid_out.append(params)
            add(study, params)

        add = optuna.Study.enqueue_trial
        patched.setattr(optuna.Study, "enqueue_trial", killed)
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path / "s", sampler="grid", space=axes)
    study = opened(tmp_path / "s", sampler="grid", space=axes)
    found = [claim.overrides for claim in iter(study.ask, None)]
    assert found == [[f"x={x}", f"y={y}"] for x in (1, 2, 3) for y in "ab"]


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    opened(tmp_path / "s").close()
    with pytest.raises(ConfigError, match="space y was 'a, b', now 'a, c'"):
        opened(tmp_path / "s", space={"x": {"low": 0.0, "high": 1.0}, "y": ["a", "c"]})
    with pytest.raises(ConfigError, match="sampler was 'tpe', now 'random'"):
        opened(tmp_path / "s", sampler="random")
    with pytest.raises(ConfigError, match="pruner was 'median', now 'null'"):
        opened(tmp_path / "s", pruner=None)
    study = opened(tmp_path / "s")
    with pytest.raises(ConfigError, match="seed was '3', now '4'"):
        study.begin({**SETTINGS, "seed": 4})


def test_a_sweep_begun_before_pruners_were_compared_goes_on(tmp_path: Path) -> None:
    study = opened(tmp_path / "s")
    known = study._study.user_attrs["embedrec"]
    study._study.set_user_attr("embedrec", {key: value for key, value in known.items() if key != "pruner"})
    study.close()
    opened(tmp_path / "s", pruner="halving").close()
    with pytest.raises(ConfigError, match="pruner was 'halving', now 'median'"):
        opened(tmp_path / "s")


def test_a_foreign_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    foreign = optuna.create_study(storage=f"sqlite:///{tmp_path / 's' / 'study.db'}", study_name="s")
    foreign.ask({"x": CategoricalDistribution([1])})
    with pytest.raises(ConfigError, match="study of another program"):
        opened(tmp_path / "s")
    (tmp_path / "r").mkdir()
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'r' / 'study.db'}", study_name="theirs")
    with pytest.raises(ConfigError, match="is the study of 'theirs'"):
        opened(tmp_path / "r")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "study.db").write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigError, match="cannot be opened as a study"):
        opened(tmp_path / "t")
