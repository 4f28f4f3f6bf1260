"""`scripts/doctor.py`: what is in the tables, and whether a model can be trusted on them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from embedrec.cli import Parser
from embedrec.errors import ConfigError, DataError, nearest, printable, quoted
from embedrec.hydra_entry import plain_settings, quiet, with_hydra

GROUPS = ("data", "split", "outputs")  # settings that mean something to the doctor
PAGES = (".html", ".htm")


def diagnose(arguments: list[str], conf: Path) -> None:
    """Examine the tables, print a summary, write the page, and print its path as the last line."""
    parser = Parser(
        description="Data doctor: what is in the tables, what was repaired, quarantined or refused, and whether a "
        "model can be trusted on them.",
        epilog="examples: python scripts/doctor.py outputs/demo; python scripts/doctor.py online_retail; "
        "python scripts/doctor.py DIR columns.price=- --report shop.html",
    )
    parser.add_argument(
        "data", metavar="DATA", help="folder with the tables, one line-item file, or a name in conf/data"
    )
    parser.add_argument(
        "settings",
        metavar="SETTING",
        nargs="*",
        help="as of train.py: data.columns.price=- (or columns.price=-), split.…",
    )
    parser.add_argument("--report", metavar="FILE", help="page to write; a new folder in outputs/doctor without it")
    given = parser.parse_intermixed_args(arguments)
    page = _page(given.report)
    overrides = [*_data(given.data, conf), *map(_setting, given.settings)]
    with_hydra(lambda composed: _task(composed, page, overrides), overrides, conf, "train")


def _page(given: str | None) -> Path | None:
    """Check what --report names: a page, so that no table is ever written over."""
    if given is None:
        return None
    page = Path(given)
    if page.is_dir() or page.suffix.lower() not in PAGES:
        raise ConfigError(f"--report {quoted(given)}: wanted a file that ends in .html; name one")
    if not Path(os.path.realpath(page)).parent.is_dir():
        raise ConfigError(f"--report {quoted(given)}: there is no such folder; make it first")
    return page


def _data(given: str, conf: Path) -> list[str]:
    """Return the settings that name the data: a place, or a name that conf/data knows."""
    known = sorted(one.stem for one in (conf / "data").glob("*.yaml") if one.stem != "files")
    if given in known and not Path(given).exists():
        return [f"data={given}"]
    try:
        there = Path(given).exists()
    except (OSError, ValueError):
        there = False
    if not there and not given.startswith(("$", "~")) and "/" not in given:
        raise ConfigError(
            f"{quoted(given)}: no such folder or file, and no data set of conf/data{nearest(given, known)}; "
            f"known: {', '.join(known)}"
        )
    if not re.fullmatch(r"[\w.~$/-]*/[\w./-]*", given):  # else Hydra would read signs of its own in it
        escaped = given.replace("\\", "\\\\").replace('"', '\\"')
        given = f'"{escaped}"'
    return ["data=files", f"data.path={given}"]


def _setting(given: str) -> str:
    """Let `columns.price=-` mean `data.columns.price=-`, and refuse what only a training has."""
    found = re.match(r"([+~]*)(\w+)", given)
    group = found[2] if found else ""
    if found and group in ("columns", "files"):
        return f"{found[1]}data.{given[len(found[1]) :]}"
    if group not in GROUPS:
        raise ConfigError(f"{quoted(given)}: the doctor takes settings of {', '.join(GROUPS)}; drop it, see --help")
    return given


def _task(composed: Any, page: Path | None, overrides: list[str]) -> None:
    from rich.console import Console

    from embedrec.doctor import examine_whole
    from embedrec.doctor.advice import advise
    from embedrec.doctor.page import write_page
    from embedrec.doctor.terminal import print_summary
    from embedrec.experiment import parse_config
    from embedrec.experiment.shop import open_tables, split_shop
    from embedrec.tables.progress import told

    quiet()
    plain = plain_settings(composed)
    plain.pop("hparams_search", None)
    config = parse_config(plain)
    name = _name(config.data)
    print(f"Reading {name} …", flush=True)
    with told() as tell:
        tables = open_tables(config.data, tell)
    found = None
    try:
        shop = split_shop(tables, config.split)
    except (DataError, ConfigError) as error:
        if config.split != type(config.split)():  # the split asked for, not the shop, is at fault
            raise
        examination = examine_whole(tables, str(error))
    else:
        examination = shop.examination
        found = _look_for_signal(shop)
        examination = examination.with_finding(found.finding()) if found else examination
    advice = advise(tables, examination, found)
    print_summary(Console(highlight=False), name, tables, examination, advice)
    target = page or _new_folder(config, name) / "report.html"
    try:
        write_page(target, name, tables, examination, advice, _training(overrides, advice.settings))
        if page is None:
            _write_rest(target.parent, examination, tables)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror}); set outputs=DIR or --report FILE") from error
    print(target)


def _look_for_signal(shop: Any) -> Any:
    """Measure quick models, with a bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    from embedrec.doctor.signal import STEPS, signal

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Looking for a signal", total=STEPS)

        def say(step: str) -> None:
            progress.update(task, description=f"Looking for a signal: {step}", advance=1)

        return signal(shop.history, shop.catalogue, shop.split, say=say)


def _training(overrides: list[str], advised: Mapping[str, str]) -> str:
    """Return the command that trains on the same tables as advised, where nothing else was asked for."""
    asked = {one.partition("=")[0] for one in overrides}
    settings = [*overrides, *(f"{key}={value}" for key, value in advised.items() if key not in asked)]
    return shlex.join(["python", "scripts/train.py", *settings])


def _name(data: Any) -> str:
    """Call a shop by its set, or by the last part of its path."""
    return data.name if data.name != "files" else printable(Path(os.path.realpath(data.path)).name) or "shop"


def _new_folder(config: Any, name: str) -> Path:
    from embedrec.experiment.folders import doctor_folder

    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60] or "shop"
    return doctor_folder(Path(config.outputs), safe, datetime.now())


def _write_rest(folder: Path, examination: Any, tables: Any) -> None:
    """Write the findings as JSON, and the rows that were not understood."""
    from embedrec.experiment.folders import write_json
    from embedrec.experiment.recording import DATA_REPORT, write_quarantine

    write_json(folder / DATA_REPORT, {"fingerprint": tables.fingerprint, **examination.plain()})
    write_quarantine(folder, tables.quarantine)
