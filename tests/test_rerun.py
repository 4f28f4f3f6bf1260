"""A run again: the same figures to the last digit, or which differ and why."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.cli import guarded
from embedrec.columns import PURCHASES
from embedrec.comparison_command import compare_models
from embedrec.errors import ConfigError, DataError
from embedrec.experiment import parse_config
from embedrec.experiment.folders import write_json
from embedrec.experiment.run import run_trial
from embedrec.experiment.shop import open_shop
from embedrec.promotion.rerun import VARYING, Rerun, differences, flat, rerun
from embedrec.promotion_command import rerun as rerun_command
from embedrec.search.tuning import tuner_of
from embedrec.tracking.registry import Registry, store_uri
from runs import CONF, Trained, comparable, read_json, unchanged_process, weights_hash


def again(what: Path | str, outputs: Path, **options: Any) -> Rerun:
    return rerun(str(what), tuner_of, outputs=outputs, say=lambda _: None, **options)


def test_a_run_comes_out_the_same(trained: Trained, tmp_path: Path) -> None:
    """The two-tower, by its MLflow id: every figure, and the bundle with its weights."""
    before = sorted(trained.outputs.glob("runs/*/*"))
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    shutil.copy(trained.outputs / "mlflow.db", outputs)  # the folder itself lies elsewhere
    done = again(trained.metrics["run_id"], outputs)
    assert done.differences == {}
    assert done.compared > 1000
    assert comparable(read_json(done.folder / "metrics.json")) == comparable(trained.metrics)
    assert weights_hash(done.folder) == weights_hash(trained)
    assert sorted(trained.outputs.glob("runs/*/*")) == before
    assert not (outputs / "latest").exists(), "a rerun is no new result"
    assert outputs / "reruns" in done.folder.parents


def test_a_figure_that_differs(
    simple: Trained, demo_tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(simple.folder, tmp_path / "run"))
    metrics = read_json(folder / "metrics.json")
    metrics["models"]["personal_frequency"]["test"]["all"]["ndcg@10"]["value"] += 1e-12
    metrics["models"]["personal_frequency"]["fit_seconds"] += 1.0  # may differ
    write_json(folder / "metrics.json", metrics)
    assert guarded(lambda: rerun_command([str(folder), "--outputs", str(tmp_path)])) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: 1 of ")
    assert said.err.count("\n") == 1
    lines = said.out.splitlines()
    assert lines[-2].startswith("models.personal_frequency.test.all.ndcg@10.value: 0.")
    assert (Path(lines[-1]) / "metrics.json").is_file()


def test_the_command_says_same(simple: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: rerun_command([str(simple.folder), "--outputs", str(tmp_path)])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("same: all ")
    assert (Path(lines[-1]) / "bundle").is_dir()


def test_other_tables_are_the_users(
    simple: Trained, demo_tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = Path(shutil.copytree(demo_tables, tmp_path / "changed"))
    table = changed / f"{PURCHASES}.csv"
    table.write_text(table.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")[0] + "\n", encoding="utf-8")
    words = [str(simple.folder), "--outputs", str(tmp_path), "--data", str(changed)]
    assert guarded(lambda: rerun_command(words)) == 2
    said = capsys.readouterr().err
    assert "the tables have changed since the run" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "reruns").exists(), "refused before anything was trained"
    with pytest.raises(DataError, match=r"does not exist.*--data DIR"):
        again(simple.folder, tmp_path, data=str(tmp_path / "gone"))
    moved = Path(shutil.copytree(demo_tables, tmp_path / "moved"))
    assert again(simple.folder, tmp_path, data=str(moved)).differences == {}


def test_a_trial(demo_tables: Path, tmp_path: Path) -> None:
    """Measured on validation only, again as before."""
    config = parse_config(
        {
            "data": {"name": "files", "path": str(demo_tables)},
            "model": {"name": "svd"},
            "tracking": {"enabled": False},
            "seed": 2,
        }
    )
    trial = tmp_path / "sweeps" / "x" / "0"
    trial.mkdir(parents=True)
    run_trial(config, trial, open_shop(config.data, config.split), lambda *_: None, progress=False)
    write_json(trial / "outcome.json", {"state": "finished"})
    done = again(trial, tmp_path)
    assert done.differences == {}
    assert done.compared > 100
    assert read_json(done.folder / "metrics.json")["models"]["svd"]["test"] == {}
    with pytest.raises(ConfigError, match=r"is a sweep of many trials: name one, such as .*x/0"):
        again("x", tmp_path)


def test_a_comparison(demo_tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        f"data.path={demo_tables}",
        f"outputs={tmp_path}",
        "models=[popularity,svd]",
        "export=svd",
        "tracking.enabled=false",
    ]
    with unchanged_process():
        compare_models(words, CONF)
    folder = Path(capsys.readouterr().out.splitlines()[-1])
    done = again(folder, tmp_path)
    assert done.differences == {}
    assert read_json(done.folder / "bundle" / "manifest.json") == read_json(folder / "bundle" / "manifest.json")


def test_a_run_that_did_not_finish(simple: Trained, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simple.folder, tmp_path / "run"))
    (folder / "metrics.json").unlink()
    with pytest.raises(ConfigError, match="has no figures to compare with"):
        again(folder, tmp_path)


def test_changed_code_is_named(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from embedrec.promotion import rerun as module
    from embedrec.promotion.finding import find

    shutil.copy(trained.outputs / "mlflow.db", tmp_path)
    uri = store_uri(tmp_path)
    found = find(str(trained.folder), tmp_path)
    Registry(uri).client.set_tag(found.run_id, "git.commit", "a" * 40)
    monkeypatch.setattr(module, "commit", lambda: {"git.commit": "b" * 40, "git.dirty": "false"})
    assert module._likely(found, uri) == f"the code has changed: commit {'a' * 10} then, {'b' * 10} now"
    monkeypatch.setattr(module, "commit", lambda: {"git.commit": "a" * 40, "git.dirty": "true"})
    assert module._likely(found, uri) == "the checkout held changes that are in no commit"
    assert module._likely(find(str(trained.folder), tmp_path), store_uri(tmp_path / "nowhere")) != "", "dirty now"


# Comparing

names = st.text("abcdef", min_size=1, max_size=3)
leaves = st.integers(-9, 9) | st.floats(-1, 1) | st.text("xyz", max_size=2)
documents = st.dictionaries(
    names, st.recursive(leaves, lambda one: st.lists(one, max_size=3) | st.dictionaries(names, one, max_size=3))
)


@given(documents)
def test_what_is_equal_does_not_differ(content: dict[str, Any]) -> None:
    other = copy.deepcopy(content) | dict.fromkeys(VARYING, "another")
    assert differences(dict(flat(content)), dict(flat(other))) == {}


@given(documents, st.data())
def test_every_change_is_found(content: dict[str, Any], data: st.DataObject) -> None:
    then = dict(flat(content))
    if not then:
        return
    name = data.draw(st.sampled_from(sorted(then)))
    assert differences(then, {**then, name: "changed"}) == {name: (then[name], "changed")}
    fewer = {key: value for key, value in then.items() if key != name}
    assert differences(then, fewer) == {name: (then[name], "nothing")}
    assert differences(fewer, then) == {name: ("nothing", then[name])}


def test_flat() -> None:
    content = {"a": {"b": [1, {"c": None}], "peak_mb": 3}, "run_id": "x", "d": ""}
    assert dict(flat(content)) == {"a.b.0": 1, "a.b.1.c": None, "d": ""}
