"""Promotion: a bundle becomes the champion if nothing speaks against it, or is registered with what was overridden.

    find the bundle → its own verdict → measured again from itself alone → held against the champion → registered

One promotion at a time works in an outputs folder. The alias moves last, so a killed promotion leaves the champion
where it was, and the same command goes on: a bundle that is a version already is not registered twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from embedrec.bundle import Bundle, read_bundle
from embedrec.errors import BundleError, ConfigError, DataError, quoted
from embedrec.evaluation.ranking import RankedView
from embedrec.experiment.recording import Say
from embedrec.experiment.reevaluation import Window, figures, moved, open_window
from embedrec.promotion.card import card_tags, model_card
from embedrec.promotion.finding import Found, find
from embedrec.promotion.judging import (
    Contest,
    PromotionError,
    figure_objection,
    hold,
    overlap_objection,
    own_objection,
    reported_figures,
)
from embedrec.promotion.winner import best_trial, train_in_full
from embedrec.tables import read_tables
from embedrec.tracking import Tracker, TrackingConfig
from embedrec.tracking.bundle_record import NAME
from embedrec.tracking.journal import Journal
from embedrec.tracking.registry import Registry, Version, exists, store_uri
from embedrec.tracking.store import name_of

CHAMPION = "champion"


@dataclass(frozen=True)
class Promotion:
    """The version that holds the alias now."""

    version: Version
    store: str
    """Tracking store that has it."""
    contest: Contest | None = None
    overridden: tuple[str, ...] = ()
    already: bool = False
    """The bundle was the champion before; nothing was done."""


def promote(
    what: str,
    *,
    alias: str = CHAMPION,
    force: bool = False,
    data: str | None = None,
    outputs: Path | None = None,
    say: Say = print,
) -> Promotion:
    """Register the bundle of a run, a trial or a sweep's best trial under an alias of the model `embedrec`.

    data     where the run's tables lie now, if they were moved
    outputs  folder of runs, sweeps and the tracking store; None takes the one the run was told

    Raises:
        PromotionError: something speaks against the bundle and `force` is not given.
        ConfigError: nothing is called `what`, it has no bundle, or the store cannot be used.
        DataError, BundleError: tables or bundle cannot be read.
    """
    _check_alias(alias)
    found = find(what, outputs or Path("outputs"))
    if found.is_sweep:
        found = find(str(best_trial(found.folder)), outputs or Path("outputs"))
        say(f"The best trial is {found.folder}")
    settings = found.settings
    place = outputs or Path(settings.outputs)
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place, say):
        if found.is_trial:
            found = train_in_full(found.folder, place, say)
        elif not found.bundle.is_dir():
            raise ConfigError(_without_bundle(found))
        uri = store_uri(place, settings.tracking.uri)
        registry = Registry(uri) if exists(uri) else None
        former = registry.holder(alias) if registry else None
        bundle = read_bundle(found.bundle)
        if former and former.bundle_id == bundle.manifest.id:
            return Promotion(former, uri, already=True)
        judged = _Judgement(force)
        judged.judge(found, bundle, data, registry, former, say)
        card = model_card(
            bundle.manifest, judged.figures, judged.contest, _held(former, alias), tuple(judged.overridden)
        )
        tags = card_tags(bundle.manifest, judged.contest, judged.overridden)
        run_id = _tracked(found, uri, place)
        registry = Registry(uri)
        version = registry.register(run_id, found.bundle, bundle.manifest.id, card, tags)
        if registry.aliases().get(alias) != (former.number if former else None):
            raise PromotionError(
                f"another promotion moved {alias} meanwhile; version {version.number} is registered without it: "
                "run the command again to compare it with the new one"
            )
        registry.point(alias, version)
        return Promotion(version, uri, judged.contest, tuple(judged.overridden))


@dataclass
class _Judgement:
    """Everything that is asked before a bundle is registered; the first objection ends it, unless forced."""

    force: bool
    overridden: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    contest: Contest | None = None

    def judge(
        self,
        found: Found,
        bundle: Bundle,
        data: str | None,
        registry: Registry | None,
        former: Version | None,
        say: Say,
    ) -> None:
        self._hear(own_objection(bundle.manifest))
        champion = self._champion(registry, former)
        if champion and former:
            self._hear(overlap := overlap_objection(champion.manifest, bundle.manifest, _called(former)))
            if overlap:  # figures of such a comparison would say nothing
                champion = None
        say("Measuring the bundle again, from itself alone …")
        window, place = _window(found, bundle, data)
        self.figures, lists = figures(bundle, window)
        self._hear(self._changed(found, bundle, window, place))
        if champion and former:
            say(f"Measuring {_called(former)} on the same window …")
            self._compare(bundle, champion, window, lists["all"], former)

    def _hear(self, objection: str) -> None:
        if objection and not self.force:
            raise PromotionError(f"not promoted: {objection} (--force registers it all the same)")
        if objection:
            self.overridden.append(objection)

    def _champion(self, registry: Registry | None, former: Version | None) -> Bundle | None:
        if registry is None or former is None:
            return None
        try:
            return read_bundle(registry.bundle_of(former))
        except (ConfigError, BundleError) as error:
            self._hear(f"{_called(former)} cannot be read, so nothing can be compared: {error}")
            return None

    def _changed(self, found: Found, bundle: Bundle, window: Window, place: str) -> str:
        manifest = bundle.manifest
        if window.fingerprint != manifest.data["fingerprint"]:
            return f"{place}: the tables have changed since the run; train again, or name the old ones with --data DIR"
        told = (found.metrics or {}).get("models", {}).get(manifest.model.name, {}).get("test", {})
        return figure_objection(reported_figures(manifest), self.figures) or figure_objection(told, self.figures)

    def _compare(self, bundle: Bundle, champion: Bundle, window: Window, ours: RankedView, former: Version) -> None:
        self.contest = hold(bundle, champion, window, ours, _called(former))
        self._hear(self.contest.objection)


def _window(found: Found, bundle: Bundle, data: str | None) -> tuple[Window, str]:
    """Open the bundle's own test window on the tables of its run, or on those that `data` names."""
    known = found.settings.data
    config = moved(known, data) if data else known
    place = config.path or config.name
    try:
        return open_window(bundle, read_tables(config), place), place
    except DataError as error:
        if data:
            raise
        raise DataError(f"{error}; if the tables were moved, name their place with --data DIR") from error


def _tracked(found: Found, uri: str, outputs: Path) -> str:
    """Return the MLflow run the bundle belongs to; one is opened for a run that was not tracked there."""
    sent = Journal(found.folder).run_in(name_of(uri, outputs)) if found.run_id else None  # by push.py, under another id
    for run_id in (found.run_id, sent):
        if run_id and exists(uri) and Registry(uri).run(run_id):
            return run_id
    tracker = Tracker(TrackingConfig(uri=uri), outputs, f"promotion of {found.folder.name}", elsewhere=False)
    tracker.finish()
    return tracker.run_id


def _alone(outputs: Path, say: Say) -> FileLock:
    """Take the lock that lets one promotion at a time work in an outputs folder."""
    lock = FileLock(outputs / ".promotion.lock")
    try:
        lock.acquire(timeout=0)
        lock.release()
    except Timeout:
        say(f"Waiting for another promotion in {outputs} …")
    return lock


def _check_alias(alias: str) -> None:
    """Refuse, before any work, what MLflow takes for something else."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", alias) or re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE):
        raise ConfigError(
            f"--alias {quoted(alias)}: wanted letters, digits, dash and underscore, other than latest or v and a number"
        )


def _without_bundle(found: Found) -> str:
    if "settings" in found.plain:
        return f"{found.folder} has no bundle: compare with export=NAME, or promote a run of the model you want"
    return (
        f"{found.folder} has no bundle: the run did not finish; continue it with "
        f"python scripts/train.py resume={found.folder}"
    )


def _called(version: Version) -> str:
    return f"version {version.number}"


def _held(former: Version | None, alias: str) -> str:
    return f"{_called(former)}, bundle `{former.bundle_id}`." if former else f"None: the first {alias} of {NAME}."
