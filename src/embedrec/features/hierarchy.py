"""Categories within categories: "Drinks > Tea > Green" lies in "Drinks > Tea", and that in "Drinks"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from embedrec.features.history import Ints

WITHIN = " > "  # as in Google's product taxonomy
DEEPEST = 20  # marks in a name; that taxonomy has 6, and each is one more category and one more step for every model


def parent(name: str) -> str | None:
    """Return the category in which a category lies; a name with more than 20 marks is a text, and lies in none.

    >>> parent("Drinks > Tea > Green"), parent("Drinks")
    ('Drinks > Tea', None)
    """
    if name.count(WITHIN) > DEEPEST:
        return None
    above, _, _ = name.rpartition(WITHIN)
    return above or None


def upwards(name: str) -> Iterator[str]:
    """Yield a category, the one in which it lies, and so on to the top."""
    above: str | None = name
    while above is not None:
        yield above
        above = parent(above)


def with_parents(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names and all categories above them, sorted.

    >>> with_parents(["Drinks > Tea", "Food"])
    ('Drinks', 'Drinks > Tea', 'Food')
    """
    return tuple(sorted({above for name in set(names) for above in upwards(name)}))


def parent_rows(names: Sequence[str]) -> Ints:
    """[1 + len(names)]: the row of the category in which each row's lies, 0 = none; row 0 stands for no category."""
    rows = {name: row for row, name in enumerate(names, start=1)}
    return np.array([0, *(rows.get(parent(name) or "", 0) for name in names)], dtype=np.int64)


def nearest_rows(wanted: Iterable[object], names: Sequence[str]) -> Ints:
    """Return the row of each wanted category, or of the nearest known one above it; 0 where none is known."""
    rows = {name: row for row, name in enumerate(names, start=1)}

    def row(name: object) -> int:
        found = (rows[above] for above in upwards(name) if above in rows) if isinstance(name, str) else iter(())
        return next(found, 0)

    return np.array([row(name) for name in wanted], dtype=np.int64)
