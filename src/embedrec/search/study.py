"""`SweepStudy`: the trials of a sweep in Optuna's store, which many processes may share and each may die at any moment.

A trial is asked for once and told once. Whoever asks holds two locks while it runs: one of the driver that asked, one
of the process that trains. Both are let go by the system when a process dies, so a trial whose locks are free and
that nobody told was killed: it is asked for again under its own number, and goes on from its checkpoint.

State changes happen under one lock of the sweep's folder, so that two processes never take one trial.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from filelock import FileLock
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import NullPool
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from embedrec.errors import ConfigError, StorageError, masked, quoted
from embedrec.experiment.folders import LOCK, SWEEP_MARK, held, write_json
from embedrec.search.draws import fresh_draw, no_warnings, pruner, sampler
from embedrec.search.settings import SearchConfig
from embedrec.search.space import Space
from embedrec.tracking import created_once, shown

STUDY = "study.db"
OUTCOME = "outcome.json"
MAX_KILLS = 3  # a trial killed so often without an epoch in between is given up: it would kill its worker for ever
KILLED = "its process was killed"
NO_FIGURE = "no figure"
MARK, DRIVER, DRAWN, KILLS, REASON = "embedrec", "driver", "overrides", "kills", "reason"
PRUNER = "pruner"
STORE_ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError)  # what a study raises that cannot be written


class Claim(NamedTuple):
    """A trial that this process has to run."""

    number: int
    overrides: list[str]


class SweepStudy:
    """The study of one sweep, opened or begun."""

    def __init__(self, folder: Path, search: SearchConfig, space: Space, *, maximize: bool, seed: int) -> None:
        self.folder, self.search, self.space = folder, search, space
        self._seed = seed
        self._driver = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._alive = FileLock(driver_lock(folder, self._driver))
        self._lock = FileLock(folder / ".study.lock")
        driver_lock(folder, self._driver).parent.mkdir(exist_ok=True)
        self._alive.acquire()
        with self._lock:  # two first creations of one store would race
            self._study = open_study(folder, search, maximize=maximize)
        self.asked = search.n_trials

    @property
    def driver(self) -> str:
        """Name of this process among those that share the study."""
        return self._driver

    def begin(self, settings: Mapping[str, Any], first: Mapping[str, Any] | None = None) -> None:
        """Begin a study, or make sure that the one there is of the same settings and space.

        Unless it is a grid, the first trial has the settings `first`, and draws those that are not among them.

        Raises:
            ConfigError: it is another one; the differences are named.
        """
        wanted = {**settings, **{f"space {key}": axis for key, axis in self.space.plain().items()}}
        wanted |= {"sampler": self.search.sampler, PRUNER: self.search.pruner or "null"}
        if self.search.storage:  # locks and outcomes lie in the folder: one study, one folder
            wanted["folder"] = str(self.folder.resolve())
        with self._lock:
            known = self._study.user_attrs.get(MARK)
            if known is None and self._study.trials:
                raise ConfigError(f"{self.folder / STUDY} is the study of another program; choose another name")
            if known is not None:
                # a sweep begun before pruners were compared goes on with any
                _refuse_changes(self.folder.name, {PRUNER: wanted[PRUNER], **known}, wanted)
            self._study.set_user_attr(MARK, wanted)  # before the first trial: by it a killed process's study is known
            if self.search.sampler == "grid":
                self._lay_out_grid()
            elif first and not self._study.trials:
                self._study.enqueue_trial(dict(first))

    def _lay_out_grid(self) -> None:
        combinations = list(self.space.grid())
        self.asked = len(combinations)
        present = len(self._study.trials)  # more than none where a first process was killed on the way
        for combination in combinations[present:]:
            self._study.enqueue_trial(combination)

    def ask(self) -> Claim | None:
        """Take the next trial: one that was killed, or a new one; None where all are asked for."""
        with self._lock:
            trials = self._study.get_trials(deepcopy=False)
            waiting = [trial.number for trial in trials if trial.state == TrialState.WAITING]
            if not waiting and len(trials) >= self.asked:
                return None
            self._study.sampler = self._draws(min(waiting, default=len(trials)), trials)
            trial = self._study.ask()
            trial.set_user_attr(DRIVER, self._driver)
            drawn = self.space.suggest(trial)
            trial.set_user_attr(DRAWN, drawn)
            return Claim(trial.number, drawn)

    def _draws(self, number: int, trials: Sequence[FrozenTrial]) -> BaseSampler:
        """Return what draws the settings of a trial; those of an earlier one are drawn again, a few times.

        Each number has random streams of its own: what is drawn does not depend on when a sweep was killed.
        """
        seed = self._seed * 1_000_003 + number
        if self.search.sampler == "grid" or DRAWN in (trials[number].user_attrs if number < len(trials) else {}):
            return sampler(self.search, seed)
        known = [one.user_attrs.get(DRAWN, []) for one in trials[:number]]
        ended = [one for one in trials if one.state.is_finished()]
        return fresh_draw(self.search, self.space, seed, known, ended, self._study.direction)

    def recover(self) -> list[int]:
        """Settle trials whose process died: told where their outcome is there, otherwise asked for again."""
        with self._lock:
            left = [
                trial
                for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
                if trial.user_attrs.get(DRIVER) != self._driver and not self._runs(trial)
            ]
            for trial in left:
                self._settle(trial, killed=False)  # that its driver died says nothing against a trial
            return [trial.number for trial in left]

    def settle(self, claims: Sequence[Claim], *, killed: bool) -> None:
        """Tell what came of trials that this process ran; those without outcome are asked for again."""
        numbers = {claim.number for claim in claims}
        with self._lock:
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if trial.number in numbers:
                    self._settle(trial, killed=killed)

    def _settle(self, trial: FrozenTrial, *, killed: bool) -> None:
        outcome = read_outcome(self.folder / str(trial.number))
        if outcome is None and held(trial_lock(self.folder / str(trial.number))):
            return  # a worker goes on with it; whoever continues the sweep waits for that
        epochs = len(trial.intermediate_values)
        before, at = trial.user_attrs.get(KILLS, (0, 0))
        kills = (before if at == epochs else 0) + killed  # in a row: one that gets further each time is not at fault
        if outcome is None and kills >= MAX_KILLS:
            outcome = {
                "state": "failed",
                "error": f"{KILLED} {kills} times at the same epoch; out of memory? Its checkpoints are kept",
            }
            (self.folder / str(trial.number)).mkdir(exist_ok=True)
            write_json(self.folder / str(trial.number) / OUTCOME, outcome)
        if outcome is None:
            self._study._storage.set_trial_user_attr(trial._trial_id, KILLS, [kills, epochs])
            self._study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        elif not has_figure(outcome):
            self._study._storage.set_trial_user_attr(trial._trial_id, REASON, outcome.get("error", NO_FIGURE))
            self._study.tell(trial.number, state=TrialState.FAIL)
        elif outcome["state"] == "pruned":
            self._study.tell(trial.number, state=TrialState.PRUNED)
        else:
            self._study.tell(trial.number, outcome["value"])

    def _runs(self, trial: FrozenTrial) -> bool:
        driver = trial.user_attrs.get(DRIVER)
        if driver and held(driver_lock(self.folder, driver)):  # first: asking takes the other lock for an instant
            return True
        return held(trial_lock(self.folder / str(trial.number)))

    def runs(self, claim: Claim) -> bool:
        """Say whether a process is at work on a trial of this process's that has no outcome yet."""
        folder = self.folder / str(claim.number)
        return read_outcome(folder) is None and held(trial_lock(folder))

    def trials(self) -> list[FrozenTrial]:
        """Return all trials that were asked for, by number."""
        return [one for one in self._study.get_trials(deepcopy=False) if one.state != TrialState.WAITING]

    def unfinished(self) -> int:
        """Return how many of the trials asked for have no outcome yet."""
        states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
        return max(self.asked, len(states)) - sum(state.is_finished() for state in states)

    def alone(self) -> FileLock:
        """Return the lock of the sweep's folder."""
        return self._lock

    def close(self) -> None:
        """Let go of the study; what this process had asked for and not told goes back."""
        with self._lock:
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if trial.user_attrs.get(DRIVER) == self._driver:
                    self._settle(trial, killed=False)
        self._alive.release()
        driver_lock(self.folder, self._driver).unlink(missing_ok=True)


def open_study(folder: Path, search: SearchConfig, *, maximize: bool) -> optuna.Study:
    """Open the study of a sweep's folder, or make one; its name is the folder's.

    Raises:
        ConfigError: the store cannot be opened.
        StorageError: it cannot be written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = search.storage or f"sqlite:///{(folder / STUDY).resolve()}"
    # a server lets in so many: each trial opens the study anew, and must not keep a connection that it left
    options = {"connect_args": {"timeout": 120}} if url.startswith("sqlite") else {"poolclass": NullPool}
    try:
        with no_warnings(), created_once(url):
            store = RDBStorage(url, engine_kwargs=options)
            others = [] if search.storage else [one.study_name for one in store.get_all_studies()]
            if others and folder.name not in others:
                raise ConfigError(f"{folder / STUDY} is the study of {quoted(others[0])}; choose another name")
            return optuna.create_study(
                storage=store,
                study_name=folder.name,
                direction="maximize" if maximize else "minimize",
                pruner=pruner(search),
                load_if_exists=True,
            )
    except (SQLAlchemyError, ImportError, optuna.exceptions.OptunaError) as error:
        if search.storage:
            said = f"hparams_search.storage={quoted(shown(url))} cannot be opened: {_words(error)}; check the URL"
        elif isinstance(error.__cause__ or error, OperationalError):
            raise unwritten(folder, error) from error
        else:
            said = f"{folder / STUDY} cannot be opened as a study; choose another name"
        raise ConfigError(f"{said} ({type(error).__name__})") from error


def unwritten(folder: Path, error: Exception) -> StorageError:
    """Say why a study cannot be written: above all a full disk, or a database elsewhere that is gone."""
    return StorageError(
        f"the study of {folder} cannot be written ({_words(error)}); mend that, then repeat the command to continue"
    )


def _words(error: Exception) -> str:
    """Return what a database said, which Optuna hides behind a sentence of its own."""
    cause = error.__cause__ or error
    return masked(" ".join(str(getattr(cause, "orig", cause)).split())[:200])


def running_trial(folder: Path, search: SearchConfig, number: int, driver: str, *, maximize: bool) -> Trial | None:
    """Return the trial for the process that runs it; None where it was taken from its driver meanwhile."""
    study = open_study(folder, search, maximize=maximize)
    frozen = study.get_trials(deepcopy=False)[number]
    if frozen.state != TrialState.RUNNING or frozen.user_attrs.get(DRIVER) != driver:
        return None
    return Trial(study, frozen._trial_id)


def trial_lock(folder: Path) -> Path:
    """Return the file that the process of a trial holds locked."""
    return folder / LOCK


def read_outcome(folder: Path) -> dict[str, Any] | None:
    """Return how a trial ended, None where it has not."""
    path = folder / OUTCOME
    if not path.exists():
        return None
    outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return outcome


def has_figure(outcome: Mapping[str, Any]) -> bool:
    """Say whether a trial that ended can be compared with others; one that failed, or measured nothing, cannot."""
    return outcome["state"] == "pruned" or (outcome["state"] == "finished" and outcome.get("value") is not None)


def driver_lock(folder: Path, driver: str) -> Path:
    """Return the file that a driver holds locked as long as it lives."""
    return folder / SWEEP_MARK / f"{driver}.lock"


def _refuse_changes(name: str, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    keys = [key for key in {**known, **wanted} if known.get(key) != wanted.get(key)]
    if keys:
        shown = [
            f"{key} was {quoted(known.get(key, 'unset'))}, now {quoted(wanted.get(key, 'unset'))}" for key in keys[:3]
        ]
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        raise ConfigError(
            f"name={name}: that sweep was begun with other settings: {'; '.join(shown)}{more}; repeat its own command "
            "to continue it, or choose another name"
        )
