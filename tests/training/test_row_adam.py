"""Adam by rows against torch's Adam on each row's own gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from embedrec.training.row_adam import RowAdam


@pytest.mark.parametrize("size", [1.0, 1e-7])  # of gradients; small ones feel the epsilon
def test_each_row_goes_as_with_adam_alone(size: float) -> None:
    torch.manual_seed(0)
    table = nn.Embedding(1500, 3, sparse=True)
    start = table.weight.detach().clone()
    optimizer = RowAdam(table.parameters(), lr=0.1)
    alone = {row: nn.Parameter(start[row].clone()) for row in (0, 7, 1400)}
    peers = {row: torch.optim.Adam([weight], lr=0.1, betas=(0.9, 0.99)) for row, weight in alone.items()}
    for step in range(6):
        rows = torch.cat([torch.tensor([row for row in alone if step % 2 == 0 or row != 7]), torch.arange(100, 1300)])
        goal = size * torch.randn(len(rows), 3)
        optimizer.zero_grad()
        (table(rows) * goal).sum().backward()
        optimizer.step()
        for place, row in enumerate(rows[:-1200].tolist()):
            peers[row].zero_grad()
            (alone[row] * goal[place]).sum().backward()
            peers[row].step()
    for row, weight in alone.items():
        torch.testing.assert_close(table.weight[row], weight)
    untouched = [row for row in range(1500) if row not in alone and not 100 <= row < 1300]
    assert torch.equal(table.weight[untouched], start[untouched])


def test_a_row_met_twice_in_a_step_is_updated_once() -> None:
    table = nn.Embedding(4, 2, sparse=True)
    before = table.weight.detach().clone()
    optimizer = RowAdam(table.parameters(), lr=0.1)
    table(torch.tensor([2, 2])).sum().backward()
    optimizer.step()
    torch.testing.assert_close(table.weight[2], before[2] - 0.1)


@pytest.mark.parametrize("when", [1, 3])
def test_it_goes_on_from_its_state(when: int) -> None:
    def train(stop: int | None) -> torch.Tensor:
        torch.manual_seed(1)
        table = nn.Embedding(5, 2, sparse=True)
        optimizer = RowAdam(table.parameters(), lr=0.1)
        for step in range(5):
            if step == stop:
                state = optimizer.state_dict()
                optimizer = RowAdam(table.parameters(), lr=0.1)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            table(torch.tensor([0, step])).square().sum().backward()
            optimizer.step()
        return table.weight.detach()

    assert torch.equal(train(None), train(when))
