"""A self-contained HTML page: one file that opens offline, on a phone, in the dark and on paper.

No script, no font, nothing fetched; a content security policy says so to the browser as well. Everything
handed in is plain text and is escaped here.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from embedrec.report.finding import Finding

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1c2024; --soft: #5a646e; --paper: #f6f7f8; --card: #ffffff; --line: #e1e5e8;
  --accent: #0072b2; --tint: #e8f2f9; --good: #0a7d55; --good-tint: #e6f5ef;
  --caution: #b45309; --caution-tint: #fdf3e3; --stop: #b3261e; --stop-tint: #fdecea; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e8eaed; --soft: #a3adb8; --paper: #14171a; --card: #1e2226; --line: #32383e;
  --accent: #64b5ec; --tint: #1b2f3e; --good: #4cc38a; --good-tint: #14291f;
  --caution: #f0a848; --caution-tint: #2e2415; --stop: #f28b82; --stop-tint: #351c1a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; overflow-wrap: break-word;
  background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p, ul { max-width: 46rem; margin: .5rem 0; }
.lead, .caption, small, dd { color: var(--soft); }
.callout { max-width: none; margin: 1rem 0; padding: .85rem 1.1rem; border-radius: .4rem;
  border-left: .3rem solid var(--accent); background: var(--tint); }
.callout.good { border-color: var(--good); background: var(--good-tint); }
.callout.caution { border-color: var(--caution); background: var(--caution-tint); }
.callout.stop { border-color: var(--stop); background: var(--stop-tint); }
.callout.verdict { font-size: 1.2rem; font-weight: 600; line-height: 1.45; padding: 1.1rem 1.3rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .75rem;
  margin: 1rem 0; }
.tiles div, section, figure { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.tiles div { padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.55rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: .85rem; line-height: 1.4; }
section { margin: .75rem 0 1rem; overflow: hidden; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
.caption { margin: 0; padding: .7rem .8rem .2rem; font-size: .9rem; }
th, td { padding: .5rem .6rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
th:first-child { padding-left: .8rem; min-width: 8.5rem; }
th:last-child, td:last-child { padding-right: .8rem; }
thead th { border-top: 0; font-weight: 600; color: var(--soft); font-size: .83rem; vertical-align: bottom; }
tbody th { font-weight: 500; }
th.number:first-child { min-width: 0; }
th.number, td.number { text-align: right; }
td, tbody th { white-space: nowrap; }
td small { display: block; font-size: .76rem; }
tbody th, th:first-child { position: sticky; left: 0; background: var(--card); }
tr.highlight, tr.highlight th { background: var(--tint); }
tr.highlight th { font-weight: 700; color: var(--accent); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); gap: .75rem;
  margin: .75rem 0; }
figure { margin: 0; background: #fff; padding: .9rem 1rem .7rem; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; }
figcaption { color: #3c444c; font-size: .9rem; line-height: 1.4; margin-bottom: .6rem; }
.key { max-width: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .9rem; color: var(--soft); }
.key i { display: inline-block; width: .75rem; height: .75rem; border-radius: .2rem; margin-right: .4rem; }
.command, td code { font: .86rem/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
.command { margin: .5rem 0 1rem; padding: .7rem .9rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--card); }
td code { display: block; width: min(30rem, 62vw); margin-top: .4rem; }
td .prose { display: block; min-width: 12rem; max-width: 22rem; white-space: normal; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); }
section > details > summary { padding: .6rem .8rem; border-top: 1px solid var(--line); }
li { margin: .25rem 0; }
dl { columns: 2 24rem; column-gap: 2rem; }
dl div { break-inside: avoid; padding-bottom: .7rem; }
dt { font-weight: 600; }
dd { margin: 0; }
@media (max-width: 40rem) { tbody th { white-space: normal; }
  body { padding: 1.25rem .8rem 3rem; } h1 { font-size: 1.4rem; }
  .callout.verdict { font-size: 1.05rem; } .tiles { grid-template-columns: 1fr 1fr; }
  .tiles b { font-size: 1.3rem; } figure { padding: .8rem .5rem .5rem; } figcaption { padding: 0 .3rem; } }
@media print { body { padding: 0; max-width: none; background: #fff; font-size: 9.5pt; }
  h2 { break-after: avoid; } tr, .callout, .tiles div { break-inside: avoid; }
  section, .scroll { overflow: visible; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Cell(NamedTuple):
    """A table cell or tile with a smaller second line, such as a value and its interval."""

    value: str
    note: str


class Prose(NamedTuple):
    """A table cell of words that may take several lines."""

    words: str


class Command(NamedTuple):
    """A table cell that unfolds into a command line; one click selects it."""

    line: str


TableCell = str | Cell | Prose | Command


class Report:
    """An HTML page built from top to bottom; consecutive figures stand side by side where there is room."""

    def __init__(self, title: str, lead: str = "") -> None:
        self._title = title
        self._blocks = [f"<h1>{_escape(title)}</h1>"]
        self._figures: list[str] = []
        if lead:
            self._add(f'<p class="lead">{_escape(lead)}</p>')

    def heading(self, text: str) -> None:
        """Start a section."""
        self._add(f"<h2>{_escape(text)}</h2>")

    def text(self, paragraph: str) -> None:
        """Add a paragraph."""
        self._add(f"<p>{_escape(paragraph)}</p>")

    def callout(self, sentence: str, kind: str = "note") -> None:
        """Add a sentence that stands out; `kind` is one or more of note, good, caution, stop and verdict."""
        self._add(f'<p class="callout {_escape(kind)}">{_escape(sentence)}</p>')

    def tiles(self, figures: Iterable[Cell]) -> None:
        """Add key figures in large type, each with a line that says what it counts."""
        tiles = "".join(f"<div><b>{_escape(value)}</b><small>{_escape(note)}</small></div>" for value, note in figures)
        self._add(f'<div class="tiles">{tiles}</div>')

    def bullets(self, sentences: Iterable[str]) -> None:
        """Add a list."""
        self._add("<ul>" + "".join(f"<li>{_escape(sentence)}</li>" for sentence in sentences) + "</ul>")

    def findings(self, found: Iterable[Finding]) -> None:
        """Add findings: grave ones stand out, what is only good to know makes a list."""
        told = list(found)
        for one in told:
            if one.severity != "info":
                self.callout(_sentence(one.sentence), "stop" if one.severity == "stop" else "caution")
        if known := [_sentence(one.sentence) for one in told if one.severity == "info"]:
            self.bullets(known)

    def key(self, meanings: Mapping[str, str]) -> None:
        """Add what colours stand for, {meaning: colour as `#rrggbb`}."""
        keys = "".join(
            f'<span><i style="background:{_escape(colour)}"></i>{_escape(said)}</span>'
            for said, colour in meanings.items()
        )
        self._add(f'<p class="key">{keys}</p>')

    def command(self, line: str) -> None:
        """Add a command line; it wraps, and one click selects it."""
        self._add(f'<pre class="command"><code>{_escape(line)}</code></pre>')

    def terms(self, meanings: Mapping[str, str]) -> None:
        """Add words with their explanations."""
        terms = "".join(
            f"<div><dt>{_escape(word)}</dt><dd>{_escape(said)}</dd></div>" for word, said in meanings.items()
        )
        self._add(f"<dl>{terms}</dl>")

    def table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[TableCell]],
        caption: str,
        highlight: Collection[str] = (),
        folded: Sequence[Sequence[TableCell]] = (),
    ) -> None:
        """Add a table; rows whose first cell is in `highlight` stand out, columns of numbers align right.

        `folded` rows go into a table of their own below it, closed at first.
        """
        every = [*rows, *folded]
        assert all(len(row) == len(headers) for row in every), "a row has not one cell a column"
        is_number = [all(_looks_numeric(row[column]) for row in every) for column in range(len(headers))]
        kinds = [' class="number"' if number else "" for number in is_number]
        head = "".join(f'<th scope="col"{kind}>{_header(name)}</th>' for name, kind in zip(headers, kinds, strict=True))
        said = _escape(caption)

        def table(some: Sequence[Sequence[TableCell]]) -> str:
            body = "".join(_row(row, kinds, highlighted=row[0] in highlight) for row in some)
            return (
                f'<div class="scroll"><table aria-label="{said}">'
                f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            )

        rest = f"<details><summary>{len(folded):,} more</summary>{table(folded)}</details>" if folded else ""
        self._add(f'<section><p class="caption">{said}</p>{table(rows)}{rest}</section>')

    def figure(self, svg: str, caption: str) -> None:
        """Add a figure as an image, which can neither run a script nor fetch anything."""
        data = base64.b64encode(svg.encode()).decode()
        said = _escape(caption)
        image = f'<img alt="{said}" src="data:image/svg+xml;base64,{data}">'
        self._figures.append(f"<figure><figcaption>{said}</figcaption>{image}</figure>")

    def write(self, path: Path) -> None:
        """Write the page; a reader sees the old file or the new one, never half of it."""
        self._close_figures()
        page = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_escape(self._title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
            + "\n".join(self._blocks)
            + "\n</main></body></html>\n"
        )
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            unfinished.write_text(page, encoding="utf-8", newline="\n")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _add(self, block: str) -> None:
        self._close_figures()
        self._blocks.append(block)

    def _close_figures(self) -> None:
        if self._figures:
            self._blocks.append('<div class="figures">' + "".join(self._figures) + "</div>")
            self._figures = []


def _row(cells: Sequence[TableCell], kinds: Sequence[str], *, highlighted: bool) -> str:
    """One table row; its first cell is the row's header."""
    first, *others = zip(cells, kinds, strict=True)
    inside = f'<th scope="row"{first[1]}>{_content(first[0])}</th>'
    inside += "".join(f"<td{kind}>{_content(cell)}</td>" for cell, kind in others)
    return f'<tr class="highlight">{inside}</tr>' if highlighted else f"<tr>{inside}</tr>"


def _header(name: str) -> str:
    """Let a dotted name break after its dots."""
    return _escape(name).replace(".", ".<wbr>")


def _content(cell: TableCell) -> str:
    if isinstance(cell, Cell):
        return f"{_escape(cell.value)}<small>{_escape(cell.note)}</small>"
    if isinstance(cell, Prose):
        return f'<span class="prose">{_escape(cell.words)}</span>'
    if isinstance(cell, Command):
        return f"<details><summary>show</summary><code>{_escape(cell.line)}</code></details>"
    return _escape(cell)


def _sentence(words: str) -> str:
    """Begin with a capital, as a paragraph does, unless with the name of a column."""
    return words if "_" in words.split(" ")[0] else words[:1].upper() + words[1:]


def _looks_numeric(cell: TableCell) -> bool:
    if isinstance(cell, Prose | Command):
        return False
    value = cell.value if isinstance(cell, Cell) else cell
    return re.fullmatch(r"[+−<-]?\d[\d.,]*(e[+-]\d+)?( (%|s|min|h))?|–", value) is not None


def _escape(text: str) -> str:
    """Make foreign text safe inside an element or a quoted attribute, and valid in a UTF-8 page."""
    valid = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text)
    return html.escape(valid, quote=True)
