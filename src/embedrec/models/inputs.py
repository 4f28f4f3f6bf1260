"""Numpy states to tensors. B customers, L purchase lines, P bought and Q seen products, C categories, N products."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from embedrec.features import Customers, Products
from embedrec.features.patterns import Vectors


class ProductInputs(NamedTuple):
    """All N products at a date."""

    row: Tensor  # [N] int64
    category: Tensor  # [N] int64
    price_bucket: Tensor  # [N] int64
    numeric: Tensor  # [N, 3] float, NaN = missing
    dynamic: Tensor  # [N, D] float, NaN = missing
    patterns: Tensor | None = None  # [N, KINDS, p] float, as of the date; None = those the network keeps


class CustomerInputs(NamedTuple):
    """B customers at a date."""

    row: Tensor  # [B] int64
    category: Tensor  # [B] int64
    price_bucket: Tensor  # [B] int64
    numeric: Tensor  # [B, F] float, NaN = missing
    line_offsets: Tensor  # [B + 1] int64
    line_items: Tensor  # [L] int64
    line_ages: Tensor  # [L] float, days
    bought_rows: Tensor  # [P] int64, customer of each bought product
    bought_items: Tensor  # [P] int64
    repeat: Tensor  # [P, R] float
    looks_at_bought: Tensor  # [P, V] float, NaN = missing
    habit_rows: Tensor  # [C] int64, customer of each category bought from
    habit_categories: Tensor  # [C] int64
    habits: Tensor  # [C, H] float
    seen_rows: Tensor  # [Q] int64, customer of each product looked at and not bought
    seen_items: Tensor  # [Q] int64
    looks: Tensor  # [Q, V] float, NaN = missing


def product_inputs(
    products: Products, dtype: torch.dtype = torch.float32, patterns: Vectors | None = None
) -> ProductInputs:
    """Convert the products of a snapshot."""
    return ProductInputs(
        torch.from_numpy(products.row),
        torch.from_numpy(products.category),
        torch.from_numpy(products.price_bucket),
        torch.from_numpy(products.numeric).to(dtype),
        torch.from_numpy(products.dynamic).to(dtype),
        None if patterns is None else torch.from_numpy(patterns).to(dtype),
    )


def customer_inputs(customers: Customers, dtype: torch.dtype = torch.float32) -> CustomerInputs:
    """Convert a batch of customers."""
    return CustomerInputs(
        torch.from_numpy(customers.row),
        torch.from_numpy(customers.category),
        torch.from_numpy(customers.price_bucket),
        torch.from_numpy(customers.numeric).to(dtype),
        torch.from_numpy(customers.lines.offsets),
        torch.from_numpy(customers.line_items),
        torch.from_numpy(customers.line_ages).to(dtype),
        torch.from_numpy(customers.bought.rows),
        torch.from_numpy(customers.bought.values),
        torch.from_numpy(customers.repeat).to(dtype),
        torch.from_numpy(customers.looks_at_bought).to(dtype),
        torch.from_numpy(customers.categories.rows),
        torch.from_numpy(customers.categories.values),
        torch.from_numpy(customers.habits).to(dtype),
        torch.from_numpy(customers.seen.rows),
        torch.from_numpy(customers.seen.values),
        torch.from_numpy(customers.looks).to(dtype),
    )
