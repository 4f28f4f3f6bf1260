"""Products, Compare and Model over real bundles: the usual one, a simple one, and a shop that knows next to nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_shop import UNTESTED

from embedrec import Recommender
from embedrec.app.catalogue_picture import marks, picture
from embedrec.app.command import main
from embedrec.app.compare_tab import opponent, rivals
from embedrec.app.compare_views import Side, comparison
from embedrec.app.model_views import model_page
from embedrec.app.products_views import product_card, similar_products
from embedrec.app.questions import SimilarQuestion
from embedrec.app.service import Service
from embedrec.bundle import Manifest, write_bundle
from embedrec.columns import CATEGORY, PRICE, PRODUCT, RATING, TITLE
from embedrec.features import FeatureEncoder
from runs import Trained
from shops import history_of, small_shop


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three columns, made-up times, nothing measured: products have an id and nothing else."""
    tables = small_shop(seed=2)
    nothing = dict.fromkeys((TITLE, CATEGORY)) | dict.fromkeys((PRICE, RATING), np.nan)
    products = tables.products.assign(**nothing).astype(tables.products.dtypes)
    events = tables.events.assign(**{PRICE: np.nan})
    frames = {"customers": tables.customers.head(0), "products": products, "events": events}
    history, catalogue = history_of(tables)
    schema = FeatureEncoder.fit(history, catalogue, history.end, dated=False).schema
    manifest: Manifest = UNTESTED.model_copy(
        update={
            "fallback_from": "two_tower",
            "data": {**UNTESTED.data, "dated": False, "synthetic": False},
            "split": {**UNTESTED.split, "protocol": "random"},
        }
    )
    folder = tmp_path_factory.mktemp("bare") / "bundle"
    write_bundle(folder, manifest, {}, schema.model_copy(update={"line_prices": {}}), frames)
    return folder


def seen(shop: Recommender) -> dict[str, str]:
    """What a visitor is shown on each of the three tabs, for a product and a customer in the middle."""
    service = Service(shop)
    product, customer = (ids[len(ids) // 2] for ids in (shop.product_ids, shop.customer_ids))
    items = service.similar(SimilarQuestion(product_id=product)).items
    lists = {}
    for _, name in rivals(service):
        other = opponent(service, name)
        sides = Side("A", shop, shop.recommend(customer)), Side("B", other, other.recommend(customer))
        lists[name] = comparison(*sides, frozenset(shop.purchases(customer)[PRODUCT]))
    return {
        "picture": picture(shop),
        "marks": marks(shop, product, [item.product_id for item in items]),
        "card": product_card(shop.product(product), len(shop.product_ids)),
        "similar": similar_products(items, shop.titles),
        "model": model_page(shop.manifest, shop.info, service.age_days()),
        **lists,
    }


def test_a_trained_model(trained: Trained) -> None:
    html = seen(Recommender.load(trained.bundle))
    assert html["marks"].count("<button") == 11
    assert html["similar"].count("<tr>") == 11
    assert "er-legend" in html["picture"]
    assert "How good are the models?" in html["model"]
    assert "Where it said" in html["model"]
    assert "Customers with" in html["model"] or "Products" in html["model"]
    assert "bought something from the ten products of A" in html["personal_frequency"]
    assert "Nobody has measured" in html["item_knn"]
    assert not any("nan" in one.lower().split() for one in html.values())


def test_a_simple_model_is_not_compared_with_itself(simple: Trained) -> None:
    html = seen(Recommender.load(simple.bundle))
    assert "personal_frequency" not in html
    assert "bought by the same customers" in html["similar"].lower()
    assert "what each customer buys often and lately" in html["model"]


def test_a_shop_that_knows_next_to_nothing(bare: Path) -> None:
    html = seen(Recommender.load(bare))
    for absent in ("Category", "Price", "Rating", "First sold", "weeks"):
        assert absent not in html["card"]
    assert "er-legend" not in html["picture"]
    assert "Nobody was tested" in html["model"]
    assert "The data carry no dates." in html["model"]
    assert "Nobody has measured" in html["item_knn"]
    assert not any("nan" in one.lower().split() or "NaT" in one for one in html.values())


def test_the_page_over_it_opens(bare: Path, serve) -> None:
    with serve(Recommender.load(bare), against=Recommender.load(bare)) as client:
        config = client.get("/config").json()
        assert client.get("/health").json()["ready"] is True
    labels = [part["props"].get("label") for part in config["components"]]
    assert {"Products", "Compare", "Model", "Product", "Compare with"} <= set(labels)
    against = next(part for part in config["components"] if part["props"].get("label") == "Compare with")
    assert against["props"]["choices"][0][0].startswith("Second bundle: ")


def test_a_second_bundle_is_verified_like_the_first(trained: Trained, tmp_path: Path, capsys) -> None:
    assert main([str(trained.bundle), "--against", str(tmp_path / "nowhere"), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "nowhere" in said


def test_the_manifest_says_for_whom_its_model_works(trained: Trained) -> None:
    measured, told = trained.metrics["models"], trained.manifest["metrics"]
    assert told.keys() == measured.keys()
    own = trained.manifest["model"]["name"]
    for name, figures in told.items():
        assert figures == {part: measured[name][part] for part in (
            ("test", "slices", "calibration") if name == own else ("test",)
        )}  # fmt: skip
