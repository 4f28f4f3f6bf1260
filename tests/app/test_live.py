"""A newer bundle is taken into use while questions come in; a damaged one is refused, and the old one serves on."""

from __future__ import annotations

import shutil
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from embedrec import Recommender
from embedrec.app import application
from embedrec.app import live as live_module
from embedrec.app.application import create_live_app
from embedrec.app.command import _listen
from embedrec.bundle import MANIFEST, SCHEMA, WEIGHTS
from fresh_bundle import write_fresh_bundle

LOOK_EVERY = 0.02


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[httpx.Client]:
    """Serve the folder over a real socket."""
    with _listen("127.0.0.1", 0) as listening:
        app = create_live_app(folder, look_every=LOOK_EVERY, **settings)
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two good bundles by the id of their model."""
    place = tmp_path_factory.mktemp("bundles")
    return {write_fresh_bundle(place / str(seed), seed).id: place / str(seed) for seed in (1, 2)}


def put(source: Path, place: Path) -> None:
    """Put a bundle in place as an export does: whole, beside the older one, then the two change places."""
    fresh, older = place.with_name("fresh"), place.with_name("older")
    shutil.copytree(source, fresh)
    if place.exists():
        place.replace(older)
    fresh.replace(place)
    shutil.rmtree(older, ignore_errors=True)


def damaged(source: Path, place: Path, name: str = WEIGHTS) -> Path:
    """Return a copy with one bit of one file flipped."""
    shutil.copytree(source, place)
    content = bytearray((place / name).read_bytes())
    content[len(content) // 2] ^= 1
    (place / name).write_bytes(content)
    return place


def until(client: httpx.Client, wanted, seconds: float = 120) -> dict:
    """Ask /health until it is as wanted."""
    end = time.monotonic() + seconds
    while not wanted(health := client.get("/health").json()):
        assert time.monotonic() < end, health
        time.sleep(0.02)
    return health


def model_of(client: httpx.Client) -> str:
    return client.post("/recommend", json={"customer_id": "C0001"}).json()["model"]["id"]


def test_a_newer_bundle_is_taken_into_use(bundles, tmp_path, capsys):
    (first, one), (second, two) = bundles.items()
    put(one, tmp_path / "bundle")
    with serving(tmp_path / "bundle") as client:
        assert model_of(client) == first
        assert "shop 1" in client.get("/").text
        put(two, tmp_path / "bundle")
        health = until(client, lambda health: health["model"]["id"] == second)
        assert health["refused"] is None
        assert model_of(client) == second
        assert "shop 2" in client.get("/").text
        assert "shop 1" not in client.get("/config").text
    assert capsys.readouterr().err == ""


def test_another_target_of_a_link(bundles, tmp_path):
    (first, one), (second, two) = bundles.items()
    (tmp_path / "latest").symlink_to(one)
    with serving(tmp_path / "latest") as client:
        assert model_of(client) == first
        (tmp_path / "next").symlink_to(two)
        (tmp_path / "next").replace(tmp_path / "latest")
        until(client, lambda health: health["model"]["id"] == second)


@pytest.mark.parametrize("name", [MANIFEST, SCHEMA, WEIGHTS])
def test_a_damaged_one_is_refused_by_name_and_the_old_one_serves_on(bundles, tmp_path, capsys, name):
    (first, one), (second, two) = bundles.items()
    put(one, tmp_path / "bundle")
    with serving(tmp_path / "bundle") as client:
        put(damaged(two, tmp_path / "damaged", name), tmp_path / "bundle")
        health = until(client, lambda health: health["refused"])
        assert health["ready"] is True
        assert health["model"]["id"] == model_of(client) == first
        assert name in health["refused"]
        assert str(tmp_path) not in health["refused"]
        put(two, tmp_path / "bundle")
        assert until(client, lambda health: health["model"]["id"] == second)["refused"] is None
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if name in line] == said
    assert len(said) == 1


def test_one_that_cannot_answer_is_refused(bundles, tmp_path, monkeypatch):
    """The smoke question: right hashes do not make a model that answers."""
    (first, one), (_, two) = bundles.items()
    put(one, tmp_path / "bundle")
    with serving(tmp_path / "bundle") as client:

        def broken(self, *args, **filters):
            raise RuntimeError("secret /path")

        monkeypatch.setattr("embedrec.app.service.Service.similar", broken)
        put(two, tmp_path / "bundle")
        health = until(client, lambda health: health["refused"])
        assert health["model"]["id"] == first
        assert health["refused"] == "the bundle cannot be used (RuntimeError)"


@pytest.mark.parametrize("state", ["corrupt", "missing", "half written"])
def test_without_a_good_bundle_it_is_not_ready_until_there_is_one(bundles, tmp_path, capsys, state):
    (_, one), (second, two) = bundles.items()
    place, file = tmp_path / "bundle", WEIGHTS
    if state == "corrupt":
        damaged(one, place)
    elif state == "missing":
        place.mkdir()
        file = MANIFEST
    else:
        shutil.copytree(one, place)
        (place / WEIGHTS).unlink()
    with serving(place) as client:
        health = client.get("/health")
        assert health.status_code == 503
        assert health.json()["ready"] is False
        for route in ("/recommend", "/recommend_new", "/similar"):
            response = client.post(route, json={"customer_id": "C0001"})
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert file in response.json()["error"]["message"]
            assert str(tmp_path) not in response.text
        page = client.get("/")
        assert page.status_code == 503
        assert file in page.text
        assert str(tmp_path) not in page.text
        put(two, place)
        until(client, lambda health: health["ready"])
        assert model_of(client) == second
        assert "shop 2" in client.get("/").text
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_copy_that_grows_file_by_file_is_used_when_it_is_whole(bundles, tmp_path):
    (_, one), (second, two) = bundles.items()
    put(one, tmp_path / "bundle")
    with serving(tmp_path / "bundle") as client:
        for path in sorted(two.iterdir()):
            (tmp_path / "bundle" / path.name).write_bytes(path.read_bytes())
            time.sleep(3 * LOOK_EVERY)
        until(client, lambda health: health["model"]["id"] == second)
        assert client.get("/health").json()["refused"] is None


def test_with_a_login(bundles, tmp_path):
    put(next(iter(bundles.values())), tmp_path / "bundle")
    with serving(tmp_path / "bundle", login=("ann", "secret")) as client:
        assert client.post("/recommend", json={"customer_id": "C0001"}).status_code == 401
        assert client.post("/recommend", json={"customer_id": "C0001"}, auth=("ann", "secret")).status_code == 200


def test_a_visitor_of_the_older_page_gets_the_answer_they_wait_for(bundles, tmp_path):
    """Gradio keeps what it owes a visitor in the app of the page they asked from."""
    (_, one), (second, two) = bundles.items()
    put(one, tmp_path / "bundle")
    with serving(tmp_path / "bundle") as client:
        asked = client.post(
            "/gradio_api/call/recommend", json={"data": ["C0001", 3, False, None, None, None, False, 0.0]}
        ).json()
        put(two, tmp_path / "bundle")
        until(client, lambda health: health["model"]["id"] == second)
        told = client.get(f"/gradio_api/call/recommend/{asked['event_id']}").text
        assert "event: complete" in told


def test_an_older_model_and_its_page_leave_the_memory(bundles, tmp_path, monkeypatch):
    (_, one), (second, two) = bundles.items()
    models, pages, load, mount = [], [], Recommender.load, application.mount_page

    def loaded(path):
        shop = load(path)
        models.append(weakref.ref(shop._scorer))
        return shop

    def mounted(app, *args, **settings):
        mount(app, *args, **settings)
        pages.append(weakref.ref(app.state.page))

    monkeypatch.setattr(Recommender, "load", loaded)
    monkeypatch.setattr(application, "mount_page", mounted)
    monkeypatch.setattr(live_module, "LAST_ANSWERS", 0.1)
    put(one, tmp_path / "bundle")
    with serving(tmp_path / "bundle") as client:
        assert models[0]() is not None
        put(two, tmp_path / "bundle")
        until(client, lambda health: health["model"]["id"] == second)
        end = time.monotonic() + 30
        while models[0]() is not None or pages[0]() is not None:
            assert time.monotonic() < end, (models, pages)
            time.sleep(0.05)
        assert models[1]() is not None
        assert pages[1]() is not None
        assert model_of(client) == second


def swaps(bundles: dict[str, Path], tmp_path: Path, count: int, askers: int) -> None:
    """Swap `count` times, every second time to a damaged bundle, while others ask and check each answer."""
    expected: dict[str, dict[str, list]] = {}
    place, ids = tmp_path / "bundle", list(bundles)
    asked = [f"C{number:04d}" for number in range(20)]
    put(bundles[ids[0]], place)
    bad = [
        damaged(bundles[one], tmp_path / f"damaged {one}", name)
        for one, name in zip(ids, (WEIGHTS, SCHEMA), strict=True)
    ]
    with serving(place) as client:
        for one in reversed(ids):  # what each model says alone, before anybody else asks
            put(bundles[one], place)
            until(client, lambda health, one=one: health["model"]["id"] == one)
            answers = [client.post("/recommend", json={"customer_id": customer}).json() for customer in asked]
            expected[one] = dict(zip(asked, answers, strict=True))
        over, wrong, seen = threading.Event(), [], []

        def ask() -> None:
            with httpx.Client(base_url=client.base_url, timeout=120) as mine:
                number = 0
                while not over.is_set():
                    customer, number = asked[number % len(asked)], number + 1
                    response = mine.post("/recommend", json={"customer_id": customer})
                    if response.status_code != 200:
                        wrong.append(response.text)
                        continue
                    answer = response.json()
                    seen.append(answer["model"]["id"])
                    if answer != expected[answer["model"]["id"]][customer]:
                        wrong.append(answer)
                    time.sleep(0.005)

        threads = [threading.Thread(target=ask) for _ in range(askers)]
        for thread in threads:
            thread.start()
        current = ids[0]
        try:
            for number in range(count):
                if number % 2:
                    put(bad[number // 2 % 2], place)
                    until(client, lambda health: health["refused"])
                    assert client.get("/health").json()["model"]["id"] == current
                else:
                    current = ids[1 - ids.index(current)]
                    put(bundles[current], place)
                    until(client, lambda health, one=current: health["model"]["id"] == one and not health["refused"])
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not wrong, wrong[:3]
        assert set(seen) == set(ids)
        assert len(seen) > count


def test_swaps_under_load(bundles, tmp_path):
    swaps(bundles, tmp_path, 20, askers=2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_hundred_swaps_under_load(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "LAST_ANSWERS", 2.0)
    swaps(bundles, tmp_path, 300, askers=4)
