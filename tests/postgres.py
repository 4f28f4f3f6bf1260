"""A PostgreSQL server of a test's own: in its own folder, on loopback, with a password, gone when the test ends."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "shopkeeper", "hush-4711-hush"
DATABASES = ("optuna", "mlflow")  # each of them numbers its tables' versions in a table of the same name


@dataclass(frozen=True)
class Server:
    """A running server with two empty databases."""

    programs: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """By which a client is let in: no URL holds a password."""
        return {"PGUSER": USER, "PGPASSWORD": PASSWORD}

    def url(self, database: str) -> str:
        return f"postgresql://127.0.0.1:{self.port}/{database}"

    def ask(self, program: str, *words: str) -> str:
        command = [str(self.programs / program), "-h", "127.0.0.1", "-p", str(self.port), *words]
        return subprocess.run(
            command, env={**os.environ, **self.environment}, check=True, capture_output=True, text=True
        ).stdout

    def rows(self, database: str, query: str) -> list[str]:
        return self.ask("psql", "-d", database, "-A", "-t", "-c", query).splitlines()


@contextmanager
def postgres() -> Iterator[Server]:
    """Start a server; skip where PostgreSQL or Python's driver for it is not installed."""
    pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="embedrec-postgres-", ignore_cleanup_errors=True) as folder:
        data, word = Path(folder, "data"), Path(folder, "word")
        word.write_text(PASSWORD)
        who = _other_than_root()
        for path in (folder, word):
            if who:
                shutil.chown(path, who["user"], who["group"])
        make = [f"--pgdata={data}", f"--username={USER}", f"--pwfile={word}", "--auth=scram-sha-256", "--no-sync"]
        subprocess.run(
            [programs / "initdb", *make, "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, cwd=folder, **who,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        place = ["-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"]
        with Path(folder, "log").open("w") as log:
            running = subprocess.Popen([programs / "postgres", *place], cwd=folder, stdout=log, stderr=log, **who)
        try:
            server = Server(programs, port)
            _wait(server, running, Path(folder, "log"))
            for database in DATABASES:
                server.ask("createdb", database)
            yield server
        finally:
            running.send_signal(2)  # SIGINT: end every connection, then stop
            running.wait(60)


def _programs() -> Path | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))
    found = shutil.which("initdb")
    return next((one for one in [*reversed(debian), *([Path(found).parent] if found else [])] if one.is_dir()), None)


def _other_than_root() -> dict[str, Any]:
    """Return whom to start the server as: it refuses to run as root."""
    if os.getuid() != 0:
        return {}
    known = {one.pw_name: one for one in pwd.getpwall()}
    other = known.get("postgres") or known["nobody"]
    return {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}


def _wait(server: Server, running: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if running.poll() is not None:
            break
        try:
            server.ask("psql", "-d", "postgres", "-c", "select 1")
            return
        except subprocess.CalledProcessError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
