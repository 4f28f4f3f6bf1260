"""Promotion: only what nothing speaks against becomes the champion; the registry serves what was measured."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from embedrec import Recommender
from embedrec.app import command as app_command
from embedrec.bundle import Bundle, Manifest, read_bundle
from embedrec.bundle_commands import local_bundle, recommend, serve
from embedrec.cli import guarded
from embedrec.columns import PURCHASES
from embedrec.demo_shop import write_demo_shop
from embedrec.errors import ConfigError, DataError
from embedrec.experiment.folders import write_json
from embedrec.experiment.reevaluation import figures, open_window
from embedrec.experiment.run import run_trial
from embedrec.experiment.shop import open_shop
from embedrec.promotion.finding import Found
from embedrec.promotion.judging import Contest, PromotionError, hold, overlap_objection, own_objection
from embedrec.promotion.promote import Promotion, _tracked, promote
from embedrec.promotion_command import promote as promote_command
from embedrec.tables import read_tables
from embedrec.tracking import Tracker, TrackingConfig
from embedrec.tracking.push import push
from embedrec.tracking.registry import CARD, Registry, fetch_bundle, shown, store_uri
from runs import SCRIPTS, SIMPLE, UNTRACKED, Trained, read_json, train_here


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for a verdict: 200 test customers and more."""
    return write_demo_shop(tmp_path_factory.mktemp("shop"), customers=500, products=100, seed=2)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def good(shop: Path, outputs: Path) -> Trained:
    """Personal frequency, the best of the simple rules on this shop."""
    return train_here(shop, outputs, *SIMPLE, UNTRACKED)


@pytest.fixture(scope="module")
def equal(shop: Path, outputs: Path) -> Trained:
    """The same rule under another seed: another bundle with the same lists."""
    return train_here(shop, outputs, "model=personal_frequency", "seed=4", UNTRACKED)


@pytest.fixture(scope="module")
def beaten(shop: Path, outputs: Path) -> Trained:
    return train_here(shop, outputs, "model=popularity", UNTRACKED)


@pytest.fixture(scope="module")
def later(shop: Path, outputs: Path) -> Trained:
    """Learned from more, and so from a part of the test window of the others."""
    return train_here(shop, outputs, *SIMPLE, "split.test_quantile=0.93", UNTRACKED)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with nothing registered; made once, because a first creation takes seconds."""
    folder = tmp_path_factory.mktemp("fresh")
    Tracker(TrackingConfig(), folder, "start").finish()
    return folder / "mlflow.db"


@pytest.fixture
def store(fresh: Path, tmp_path: Path) -> Path:
    """An outputs folder with a store of its own."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    shutil.copy(fresh, folder / "mlflow.db")
    return folder


def register(run: Trained | Path | str, store: Path, **options: Any) -> Promotion:
    what = run.folder if isinstance(run, Trained) else run
    return promote(str(what), outputs=store, say=lambda _: None, **options)


def registry_of(store: Path) -> Registry:
    return Registry(store_uri(store))


def copied(run: Trained, folder: Path) -> Path:
    return Path(shutil.copytree(run.folder, folder))


# What becomes the champion


def test_the_first_champion(good: Trained, store: Path) -> None:
    done = register(good, store)
    assert (done.version.number, done.contest, done.overridden) == (1, None, ())
    assert registry_of(store).aliases() == {"champion": 1}
    held = registry_of(store).holder("champion")
    assert held is not None
    assert held.bundle_id == good.manifest["id"]
    assert held.tags["model"] == "personal_frequency"
    assert held.tags["data.fingerprint"] == good.metrics["data"]["fingerprint"]
    assert "forced" not in held.tags


def test_the_same_bundle_is_not_registered_twice(good: Trained, store: Path) -> None:
    first, second = register(good, store), register(good.bundle, store)
    assert second.already
    assert second.version.number == first.version.number == 1
    assert len(registry_of(store).versions()) == 1


def test_a_better_bundle_takes_over(good: Trained, beaten: Trained, store: Path) -> None:
    register(beaten, store, force=True)
    done = register(good, store)
    assert registry_of(store).aliases() == {"champion": 2}
    contest = done.contest
    assert contest is not None
    assert contest.low > 0
    # the same customers and window as the run's own comparison with popularity
    known = good.metrics["paired"]["ndcg@10"]["all"]["popularity"]
    assert (contest.gap, contest.low, contest.high, contest.customers) == tuple(
        known[part] for part in ("value", "low", "high", "n")
    )
    assert float(done.version.tags["difference_low"]) == contest.low
    assert done.version.tags["compared_with"] == "version 1"


def test_the_card(good: Trained, beaten: Trained, store: Path) -> None:
    register(beaten, store, force=True)
    version = register(good, store).version
    kept = registry_of(store).client.get_model_version("embedrec", str(version.number))
    card = (registry_of(store).bundle_of(version).parent.parent / CARD).read_text(encoding="utf-8")
    assert kept.description == card[:5000]
    figure = good.metrics["models"]["personal_frequency"]["test"]["all"]["ndcg@10"]
    for wanted in (
        good.manifest["verdict"],
        good.manifest["id"],
        good.metrics["data"]["fingerprint"][:16],
        good.manifest["data"]["until"],
        f"{figure['value']:.4f} ({figure['low']:.4f}–{figure['high']:.4f})",
        "Former holder of the alias.** version 1",
        "95 % interval of the difference +",
    ):
        assert wanted in card
    assert "Forced" not in card


def test_another_alias_has_its_own_champion(good: Trained, equal: Trained, store: Path) -> None:
    register(good, store)
    assert register(equal, store, alias="staging").contest is None
    assert registry_of(store).aliases() == {"champion": 1, "staging": 2}
    register(good, store, alias="third")  # a version already: it gets the alias and no second number
    assert registry_of(store).aliases()["third"] == 1
    assert len(registry_of(store).versions()) == 2


# What is refused


def assert_refused(run: Trained | Path, store: Path, *words: str, **options: Any) -> None:
    """Refused with the reason, and nothing changed; forced, the reason is recorded with the version."""
    before = registry_of(store).aliases()
    with pytest.raises(PromotionError, match="^not promoted: ") as caught:
        register(run, store, **options)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert registry_of(store).aliases() == before
    assert len(registry_of(store).versions()) == len(set(before.values()))
    done = register(run, store, force=True, **options)
    assert registry_of(store).aliases()["champion"] == done.version.number
    for word in words:
        assert word in done.version.tags["forced"]


def test_a_simple_rule_wins(beaten: Trained, store: Path) -> None:
    assert_refused(beaten, store, "a simpler rule wins", "Personal frequency")


def test_no_better_than_the_champion(good: Trained, equal: Trained, store: Path) -> None:
    register(good, store)
    assert_refused(equal, store, "no better than version 1 beyond chance", "+0.0000 to +0.0000")


def test_the_champion_has_seen_the_window(good: Trained, later: Trained, store: Path) -> None:
    register(later, store)
    assert_refused(good, store, "version 1 learned from purchases up to", later.manifest["split"]["test_from"])
    held = registry_of(store).holder("champion")
    assert held is not None
    assert "difference" not in held.tags, "a comparison that says nothing is not recorded, forced or not"


def test_the_run_reported_other_figures(good: Trained, store: Path, tmp_path: Path) -> None:
    folder = copied(good, tmp_path / "changed")
    metrics = read_json(folder / "metrics.json")
    metrics["models"]["personal_frequency"]["test"]["all"]["ndcg@10"]["value"] += 1e-3
    write_json(folder / "metrics.json", metrics)
    assert_refused(folder, store, "measured from the bundle alone, ndcg@10 (all) is")


def test_the_tables_have_changed(good: Trained, shop: Path, store: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(shop, tmp_path / "grown"))
    table = changed / f"{PURCHASES}.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, lines[-1].replace(",P", ",P999")]) + "\n", encoding="utf-8")
    assert_refused(good, store, "the tables have changed since the run", data=str(changed))


def test_too_little_data(store: Path, tmp_path: Path) -> None:
    tiny = write_demo_shop(tmp_path / "tiny", customers=40, products=20, seed=1)
    few = train_here(tiny, tmp_path / "few", *SIMPLE, UNTRACKED)
    assert_refused(few, store, "it was tested on", "about 200 are needed")


def test_a_champion_that_cannot_be_read(good: Trained, equal: Trained, store: Path) -> None:
    version = register(good, store).version
    shutil.rmtree(registry_of(store).bundle_of(version))
    assert_refused(equal, store, "version 1 cannot be read")


def test_an_alias_that_moves_meanwhile(
    good: Trained, equal: Trained, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else, on another machine, made another version the champion while this one was measured."""
    plain = Registry.register

    def overtaken(self: Registry, *arguments: Any) -> Any:
        made = plain(self, *arguments)
        self.point("champion", made)
        return made

    with monkeypatch.context() as patch, pytest.raises(PromotionError, match="another promotion moved champion"):
        patch.setattr(Registry, "register", overtaken)
        register(good, store)
    assert register(good, store).already


def test_killed_before_the_alias_moved(good: Trained, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Registry, "point", killed)
        register(good, store)
    assert registry_of(store).aliases() == {}
    assert register(good, store).version.number == 1
    assert len(registry_of(store).versions()) == 1


# Judging


def test_customers_that_both_know(good: Trained, beaten: Trained, shop: Path) -> None:
    ours, theirs = read_bundle(good.bundle), read_bundle(beaten.bundle)
    window = open_window(ours, read_tables(good.config.data), str(shop))
    lists = figures(ours, window)[1]["all"]
    names = window.history.customer_ids[lists.users]
    some = set(names[::5])
    fewer = replace(theirs, schema=theirs.schema.model_copy(update={"customers": tuple(sorted(some))}))
    contest = hold(ours, fewer, window, lists, "version 9")
    assert contest.customers == len(some) < 200
    assert contest.challenger_ndcg == pytest.approx(lists.metric("ndcg", 10)[names.isin(some)].mean())
    assert f"only {len(some)} customers of the window are known to it and to version 9" in contest.objection
    nobody = replace(theirs, schema=theirs.schema.model_copy(update={"customers": ()}))
    assert "only 0 customers" in hold(ours, nobody, window, lists, "version 9").objection


@pytest.mark.parametrize(
    ("customers", "low", "stays"), [(200, 1e-9, False), (199, 0.1, True), (1000, 0.0, True), (1000, math.nan, True)]
)
def test_when_the_champion_stays(customers: int, low: float, stays: bool) -> None:
    assert bool(Contest("version 1", 0.2, 0.1, 0.1, low, 0.2, customers).objection) == stays


def with_(bundle: Bundle, **update: Any) -> Manifest:
    return bundle.manifest.model_copy(update=update)


def test_windows_of_made_up_times(good: Trained) -> None:
    """Without dates only the same tables cut in the same way hold out the same purchases."""
    bundle = read_bundle(good.bundle)
    undated = {**bundle.manifest.split, "protocol": "random"}
    one = with_(bundle, split=undated)
    assert overlap_objection(one, one, "version 1") == ""
    others = (
        with_(bundle, split=undated, data={**bundle.manifest.data, "fingerprint": "0" * 64}),
        with_(bundle, split=undated, config={**bundle.manifest.config, "split": {"seed": 9}}),
        bundle.manifest,
    )
    for other in others:
        for pair in ((one, other), (other, one)):
            assert "version 1 was not cut as this bundle was" in overlap_objection(*pair, "version 1")


def test_a_window_that_begins_when_the_champion_stopped_learning(good: Trained) -> None:
    bundle = read_bundle(good.bundle)
    split = bundle.manifest.split
    early, late = (with_(bundle, split={**split, "test_from": one}) for one in ("2025-01-09T23:00:00", "2025-01-10"))
    assert overlap_objection(early, late, "version 1") == ""
    assert overlap_objection(late, late, "version 1") == ""
    assert "learned from purchases up to 2025-01-10" in overlap_objection(late, early, "version 1")


def test_a_bundle_that_fell_back(good: Trained) -> None:
    bundle = read_bundle(good.bundle)
    assert own_objection(bundle.manifest) == ""
    assert "too little data to train two_tower" in own_objection(with_(bundle, fallback_from="two_tower"))
    assert "no model beats a random order" in own_objection(with_(bundle, beaten_by="random"))


# Which run is meant


def test_a_run_that_was_sent_on_is_known_by_its_id_there(store: Path, fresh: Path, tmp_path: Path) -> None:
    folder, there = store / "runs" / "r", f"sqlite:///{tmp_path / 'there.db'}"
    folder.mkdir(parents=True)
    shutil.copy(fresh, tmp_path / "there.db")
    tracker = Tracker(TrackingConfig(), store, "r", folder=folder)
    tracker.finish()
    ((_, sent),) = push(folder, store, there)
    assert _tracked(Found(folder, tracker.run_id), there, store) == sent
    assert _tracked(Found(folder, tracker.run_id), store_uri(store), store) == tracker.run_id


def test_a_run_by_its_mlflow_id(trained: Trained, tmp_path: Path) -> None:
    """Found on disk, and where the folder is gone, in MLflow."""
    run_id = trained.metrics["run_id"]
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    shutil.copy(trained.outputs / "mlflow.db", outputs)
    for place in (trained.outputs, outputs):
        with pytest.raises(PromotionError, match="it was tested on|simpler rule"):
            promote(run_id, outputs=place, say=lambda _: None)
    done = register(run_id, outputs, force=True)
    assert registry_of(outputs).client.get_model_version("embedrec", "1").run_id == run_id
    assert done.version.bundle_id == trained.manifest["id"]


def test_tables_that_were_moved(good: Trained, shop: Path, store: Path, tmp_path: Path) -> None:
    folder = copied(good, tmp_path / "run")
    saved = folder / ".hydra" / "config.yaml"
    settings = yaml.safe_load(saved.read_text(encoding="utf-8"))
    settings["data"]["path"] = str(tmp_path / "gone")
    saved.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(DataError, match=r"does not exist.*name their place with --data DIR"):
        register(folder, store)
    assert register(folder, store, data=str(shop)).version.number == 1


@pytest.fixture
def sweep(shop: Path, store: Path) -> Path:
    """Two trials as a sweep leaves them; the second is the best, the first of the table was pruned."""
    folder = store / "sweeps" / "rules"
    for number, model in enumerate(("popularity", "personal_frequency")):
        config = small_config(shop, store, model)
        trial = folder / str(number)
        trial.mkdir(parents=True)
        found = run_trial(config, trial, open_shop(config.data, config.split), lambda *_: None, progress=False)
        assert found is not None
        write_json(trial / "outcome.json", {"state": "finished", "value": found.score})
    with (folder / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["trial", "overrides", "valid_ndcg@10", "error", "state", "seconds"])
        table.writerow([7, "", "", "", "pruned", 1.0])
        table.writerow([1, "model=personal_frequency", 0.3, "", "finished", 1.0])
        table.writerow([0, "model=popularity", 0.2, "", "finished", 1.0])
    return folder


def small_config(shop: Path, outputs: Path, model: str) -> Any:
    from embedrec.experiment import parse_config

    return parse_config(
        {
            "data": {"name": "files", "path": str(shop)},
            "model": {"name": model},
            "name": "rules",
            "outputs": str(outputs),
            "tracking": {"enabled": False},
        }
    )


def test_the_best_trial_of_a_sweep_is_trained_in_full_once(sweep: Path, store: Path) -> None:
    done = register("rules", store)
    (full,) = (store / "runs").glob("*/*")
    assert full.name.endswith("rules-1")
    assert done.version.tags["model"] == "personal_frequency"
    assert done.version.bundle_id == read_json(full / "bundle" / "manifest.json")["id"]
    assert register(sweep / "1", store).already, "the trial by itself is the same run"
    assert list((store / "runs").glob("*/*")) == [full]


def test_a_full_run_that_was_killed_goes_on(sweep: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **given: Any) -> None:
        assert given["tags"] == {"sweep": "rules", "trial": "1"}
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sys.modules["embedrec.promotion.winner"], "run", killed)
        register(sweep, store)
    (begun,) = (store / "runs").glob("*/*")
    register(sweep, store)
    assert list((store / "runs").glob("*/*")) == [begun]
    assert (begun / "bundle").is_dir()


def test_a_sweep_without_a_finished_trial(sweep: Path, store: Path) -> None:
    table = (sweep / "trials.csv").read_text(encoding="utf-8").splitlines()
    (sweep / "trials.csv").write_text("\n".join(table[:2]) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="lists no finished trial"):
        register(sweep, store)
    (sweep / "trials.csv").unlink()
    with pytest.raises(ConfigError, match="has no trials.csv yet"):
        register(sweep, store)


def test_nothing_of_that_name(sweep: Path, store: Path, tmp_path: Path) -> None:
    (store / "sweeps" / "notes").mkdir()
    with pytest.raises(ConfigError, match=r"no such folder.*did you mean 'rules'.*sweeps in .*: rules$"):
        register("rule", store)
    with pytest.raises(ConfigError, match="no tracking store knows it"):
        register("0" * 32, store)
    with pytest.raises(ConfigError, match="no run lies there"):
        register(tmp_path, store)


def test_a_run_that_did_not_finish(good: Trained, store: Path, tmp_path: Path) -> None:
    folder = copied(good, tmp_path / "run")
    shutil.rmtree(folder / "bundle")
    with pytest.raises(ConfigError, match=r"has no bundle.*train\.py resume="):
        register(folder, store)


@pytest.mark.parametrize("alias", ["latest", "v3", "a b", "", "x@y"])
def test_aliases_that_mlflow_takes_otherwise(good: Trained, store: Path, alias: str) -> None:
    with pytest.raises(ConfigError, match="--alias"):
        register(good, store, alias=alias)


# What is registered


@pytest.fixture(scope="module")
def registered(good: Trained, equal: Trained, fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder whose champion is version 1; version 2 is `staging`."""
    outputs = tmp_path_factory.mktemp("registered")
    shutil.copy(fresh, outputs / "mlflow.db")
    register(good, outputs)
    register(equal, outputs, alias="staging")
    return outputs


def test_mlflow_answers_as_the_recommender_does(
    good: Trained, registered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own modules
        import mlflow

        before = mlflow.get_tracking_uri()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
        mlflow.set_tracking_uri(store_uri(registered))
        try:
            model = mlflow.pyfunc.load_model("models:/embedrec@champion")
            customers = ["C0007", "nobody", "C0001"]
            asked = pd.DataFrame({"customer_id": customers})
            lists = model.predict(asked)
            short = model.predict(asked, params={"k": 3, "exclude_bought": True})
        finally:
            mlflow.set_tracking_uri(before)
    shop = Recommender.load(good.bundle)
    for customer in customers:
        for table, wanted in (
            (lists, shop.recommend(customer)),
            (short, shop.recommend(customer, 3, exclude_bought=True)),
        ):
            rows = table[table["customer_id"] == customer].reset_index(drop=True)
            assert rows["cold_start"].eq(wanted.attrs["cold_start"]).all()
            pd.testing.assert_frame_equal(rows.drop(columns=["customer_id", "cold_start"]), wanted)
    schema = model.metadata.signature
    assert schema.inputs.input_names() == ["customer_id"]
    assert schema.outputs.input_names() == list(lists.columns)
    assert {one.name: one.default for one in schema.params.params} == {"k": 10, "exclude_bought": False}


def test_nothing_registered_is_a_pickle_or_tells_of_the_machine(registered: Path, good: Trained) -> None:
    registry = registry_of(registered)
    version = registry.holder("champion")
    assert version is not None
    model = registry.bundle_of(version).parent.parent
    files = {one.name for one in model.rglob("*") if one.is_file()}
    assert {"MLmodel", "bundle_model.py", "input_example.json", "requirements.txt", CARD} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt", ".bin"))]
    for name in ("MLmodel", "requirements.txt", "conda.yaml", CARD):
        text = (model / name).read_text(encoding="utf-8")
        assert str(good.outputs) not in text
        assert str(SCRIPTS.parent) not in text
    code = SCRIPTS.parent / "src" / "embedrec" / "tracking" / "bundle_model.py"
    assert (model / "bundle_model.py").read_bytes() == code.read_bytes(), "no code but ours"


@pytest.mark.parametrize(("uri", "number"), [("models:/embedrec@champion", 1), ("models:/embedrec/2", 2)])
def test_a_registered_bundle_is_found(registered: Path, good: Trained, equal: Trained, uri: str, number: int) -> None:
    assert read_bundle(fetch_bundle(uri, registered)).manifest.id == (good, equal)[number - 1].manifest["id"]


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        (
            "models:/embedrec@champoin",
            "no such alias 'champoin', did you mean 'champion'.*champion .version 1., staging",
        ),
        ("models:/embedrec/9", "no such version; there is .* and version 1, 2"),
        ("models:/embedre@champion", "no registered model 'embedre' .*did you mean 'embedrec'"),
        ("models:/embedrec", "wanted models:/embedrec@ALIAS or models:/embedrec/VERSION"),
        ("models:/embedrec/0", "wanted models:/"),
    ],
)
def test_addresses_that_do_not_exist(registered: Path, uri: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted) as caught:
        fetch_bundle(uri, registered)
    assert "\n" not in str(caught.value)


def test_no_store_is_made_by_asking(tmp_path: Path, store: Path) -> None:
    with pytest.raises(ConfigError, match="there is no tracking store"):
        fetch_bundle("models:/embedrec@champion", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(ConfigError, match="nothing is registered yet"):
        fetch_bundle("models:/embedrec@champion", store)


def test_a_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"^the tracking store http://127\.0\.0\.1:9: it cannot be reached") as caught:
        local_bundle("models:/embedrec@champion")
    assert "secret" not in str(caught.value)
    assert shown("postgresql://me:word@db/x") == "postgresql://db/x"


def test_commands_take_registered_bundles(
    registered: Path, good: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri(registered))
    recommend(["models:/embedrec@champion", "--customer", "C0001", "-k", "2", "--json"])
    first = json.loads(capsys.readouterr().out)
    assert [one["product_id"] for one in first] == Recommender.load(good.bundle).recommend("C0001", 2)[
        "product_id"
    ].tolist()
    given: list[list[str]] = []
    monkeypatch.setattr(app_command, "main", lambda arguments: given.append(arguments) or 0)
    assert serve(["models:/embedrec@champion", "--port", "0"]) == 0
    assert given[0][1:] == ["--port", "0"]
    assert read_bundle(Path(given[0][0])).manifest.id == good.manifest["id"]
    assert local_bundle("some/folder") == "some/folder"


# The command


def test_the_command(good: Trained, beaten: Trained, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--outputs", str(store)]
    assert guarded(lambda: promote_command([str(beaten.folder), *where])) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: not promoted: a simpler rule wins")
    assert said.err.count("\n") == 1
    assert guarded(lambda: promote_command([str(good.folder), *where])) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "models:/embedrec/1"
    assert guarded(lambda: promote_command([str(good.folder), *where])) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "this bundle is champion already"
    assert f"MLFLOW_TRACKING_URI={store_uri(store)} python scripts/serve.py models:/embedrec@champion" in out[1]
    assert out[-1] == "models:/embedrec/1"


def assert_both(good: Trained, beaten: Trained, store: Path) -> None:
    versions = registry_of(store).versions()
    assert {one.bundle_id for one in versions} == {good.manifest["id"], beaten.manifest["id"]}
    assert registry_of(store).aliases() == {"champion": 2}, "the second one, held against the first"
    assert versions[0].tags["compared_with"] == "version 1"


def test_two_at_once_lose_no_version(good: Trained, beaten: Trained, store: Path) -> None:
    """The lock is the system's, of open files: two threads meet it as two processes do."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda run: register(run, store, force=True), (good, beaten)))
    assert sorted(one.version.number for one in done) == [1, 2]
    assert_both(good, beaten, store)


@pytest.mark.slow
def test_two_processes_at_once_lose_no_version(good: Trained, beaten: Trained, store: Path) -> None:
    words = [sys.executable, str(SCRIPTS / "promote.py"), "--force", "--outputs", str(store)]
    both = [
        subprocess.Popen([*words, str(run.folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for run in (good, beaten)
    ]
    printed = []
    for process in both:
        out, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
        printed.append(out.splitlines()[-1])
    assert sorted(printed) == ["models:/embedrec/1", "models:/embedrec/2"]
    assert_both(good, beaten, store)
