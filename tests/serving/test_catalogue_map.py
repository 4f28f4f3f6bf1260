"""The picture of the catalogue: the plane that principal components give, whatever the vectors are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from embedrec import Recommender
from embedrec.columns import CATEGORY, PRICE, PRODUCT
from embedrec.serving.catalogue_map import SHOWN, principal_plane
from runs import Trained


@pytest.fixture(scope="module")
def shop(trained: Trained) -> Recommender:
    return Recommender.load(trained.bundle)


def exact(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Principal components by the full decomposition: coordinates and the share of two."""
    left, strength, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    return (left * strength)[:, :2], float((strength[:2] ** 2).sum() / (strength**2).sum())


@pytest.mark.parametrize("sparse", [False, True])
def test_it_shows_the_principal_components(sparse: bool) -> None:
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 9)) * np.arange(9, 0, -1.0) ** 2)
    plane = principal_plane(vectors.to_sparse() if sparse else vectors)
    wanted, share = exact(vectors.numpy())
    found = plane.place(vectors)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-6, atol=1e-6)
    assert plane.shown == pytest.approx(share)
    assert found[np.abs(found).argmax(0), [0, 1]].min() > 0  # the farthest on each axis lies right, and above


@pytest.mark.parametrize("vectors", [torch.ones(5, 3), torch.ones(1, 4), torch.zeros(0, 3), torch.ones(4, 1)])
def test_products_that_nothing_sets_apart_lie_in_one_place(vectors: torch.Tensor) -> None:
    plane = principal_plane(vectors.double())
    assert plane.shown == 0
    assert not plane.place(vectors.double()).any()


def test_two_clusters_of_one_dimension_are_shown_whole() -> None:
    plane = principal_plane(torch.tensor([[1.0], [1.0], [-1.0]]).double())
    assert plane.shown == pytest.approx(1.0)
    assert np.ptp(plane.place(torch.tensor([[1.0], [-1.0]]).double())[:, 0]) == pytest.approx(2.0)


@pytest.mark.parametrize("rule", [None, "item_knn"])
def test_every_product_of_a_shop_has_one_place(trained: Trained, shop: Recommender, rule: str | None) -> None:
    asked = shop if rule is None else shop.rival(rule)
    table = asked.catalogue_map()
    assert table.columns.tolist() == [PRODUCT, "x", "y", CATEGORY, PRICE]
    known = [one for one in shop.product_ids if rule is None or shop.product(one).buyers]
    assert sorted(table[PRODUCT]) == known
    assert np.isfinite(table[["x", "y"]]).all(axis=None)
    assert 0 < table.attrs[SHOWN] <= 1
    buyers = [shop.product(one).buyers for one in table[PRODUCT].head(20)]
    assert buyers == sorted(buyers, reverse=True)
    again = Recommender.load(trained.bundle)
    pd.testing.assert_frame_equal((again.rival(rule) if rule else again).catalogue_map(), table)


def test_alike_products_lie_closer_than_others(shop: Recommender) -> None:
    table = shop.catalogue_map().set_index(PRODUCT)[["x", "y"]]
    for one in shop.product_ids[:10]:
        distance = np.hypot(*(table - table.loc[one]).to_numpy().T)
        near = [table.index.get_loc(other) for other in shop.similar(one, 5)[PRODUCT]]
        assert distance[near].mean() < distance.mean()


def test_the_picture_is_the_callers_own(shop: Recommender) -> None:
    table = shop.catalogue_map()
    table.loc[:, "x"] = 7.0
    assert shop.catalogue_map()["x"].nunique() > 1
