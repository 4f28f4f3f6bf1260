"""Where labels go so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle on the page, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Return the area both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    def outside(self, room: Box) -> float:
        """Return the area that lies outside a room."""
        return (self.right - self.left) * (self.top - self.bottom) - self.overlap(room)


# Where a label may stand, as seen from its point: (how much of its width, of its height, lies left of and below it),
# and the direction it is moved to. Beside before above and below, slanted last.
_SIDES = (
    (0.0, 0.5, 1, 0), (1.0, 0.5, -1, 0), (0.5, 0.0, 0, 1), (0.5, 1.0, 0, -1),
    (0.0, 0.0, 1, 1), (0.0, 1.0, 1, -1), (1.0, 0.0, -1, 1), (1.0, 1.0, -1, -1),
)  # fmt: skip
_STEPS = range(1, 16)


def place(
    points: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], room: Box, gap: float
) -> list[Box]:
    """Place a label of each size [n] beside its point [n], in the room, clear of the other labels and of all points.

    The first labels choose first. Each takes the nearest free place of those one to fifteen gaps from its point, on
    eight sides; where none is free, the one that covers least.
    """
    taken = [Box(x - gap / 2, y - gap / 2, x + gap / 2, y + gap / 2) for x, y in points]
    placed: list[Box] = []
    for (x, y), size in zip(points, sizes, strict=True):
        options = [
            _box(x + steps * gap * right, y + steps * gap * up, left, below, size)
            for steps in _STEPS
            for left, below, right, up in _SIDES
        ]
        covered = [option.outside(room) + sum(map(option.overlap, taken)) for option in options]
        least = min(covered)
        placed.append(options[next(at for at, area in enumerate(covered) if area <= least + 1e-6)])
        taken.append(placed[-1])
    return placed


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart, keeping their order, until neighbours are `gap` apart; in 0 to 1 if they fit."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for lower, upper in pairwise(order):
        placed[upper] = max(placed[upper], placed[lower] + gap)
    excess = max(0.0, placed[order[-1]] - 1.0) if order else 0.0
    if excess:
        placed[order[-1]] -= excess
        for upper, lower in pairwise(reversed(order)):
            placed[lower] = min(placed[lower], placed[upper] - gap)
    return placed


def nearest(box: Box, point: tuple[float, float]) -> tuple[float, float]:
    """Return the spot of a box that is nearest to a point."""
    return min(max(point[0], box.left), box.right), min(max(point[1], box.bottom), box.top)


def _box(x: float, y: float, left: float, below: float, size: tuple[float, float]) -> Box:
    width, height = size
    return Box(x - left * width, y - below * height, x + (1 - left) * width, y + (1 - below) * height)
