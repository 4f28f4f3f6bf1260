"""The MLflow runs of a sweep: a parent that shows how far it is, and a child of each trial, recorded where it is."""

from __future__ import annotations

import json
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from embedrec.experiment import RunConfig
from embedrec.experiment.recording import RUN_ID, STATE, trial_tracker
from embedrec.search.study import NO_FIGURE, has_figure, read_outcome
from embedrec.tracking import Tracker

ERROR = "trial.error"


def child_overrides(parent: Tracker | None) -> list[str]:
    """Return the settings by which a trial records itself below its sweep.

    A server that was down for the parent is not asked again by each trial, and what comes up in the middle of a sweep
    does not get half of it.
    """
    return [f"++tracking.{key}={json.dumps(value)}" for key, value in _child(parent).items()]


def record_best(parent: Tracker | None, trials: list[FrozenTrial], figure: str, *, maximize: bool) -> None:
    """Show on the parent the best figure after so many trials."""
    found = [one.value for one in trials if one.state == TrialState.COMPLETE and one.value is not None]
    if parent and found:
        ended = sum(one.state.is_finished() for one in trials)
        parent.metrics({f"valid/{figure}/best": max(found) if maximize else min(found)}, ended)


def close_record(base: RunConfig, folder: Path, parent: Tracker | None) -> None:
    """Close the run of a trial that could not do it itself, because it was killed, or say why it failed.

    `base` is what all trials share: a trial whose own settings cannot be used has a run too.
    """
    outcome = read_outcome(folder)
    if parent is None or (has_figure(outcome) if outcome else not (folder / RUN_ID).is_file()):
        return
    tracking = base.tracking.model_copy(update=_child(parent))
    tracker = trial_tracker(base.model_copy(update={"tracking": tracking}), folder)
    assert tracker
    if outcome:
        tracker.parameters({}, {STATE: "failed", ERROR: outcome.get("error", NO_FIGURE)})
    tracker.finish("FAILED" if outcome else "KILLED")


def _child(parent: Tracker | None) -> dict[str, str | bool]:
    return {"parent_run": parent.run_id, "here": parent.here} if parent else {}
