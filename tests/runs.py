"""Small training runs, started in process through the command that users call."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedrec.experiment import RunConfig, parse_config
from embedrec.training_command import train

CONF = Path(__file__).resolve().parent.parent / "conf"
SCRIPTS = CONF.parent / "scripts"
SEED = 3
# Seconds instead of minutes; the learning rate makes up for the few steps.
QUICK = (
    "model.dim=8",
    "trainer.max_epochs=3",
    "trainer.cuts=6",
    "trainer.warmup_steps=5",
    "trainer.learning_rate=0.01",
    f"seed={SEED}",
)
SIMPLE = ("model=personal_frequency", f"seed={SEED}")
UNTRACKED = "tracking.enabled=false"


@dataclass(frozen=True)
class Trained:
    """What one finished run left."""

    outputs: Path
    folder: Path
    stdout: str

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def metrics(self) -> dict[str, Any]:
        return read_json(self.folder / "metrics.json")

    @property
    def manifest(self) -> dict[str, Any]:
        return read_json(self.bundle / "manifest.json")

    @property
    def config(self) -> RunConfig:
        from omegaconf import OmegaConf

        plain = OmegaConf.to_container(OmegaConf.load(self.folder / ".hydra" / "config.yaml"))
        assert isinstance(plain, dict)
        return parse_config({str(key): value for key, value in plain.items()})


def train_here(data: Path, outputs: Path, *overrides: str) -> Trained:
    """Run `train.py` on a folder of tables."""
    stdout = command(f"data.path={data}", f"outputs={outputs}", *overrides)
    return Trained(outputs, Path(stdout.splitlines()[-1]).parent, stdout)


def command(*arguments: str) -> str:
    """Call the command of `train.py` in process; return what it printed on stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), unchanged_process():
        train(list(arguments), CONF)
    return out.getvalue()


@contextlib.contextmanager
def unchanged_process() -> Iterator[None]:
    """Put back the command line and the variables that a command of its own process may set."""
    arguments, variables = list(sys.argv), dict(os.environ)
    try:
        yield
    finally:
        sys.argv[:] = arguments
        os.environ.clear()
        os.environ.update(variables)


def read_json(path: Path) -> Any:
    """Read strict JSON: NaN and Infinity are refused."""

    def refuse(name: str) -> float:
        raise AssertionError(f"{path} holds {name}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def weights_hash(run: Trained | Path) -> str:
    """SHA-256 of the weights of a run or run folder."""
    folder = run.folder if isinstance(run, Trained) else run
    return hashlib.sha256((folder / "bundle" / "model.safetensors").read_bytes()).hexdigest()


def comparable(metrics: dict[str, Any]) -> dict[str, Any]:
    """metrics.json without what may differ between two equal runs."""
    models = {
        name: {key: value for key, value in one.items() if key not in ("fit_seconds", "peak_mb")}
        for name, one in metrics["models"].items()
    }
    return {**metrics, "run_id": None, "models": models}
