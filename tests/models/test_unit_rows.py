"""Unit vectors of table rows against torch's own normalising."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from embedrec.models.unit_rows import unit_rows


@pytest.mark.parametrize("dim", [30_000, 9_000])  # a block holds one row, or three
@pytest.mark.parametrize("rows", [[], [0], [4, 1, 3], [2, 2, 0, 2], list(range(5))])
def test_values_and_gradients_are_those_of_normalize(rows: list[int], dim: int) -> None:
    torch.manual_seed(0)
    table = nn.Embedding(5, dim, sparse=True)
    chosen, goal = torch.tensor(rows, dtype=torch.int64), torch.randn(len(rows), dim)
    wanted = F.normalize(table(chosen), dim=1)
    (wanted * goal).sum().backward()
    expected, table.weight.grad = table.weight.grad, None
    unit = unit_rows(table.weight, chosen)
    (unit * goal).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.is_sparse
    torch.testing.assert_close(unit, wanted)
    torch.testing.assert_close(table.weight.grad.to_dense(), expected.to_dense())


def test_a_row_of_zeros_stays() -> None:
    table = torch.zeros(2, 3, requires_grad=True)
    unit = unit_rows(table, torch.tensor([1]))
    assert torch.equal(unit, torch.zeros(1, 3))
