"""One trial, in whichever process a launcher starts it: run, report to the study, and leave an outcome."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.trial import Trial
from pydantic import BaseModel, ConfigDict

from embedrec.cli import REFUSED
from embedrec.errors import DataError, EmbedrecError, StorageError
from embedrec.experiment import RunConfig, parse_config
from embedrec.experiment.folders import write_json, write_text
from embedrec.experiment.run import run_trial
from embedrec.experiment.shop import Shop, open_shop
from embedrec.search.settings import GROUP, parse_search
from embedrec.search.study import OUTCOME, STORE_ERRORS, driver_lock, read_outcome, running_trial, trial_lock, unwritten
from embedrec.search.worker import AT_WORK, end_with
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig
from embedrec.training import Pruned

PLACE = "sweep"  # the setting under which a driver tells a trial where it belongs
DATA_SEEN = "data.json"
SECONDS = "seconds"  # of training that a trial has had


class Place(BaseModel):
    """Where a trial belongs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: str
    trial: int
    driver: str
    maximize: bool
    alone: bool
    """No other trial runs beside it: its progress can be shown."""


def work(plain: dict[str, Any]) -> str | None:
    """Run the trial that `plain` describes; return a sentence where the whole sweep has to stop.

    A trial that cannot run, or fails on the way, leaves its reason as its outcome, and the sweep goes on.
    """
    place = Place.model_validate(plain.pop(PLACE))
    search = parse_search(plain.pop(GROUP, None) or {})
    folder = Path(place.folder) / str(place.trial)
    folder.mkdir(parents=True, exist_ok=True)
    end_with(place.driver, driver_lock(folder.parent, place.driver))
    try:
        with AT_WORK, FileLock(trial_lock(folder), timeout=0):
            trial = running_trial(folder.parent, search, place.trial, place.driver, maximize=place.maximize)
            if trial is not None and read_outcome(folder) is None:
                write_json(folder / OUTCOME, _outcome(plain, folder, trial, place))
    except Timeout:  # a process that outlived its driver is still at it
        return None
    except _SweepStopped as error:
        return str(error)
    except OSError as error:  # above all a full disk
        return f"{error.filename or folder}: {error.strerror}; free some space, then repeat the command to continue"
    except EmbedrecError as error:  # the study cannot be opened, or not written
        return str(error)
    except STORE_ERRORS as error:
        return str(unwritten(folder.parent, error))
    except Exception as error:  # our bug: every other trial would meet it too
        write_text(folder / "error.txt", traceback.format_exc())
        return _named(error, folder)
    return None


class _SweepStopped(Exception):  # noqa: N818
    """Every other trial would meet the same."""


def _outcome(plain: dict[str, Any], folder: Path, trial: Trial, place: Place) -> dict[str, Any]:
    """Train and measure; an error of the trial's own becomes its outcome."""
    curve: list[tuple[int, float]] = []
    before = trial.user_attrs.get(SECONDS, 0.0)  # of attempts that were killed

    def report(epoch: int, value: float) -> None:
        curve.append((epoch, value))
        if epoch not in trial.study.get_trials(deepcopy=False)[place.trial].intermediate_values:
            trial.report(value, epoch)
        trial.set_user_attr(SECONDS, before + time.perf_counter() - start)
        if trial.should_prune():
            raise Pruned

    start = time.perf_counter()
    ended: dict[str, Any]
    try:
        config = parse_config(plain)
        shop = _known_shop(config, folder.parent)
        found = run_trial(config, folder, shop, report, progress=place.alone)
        ended = {"state": "finished", "value": found.score if found else None}
    except Pruned:
        epoch, value = curve[-1]
        behind = f"behind the others after {epoch} epoch{'' if epoch == 1 else 's'}"
        ended = {"state": "pruned", "value": value, "error": behind}
    except StorageError as error:
        raise _SweepStopped(f"{error}; repeat the command to continue") from error
    except EmbedrecError as error:
        ended = {"state": "failed", "error": " ".join(str(error).split())}
    except (_SweepStopped, *STORE_ERRORS):
        raise
    except Exception as error:  # one trial's crash must not end a night's sweep
        if isinstance(error, OSError) and error.errno in REFUSED:
            raise
        write_text(folder / "error.txt", traceback.format_exc())
        ended = {"state": "failed", "error": _named(error, folder)}
    return {**ended, "seconds": round(before + time.perf_counter() - start, 3), "curve": curve}


def _named(error: Exception, folder: Path) -> str:
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error).lower():
        return "out of memory; try smaller values of model.dim, trainer.batch_size or loss.negatives"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]} (see {folder / 'error.txt'})"


def check_tables(config: RunConfig, *, keep: bool) -> None:
    """Read the shop before a sweep begins: no trial can mend what is wrong with it. `keep` it for trials run here.

    Raises:
        DataError, ConfigError: as `open_shop`.
    """
    _shop(_key(config))
    if not keep:
        _shop.cache_clear()


def _key(config: RunConfig) -> str:
    return json.dumps([config.data.model_dump(mode="json"), config.split.model_dump(mode="json")], sort_keys=True)


def _known_shop(config: RunConfig, sweep: Path) -> Shop:
    """Read the shop, or take it from the last trial of this process; refuse data that changed since the sweep began."""
    key = _key(config)
    try:
        shop = _shop(key)
    except DataError as error:
        raise _SweepStopped(str(error)) from error
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    with FileLock(sweep / ".study.lock"):
        path = sweep / DATA_SEEN
        seen = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if seen.get(digest, shop.tables.fingerprint) != shop.tables.fingerprint:
            raise _SweepStopped(
                f"the data of {config.data.name} have changed since this sweep began, its trials could not be compared "
                "with each other; choose another name"
            )
        write_json(path, {**seen, digest: shop.tables.fingerprint})
    return shop


@lru_cache(maxsize=1)
def _shop(key: str) -> Shop:
    data, split = json.loads(key)
    return open_shop(DataConfig.model_validate(data), SplitConfig.model_validate(split))
