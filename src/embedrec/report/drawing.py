"""The house style of figures: SVG text, the same input giving the same bytes.

Each is half a page wide, so that a phone shows it at almost full size, and has its labels beside the marks
instead of a legend. A name keeps its colour in every figure drawn with the same mapping of colours.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers, without its yellow (too pale on white).
HIGHLIGHT = "#0072B2"
OTHERS = ("#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6BB1", "#7F7F7F")
# The most distinct of them first, for few names that stand out among many grey ones.
LEADING = (HIGHLIGHT, "#D55E00", "#009E73", "#CC79A7", "#E69F00")
BACKGROUND = "#A7AFB7"
SHADES = ("#08519C", "#4292C6", "#9ECAE1", "#DEEBF7")
INK, FAINT, GRID = "#22262b", "#5a646e", "#e4e7ea"
# The first sizes the layout; the reader's own interface font then draws the letters.
_FONT = "DejaVu Sans"
_READER_FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
_WIDTH = 4.6  # inches
_LONGEST_NAME = 28
_LONGEST_LABEL = 48  # of an axis


def colours(names: Sequence[str], highlighted: str) -> dict[str, str]:
    """Give each name its colour: the highlighted one blue, the others in their order, again after seven."""
    others = [name for name in names if name != highlighted]
    chosen = {name: OTHERS[place % len(OTHERS)] for place, name in enumerate(others)}
    return chosen | {highlighted: HIGHLIGHT}


def leading_colours(names: Sequence[str], leading: Sequence[str]) -> dict[str, str]:
    """Give a colour of its own to each of at most five leading names, the first blue, and grey to all others."""
    assert len(leading) <= len(LEADING), leading
    return dict.fromkeys(names, BACKGROUND) | dict(zip(leading, LEADING, strict=False))


def svg(draw: Callable[[Figure], None], height: float) -> str:
    """Let `draw` fill a figure `height` inches tall, in the house style, and return the SVG text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.hashsalt": "embedrec", "svg.fonttype": "none", "text.parse_math": False, "font.family": [_FONT],
        "font.size": 9.5, "text.color": INK, "axes.labelcolor": FAINT, "axes.edgecolor": GRID,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "grid.color": GRID,
        "xtick.color": GRID, "ytick.color": GRID, "xtick.labelcolor": FAINT, "ytick.labelcolor": INK,
        "xtick.major.size": 0, "ytick.major.size": 0, "xtick.minor.size": 0, "legend.frameon": False,
        "legend.handlelength": 1.0, "legend.handletextpad": 0.4,
    }  # fmt: skip
    with mpl.rc_context(style), warnings.catch_warnings():
        # A letter the layout font lacks, and a name too long to leave room, both still draw.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        file = io.StringIO()
        undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=undated)
    return file.getvalue().replace(f"'{_FONT}'", _READER_FONT)


def printable(text: str, longest: int = _LONGEST_NAME) -> str:
    """Cut a name to a length that leaves room, without the characters an SVG file must not hold."""
    valid = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text)
    return valid if len(valid) <= longest else valid[: longest - 1] + "…"


def axis_label(text: str) -> str:
    """Cut what an axis says to the length of the axis."""
    return printable(text, _LONGEST_LABEL)


def weight(strong: bool) -> str:
    """Return the font weight of a name that stands out, or not."""
    return "bold" if strong else "normal"
