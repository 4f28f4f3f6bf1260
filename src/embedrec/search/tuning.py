"""Fair tuning: every model of a comparison gets the same number of validation trials in a small space of its own.

The first trial is always the model's default settings, so that on validation tuning never ends below them. Trials fit
on train and are measured on validation; none sees the test, none is pruned, and none is an MLflow run. What they came
to is kept in trials.json, one after the other.
"""

from __future__ import annotations

import json
import math
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from embedrec.errors import ConfigError, EmbedrecError, NotApplicableError, StorageError, nearest
from embedrec.experiment.comparison_config import Comparison
from embedrec.experiment.config import RunConfig, parse_config
from embedrec.experiment.folders import write_json, write_text
from embedrec.experiment.recording import Say
from embedrec.experiment.runner import Runner
from embedrec.experiment.tuned import Settings, Tuned
from embedrec.models import BiasedMfConfig
from embedrec.search.proposals import Proposals, Tried
from embedrec.search.settings import GROUP, parse_search
from embedrec.search.space import MODEL, Space, make_space, overrides, parsed, selected
from embedrec.search.study import MAX_KILLS

TRIALS, BEGUN, ERROR, CHECKPOINTS = "trials.json", "begun.json", "error.txt", "checkpoints"


@dataclass(frozen=True)
class Tuner:
    """Searches the settings of one model after the other."""

    spaces: Mapping[str, Space]
    """By model; one without a space has nothing to tune."""
    sampler: str
    trials: int
    """Of each model; fewer where its space holds fewer settings."""

    def __call__(self, run: RunConfig, runner: Runner, folder: Path, say: Say) -> Tuned | None:
        """Search the settings of a model, or go on with it; None where it has nothing to tune, or suits no such data.

        Raises:
            ConfigError: the default settings cannot be used here.
            StorageError: what a trial learned cannot be kept.
        """
        space = self.spaces.get(run.model.name)
        if space is None:
            return None
        maximize = not isinstance(run.model, BiasedMfConfig)
        default = selected(run.model_dump(mode="json"), list(space.axes(run.model.name)))
        proposals = Proposals(space, run.model.name, default, self.sampler, self.trials, maximize, run.seed)
        figure = "ndcg@10" if maximize else "rmse"
        folder.mkdir(parents=True, exist_ok=True)
        tried = _read(folder / TRIALS)
        if tried:
            say(f"{len(tried)} of {self.trials} trials were run before")
        while proposal := proposals.after(tried):
            drawn, settings = proposal
            start, place = time.perf_counter(), folder / str(len(tried))
            try:
                score, error = _measure(run, settings if tried else None, runner, place)
            except NotApplicableError:
                return None
            trial = Tried(drawn, settings, score, round(time.perf_counter() - start, 3), error)
            said = " ".join(overrides(settings)) if tried else "the default settings"
            tried.append(trial)
            write_json(folder / TRIALS, [asdict(one) for one in tried])
            shutil.rmtree(place / CHECKPOINTS, ignore_errors=True)  # what is chosen is fitted anew, for the test
            result = f"failed; {error}" if score is None else f"{figure.upper()} {score:.4f}"
            say(f"trial {len(tried)}/{self.trials}: {result} ({said})")
        return _best(run, proposals, figure, tried)


def tuner_of(comparison: Comparison) -> Tuner | None:
    """Return what tunes the models of a comparison; None where that was not asked for.

    Raises:
        ConfigError: a space names a model or a setting that does not exist, or the search cannot be shared out evenly.
    """
    config = comparison.config
    if not config.tune:
        return None
    search = parse_search(config.hparams_search)
    if search.sampler == "grid":
        raise ConfigError(f"{GROUP}.sampler=grid cannot be cut into equal shares; tune=N goes with tpe or random")
    for key in ("minutes", "storage"):
        if getattr(search, key) is not None:
            raise ConfigError(f"{GROUP}.{key} does not go with tune=N: every model gets its N trials, kept beside it")
    shared, own = search.space or {}, search.models or {}
    for name in own:
        if name not in config.settings:
            raise ConfigError(f"{GROUP}.models: there is no model {name}{nearest(name, list(config.settings))}")
    if MODEL in shared:
        raise ConfigError(f"{GROUP}.space: model is no axis of a comparison; name them with models=[NAME,NAME]")
    spaces = {name: make_space({}, search, name) for name in comparison.runs if shared or own.get(name)}
    for name, space in spaces.items():  # a setting that does not exist is found before anything is trained
        try:
            changed(comparison.runs[name], parsed(space.first(name)))
        except ConfigError as error:
            raise ConfigError(f"{GROUP}, models.{name}: {error}") from None
    return Tuner(spaces, search.sampler, config.tune)


def changed(run: RunConfig, settings: Settings) -> RunConfig:
    """Return a run with other settings, by dotted name.

    Raises:
        ConfigError: one does not exist, or cannot have that value.
    """
    plain = OmegaConf.create(run.model_dump(mode="json"))
    for key, value in settings.items():
        OmegaConf.update(plain, key, value, force_add=True)
    content: Any = OmegaConf.to_container(plain)
    return parse_config(content)


def _measure(run: RunConfig, settings: Settings | None, runner: Runner, folder: Path) -> tuple[float | None, str]:
    """Fit on train and return the validation figure, or why there is none; without settings by the default ones."""
    folder.mkdir(exist_ok=True)
    begun = _begin(folder)
    if begun > MAX_KILLS:
        return None, f"killed {MAX_KILLS} times while it ran; out of memory?"
    try:
        wanted = run if settings is None else changed(run, settings)
        found = runner.measure(wanted, folder / CHECKPOINTS, test=False)
    except KeyboardInterrupt:
        write_json(folder / BEGUN, begun - 1)  # stopped, not killed
        raise
    except (StorageError, OSError):  # every other trial would meet the same
        raise
    except EmbedrecError as error:
        if settings is None and isinstance(error, ConfigError):  # it is none of the trial's own
            raise
        return None, " ".join(str(error).split())
    except Exception as error:  # noqa: BLE001  # one trial's crash must not lose the others
        write_text(folder / ERROR, traceback.format_exc())
        where = Path(*folder.parts[-3:], ERROR)  # the same wherever the comparison lies
        return None, f"{type(error).__name__}: {' '.join(str(error).split())[:200]} (see {where})"
    if found is None:
        return None, runner.nothing_to_learn(wanted)
    if found.score is None or not math.isfinite(found.score):
        return None, "nobody could be measured on validation"
    return found.score, ""


def _begin(folder: Path) -> int:
    """Count the beginnings of a trial: more than one where it was killed, which leaves no other trace."""
    path = folder / BEGUN
    begun = 1 + (int(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else 0)
    write_json(path, begun)
    return begun


def _read(path: Path) -> list[Tried]:
    return [Tried(**one) for one in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def _best(run: RunConfig, proposals: Proposals, figure: str, tried: list[Tried]) -> Tuned:
    """Choose the best trial, the earliest of equals; the default settings where all failed."""
    sign = 1 if proposals.maximize else -1
    known = [(sign * trial.score, trial) for trial in tried if trial.score is not None]
    _, best = max(known, key=lambda one: one[0], default=(0.0, tried[0]))
    failed = [trial for trial in tried if trial.score is None]
    return Tuned(
        run=run if best is tried[0] else changed(run, best.settings),
        objective=figure,
        settings=best.settings,
        default=tried[0].settings,
        score=best.score,
        default_score=tried[0].score,
        trials=len(tried),
        failed=len(failed),
        exhausted=len(tried) < proposals.trials,
        seconds=sum(trial.seconds for trial in tried),
        reason=failed[0].error if failed else "",
    )
