"""Keeps account of where every row of one file goes, and stops where too many cannot be understood."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from embedrec.errors import DataError, printable, quoted
from embedrec.tables.model import QUARANTINE_COLUMNS, TableAccount
from embedrec.tables.raw import RawTable

MOST_QUARANTINED = 0.05  # of the rows read
LONGEST_NAME = 60  # characters of a header in a sentence
LONGEST_TEXT = 10_000  # characters of a quarantined row that are kept: a stray quotation mark may swallow megabytes
_USED, _QUARANTINED, _DUPLICATE, _SET_ASIDE = range(4)


class Ledger:
    """One fate a row; the first one given stays."""

    def __init__(self, table: str, raw: RawTable) -> None:
        self.table = table
        self.raw = raw
        self.notes = list(raw.notes)
        self._fate = np.full(len(raw.cells), _USED, dtype=np.int8)
        self._quarantined: list[tuple[str, pd.Series]] = []  # header, the reason of each row
        self._mends: dict[str, str] = {}

    @property
    def used(self) -> np.ndarray:
        """Mask of the rows still in use."""
        mask: np.ndarray = self._fate == _USED
        return mask

    def where(self, header: str) -> str:
        """Name a column in messages."""
        return f"{self.raw.file}, column {_name(header)}"

    def line(self, row: int) -> int:
        """Return the line of the file on which a row stands."""
        return self.raw.line_of(int(self.raw.records[row]))

    def note(self, *sentences: str) -> None:
        """Add sentences for the report."""
        self.notes.extend(sentences)

    def quarantine(self, rows: np.ndarray, header: str, reasons: pd.Series | str, mend: str = "") -> None:
        """Quarantine rows for the cell under `header`, with one reason for all or one for each row.

        `mend` says what to do should there be too many: "set data.columns…".
        """
        if mend:
            self._mends[header] = mend
        taken = self._take(rows, _QUARANTINED)
        why = reasons if isinstance(reasons, str) else reasons.iloc[taken].to_numpy()
        self._quarantined.append((header, pd.Series(why, index=taken, dtype="str")))

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
        causes = self._causes()
        quarantined = causes.total()
        if quarantined > MOST_QUARANTINED * read:
            self._stop(causes, read)
        quarantine_notes = [
            f"{_rows(count)} quarantined: {_name(header) + ' ' if header else ''}{reason}"
            for (header, reason), count in causes.items()
        ]
        return TableAccount(
            table=self.table,
            file=printable(self.raw.file),
            read=read,
            used=int(counts[_USED]),
            quarantined=quarantined,
            duplicates=int(counts[_DUPLICATE]),
            set_aside=int(counts[_SET_ASIDE]),
            notes=tuple(map(printable, (*self.notes, *quarantine_notes))),
        )

    def quarantined_rows(self) -> pd.DataFrame:
        """Return the quarantined rows: table, file, line, column, reason and the raw text, cut where long."""
        found = [(rejected.line, "", rejected.reason, rejected.text) for rejected in self.raw.rejected]
        for header, reasons in self._quarantined:
            for row, reason in zip(reasons.index.to_numpy(), reasons, strict=True):
                found.append((self.line(int(row)), header, reason, self._text(int(row), header)))
        return pd.DataFrame(
            [(self.table, self.raw.file, *row, _cut(text)) for *row, text in sorted(found)],
            columns=list(QUARANTINE_COLUMNS),
        )

    def _causes(self) -> Counter[tuple[str, str]]:
        """Count the quarantined rows by (header, reason); the header is '' where the whole line is at fault."""
        causes = Counter(("", _general(rejected.reason)) for rejected in self.raw.rejected)
        for header, reasons in self._quarantined:
            causes.update({(header, str(reason)): int(count) for reason, count in reasons.value_counts().items()})
        return causes

    def _text(self, row: int, header: str) -> str:
        text = self.raw.cells[header].iloc[row]
        return "" if pd.isna(text) else str(text)

    def _take(self, rows: np.ndarray, fate: int) -> np.ndarray:
        taken = np.flatnonzero(np.asarray(rows, dtype=bool) & self.used)
        self._fate[taken] = fate
        return taken

    def _stop(self, causes: Counter[tuple[str, str]], read: int) -> None:
        (header, reason), _ = causes.most_common(1)[0]
        if header:
            found = (reasons.index[reasons == reason] for of, reasons in self._quarantined if of == header)
            row = min(int(rows[0]) for rows in found if len(rows))
            line, thing = self.line(row), f"{_name(header)} {quoted(self._text(row, header))} {reason}"
        else:
            first = min((one for one in self.raw.rejected if _general(one.reason) == reason), key=lambda one: one.line)
            line, thing = first.line, f"{quoted(first.text)} has {first.reason}"
        quarantined = causes.total()
        share = f"{quarantined:,} of {read:,} rows ({quarantined / read:.0%}) cannot be understood"
        mend = "correct the file"
        if header:
            mend += ", or " + self._mends.get(header, "name the right column with data.columns")
        raise DataError(
            f"{self.raw.file}, line {line}: {thing}; {share}, at most {MOST_QUARANTINED:.0%} may be: {mend}"
        )


def _general(reason: str) -> str:
    """Leave out what the reason of a whole line says in brackets of this one alone."""
    return reason.split(" (")[0]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _name(header: str) -> str:
    """Show a header: as it is, unless a terminal would obey it or it would drown the sentence."""
    return header if header.isprintable() and len(header) <= LONGEST_NAME else quoted(header, LONGEST_NAME)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
