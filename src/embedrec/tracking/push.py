"""Send runs that were recorded in the outputs folder on to a server: with settings, figures, files, and children."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError
from embedrec.tracking.journal import RUN_ID, Journal
from embedrec.tracking.reaching import reason, store_errors
from embedrec.tracking.store import UnreachableError, connect, experiment_of, local_uri, shown, writing
from embedrec.tracking.tracker import PARENT_TAG

PUSHED_FROM = "embedrec.pushed_from"  # tag: the run's id in the store it came from


def push(folder: Path, outputs: Path, uri: str) -> Iterator[tuple[str, str]]:
    """Copy the run of a folder from the store of `outputs`, and its children; yields (old id, new id).

    Twice sends nothing twice. A run that went from one store to another on the way has an id in each, and its
    children name whichever it had when they began.

    Raises:
        ConfigError: there is no such run, or the server does not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        here, there = connect(local_uri(outputs), outputs), connect(uri, outputs)
    except UnreachableError as error:
        raise ConfigError(f"{shown(uri)} does not answer ({error}); nothing was sent") from error
    ids = {one["run_id"] for one in Journal(folder).records if "run_id" in one}
    run_id = json.loads((folder / RUN_ID).read_text(encoding="utf-8"))["run_id"]
    try:
        run = here.get_run(run_id)
    except MlflowException as error:
        raise ConfigError(f"{run_id}: no such run in {outputs / 'mlflow.db'}") from error
    experiment = here.get_experiment(run.info.experiment_id)
    target = experiment_of(there, uri, experiment.name, outputs)
    try:
        with writing(uri):
            parent = _copy(run, here, there, target, None)
        yield run_id, parent
        for one in sorted(ids | {run_id}):
            for child in _all(here, run.info.experiment_id, f"tags.`{PARENT_TAG}` = '{one}'"):
                with writing(uri):
                    new = _copy(child, here, there, target, parent)
                yield child.info.run_id, new
    except store_errors() as error:
        raise ConfigError(f"{shown(uri)}: {reason(error)}; the same command sends the rest") from error


def _all(client: Any, experiment: str, query: str) -> Iterator[Any]:
    """Yield every run that a query finds, page by page."""
    token = None
    while True:
        page = client.search_runs([experiment], query, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _copy(run: Any, here: Any, there: Any, experiment: str, parent: str | None) -> str:
    """Copy one run; one that was sent before is found again by its tag."""
    from mlflow.artifacts import download_artifacts
    from mlflow.entities import Param, RunTag

    old = run.info.run_id
    known = there.search_runs([experiment], f"tags.`{PUSHED_FROM}` = '{old}'")
    if known and (known[0].info.status, known[0].info.end_time) == (run.info.status, run.info.end_time):
        return str(known[0].info.run_id)
    tags = {**run.data.tags, PUSHED_FROM: old, **({PARENT_TAG: parent} if parent else {})}
    made = known[0] if known else there.create_run(experiment, run.info.start_time, tags, run.info.run_name)
    new = str(made.info.run_id)
    params = [Param(key, value) for key, value in run.data.params.items()]
    for some in _at_most(100, params):
        there.log_batch(new, params=some)
    there.log_batch(new, tags=[RunTag(key, value) for key, value in tags.items()])
    for name in run.data.metrics:
        for some in _at_most(1000, here.get_metric_history(old, name)):
            there.log_batch(new, metrics=some)
    if run.inputs and run.inputs.dataset_inputs:
        there.log_inputs(new, run.inputs.dataset_inputs)
    if here.list_artifacts(old):
        there.log_artifacts(new, download_artifacts(run_id=old, artifact_path="", tracking_uri=here.tracking_uri))
    there.set_terminated(new, run.info.status, run.info.end_time)  # last: a copy that was cut short is made again
    return new


def _at_most(count: int, rows: list[Any]) -> Iterator[list[Any]]:
    """Yield rows in the portions that MLflow takes."""
    for start in range(0, len(rows), count):
        yield rows[start : start + count]
