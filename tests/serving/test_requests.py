"""Every malformed argument is refused by its own name, before anything is computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from embedrec.errors import EmbedrecError, RequestError
from embedrec.serving.requests import MAX_ID, MAX_K, check_amount, check_id, check_k, check_names, check_price

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("k", [1, 10, MAX_K])
def test_k_within_its_range(k: int) -> None:
    assert check_k(k) == k


@pytest.mark.parametrize("k", [0, -1, MAX_K + 1, 10**9, 5.5, 5.0, True, False, "1_0", "5", NAN, INF, -INF, None, [5]])
def test_k_out_of_its_range(k: Any) -> None:
    with pytest.raises(RequestError, match=f"^k: .*1 to {MAX_K}") as caught:
        check_k(k)
    assert caught.value.field == "k"
    assert isinstance(caught.value, EmbedrecError)


def test_a_huge_k_is_not_echoed_in_full() -> None:
    with pytest.raises(RequestError) as caught:
        check_k("9" * 5000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "value", ["C0042", "007", "🙂", "ŝ", "مرحبا", "a b", "x" * MAX_ID, "' OR 1=1 --", "{{7*7}}", "../x"]
)
def test_ids_are_plain_text(value: str) -> None:
    assert check_id("customer_id", value) == value


def test_spaces_around_an_id_do_not_count() -> None:
    assert check_id("customer_id", "  C0042 ") == "C0042"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\u00a0",
        "\t",
        "\x00",
        "C\x0042",
        "C0042\n",
        "a\x1bb",
        "a\x7fb",
        "\x85b",
        "x" * (MAX_ID + 1),
        "\ud800",
        "a\udfffb",
    ],
)
def test_ids_that_could_not_be_one(value: str) -> None:
    with pytest.raises(RequestError, match="^product_id: ") as caught:
        check_id("product_id", value)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("value", [None, 42, 4.2, True, b"C0042", ["C0042"], {"path": "/etc/passwd"}])
def test_ids_of_another_type(value: Any) -> None:
    with pytest.raises(RequestError, match="^customer_id: wanted a text id"):
        check_id("customer_id", value)


@pytest.mark.parametrize("price", [(0, 0), (5, 40), [5.5, 5.5], (np.float64(1), np.int64(3))])
def test_prices_in_order(price: Any) -> None:
    assert check_price(price) == (float(price[0]), float(price[1]))


def test_no_price_is_no_limit() -> None:
    assert check_price(None) is None


@pytest.mark.parametrize(
    "price",
    [(40, 5), (-1, 5), (-2, -1), (NAN, 5), (5, NAN), (0, INF), (-INF, 5), (5,), (1, 2, 3), (), 5, "5", "12"]
    + [("5", "40"), (True, 5), (None, 5), (5, None), ([1], [2]), (10**400, 10**401), {}],
)
def test_prices_that_are_no_range(price: Any) -> None:
    with pytest.raises(RequestError, match="^price: wanted two numbers"):
        check_price(price)


def test_names_are_texts() -> None:
    assert check_names("categories", None) == []
    assert check_names("categories", ()) == []
    assert check_names("categories", (name for name in ("Beauty", "Toys"))) == ["Beauty", "Toys"]


@pytest.mark.parametrize("values", ["Beauty", 5, [5], [None], [["Beauty"]], [{"a": 1}], ["Beauty", 1.5]])
def test_names_that_are_none(values: Any) -> None:
    with pytest.raises(RequestError, match="^history: wanted a list of texts"):
        check_names("history", values)


@pytest.mark.parametrize("value", [0, 25, 1e12, 0.5])
def test_amounts(value: float) -> None:
    assert check_amount("page_views", value) == value


def test_an_unknown_amount_is_missing() -> None:
    assert math.isnan(check_amount("page_views", None))


@pytest.mark.parametrize("value", [-1, 2e12, NAN, INF, -INF, True, "25", [25]])
def test_amounts_that_cannot_be(value: Any) -> None:
    with pytest.raises(RequestError, match="^time_spent: wanted a number"):
        check_amount("time_spent", value)
