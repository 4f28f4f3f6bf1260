"""`trainer=ddp`: several processes leave what one would, and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from embedrec.cli import INTERRUPTED, MISTAKE
from embedrec.comparison_command import compare_models
from embedrec.errors import ConfigError
from runs import (
    CONF,
    QUICK,
    SCRIPTS,
    UNTRACKED,
    Trained,
    command,
    comparable,
    train_here,
    unchanged_process,
    weights_hash,
)

DROPLESS = ("model=mf_bpr", "trainer.max_epochs=2", "trainer.batch_size=255", "seed=3", UNTRACKED)
LONG = (*QUICK, "trainer.max_epochs=40", "trainer.patience=40", "trainer.learning_rate=0.002", UNTRACKED)
PATIENCE = 200  # seconds
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=1", "--nnodes=2", "--rdzv-backend=c10d"]


def start(*arguments: str, by: tuple[str, ...] = (sys.executable,)) -> subprocess.Popen[str]:
    words = [*by, str(SCRIPTS / "train.py"), *arguments]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ddp(data: Path, outputs: Path, *overrides: str) -> Trained:
    """Run `train.py trainer=ddp` to its end."""
    run = start(f"data.path={data}", f"outputs={outputs}", "trainer=ddp", *overrides)
    stdout, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, stderr
    assert "Warning" not in stderr
    return Trained(outputs, Path(stdout.splitlines()[-1]).parent, stdout)


def test_two_processes_leave_what_one_does(demo_tables: Path, tmp_path: Path) -> None:
    """One folder, one last line, the same figures; an uneven batch, and a model that draws no dropout."""
    alone = train_here(demo_tables, tmp_path / "alone", *DROPLESS)
    both = ddp(demo_tables, tmp_path / "both", *DROPLESS)
    assert [both.folder] == list((tmp_path / "both").glob("runs/*/*"))
    assert both.stdout.count(str(both.bundle)) == 1
    assert both.stdout.count("Fitting") == 1
    found, wanted = (load_file(one.bundle / "model.safetensors") for one in (both, alone))
    assert found.keys() == wanted.keys()
    for name, weights in wanted.items():
        torch.testing.assert_close(found[name], weights, rtol=0, atol=1e-3)
    rivals, others = (comparable(one.metrics) for one in (both, alone))
    mine, theirs = (one["models"].pop("mf_bpr") for one in (rivals, others))
    assert rivals["models"] == others["models"]
    assert mine.keys() == theirs.keys()
    value, reference = (one["test"]["all"]["ndcg@10"] for one in (mine, theirs))
    assert value["n"] == reference["n"]
    assert value["value"] == pytest.approx(reference["value"], abs=0.005)


@pytest.fixture(scope="module")
def undisturbed(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return ddp(demo_tables, tmp_path_factory.mktemp("undisturbed"), *LONG)


def in_training(run: subprocess.Popen[str], outputs: Path) -> tuple[Path, dict[int, psutil.Process]]:
    """Wait until a run has written a checkpoint; return its folder and its processes."""
    deadline = time.monotonic() + PATIENCE
    while not (found := list(outputs.glob("runs/*/*/checkpoints/last.ckpt"))):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ranks = {}
    for child in psutil.Process(run.pid).children():
        with suppress(psutil.Error, KeyError):
            ranks[int(child.environ()["RANK"])] = child
    assert ranks.keys() == {0, 1}
    return found[0].parent.parent, ranks


def all_gone(ranks: dict[int, psutil.Process]) -> bool:
    _, left = psutil.wait_procs(list(ranks.values()), timeout=20)
    return not left


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_run_which_goes_on(
    undisturbed: Trained, demo_tables: Path, tmp_path: Path, rank: int
) -> None:
    run = start(f"data.path={demo_tables}", f"outputs={tmp_path}", "trainer=ddp", *LONG)
    folder, ranks = in_training(run, tmp_path)
    ranks[rank].kill()
    stdout, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == MISTAKE, stderr
    assert f"error: process {rank} of 2 was ended by SIGKILL" in stderr
    assert "Traceback" not in stderr
    assert all_gone(ranks)
    assert not (folder / "metrics.json").exists(), "killed too late to test anything"
    if rank:
        assert stdout.splitlines()[-1] == f"stopped; continue with: python scripts/train.py resume={folder}"
    again = start(f"resume={folder}")
    stdout, stderr = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, stderr
    assert stdout.splitlines()[-1] == str(folder / "bundle")
    resumed = Trained(tmp_path, folder, stdout)
    assert weights_hash(resumed) == weights_hash(undisturbed)
    assert comparable(resumed.metrics) == comparable(undisturbed.metrics)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_the_command_ends_all_its_processes(demo_tables: Path, tmp_path: Path, sign: signal.Signals) -> None:
    run = start(f"data.path={demo_tables}", f"outputs={tmp_path}", "trainer=ddp", *LONG)
    folder, ranks = in_training(run, tmp_path)
    run.send_signal(sign)
    assert all_gone(ranks)
    stdout, stderr = run.communicate(timeout=PATIENCE)
    assert "Traceback" not in stderr
    if sign is signal.SIGKILL:
        return
    assert run.returncode == INTERRUPTED
    assert stdout.splitlines()[-1] == f"stopped; continue with: python scripts/train.py resume={folder}"


@pytest.mark.slow
def test_a_mistake_is_said_once(demo_tables: Path, tmp_path: Path) -> None:
    """One that all processes meet: the loss stops being a number."""
    run = start(
        f"data.path={demo_tables}", f"outputs={tmp_path}", "trainer=ddp", *DROPLESS, "model.dim=4",
        "trainer.learning_rate=10", "trainer.weight_decay=10", "trainer.warmup_steps=0", "trainer.max_epochs=200",
    )  # fmt: skip
    _, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == MISTAKE, stderr
    assert stderr.count("error: ") == 1, stderr
    assert "lower trainer.learning_rate" in stderr


@pytest.mark.slow
def test_torchrun_on_two_machines(undisturbed: Trained, demo_tables: Path, tmp_path: Path) -> None:
    """Both are this one here; the second says nothing."""
    where = ("--rdzv-endpoint=127.0.0.1:29583", "--rdzv-id=test", "--local-addr=127.0.0.1")
    settings = (f"data.path={demo_tables}", f"outputs={tmp_path}", "trainer=ddp", *LONG)
    runs = [start(*settings, by=(*TORCHRUN, *where)) for _ in range(2)]
    said = sorted((run.communicate(timeout=PATIENCE) for run in runs), key=lambda one: len(one[0]))
    assert [run.returncode for run in runs] == [0, 0], said
    assert said[0][0] == ""
    found = Trained(tmp_path, Path(said[1][0].splitlines()[-1]).parent, said[1][0])
    assert weights_hash(found) == weights_hash(undisturbed)
    assert comparable(found.metrics) == comparable(undisturbed.metrics)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_there_is_no_gpu(demo_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu: there is no GPU here; use cpu or auto"):
        command("trainer=gpu", f"data.path={demo_tables}", f"outputs={tmp_path}", *DROPLESS)
    assert not list(tmp_path.glob("runs/*/*"))


def test_torchrun_without_ddp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setitem(os.environ, name, value)
    with pytest.raises(
        ConfigError, match="torchrun started 2 processes, and this run has work for one; add trainer=ddp"
    ):
        command(f"outputs={tmp_path}")


def test_many_models_are_trained_in_one_process_each(demo_tables: Path, tmp_path: Path) -> None:
    settings = [f"data.path={demo_tables}", f"outputs={tmp_path}", "trainer=ddp"]
    with pytest.raises(ConfigError, match=r"trainer\.processes=2: a sweep trains each of its models in one process"):
        command("-m", "model.dim=4,8", *settings)
    with unchanged_process(), pytest.raises(ConfigError, match=r"trainer\.processes=2: compare\.py trains each"):
        compare_models(settings, CONF)
    assert not list(tmp_path.iterdir())
