"""One study and one MLflow store in PostgreSQL, shared by many processes, some of which are killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedrec.errors import ConfigError
from embedrec.search.study import OUTCOME
from embedrec.tracking import PARENT_TAG
from postgres import PASSWORD, Server, postgres
from runs import SCRIPTS, command

WORKERS, TRIALS, KILLED = 8, 64, 2


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with postgres() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def arguments(data: Path, outputs: Path, server: Server, trials: int) -> list[str]:
    return [
        "-m",
        f"data.path={data}",
        f"outputs={outputs}",
        "name=night",
        "model=personal_frequency",
        "hparams_search=optuna",
        f"hparams_search.n_trials={trials}",
        f"hparams_search.storage={server.url('optuna')}",
        f"tracking.uri={server.url('mlflow')}",
    ]


def start(given: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as file:
        return subprocess.Popen([sys.executable, str(SCRIPTS / "train.py"), *given], stdout=file, stderr=file)


def check(outputs: Path, server: Server, trials: int) -> None:
    """Every trial finished once, in the study, in MLflow and on disk."""
    assert server.rows("optuna", "select number, state from trials order by number") == [
        f"{number}|COMPLETE" for number in range(trials)
    ]
    assert server.rows("mlflow", "select distinct status from runs") == ["FINISHED"]
    (parent,) = server.rows(
        "mlflow",
        f"select run_uuid from runs where run_uuid not in (select run_uuid from tags where key = '{PARENT_TAG}')",
    )
    of_it = f"select run_uuid from tags where key = '{PARENT_TAG}' and value = '{parent}'"
    children = server.rows("mlflow", f"select value from tags where key = 'trial' and run_uuid in ({of_it})")
    assert sorted(children, key=int) == [str(number) for number in range(trials)]
    for number in range(trials):
        journal = (outputs / "sweeps" / "night" / str(number) / "tracking" / "journal.jsonl").read_text()
        statuses = [json.loads(line).get("status") for line in journal.splitlines()]
        assert statuses.count("FINISHED") == 1, number


def test_a_sweep_leaves_its_password_nowhere(demo_tables: Path, tmp_path: Path, server: Server) -> None:
    outputs, log = tmp_path / "out", tmp_path / "log"
    assert start(arguments(demo_tables, outputs, server, trials=2), log).wait(200) == 0, log.read_text()
    check(outputs, server, trials=2)
    left = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert any(one.name == "journal.jsonl" for one in left)
    assert [one for one in left if PASSWORD.encode() in one.read_bytes()] == []
    for database in ("optuna", "mlflow"):
        rows = server.ask("pg_dump", "--data-only", database)
        assert "night" in rows
        assert PASSWORD not in rows
    assert not (outputs / "mlflow.db").exists()


def test_a_database_that_is_not_there_is_said_in_one_line(demo_tables: Path, tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")
    given = ["-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "model=svd", "model.dim=4,8"]
    with pytest.raises(ConfigError, match=r"tracking.uri='postgresql://127.0.0.1:1/runs' .*connection refused"):
        command(*given, "tracking.uri=postgresql://127.0.0.1:1/runs")


def test_study_and_store_in_one_database_are_refused(demo_tables: Path, tmp_path: Path) -> None:
    same = "postgresql://127.0.0.1:1/all"
    given = ["-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "hparams_search=optuna"]
    with pytest.raises(ConfigError, match="name one database; give each its own"):
        command(*given, f"hparams_search.storage={same}", f"tracking.uri={same}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_eight_workers_of_which_two_are_killed(demo_tables: Path, tmp_path: Path, server: Server) -> None:
    """All begin at once, on databases without a table."""
    outputs, logs = tmp_path / "out", [tmp_path / f"{number}.log" for number in range(WORKERS)]
    workers = [start(arguments(demo_tables, outputs, server, TRIALS), log) for log in logs]
    try:
        for worker, log in list(zip(workers, logs, strict=True))[:KILLED]:
            kill_at_work(worker, log, outputs)
        for worker in workers:
            worker.wait(600)
    finally:
        for worker in workers:
            worker.kill()
    said = [log.read_text() for log in logs]
    assert [one.returncode for one in workers] == [-signal.SIGKILL] * KILLED + [0] * (WORKERS - KILLED), said
    assert sum(text.count("was killed on the way and is taken up again") for text in said) == KILLED
    check(outputs, server, TRIALS)
    assert not any(PASSWORD in text for text in said)


def kill_at_work(worker: subprocess.Popen[bytes], log: Path, outputs: Path) -> None:
    """Kill a worker in the middle of a trial, a few of which have ended."""
    while worker.poll() is None:
        begun = re.findall(r"trial (\d+): [^\n]* …\n", log.read_text())
        if len(begun) > 2 and not (outputs / "sweeps" / "night" / begun[-1] / OUTCOME).exists():
            worker.kill()
            worker.wait()
            return
        time.sleep(0.01)
    raise AssertionError(log.read_text())
