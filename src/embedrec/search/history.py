"""From a study and the folders of its trials to the plain record that report and table show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from embedrec.search.record import Setting, State, SweepRecord, TrialRecord
from embedrec.search.space import text
from embedrec.search.study import DRAWN, REASON, SweepStudy, read_outcome
from embedrec.search.table import command_of

if TYPE_CHECKING:
    from embedrec.search.driver import Sweep

STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
IN_WORDS = {"tpe": "TPE", "random": "random", "grid": "grid", "median": "median rule", "halving": "successive halving"}


def record_of(sweep: Sweep, study: SweepStudy, trials: list[FrozenTrial]) -> SweepRecord:
    """Collect what is known of the trials of a sweep."""
    working = _working_times(trials)
    return SweepRecord(
        name=sweep.folder.name,
        objective="NDCG@10" if sweep.maximize else "RMSE",
        maximize=sweep.maximize,
        asked=study.asked,
        data=sweep.base.data.name,
        sampler=IN_WORDS[sweep.search.sampler],
        pruner=IN_WORDS[sweep.search.pruner] if sweep.search.pruner else None,
        trials=tuple(_trial(one, sweep, working.get(one.number)) for one in trials),
        continue_command=sweep.command,
        parallel=sweep.parallel,
    )


def drawn_overrides(trial: FrozenTrial) -> list[str]:
    """Return the settings of a trial as overrides; a trial killed while they were drawn has none yet."""
    return list(trial.user_attrs.get(DRAWN, []))


def _trial(trial: FrozenTrial, sweep: Sweep, ended: float | None) -> TrialRecord:
    folder = sweep.folder / str(trial.number)
    outcome = read_outcome(folder) or {}
    state = STATES[trial.state]
    return TrialRecord(
        number=trial.number,
        state=state,
        settings={key: _setting(value) for key, value in trial.params.items()},
        value=outcome.get("value") if state in ("finished", "pruned") else None,
        seconds=outcome.get("seconds"),
        ended=ended,
        curve=tuple(sorted(trial.intermediate_values.items())),
        reason=str(outcome.get("error") or trial.user_attrs.get(REASON, "")),
        command=command_of([*sweep.shared, *drawn_overrides(trial)]),
        interval=_interval(folder) if state == "finished" and sweep.maximize else None,
    )


def _setting(value: Any) -> Setting:
    """Show a drawn value as it was used: choices are texts of overrides, which may hold numbers."""
    written = text(value)
    try:
        known: Setting = json.loads(written)
    except ValueError:
        return written.strip("'")
    return known if known is None or isinstance(known, bool | int | float) else written


def _interval(folder: Path) -> tuple[float, float] | None:
    """Read the 95 % interval of the validation figure."""
    path = folder / "metrics.json"
    if not path.exists():
        return None
    models = json.loads(path.read_text(encoding="utf-8"))["models"]
    for model in models.values():
        entry = model["valid"].get("all", {}).get("ndcg@10", {})
        if entry.get("value") is not None:
            return entry["low"], entry["high"]
    return None


def _working_times(trials: list[FrozenTrial]) -> dict[int, float]:
    """Return when each trial ended, in seconds of the sweep's own work: pauses between its calls are left out."""
    done = sorted(
        (one for one in trials if one.datetime_start and one.datetime_complete),
        key=lambda one: (one.datetime_complete, one.number),
    )
    times: dict[int, float] = {}
    worked, until = 0.0, None
    for one in done:
        assert one.datetime_start
        assert one.datetime_complete
        begun = one.datetime_start if until is None or one.datetime_start > until else until
        worked += max((one.datetime_complete - begun).total_seconds(), 0.0)
        until = one.datetime_complete
        times[one.number] = worked
    return times
