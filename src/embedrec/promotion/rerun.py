"""The same run again: with the settings it kept, in a new folder, compared figure by figure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, DataError
from embedrec.experiment import parse_config, run
from embedrec.experiment.comparison import compare
from embedrec.experiment.comparison_config import Comparison, parse_comparison
from embedrec.experiment.config import RunConfig
from embedrec.experiment.folders import new_run_folder
from embedrec.experiment.recording import Say
from embedrec.experiment.reevaluation import moved
from embedrec.experiment.run import run_trial
from embedrec.experiment.shop import open_shop
from embedrec.experiment.tuned import Tune
from embedrec.promotion.finding import Found, find
from embedrec.tracking.commit import commit
from embedrec.tracking.registry import Registry, exists, store_uri

RERUNS = "reruns"  # below outputs: a rerun is a check, which moves no `latest` and is not recorded again
VARYING = ("run_id", "fit_seconds", "peak_mb")  # what may differ between two equal runs
ABSENT = "nothing"
TunerOf = Callable[[Comparison], Tune | None]


@dataclass(frozen=True)
class Rerun:
    """Where a run was run again, and what came out otherwise."""

    folder: Path
    compared: int
    """Figures and texts of metrics.json, and the bundle's id."""
    differences: dict[str, tuple[Any, Any]]
    """{dotted name: (then, now)}"""
    likely: str
    """Why, where something explains it."""


def rerun(
    what: str, tuner_of: TunerOf, *, data: str | None = None, outputs: Path | None = None, say: Say = print
) -> Rerun:
    """Run a run, trial or comparison again from its kept settings, and compare metrics.json and the bundle's id.

    tuner_of  makes what tunes the models of a comparison
    data      where its tables lie now, if they were moved
    outputs   folder of runs, sweeps and the tracking store; None takes the one the run was told

    Raises:
        ConfigError: nothing is called `what`, or it has nothing to compare with.
        DataError: the tables are not there, or not those of the run.
    """
    found = find(what, outputs or Path("outputs"))
    before = found.metrics
    if found.is_sweep:
        raise ConfigError(f"{found.folder} is a sweep of many trials: name one, such as {found.folder}/0")
    if not before or not before.get("models"):
        raise ConfigError(f"{found.folder} has no figures to compare with: it did not finish")
    settings = found.settings
    place = (outputs or Path(settings.outputs)) / RERUNS
    plain = _again(found.plain, settings, str(place), data)
    _check_tables(_base(plain), before["data"]["fingerprint"])
    folder = new_run_folder(place, settings.name, datetime.now())
    _run(plain, folder, tuner_of, trial=not before["verdict"], say=say)
    now = Found(folder, None)
    then_known, now_known = (dict(flat(one.metrics or {})) | _bundle_id(one) for one in (found, now))
    return Rerun(
        folder,
        len(then_known),
        differences(then_known, now_known),
        _likely(found, store_uri(place.parent, settings.tracking.uri)),
    )


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return {name: (then, now)} of what differs; what one side lacks is said to be nothing."""
    names = [*then, *(name for name in now if name not in then)]
    pairs = {name: (then.get(name, ABSENT), now.get(name, ABSENT)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def flat(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Lay nested JSON out under dotted names, without what may differ between two equal runs."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in VARYING:
                yield from flat(value, f"{name}.{key}" if name else key)
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from flat(value, f"{name}.{place}")
    else:
        yield name, content


def _again(plain: Mapping[str, Any], settings: RunConfig, outputs: str, data: str | None) -> dict[str, Any]:
    """Return the settings of the new run: the same but for where it lies."""
    tables = moved(settings.data, data) if data else settings.data
    return {
        **plain,
        "data": tables.model_dump(mode="json"),
        "outputs": outputs,
        "resume": None,
        "tracking": {"enabled": False},
    }


def _base(plain: Mapping[str, Any]) -> RunConfig:
    return parse_comparison(plain).base if "settings" in plain else parse_config(dict(plain))


def _check_tables(config: RunConfig, fingerprint: str) -> None:
    """Refuse other tables before anything is trained on them."""
    try:
        found = open_shop(config.data, config.split).tables.fingerprint
    except DataError as error:
        raise DataError(f"{error}; if the tables were moved, name their place with --data DIR") from error
    if found != fingerprint:
        raise DataError(
            f"{config.data.path}: the tables have changed since the run (fingerprint {fingerprint[:12]}, now "
            f"{found[:12]}), so its figures cannot come out again; name the old ones with --data DIR"
        )


def _run(plain: dict[str, Any], folder: Path, tuner_of: TunerOf, *, trial: bool, say: Say) -> None:
    if "settings" in plain:
        comparison = parse_comparison(plain)
        compare(comparison, plain, folder, tuner_of(comparison), say=say)
    elif trial:
        config = parse_config(plain)
        run_trial(config, folder, open_shop(config.data, config.split), lambda _epoch, _value: None)
    else:
        run(parse_config(plain), folder, say=say)


def _bundle_id(found: Found) -> dict[str, str]:
    manifest = found.bundle / "manifest.json"
    return {"bundle": json.loads(manifest.read_text(encoding="utf-8"))["id"]} if manifest.is_file() else {}


def _likely(found: Found, uri: str) -> str:
    """Name what is known to have changed since the run: the code."""
    now = commit()
    record = Registry(uri).run(found.run_id) if found.run_id and exists(uri) else None
    then = record.tags if record else {}
    if then.get("git.commit") and now.get("git.commit") and then["git.commit"] != now["git.commit"]:
        return f"the code has changed: commit {then['git.commit'][:10]} then, {now['git.commit'][:10]} now"
    if "true" in (then.get("git.dirty"), now.get("git.dirty")):
        return "the checkout held changes that are in no commit"
    return ""
