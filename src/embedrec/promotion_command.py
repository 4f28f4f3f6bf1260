"""`scripts/promote.py`, `rerun.py` and `push.py`: what is done with runs that are over."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from embedrec.cli import BUG, Parser
from embedrec.errors import ConfigError
from embedrec.hydra_entry import quiet

SHOWN = 20  # differences printed one by one


def promote(arguments: list[str]) -> None:
    """Register a bundle if it beats the champion; print its address as the last line."""
    parser = Parser(
        description="Register a run's bundle in MLflow under an alias, if it is better than the one that holds it. "
        "Of a sweep the best trial is trained in full first.",
        epilog="example: python scripts/promote.py outputs/latest",
    )
    parser.add_argument("what", metavar="RUN_DIR|RUN_ID|SWEEP", help="run folder, MLflow run id, sweep folder or name")
    parser.add_argument("--alias", metavar="NAME", default="champion", help="(default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="register whatever speaks against it; recorded with it")
    _places(parser)
    given = parser.parse_args(arguments)

    from embedrec.promotion.promote import promote as register
    from embedrec.tracking.bundle_record import NAME
    from embedrec.tracking.registry import store_uri
    from embedrec.tracking.store import shown

    quiet()
    done = register(given.what, alias=given.alias, force=given.force, data=given.data, outputs=given.outputs)
    if done.already:
        print(f"this bundle is {given.alias} already")
    for reason in done.overridden:
        print(f"forced although {reason}")
    if done.contest:
        print(done.contest.sentence)
    elsewhere = "" if done.store == store_uri(Path("outputs")) else f"MLFLOW_TRACKING_URI={shown(done.store)} "
    print(f"serve it: {elsewhere}python scripts/serve.py models:/{NAME}@{given.alias}")
    print(done.version.uri)


def rerun(arguments: list[str]) -> int:
    """Run a run again and compare; print the new folder as the last line. Returns 1 where a figure differs."""
    parser = Parser(
        description="Run a run again with the settings it kept, and compare every figure. Ends with 1 if one differs.",
        epilog="example: python scripts/rerun.py outputs/latest",
    )
    parser.add_argument("what", metavar="RUN_DIR|RUN_ID", help="folder of a run, trial or comparison, or MLflow run id")
    _places(parser)
    given = parser.parse_args(arguments)

    from embedrec.promotion.rerun import rerun as again
    from embedrec.search.tuning import tuner_of

    quiet()
    done = again(given.what, tuner_of, data=given.data, outputs=given.outputs)
    if not done.differences:
        print(f"same: all {done.compared:,} values")
        print(done.folder)
        return 0
    for name, (then, now) in list(done.differences.items())[:SHOWN]:
        print(f"{name}: {then} then, {now} now")
    if len(done.differences) > SHOWN:
        print(f"… and {len(done.differences) - SHOWN:,} more")
    print(done.folder)
    why = f"; {done.likely}" if done.likely else ""
    print(f"error: {len(done.differences):,} of {done.compared:,} values came out otherwise{why}", file=sys.stderr)
    return BUG


def push(arguments: list[str]) -> None:
    """Send a run or sweep that was recorded here, because the server was down, to the server."""
    parser = Parser(
        description="Send a run or a sweep from outputs/mlflow.db to a tracking server, with all that was recorded.",
        epilog="example: python scripts/push.py outputs/sweeps/widths --uri http://127.0.0.1:5000",
    )
    parser.add_argument("folder", metavar="RUN_DIR|SWEEP_DIR", help="folder of a run or sweep")
    parser.add_argument("--uri", metavar="URI", help="where to send it (default: MLFLOW_TRACKING_URI)")
    parser.add_argument("--outputs", metavar="DIR", default="outputs", help="where it was recorded (default: outputs)")
    given = parser.parse_args(arguments)
    uri = given.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise ConfigError("say where to send it: --uri URI, or MLFLOW_TRACKING_URI")
    kept = Path(given.folder) / "run.json"
    if not kept.is_file():
        raise ConfigError(f"{given.folder} holds no {kept.name}: give the folder of a tracked run or sweep")

    from embedrec.tracking import refuse_password
    from embedrec.tracking.push import push as send
    from embedrec.tracking.store import shown

    if given.uri:
        refuse_password("--uri", given.uri)
    for old, new in send(Path(given.folder), Path(given.outputs), uri):
        print(f"{old} → {new}")
    print(shown(uri))


def _places(parser: Parser) -> None:
    parser.add_argument("--data", metavar="DIR", help="where the run's tables lie now, if they were moved")
    parser.add_argument(
        "--outputs", metavar="DIR", type=Path, help="folder of runs and sweeps (default: the run's own, or outputs)"
    )
