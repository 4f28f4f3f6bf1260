"""The order encoder: what it may see, and what it must not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from embedrec.models.attention import OrderEncoder


@pytest.fixture(scope="module")
def encoder() -> OrderEncoder:
    torch.manual_seed(0)
    encoder = OrderEncoder(dim=6, blocks=2, events=4, dropout=0.5).double().eval()
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return encoder


VECTORS = torch.randn(9, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def read(encoder: OrderEncoder, *histories: list[tuple[int, float]]) -> Tensor:
    """Encode histories of (product, age in days), oldest first."""
    lines = [line for history in histories for line in history]
    offsets = torch.tensor([0, *torch.tensor([len(history) for history in histories]).cumsum(0).tolist()])
    positions = torch.tensor([product for product, _ in lines], dtype=torch.int64)
    encoded: Tensor = encoder(VECTORS, positions, offsets, torch.tensor([age for _, age in lines]).double())
    return encoded


ONE = [(1, 9.0), (5, 4.0), (2, 1.0)]


def test_the_order_matters(encoder: OrderEncoder) -> None:
    turned = [(5, 9.0), (1, 4.0), (2, 1.0)]
    assert not torch.allclose(read(encoder, ONE), read(encoder, turned))


def test_gaps_matter_and_how_long_ago_the_last_was(encoder: OrderEncoder) -> None:
    for ages in ((90.0, 4.0, 1.0), (9.0, 4.0, 3.0), (39.0, 34.0, 31.0)):
        other = [(product, age) for (product, _), age in zip(ONE, ages, strict=True)]
        assert not torch.allclose(read(encoder, ONE), read(encoder, other))


def test_only_the_last_events_are_read(encoder: OrderEncoder) -> None:
    long = [(7, 99.0), (3, 20.0), *ONE]
    other = [(8, 98.0), (3, 20.0), *ONE]
    torch.testing.assert_close(read(encoder, long), read(encoder, other))
    assert not torch.allclose(read(encoder, long), read(encoder, [(4, 20.0), *ONE]))


def test_alone_as_in_a_batch(encoder: OrderEncoder) -> None:
    longer = [(3, 20.0), *ONE]
    together = read(encoder, ONE, [], longer, [(4, 2.0)])
    for place, history in enumerate((ONE, [], longer, [(4, 2.0)])):
        torch.testing.assert_close(together[place], read(encoder, history)[0])


def test_nothing_bought_says_nothing(encoder: OrderEncoder) -> None:
    assert not read(encoder, []).any()
    assert not read(encoder, ONE, [])[1].any()
    assert read(encoder).shape == (0, 6)
