"""Words that a reader may not know, each with its meaning on hover, on focus, and for screen readers."""

from __future__ import annotations

from embedrec.app.views import _text


def tip(word: str, meaning: str) -> str:
    """A word of ours with its meaning. Both are escaped."""
    return f'<span class="er-tip" tabindex="0">{_text(word)}<span class="er-meaning"> ({_text(meaning)})</span></span>'
