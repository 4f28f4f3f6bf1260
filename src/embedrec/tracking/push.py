"""Send runs that were recorded in the outputs folder on to a server: with settings, figures, files, and children.

What is sent is the journal in the folder of each run. It also tells under which id a server that went away in the
middle knows the run already: that one is completed, and no second is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError
from embedrec.tracking.journal import RUN_ID, Journal
from embedrec.tracking.reaching import UnreachableError, reason, refusal, store_errors
from embedrec.tracking.store import LOCAL, Store, connect, experiment_of, local_uri, name_of, shown, writing
from embedrec.tracking.tracker import PARENT_TAG


def push(folder: Path, outputs: Path, uri: str) -> Iterator[tuple[str, str]]:
    """Give a store the run of a folder and those of the folders below it; yields (id in outputs, id there).

    Twice sends nothing twice. Children are put below their parent, wherever each of them was recorded.

    Raises:
        ConfigError: there is no such run, or the server does not answer.
    """
    try:
        here, there = connect(local_uri(outputs), outputs), connect(uri, outputs)
    except UnreachableError as error:
        raise ConfigError(f"{shown(uri)} does not answer ({error}); nothing was sent") from error
    name = name_of(uri, outputs)
    parent = store = None
    try:
        for place in (folder, *sorted(one.parent for one in folder.glob(f"*/**/{RUN_ID}"))):
            journal = Journal(place)
            recorded, sent = _run(here, journal.run_in(LOCAL)), _run(there, journal.run_in(name))
            if recorded is None and sent is None:
                if store is None:
                    raise ConfigError(f"{folder}: there is no run of it in {outputs / 'mlflow.db'}")
                continue
            if store is None:
                experiment = _experiment(here, recorded) or _experiment(there, sent)
                store = Store(name, there, experiment_of(there, uri, experiment, outputs), writing(uri))
            new = _send(journal, recorded or sent, sent, store, parent)
            parent = parent or new
            yield journal.run_in(LOCAL) or new, new
    except store_errors() as error:
        raise ConfigError(f"{shown(uri)}: {reason(error)}; the same command sends the rest") from error


def _run(client: Any, run_id: str | None) -> Any:
    """Return a run as a store has it; None where it has it not, or not any more."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run_id) if run_id else None
    except MlflowException as error:
        if not refusal(error):
            raise
        return None
    return found if found and found.info.lifecycle_stage != "deleted" else None


def _experiment(client: Any, run: Any) -> str:
    return str(client.get_experiment(run.info.experiment_id).name) if run else ""


def _send(journal: Journal, run: Any, sent: Any, store: Store, parent: str | None) -> str:
    """Create a run in a store, or complete the one `sent` there before; `run` has its name."""
    records, tags = journal.whole(), {PARENT_TAG: parent} if parent else {}
    end = next(((one["status"], one["time"]) for one in records if "status" in one), None)
    if sent and end == (sent.info.status, sent.info.end_time) and tags.items() <= sent.data.tags.items():
        return str(sent.info.run_id)
    known = str(sent.info.run_id) if sent else None
    started = next(one["time"] for one in journal.records if "status" in one)
    new = store.enter(known, str(run.info.run_name), tags, started)
    if new != known:
        journal.append({"store": store.name, "run_id": new})
    store.send(new, [{"tags": tags}, *records], journal.folder)  # the end comes last: what was cut short is sent again
    return new
