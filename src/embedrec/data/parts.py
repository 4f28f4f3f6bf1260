"""What one of several processes takes of a batch: some of its customers or pairs, and all that they are set against.

Every process makes the whole batch, which depends on (seed, epoch, step) alone, and keeps its own rows. Products drawn
or bought by anyone in the batch stay candidates for everyone, so nothing has to be sent to share negatives. The mean
over the processes of `share` times the mean over a part is the mean over the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from embedrec.data.baskets import BasketBatch
from embedrec.data.batches import Batch
from embedrec.data.pairs import PairBatch
from embedrec.data.sequences import SequenceBatch
from embedrec.models.inputs import CustomerInputs

AnyBatch = Batch | PairBatch | BasketBatch | SequenceBatch


class Part(NamedTuple):
    """The part of a batch that one of `parts` processes learns from."""

    own: AnyBatch
    whole: AnyBatch
    parts: int

    @property
    def size(self) -> int:
        """Number of examples of the whole batch: its figures are those of all processes together."""
        return self.whole.size

    def share(self, count: Callable[[Any], float]) -> float:
        """Return how much a mean over count(batch) things of this part counts beside those of the other parts."""
        if self.parts == 1:
            return 1.0
        total = count(self.whole)
        return self.parts * count(self.own) / total if total else 1.0


class Parts:
    """The batches of an epoch, of each the part of one process; place = 0 … parts - 1."""

    def __init__(self, batches: Iterable[AnyBatch], place: int, parts: int) -> None:
        self._batches, self._place, self._parts = batches, place, parts

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # batches of an epoch are counted

    def __iter__(self) -> Iterator[Part]:
        for batch in self._batches:
            yield part_of(batch, self._place, self._parts)


def part_of(batch: AnyBatch, place: int, parts: int) -> Part:
    """Take one of about equally large parts; there is nothing in it where the batch is smaller than the processes."""
    size = len(batch.tokens) if isinstance(batch, SequenceBatch) else batch.size
    rows = slice(size * place // parts, size * (place + 1) // parts)
    if isinstance(batch, PairBatch):
        return Part(PairBatch(*(column[rows] for column in batch)), batch, parts)
    if isinstance(batch, Batch):
        return Part(_of_customers(batch, rows), batch, parts)
    if isinstance(batch, BasketBatch):
        return Part(_of_baskets(batch, rows), batch, parts)
    return Part(_of_sequences(batch, rows), batch, parts)


def _of_customers(batch: Batch, rows: slice) -> Batch:
    wanted, bought = (_within(of, rows) for of in (batch.rows, batch.bought_rows))
    return batch._replace(
        customers=_inputs(batch.customers, rows),
        log_weight=batch.log_weight[rows],
        rows=batch.rows[wanted] - rows.start,
        columns=batch.columns[wanted],
        first_time=batch.first_time[wanted],
        bought_rows=batch.bought_rows[bought] - rows.start,
        bought_columns=batch.bought_columns[bought],
    )


def _inputs(customers: CustomerInputs, rows: slice) -> CustomerInputs:
    offsets = customers.line_offsets[rows.start : rows.stop + 1]
    lines = slice(int(offsets[0]), int(offsets[-1]))
    owners = customers.bought_rows, customers.habit_rows, customers.seen_rows
    bought, habits, seen = (_within(of, rows) for of in owners)
    return CustomerInputs(
        row=customers.row[rows],
        category=customers.category[rows],
        price_bucket=customers.price_bucket[rows],
        numeric=customers.numeric[rows],
        line_offsets=offsets - lines.start,
        line_items=customers.line_items[lines],
        line_ages=customers.line_ages[lines],
        bought_rows=customers.bought_rows[bought] - rows.start,
        bought_items=customers.bought_items[bought],
        repeat=customers.repeat[bought],
        looks_at_bought=customers.looks_at_bought[bought],
        habit_rows=customers.habit_rows[habits] - rows.start,
        habit_categories=customers.habit_categories[habits],
        habits=customers.habits[habits],
        seen_rows=customers.seen_rows[seen] - rows.start,
        seen_items=customers.seen_items[seen],
        looks=customers.looks[seen],
    )


def _of_baskets(batch: BasketBatch, rows: slice) -> BasketBatch:
    ends = torch.cat([batch.offsets, batch.offsets.new_tensor([len(batch.bought)])])
    bought = slice(int(ends[rows.start]), int(ends[rows.stop]))
    own = (batch.own_rows >= rows.start) & (batch.own_rows < rows.stop)
    return batch._replace(
        users=batch.users[rows],
        offsets=batch.offsets[rows] - bought.start,
        bought=batch.bought[bought],
        own_rows=batch.own_rows[own] - rows.start,
        own_columns=batch.own_columns[own],
    )


def _of_sequences(batch: SequenceBatch, rows: slice) -> SequenceBatch:
    wanted = _within(batch.rows, rows)
    own = (batch.own_rows >= wanted.start) & (batch.own_rows < wanted.stop)
    return batch._replace(
        tokens=batch.tokens[rows],
        kinds=batch.kinds[rows],
        gaps=batch.gaps[rows],
        rows=batch.rows[wanted] - rows.start,
        columns=batch.columns[wanted],
        wanted=batch.wanted[wanted],
        own_rows=batch.own_rows[own] - wanted.start,
        own_columns=batch.own_columns[own],
    )


def _within(owners: Tensor, rows: slice) -> slice:
    """Where in ascending `owners` those of some rows stand."""
    ends = torch.searchsorted(owners.contiguous(), owners.new_tensor([rows.start, rows.stop]))
    return slice(int(ends[0]), int(ends[1]))
