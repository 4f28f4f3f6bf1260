"""The order encoder: what a token may see, and what it must not; and the windows it reads."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embedrec.features.events import Events
from embedrec.models.attention import OrderEncoder
from embedrec.models.windows import windows


@pytest.fixture(scope="module")
def encoder() -> OrderEncoder:
    torch.manual_seed(0)
    encoder = OrderEncoder(dim=6, blocks=2, events=5, dropout=0.5).double().eval()
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return encoder


TOKENS = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
KINDS = torch.tensor([[0, 1, 0, 2, 0], [1, 0, 0, 0, 2]])
GAPS = torch.tensor([[0, 3, 1, 40, 2], [0, 0, 0, 7, 7]], dtype=torch.float64)


@pytest.mark.parametrize("place", range(5))
def test_a_token_sees_itself_and_those_before_it(encoder: OrderEncoder, place: int) -> None:
    other = TOKENS.clone()
    other[:, place] *= torch.arange(6)  # not by the same amount everywhere, which the norm would hide
    moved = (encoder(other, KINDS, GAPS) - encoder(TOKENS, KINDS, GAPS)).abs().amax(-1) > 1e-9
    assert not moved[:, :place].any()
    assert moved[:, place:].all()


def test_order_and_gaps_matter(encoder: OrderEncoder) -> None:
    last = encoder(TOKENS, KINDS, GAPS)[:, -1]
    assert not torch.allclose(encoder(TOKENS[:, [1, 0, 2, 3, 4]], KINDS, GAPS)[:, -1], last)
    assert not torch.allclose(encoder(TOKENS, KINDS, GAPS.flip(1))[:, -1], last)


def test_it_matters_what_was_done_with_a_product(encoder: OrderEncoder) -> None:
    every = [encoder(TOKENS, torch.full_like(KINDS, kind), GAPS)[:, -1] for kind in range(3)]
    assert not any(torch.allclose(one, other) for one, other in pairwise([*every, every[0]]))


def test_longer_neighbours_change_nothing(encoder: OrderEncoder) -> None:
    torch.testing.assert_close(encoder(TOKENS[:, :3], KINDS[:, :3], GAPS[:, :3]), encoder(TOKENS, KINDS, GAPS)[:, :3])


def test_nothing_exceeds_its_reach(encoder: OrderEncoder) -> None:
    longest = encoder(100 * TOKENS, KINDS, GAPS).norm(dim=-1).max()
    assert longest <= encoder.reach() < 5 * longest


def test_shares_and_what_is_no_single_token_s_add_up() -> None:
    """By hand for one block without its small network: own vector, attention by token, and a rest without tokens."""
    torch.manual_seed(2)
    small = OrderEncoder(dim=6, blocks=1, events=5, dropout=0.0).double().eval()
    (block,) = small.blocks
    for weight in small.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    torch.nn.init.zeros_(block.each[-1].weight)
    last = torch.tensor([4, 2])
    shares, rows = small.shares(TOKENS, KINDS, GAPS, last), torch.arange(2)
    apart = small(TOKENS, KINDS, GAPS)[rows, last] - shares.sum(1)
    tokens = small._enter(TOKENS, KINDS, GAPS)
    left = tokens[rows, last] - small.enter(TOKENS)[rows, last] + block.each[-1].bias + block.outward.bias
    left = left + block.outward.weight @ block.inward.bias[12:]
    spread = block(tokens)[rows, last].var(1, correction=0, keepdim=True).add(small.leave.eps).sqrt()
    torch.testing.assert_close(
        apart, (left - left.mean(1, keepdim=True)) / spread * small.leave.weight + small.leave.bias
    )


def test_later_tokens_have_no_share(encoder: OrderEncoder) -> None:
    shares = encoder.shares(TOKENS, KINDS, GAPS, torch.tensor([4, 2]))
    assert not shares[1, 3:].any()
    assert (shares[0].norm(dim=1) > 0.01).all()
    torch.testing.assert_close(
        encoder.shares(TOKENS[1:, :3], KINDS[1:, :3], GAPS[1:, :3], torch.tensor([2]))[0], shares[1, :3]
    )


def test_a_token_that_is_worth_nothing_to_attention_has_no_share(encoder: OrderEncoder) -> None:
    blind = copy.deepcopy(encoder)
    for block in blind.blocks:
        torch.nn.init.zeros_(block.inward.weight[12:])  # the values
    shares = blind.shares(TOKENS, KINDS, GAPS, torch.tensor([4, 4]))
    assert not shares[:, :4].any()
    assert shares[:, 4].any()


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=6), max_size=4), st.integers(1, 4))
def test_windows_by_plain_lists(histories: list[list[tuple[int, int]]], events: int) -> None:
    histories = [sorted(history, key=lambda line: line[1]) for history in histories]
    lines = [line for history in histories for line in history]
    offsets = np.cumsum([0, *(len(history) for history in histories)])
    items, days = (np.array([line[column] for line in lines], np.int64) for column in (0, 1))
    found = windows(Events(offsets, items, items % 3, 50.0 - days), events)
    assert found.lengths.tolist() == [min(len(history), events) for history in histories]
    for row, history in enumerate(histories):
        kept = history[-events:]
        size = len(kept)
        assert found.items[row, :size].tolist() == [item for item, _ in kept]
        assert found.kinds[row, :size].tolist() == [item % 3 for item, _ in kept]
        gaps = [0, *(later[1] - earlier[1] for earlier, later in pairwise(kept))][:size]
        assert found.gaps[row, :size].tolist() == gaps
        assert not found.filled[row, size:].any()
