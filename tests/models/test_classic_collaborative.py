"""kNN, SVD and iALS against loops over sets and dense algebra; bundles' weights; who is served without a history."""

from __future__ import annotations

import sys
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import ValidationError
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from embedrec.errors import ConfigError
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.features.history import NEVER
from embedrec.models import ClassicConfig, IalsConfig, ItemKnnConfig, Scorer, SvdConfig, UserKnnConfig, load_scorer
from embedrec.models.classic import item_knn
from embedrec.models.classic.collaborative import FAINT, basket_matrix, positions
from embedrec.models.classic.factors import on_grid
from embedrec.models.classic.ials import Ials
from embedrec.models.classic.popularity import popularity
from embedrec.models.classic.svd import right_vectors
from embedrec.serving.reasons import reasons
from embedrec.tables import Tables
from shops import at_day, history_of, lines, small_shop, tables_of, with_events

quick = settings(max_examples=20)
shops = st.builds(small_shop, st.integers(0, 50), products=st.integers(2, 30), customers=st.integers(2, 40))
CONFIGS = [UserKnnConfig(), ItemKnnConfig(), SvdConfig(dim=6), IalsConfig(dim=6, iterations=3)]
LEARNED = CONFIGS[1:]


def snapshot_of(tables: Tables, now: int) -> Snapshot:
    return FeatureEncoder.fit(*history_of(tables), now).at(now)


def fitted(config: ClassicConfig, snapshot: Snapshot) -> Scorer:
    return config.build(snapshot.encoder.schema).fit(snapshot)


def bought(*rows: tuple[str, str, float]) -> Snapshot:
    """A shop of purchases by hand, on day 100."""
    nothing = small_shop(0)
    return snapshot_of(tables_of(nothing.customers.head(0), nothing.products.head(0), lines(*rows)), at_day(100))


def baskets(snapshot: Snapshot) -> dict[int, set[int]]:
    """Customer → what they bought before the date."""
    found = defaultdict(set)
    history = snapshot.history
    for user, item, time in zip(history.users.tolist(), history.items.tolist(), history.times.tolist(), strict=True):
        if time < snapshot.as_of:
            found[user].add(item)
    return found


def linked(scores: torch.Tensor) -> np.ndarray:
    """The scores without the faint popularity that orders products nothing leads to."""
    return np.where(scores < 0, 0.0, scores.numpy())


@quick
@given(shops, st.integers(20, 310), st.integers(1, 12), st.sampled_from([0.0, 2.5]))
def test_user_knn(tables: Tables, day: int, neighbours: int, shrinkage: float) -> None:
    snapshot = snapshot_of(tables, at_day(day))
    users = np.arange(snapshot.history.n_users)
    scores = linked(fitted(UserKnnConfig(neighbours=neighbours, shrinkage=shrinkage), snapshot).score(users))
    known = baskets(snapshot)
    for user in users:
        own = known.get(user, set())
        likeness = {
            other: len(own & theirs) / (np.sqrt(len(own) * len(theirs)) + shrinkage)
            for other, theirs in known.items()
            if other != user and own & theirs
        }
        # equal but for the last places counts as equal: then the customer with the lower number is nearer
        nearest = sorted(likeness, key=lambda other: (-np.float32(likeness[other]), other))[:neighbours]
        expected = np.zeros(snapshot.history.n_items)
        for other in nearest:
            expected[list(known[other])] += likeness[other]
        np.testing.assert_allclose(scores[user], expected, rtol=1e-9)


@quick
@given(shops, st.integers(20, 310), st.integers(1, 12), st.sampled_from([0.0, 2.5]))
def test_item_knn(tables: Tables, day: int, neighbours: int, shrinkage: float) -> None:
    snapshot = snapshot_of(tables, at_day(day))
    users = np.arange(snapshot.history.n_users)
    scores = linked(fitted(ItemKnnConfig(neighbours=neighbours, shrinkage=shrinkage), snapshot).score(users))
    known, fans = baskets(snapshot), defaultdict(set)
    for user, basket in known.items():
        for item in basket:
            fans[item].add(user)
    near = {}
    for one in fans:
        likeness = {
            other: len(fans[one] & fans[other]) / (np.sqrt(len(fans[one]) * len(fans[other])) + shrinkage)
            for other in fans
            if other != one and fans[one] & fans[other]
        }
        order = sorted(likeness, key=lambda other: (-np.float32(likeness[other]), other))[:neighbours]
        near[one] = {other: likeness[other] for other in order}
    for user in users:
        expected = np.zeros(snapshot.history.n_items)
        for one in known.get(user, ()):
            for other, value in near[one].items():
                expected[other] += value
        np.testing.assert_allclose(scores[user], expected, rtol=1e-6)  # similarities are kept as float32


def test_blocks_change_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = basket_matrix(snapshot_of(small_shop(3), at_day(200)))
    whole = item_knn.nearest_products(matrix, 4, 0.0)
    monkeypatch.setattr(item_knn, "BLOCK_CELLS", 2 * matrix.shape[1])
    parts = item_knn.nearest_products(matrix, 4, 0.0)
    for ours, theirs in zip((*whole[0], whole[1]), (*parts[0], parts[1]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@quick
@given(st.integers(0, 1000), st.integers(2, 25), st.integers(2, 25), st.integers(1, 30))
def test_svd_is_the_truncated_decomposition(seed: int, customers: int, products: int, dim: int) -> None:
    dense = (np.random.default_rng(seed).random((customers, products)) < 0.3).astype(np.float64)
    vectors = right_vectors(csr_matrix(dense), dim)
    _, strength, rows = np.linalg.svd(dense, full_matrices=False)
    kept = vectors.shape[1]
    if not dense.any():
        assert not vectors.any()
        return
    assert kept == min(dim, min(dense.shape) - 1, int((strength > 1e-6 * strength[0]).sum()))
    assert (vectors[~dense.any(axis=0)] == 0).all()
    assert (vectors.max(0) >= -vectors.min(0) - 1e-12).all()
    np.testing.assert_allclose(np.linalg.norm(dense @ vectors, axis=0), strength[:kept], rtol=1e-6)
    clear_cut = kept == len(strength) or strength[kept - 1] - strength[kept] > 1e-3
    if clear_cut:  # else the last direction may turn within a plane
        np.testing.assert_allclose(vectors @ vectors.T, rows[:kept].T @ rows[:kept], atol=1e-7)


def test_svd_scores_are_the_basket_projected() -> None:
    snapshot = snapshot_of(small_shop(1), at_day(200))
    users = np.arange(snapshot.history.n_users)
    scores = fitted(SvdConfig(dim=5), snapshot).score(users)
    row = snapshot.products.row
    vectors = np.concatenate([np.zeros((1, 5)), right_vectors(basket_matrix(snapshot), 5)])[row]
    for user, basket in baskets(snapshot).items():
        held = np.zeros(len(row))
        held[list(basket)] = 1.0
        expected = held @ vectors @ vectors.T
        np.testing.assert_allclose(scores[user], expected, atol=1e-6)  # vectors are kept as float32


def test_a_customer_of_ials_is_the_minimum_of_the_published_loss() -> None:
    snapshot = snapshot_of(small_shop(2), at_day(200))
    config = IalsConfig(dim=4, alpha=7.0, regularization=0.5, iterations=4)
    scorer = fitted(config, snapshot)
    vectors = scorer.weights()["products"].double()
    everybody = snapshot.customers(np.arange(snapshot.history.n_users))
    parts = scorer.score_parts(everybody)
    scores = parts["history"] + parts["repeat"]
    row = torch.from_numpy(snapshot.products.row)
    for user, basket in list(baskets(snapshot).items())[:10]:
        held = torch.zeros(len(vectors), dtype=torch.float64)
        held[row[list(basket)]] = 1.0
        customer = torch.zeros(4, dtype=torch.float64, requires_grad=True)
        weight = torch.where(held > 0, config.alpha, 1.0)

        def loss(customer: torch.Tensor, held: torch.Tensor = held, weight: torch.Tensor = weight) -> torch.Tensor:
            return (weight * (held - vectors @ customer) ** 2).sum() + config.regularization * customer @ customer

        # quadratic, so that one Newton step from anywhere lands on the minimum
        hessian = torch.autograd.functional.hessian(loss, customer)
        slope = torch.autograd.functional.jacobian(loss, customer)
        lowest = -torch.linalg.solve(hessian, slope)
        torch.testing.assert_close(scores[user][row > 0], (vectors @ lowest)[row[row > 0]], rtol=1e-6, atol=1e-6)


@quick
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(0, 25), st.sampled_from([1.0, 5.0, 10_000.0]))
def test_a_short_basket_is_solved_like_a_long_one(seed: int, dim: int, length: int, alpha: float) -> None:
    """The Woodbury form of the baskets shorter than the vectors against the formula as it is published."""
    rng = np.random.default_rng(seed)
    products = np.concatenate([np.zeros((1, dim)), rng.standard_normal((30, dim))]).astype(np.float32)
    model = Ials(IalsConfig(dim=dim, alpha=alpha, regularization=0.1), 30).restore({"products": torch.tensor(products)})
    rows = rng.choice(31, length, replace=False)
    vectors, basket = products.astype(np.float64), products[rows].astype(np.float64)
    everything = vectors.T @ vectors + (alpha - 1) * basket.T @ basket + 0.1 * np.eye(dim)
    expected = alpha * basket @ np.linalg.inv(everything)
    np.testing.assert_allclose(model.contributions(rows), expected, rtol=1e-6, atol=1e-8)


@given(st.integers(0, 1000), st.integers(1, 1024), st.sampled_from([1e-12, 1.0, 1e12]))
def test_products_on_the_grid_are_exact(seed: int, dim: int, scale: float) -> None:
    """Whole numbers of Python as the oracle; entries spread over many powers of two, or all as large as can be."""
    rng = np.random.default_rng(seed)
    spread = scale * rng.standard_normal((3, dim)) * np.exp2(rng.integers(-30, 1, (3, dim)))
    vectors = np.concatenate([spread, np.full((1, dim), scale * (1 - 2**-30)), np.zeros((1, dim))])
    grid = on_grid(vectors)
    assert (np.abs(grid - vectors) <= 2**-21 * np.abs(vectors).max(1, keepdims=True)).all()
    exact = [[float(sum(Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True))) for y in grid] for x in grid]
    np.testing.assert_array_equal(grid @ grid.T, exact)
    np.testing.assert_array_equal(np.einsum("ad,bd->ab", grid, grid), exact)


def test_float32_keeps_the_order_of_popularity() -> None:
    """Nothing is known of a customer without a purchase: whatever the rounding, popular products come first."""
    snapshot = snapshot_of(small_shop(6), at_day(200))
    recent = popularity(snapshot, 28)
    for config in CONFIGS:
        nobody = snapshot.encoder.newcomer(np.empty(0, np.int64), snapshot.products)
        scores = fitted(config, snapshot).score(nobody)[0].float().numpy()
        np.testing.assert_array_equal(
            np.sign(scores[:, None] - scores), np.sign(recent[:, None] - recent), err_msg=config.name
        )


def test_ials_factors_are_those_of_the_library() -> None:
    snapshot = snapshot_of(small_shop(2), at_day(200))
    scorer = fitted(IalsConfig(dim=4, alpha=7.0, regularization=0.5, iterations=4, seed=3), snapshot)
    matrix = basket_matrix(snapshot)
    with threadpool_limits(1, "blas"):  # which the library asks for with a warning
        peer = AlternatingLeastSquares(4, 0.5, 7.0, iterations=4, random_state=3)
        peer.fit(matrix, show_progress=False)
    np.testing.assert_array_equal(scorer.weights()["products"][1:], peer.item_factors)
    assert not scorer.weights()["products"][0].any()
    folded = peer.recalculate_user(np.arange(5), matrix[:5].astype(np.float32)) @ peer.item_factors.T
    users = snapshot.history.buyers(NEVER, snapshot.as_of)[:5]
    items = np.flatnonzero(snapshot.products.row)
    np.testing.assert_allclose(scorer.score(users, items), folded, rtol=1e-4, atol=1e-5)


def test_ials_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(ConfigError, match=r"pip install 'embedrec\[baselines\]'"):
        fitted(IalsConfig(), snapshot_of(small_shop(2), at_day(200)))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_a_bundle_serves_newer_tables_without_scipy_and_implicit(
    config: ClassicConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New products shift the numbers of the old; the scores of the old products stay, whoever asks."""
    then = snapshot_of(small_shop(4), at_day(200))
    scorer = fitted(config, then)
    for library in ("scipy", "scipy.sparse", "scipy.sparse.linalg", "implicit", "implicit.cpu.als", "threadpoolctl"):
        monkeypatch.setitem(sys.modules, library, None)
    late = [("C0003", "A-new", 250.0), ("Z-new", "P001", 251.0), ("Z-new", "P003", 252.0)]
    history, catalogue = history_of(with_events(small_shop(4), lines(*late)))
    newer = FeatureEncoder(then.encoder.schema, history, catalogue).at(at_day(200))
    again = load_scorer(config, then.encoder.schema, scorer.weights()).observe(newer)
    old_items = history.product_ids.get_indexer(then.history.product_ids)
    old_users = history.customer_ids.get_indexer(then.history.customer_ids)
    assert old_items[0] == 1
    theirs, ours = again.score(old_users, old_items), scorer.score(np.arange(len(old_users)))
    real = ours.abs() > FAINT
    torch.testing.assert_close(theirs[real], ours[real], rtol=1e-12, atol=0.0)
    # later purchases count, and a customer new since training is served from their basket
    later = again.observe(FeatureEncoder(then.encoder.schema, history, catalogue).at(at_day(280)))
    newcomer = int(history.customer_ids.get_indexer(["Z-new"])[0])
    assert later.score(np.array([newcomer])).max() > 0.01
    pair = history.product_ids.get_indexer(["P001", "P003"])
    bag = later.snapshot_.encoder.newcomer(np.sort(pair), later.snapshot_.products)
    torch.testing.assert_close(later.score(bag), later.score(np.array([newcomer])), rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("config", LEARNED, ids=lambda config: config.name)
def test_weights_of_another_shop_are_refused(config: ClassicConfig) -> None:
    snapshot = snapshot_of(small_shop(4), at_day(200))
    other = fitted(config, snapshot_of(small_shop(4, products=20), at_day(200))).weights()
    model = config.build(snapshot.encoder.schema)
    with pytest.raises(ValueError, match="expected"):
        model.restore(other)
    with pytest.raises(KeyError):
        model.restore({})
    own = fitted(config, snapshot).weights()
    with pytest.raises(ValueError, match="expected"):
        model.restore({**own, "more": torch.zeros(1)})


@pytest.mark.parametrize(
    "damage",
    [
        {"offsets": lambda one: one.flip(0)},
        {"offsets": lambda one: one + 1},
        {"offsets": lambda one: one.float()},
        {"neighbours": lambda one: one - 1},
        {"neighbours": lambda one: one + 1},
        {"neighbours": lambda one: one[1:]},
        {"similarity": lambda one: one[:-1]},
        {"neighbours": lambda one: one[:, None], "similarity": lambda one: one[:, None]},
    ],
)
def test_lists_that_do_not_fit_together_are_refused(damage: dict[str, object]) -> None:
    snapshot = snapshot_of(small_shop(4), at_day(200))
    weights = fitted(ItemKnnConfig(), snapshot).weights()
    broken = {name: damage.get(name, lambda one: one)(one) for name, one in weights.items()}
    with pytest.raises(ValueError, match="neighbours"):
        ItemKnnConfig().build(snapshot.encoder.schema).restore(broken)


def test_longer_vectors_than_asked_for_are_refused() -> None:
    snapshot = snapshot_of(small_shop(4), at_day(200))
    weights = fitted(SvdConfig(dim=6), snapshot).weights()
    with pytest.raises(ValueError, match="no longer than 5"):
        SvdConfig(dim=5).build(snapshot.encoder.schema).restore(weights)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_where_nothing_leads_popular_products_come_first(config: ClassicConfig) -> None:
    """Eve buys what nobody else buys, Fay nothing yet; the pair A and B is bought by Ann and Bob."""
    rows = [("Ann", "A", 80), ("Ann", "B", 81), ("Bob", "A", 82), ("Bob", "B", 83), ("Cid", "C", 84), ("Dan", "C", 85)]
    rows += [("Gus", "C", 86), ("Cid", "D", 10), ("Dan", "D", 11), ("Eve", "E", 87), ("Fay", "F", 200)]
    snapshot = bought(*rows)
    ids = snapshot.history.product_ids
    scorer = fitted(config, snapshot)
    fay, eve, ann = snapshot.history.customer_ids.get_indexer(["Fay", "Eve", "Ann"])
    order = ids[np.argsort(-scorer.score(np.array([fay]))[0].numpy(), kind="stable")]
    assert order.tolist() == ["C", "A", "B", "E", "D", "F"]
    parts = scorer.score_parts(snapshot.customers(np.array([fay, eve, ann])))
    assert (parts["popularity"][0] < 0).all()
    if isinstance(config, UserKnnConfig | ItemKnnConfig):
        assert not parts["history"][1].any()
        assert not parts["repeat"][1].any()
        pair = ids.get_indexer(["A", "B"])
        assert (scorer.score(np.array([ann]))[0, pair] > 0).all()
        assert not parts["popularity"][2, pair].any()


def test_popularity_never_outweighs_the_faintest_link() -> None:
    snapshot = snapshot_of(small_shop(6), at_day(200))
    users = np.arange(snapshot.history.n_users)
    for config in CONFIGS[:2]:
        parts = fitted(config, snapshot).score_parts(snapshot.customers(users))
        link = parts["history"] + parts["repeat"]
        assert ((parts["popularity"] == 0) == (link > 0)).all()
        assert parts["popularity"].min() >= -FAINT
        alone = parts["popularity"][link.sum(1) == 0]
        assert len(alone)
        assert (np.diff(alone[0][torch.from_numpy(np.argsort(-popularity(snapshot, 28), kind="stable"))]) <= 0).all()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_the_reason_names_what_leads_to_a_product(config: ClassicConfig) -> None:
    """Six customers buy bread with butter, six others nails with a hammer; Zoe bought bread and a hammer."""
    rows = [(f"K{one}", item, 50 + one) for one in range(6) for item in ("bread", "butter")]
    rows += [(f"W{one}", item, 60 + one) for one in range(6) for item in ("hammer", "nails")]
    snapshot = bought(*rows, ("Zoe", "bread", 90), ("Zoe", "hammer", 91), ("Zoe", "hammer", 95))
    small = config.model_copy(update={"dim": 2}) if hasattr(config, "dim") else config
    scorer = fitted(small, snapshot)
    ids = snapshot.history.product_ids
    zoe = snapshot.customers(ids_of(snapshot, "Zoe"))
    items = ids.get_indexer(["butter", "nails", "hammer"])
    said = reasons(scorer.explain(zoe, items), snapshot, zoe, items, list(ids))
    assert said[0].startswith("Because they bought bread")
    assert said[1].startswith("Because they bought hammer")
    assert said[2] == "Bought 2 times before, last on 5 Apr 2024"


def ids_of(snapshot: Snapshot, *names: str) -> np.ndarray:
    return snapshot.history.customer_ids.get_indexer(list(names))


@given(st.lists(st.integers(0, 4), max_size=6), st.data())
def test_positions(lengths: list[int], data: st.DataObject) -> None:
    offsets = np.concatenate([[0], np.cumsum(np.array(lengths, np.int64))])
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8)) if lengths else []
    expected = [place for row in rows for place in range(offsets[row], offsets[row + 1])]
    assert positions(offsets, np.array(rows, np.int64)).tolist() == expected


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (UserKnnConfig, {"neighbours": 0}),
        (UserKnnConfig, {"shrinkage": -1.0}),
        (ItemKnnConfig, {"neighbours": 1.5}),
        (ItemKnnConfig, {"shrinkage": float("inf")}),
        (SvdConfig, {"dim": 0}),
        (SvdConfig, {"alpha": 1.0}),
        (IalsConfig, {"alpha": 0.5}),
        (IalsConfig, {"regularization": 0.0}),
        (IalsConfig, {"iterations": 0}),
        (IalsConfig, {"seed": -1}),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(config: type, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)
