"""What can go wrong and is the user's to mend; everything else is our bug.

    EmbedrecError
    ├── ConfigError     a setting: unknown, of the wrong type, out of range, or a combination that cannot be
    │   └── NotApplicableError   a model that these data, or this installation, give nothing to work with
    ├── DataError       a table: missing file or column, unreadable value, too little to work with
    ├── BundleError     an exported bundle: missing, damaged, or of another version
    ├── RequestError    a question to a Recommender: malformed id, k out of range, unknown product
    └── TrainingError   training that cannot go on: loss not finite, checkpoint not readable
        └── StorageError   a folder or checkpoint that cannot be written: disk full or read-only

A message is one line that names the thing, what was wanted, what came, and what to do next. Commands print it
as it is and end with exit code 2.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class EmbedrecError(Exception):
    """Base of every error that the user can mend; its message is one printable line, whatever names stand in it."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(_BREAKS.sub(" ", message)))


class ConfigError(EmbedrecError):
    """A setting is unknown, of the wrong type, or out of range."""


class NotApplicableError(ConfigError):
    """A model cannot be used on these data or in this installation; others can."""


class DataError(EmbedrecError):
    """A table cannot be read or does not hold what is needed."""


class BundleError(EmbedrecError):
    """A bundle is missing, damaged, or written by another format version."""


class RequestError(EmbedrecError, ValueError):
    """A question to a Recommender is malformed.

    `field` names the argument at fault, as the API spells it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class TrainingError(EmbedrecError):
    """Training cannot go on."""


class StorageError(TrainingError):
    """A folder or checkpoint cannot be written; every other training would meet the same."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the known name closest to `name`, or an empty string."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean {match[0]!r}?" if match else ""


# A password may itself hold "@" or "/"; so everything up to the last "@" goes. A path (sqlite:////home/a@b) has none.
_CREDENTIALS = re.compile(r"(?<=://)(?!/)[^\s'\"]*@")
_SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:password|passwd|token|secret|key)[^=&\s]*=)[^&\s'\"]+")


def masked(text: str) -> str:
    """Hide the credentials of every URI in a text.

    >>> masked("http://user:word@host:5000/?access_token=a1 is down")
    'http://***@host:5000/?access_token=*** is down'
    """
    return _SECRET.sub(r"\1***", _CREDENTIALS.sub("***@", text))


_BREAKS = re.compile(r"\s*[\r\n]\s*")


def printable(sentence: str) -> str:
    """Escape what a terminal would obey or not show, line breaks too.

    >>> printable("no column \x1b[2J")
    'no column \\x1b[2J'
    """
    if sentence.isprintable():
        return sentence
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in sentence)


def quoted(text: object, limit: int = 60) -> str:
    """Show a foreign value on one line: escaped, quoted, without credentials, and cut at `limit` characters."""
    plain = masked(str(text))
    shown = repr(plain) if plain.isprintable() else ascii(plain)
    return shown if len(shown) <= limit else shown[: limit - 2] + "…" + shown[-1]
