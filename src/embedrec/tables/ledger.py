"""Keeps account of where every row of one file goes, and stops where too many cannot be understood."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from embedrec.errors import DataError, quoted
from embedrec.tables.model import QUARANTINE_COLUMNS, TableAccount
from embedrec.tables.raw import RawTable

MOST_QUARANTINED = 0.05  # of the rows read
_USED, _QUARANTINED, _DUPLICATE, _SET_ASIDE = range(4)


class Ledger:
    """One fate a row; the first one given stays."""

    def __init__(self, table: str, raw: RawTable) -> None:
        self.table = table
        self.raw = raw
        self.notes = list(raw.notes)
        self._fate = np.full(len(raw.cells), _USED, dtype=np.int8)
        self._quarantined: list[tuple[int, str, str, str]] = [
            (rejected.line, "", rejected.reason, rejected.text) for rejected in raw.rejected
        ]

    @property
    def used(self) -> np.ndarray:
        """Mask of the rows still in use."""
        mask: np.ndarray = self._fate == _USED
        return mask

    def where(self, header: str) -> str:
        """Name a column in messages."""
        return f"{self.raw.file}, column {header}"

    def line(self, row: int) -> int:
        """Return the line of the file on which a row stands."""
        return self.raw.line_of(int(self.raw.records[row]))

    def note(self, *sentences: str) -> None:
        """Add sentences for the report."""
        self.notes.extend(sentences)

    def quarantine(self, rows: np.ndarray, header: str, reasons: pd.Series | str) -> None:
        """Quarantine rows for the cell under `header`, with one reason for all or one for each row."""
        taken = self._take(rows, _QUARANTINED)
        texts = self.raw.cells[header].iloc[taken]
        why = [reasons] * len(taken) if isinstance(reasons, str) else reasons.iloc[taken]
        for row, reason, text in zip(taken, why, texts, strict=True):
            self._quarantined.append((self.line(int(row)), header, reason, "" if pd.isna(text) else str(text)))

    def set_aside(self, rows: np.ndarray, rule: str) -> None:
        """Set rows aside by a rule that completes "8,539 rows …"."""
        if count := len(self._take(rows, _SET_ASIDE)):
            self.note(f"{_rows(count)} {rule} set aside")

    def drop_duplicates(self, rows: np.ndarray, rule: str) -> None:
        """Leave out duplicates, by a rule that completes "12 rows …"."""
        if count := len(self._take(rows, _DUPLICATE)):
            self.note(f"{_rows(count)} {rule}")

    def account(self) -> TableAccount:
        """Close the account. Raises DataError if more than 5 % of the rows were quarantined."""
        counts = np.bincount(self._fate, minlength=4)
        read = len(self._fate) + len(self.raw.rejected)
        quarantined = len(self._quarantined)
        if quarantined > MOST_QUARANTINED * read:
            self._stop(quarantined, read)
        counted = Counter(map(_cause, self._quarantined))
        quarantine_notes = [
            f"{_rows(count)} quarantined: {' '.join(filter(None, cause))}" for cause, count in counted.items()
        ]
        return TableAccount(
            table=self.table,
            file=self.raw.file,
            read=read,
            used=int(counts[_USED]),
            quarantined=quarantined,
            duplicates=int(counts[_DUPLICATE]),
            set_aside=int(counts[_SET_ASIDE]),
            notes=(*self.notes, *quarantine_notes),
        )

    def quarantined_rows(self) -> pd.DataFrame:
        """Return the quarantined rows: table, file, line, column, reason and the raw text."""
        rows = [(self.table, self.raw.file, *row) for row in sorted(self._quarantined)]
        return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))

    def _take(self, rows: np.ndarray, fate: int) -> np.ndarray:
        taken = np.flatnonzero(np.asarray(rows, dtype=bool) & self.used)
        self._fate[taken] = fate
        return taken

    def _stop(self, quarantined: int, read: int) -> None:
        cause, _ = Counter(map(_cause, self._quarantined)).most_common(1)[0]
        line, header, reason, text = min(row for row in self._quarantined if _cause(row) == cause)
        thing = f"{header} {quoted(text)}" if header else quoted(text)
        share = f"{quarantined:,} of {read:,} rows ({quarantined / read:.0%}) cannot be understood"
        mend = "correct the file" + (", or name the right column with data.columns" if header else "")
        raise DataError(
            f"{self.raw.file}, line {line}: {thing} {reason if header else f'has {reason}'}; "
            f"{share}, at most {MOST_QUARANTINED:.0%} may be: {mend}"
        )


def _cause(row: tuple[int, str, str, str]) -> tuple[str, str]:
    """Return column and reason, without what the reason says in brackets of this row alone."""
    _, header, reason, _ = row
    return header, reason.split(" (")[0]


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
