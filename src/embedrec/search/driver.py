"""The loop of a sweep: ask the study, let Hydra's launcher run the trials, tell the study, and say how it stands."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from embedrec.errors import ConfigError, TrainingError, nearest
from embedrec.experiment import RunConfig, parse_config
from embedrec.experiment.folders import sweep_folder
from embedrec.experiment.recording import closing, tracker_of
from embedrec.hydra_entry import plain_settings
from embedrec.models import BiasedMfConfig
from embedrec.search.family import child_overrides, close_record, record_best
from embedrec.search.history import drawn_overrides, record_of
from embedrec.search.launching import launch, trials_at_once
from embedrec.search.record import SweepRecord
from embedrec.search.report import write_sweep_report
from embedrec.search.settings import GROUP, SearchConfig, parse_search
from embedrec.search.space import MODEL, Space, make_space, selected, swept_axis
from embedrec.search.study import STORE_ERRORS, Claim, SweepStudy, read_outcome, unwritten
from embedrec.search.table import print_table, write_table
from embedrec.search.trial import PLACE, check_tables
from embedrec.tracking import Tracker
from embedrec.tracking.tracker import flat
from embedrec.training import processes

NOT_COMPARED = ("hydra", "outputs", "resume", "tracking", "name", GROUP)
POLL = 1.0  # seconds between looks at trials that other processes run


@dataclass(frozen=True)
class Sweep:
    """What one call of a sweep works with."""

    base: RunConfig
    search: SearchConfig
    space: Space
    fixed: list[str]
    """Overrides that all trials share."""
    settings: dict[str, Any]
    """The settings behind them, by which a sweep is known again."""
    folder: Path
    command: str
    """Continues the sweep."""
    parallel: int

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return not isinstance(self.base.model, BiasedMfConfig) or MODEL in self.space.shared

    @property
    def first(self) -> dict[str, Any]:
        """The settings as they stand, as far as they lie within the space: what a search has to beat."""
        model = self.base.model.name
        if model not in self.space.models:
            return {}
        named = selected(self.base.model_dump(mode="json"), [key for key in self.space.axes(model) if key != MODEL])
        usual = {f"{MODEL}.{key}": value for key, value in getattr(self.base.model, "usual", {}).items()}
        stand = {key: usual.get(key) if value is None else value for key, value in named.items()}
        return self.space.within(model, stand | {MODEL: model})

    @property
    def shared(self) -> list[str]:
        """Overrides that a run of one trial's settings takes as well."""
        return [one for one in self.fixed if not one.lstrip("+").startswith((GROUP, "hydra", "name=", "tracking."))]

    @property
    def figure(self) -> str:
        """Name of the validation figure that trials are compared by."""
        return "ndcg@10" if self.maximize else "rmse"


def drive(config: DictConfig, loader: ConfigLoader, launcher: Launcher, arguments: list[str]) -> None:
    """Run a sweep, or what is left of it.

    Raises:
        ConfigError: a setting that does not exist, an empty space, or a folder that holds another sweep.
        DataError: the tables cannot be read.
        TrainingError: no trial finished, or none can any more.
        StorageError: the study cannot be written.
    """
    sweep = _prepare(config, loader, arguments)
    try:
        _drive(sweep, launcher)
    except STORE_ERRORS as error:
        raise unwritten(sweep.folder, error) from error


def _drive(sweep: Sweep, launcher: Launcher) -> None:
    try:
        study = SweepStudy(sweep.folder, sweep.search, sweep.space, maximize=sweep.maximize, seed=sweep.base.seed)
    except ConfigError:
        if all(one.name.startswith(".") for one in sweep.folder.iterdir()):  # nothing but locks: the name stays free
            shutil.rmtree(sweep.folder)
        raise
    try:
        study.begin(sweep.settings, sweep.first)
        with study.alone():  # of two that begin together one makes the parent run
            tracker = tracker_of(sweep.base, sweep.folder, sweep.folder.name)
        with closing(tracker):
            if tracker:
                tracker.parameters(sweep.settings | {"space": sweep.space.plain()}, {"sweep": sweep.folder.name})
            try:
                _run_all(sweep, study, launcher, tracker)
            finally:
                trials = _conclude(sweep, study, tracker).trials
            print(sweep.folder)
            if trials and all(one.state == "failed" for one in trials):
                raise TrainingError(f"no trial of {sweep.folder} finished; the first said: {trials[0].reason}")
    finally:
        study.close()


def _prepare(config: DictConfig, loader: ConfigLoader, arguments: list[str]) -> Sweep:
    """Validate everything that can be before a folder is made."""
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    fixed = [word for word, one in zip(arguments, parsed, strict=True) if not one.is_sweep_override()]
    swept = {one.get_key_element(): swept_axis(one.get_key_element(), one) for one in parsed if one.is_sweep_override()}
    plain = _composed(config, loader, fixed)
    search = parse_search(plain[GROUP]) if plain.get(GROUP) else None
    shared = {key: value for key, value in plain.items() if key not in ("hydra", GROUP)}
    base = parse_config(shared)
    if base.resume is not None:
        raise ConfigError(f"resume={base.resume} continues one run and does not go with a sweep; drop -m or resume")
    processes.refuse(base.trainer.processes, "a sweep")
    if search and search.storage and search.storage == base.tracking.uri_in(Path(base.outputs)):
        raise ConfigError(
            f"{GROUP}.storage and tracking.uri name one database; give each its own: Optuna and MLflow both keep the "
            "version of their tables in a table of one name"
        )
    space = make_space(swept, search, base.model.name)
    known = loader.get_group_options("model")
    for name in [*((search and search.models) or ()), *space.models]:
        if name not in known:
            raise ConfigError(f"model={name}: there is no such choice{nearest(name, known)}; known: {', '.join(known)}")
    for name in space.models:  # a setting that does not exist is found now, not in the middle of the night
        _composed(config, loader, [*fixed, *space.first(name)])
    if search is None or search.sampler == "grid":
        list(space.grid())
    if not any(key.startswith(("data", "split")) for key in space.shared):
        check_tables(base, keep=trials_at_once(config) == 1)
    folder = sweep_folder(Path(base.outputs), base.name, datetime.now())
    return Sweep(
        base=base,
        search=search or SearchConfig(sampler="grid", pruner=None),
        space=space,
        fixed=fixed,
        settings=flat({key: value for key, value in plain.items() if key not in NOT_COMPARED}),
        folder=folder,
        command=_continuing(folder.name, base.name is not None),
        parallel=trials_at_once(config),
    )


def _composed(config: DictConfig, loader: ConfigLoader, overrides: Sequence[str]) -> dict[str, Any]:
    composed = loader.load_sweep_config(config, list(overrides))
    return plain_settings(OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"]))


def _continuing(name: str, named: bool) -> str:
    words = sys.argv[1:] if named else [*sys.argv[1:], f"name={name}"]
    return f"python scripts/train.py {shlex.join(words)}"


def _run_all(sweep: Sweep, study: SweepStudy, launcher: Launcher, tracker: Tracker | None) -> None:
    """Ask and tell until every trial asked for has its outcome, or the time is up."""
    start, begun = time.monotonic(), False
    waited = False
    while True:
        for number in study.recover():
            print(f"trial {number} was killed on the way and is taken up again")
        if begun and sweep.search.minutes and time.monotonic() - start > 60 * sweep.search.minutes:
            print(f"{sweep.search.minutes:g} minutes are over; no further trial is begun")
            return
        claims = _claims(study, sweep.parallel)
        if claims:
            begun = True
            _run(sweep, study, launcher, claims, tracker)
            record_best(tracker, study.trials(), sweep.figure, maximize=sweep.maximize)
        elif study.unfinished():
            if not waited:
                print(f"waiting for {study.unfinished()} trials that another process runs (Ctrl-C to leave them to it)")
            waited = True
            time.sleep(POLL)
        else:
            return


def _claims(study: SweepStudy, count: int) -> list[Claim]:
    claims: list[Claim] = []
    while len(claims) < count and (claim := study.ask()):
        claims.append(claim)
    return claims


def _run(sweep: Sweep, study: SweepStudy, launcher: Launcher, claims: list[Claim], tracker: Tracker | None) -> None:
    """Run trials that were asked for, side by side where the launcher can."""
    for claim in claims:
        print(f"{_label(study, claim)} {' '.join(claim.overrides)} …", flush=True)
    place = child_overrides(tracker)
    jobs = [[*sweep.fixed, *claim.overrides, *_place(sweep, study, claim), *place] for claim in claims]
    stop, killed = None, False
    try:
        stop = launch(launcher, jobs, claims[0].number)
        killed = stop is None  # whoever has no outcome now did not live to write it
        while any(study.runs(claim) for claim in claims):  # but those that outlive what started them
            time.sleep(POLL)
    finally:
        study.settle(claims, killed=killed)
        for claim in claims:
            close_record(sweep.base, sweep.folder / str(claim.number), tracker)
    for claim in claims:
        _say(sweep, study, claim, "stopped" if stop else "was killed; it is taken up again")
    if stop:
        raise TrainingError(stop)


def _place(sweep: Sweep, study: SweepStudy, claim: Claim) -> list[str]:
    alone = sweep.parallel == 1
    values = {
        "folder": str(sweep.folder.resolve()),
        "trial": claim.number,
        "driver": study.driver,
        "maximize": sweep.maximize,
        "alone": alone,
    }
    return [f"+{PLACE}.{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def _label(study: SweepStudy, claim: Claim) -> str:
    return f"[{claim.number + 1}/{study.asked}] trial {claim.number}:"


def _say(sweep: Sweep, study: SweepStudy, claim: Claim, without_outcome: str) -> None:
    outcome = read_outcome(sweep.folder / str(claim.number))
    label = _label(study, claim)
    if outcome is None:
        print(f"{label} {without_outcome}")
    elif outcome["state"] == "failed":
        print(f"{label} failed: {outcome['error']}")
    else:
        value = "no figure" if outcome["value"] is None else f"{outcome['value']:.4f}"
        pruned = f", pruned: {outcome['error']}" if outcome["state"] == "pruned" else ""
        print(f"{label} {sweep.figure} {value} in {outcome['seconds']:.0f} s{pruned}")


def _conclude(sweep: Sweep, study: SweepStudy, tracker: Tracker | None) -> SweepRecord:
    """Write, show and return what is known, however the loop ended."""
    trials = study.trials()
    record = record_of(sweep, study, trials)
    varied = {one.number: drawn_overrides(one) for one in trials}
    print_table(record, varied)
    try:
        write_table(sweep.folder / "trials.csv", record, sweep.shared, varied, f"valid_{sweep.figure}")
        write_sweep_report(sweep.folder / "report.html", record)
        print(f"report: {sweep.folder / 'report.html'}")
    except OSError as error:  # what ended the sweep is said after this, and must not be hidden by it
        sys.stderr.write(f"{sweep.folder}: table and report cannot be written ({error.strerror})\n")
    if tracker:
        record_best(tracker, trials, sweep.figure, maximize=sweep.maximize)
        tracker.artifacts(sweep.folder / "trials.csv", sweep.folder / "report.html")
    if left := study.unfinished():
        print(f"{left} of {study.asked} trials are left; continue with: {sweep.command}")
    return record
