"""The page is well formed, self-contained and escaped; the same input gives the same bytes."""

from __future__ import annotations

import base64
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.report import (
    Cell,
    Report,
    colours,
    curve_figure,
    interval_figure,
    line_figure,
    shares_figure,
)
from embedrec.report.figures import _spread

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert('x')",
    "&lt;b&gt; & 'quotes' \"both\"",
    "\x00\x1b[31m\x7f bell",
    "\ud800 lone surrogate",
    "$\\frac{1}{0}$ % {} \\",
    "\N{GRINNING FACE} \N{HEBREW LETTER ALEF} 漢字",
    "a" * 300,
]
VOID = {"meta", "img"}
NAN = math.nan


class Reader(HTMLParser):
    """Checks that tags nest; collects the elements and the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader


def a_figure(name: str = "model") -> str:
    return interval_figure({name: (0.3, 0.2, 0.4)}, colours([name], name), name, name)


def full_page(words: list[str]) -> Report:
    """A page with these words in every place that takes text."""
    report = Report(" ".join(words), lead=" ".join(words))
    for word in words:
        report.heading(word)
        report.text(word)
        report.callout(word, "caution")
        report.tiles([Cell(word, word)])
        report.bullets([word])
        report.terms({word: word})
        report.table([word, "n"], [[word, Cell("0.5", word)]], word, highlight=word)
        report.figure(a_figure(word), word)
    return report


def test_a_page_is_well_formed_and_says_what_it_was_given(tmp_path: Path) -> None:
    report = full_page(["plain words"])
    report.write(tmp_path / "report.html")
    reader = read(tmp_path / "report.html")
    assert reader.tags[0][0] == "html"
    assert reader.said.count("plain words") >= 10
    assert {"h1", "h2", "table", "figure", "dl", "ul"} <= {tag for tag, _ in reader.tags}


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_text_stays_text(tmp_path: Path, word: str) -> None:
    full_page(["plain"]).write(tmp_path / "plain.html")
    full_page([word]).write(tmp_path / "hostile.html")
    plain, hostile = read(tmp_path / "plain.html"), read(tmp_path / "hostile.html")
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [set(attrs) for _, attrs in hostile.tags] == [set(attrs) for _, attrs in plain.tags]
    shown = "".join(hostile.said)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown)
    if word.isprintable():
        assert word in shown


@given(st.text(max_size=60))
def test_any_text_makes_a_figure_that_is_xml(word: str) -> None:
    ElementTree.fromstring(a_figure(word))


def test_nothing_is_fetched(tmp_path: Path) -> None:
    full_page(["plain"]).write(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    outside = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?:|url\(|@import|<script|<link|<iframe", outside)
    reader = read(tmp_path / "report.html")
    assert all(attrs["src"].startswith("data:image/svg+xml;base64,") for tag, attrs in reader.tags if tag == "img")
    policies = [attrs["content"] for _, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_figures_hold_no_reference_to_fetch() -> None:
    svg = a_figure()
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    links = set(re.findall(r'https?://[^"\s<]+', svg.split("-//W3C//DTD SVG 1.1//EN")[-1]))
    assert {link for link in links if not link.endswith(".dtd")} <= names
    assert not re.search(r"<script|<image|<foreignObject|@import|url\((?!#)", svg)


def test_figures_arrive_unchanged(tmp_path: Path) -> None:
    report = Report("t")
    report.figure(a_figure(), "one")
    report.write(tmp_path / "report.html")
    (image,) = (attrs for tag, attrs in read(tmp_path / "report.html").tags if tag == "img")
    assert base64.b64decode(str(image["src"]).split(",")[1]).decode() == a_figure()
    assert image["alt"] == "one"


def test_consecutive_figures_share_a_row_and_a_text_ends_it(tmp_path: Path) -> None:
    report = Report("t")
    for caption in ("one", "two"):
        report.figure(a_figure(), caption)
    report.text("between")
    report.figure(a_figure(), "three")
    report.write(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('<div class="figures">') == 2
    assert page.index("<figcaption>two") < page.index("between") < page.index("<figcaption>three")


def test_numbers_align_right_and_words_left(tmp_path: Path) -> None:
    report = Report("t")
    report.table(["word", "n"], [["7 dwarfs", "1,234"], ["x", Cell("0.5", "note")], ["y", "–"]], "c", highlight="x")
    report.write(tmp_path / "report.html")
    cells = [
        (tag, attrs.get("class")) for tag, attrs in read(tmp_path / "report.html").tags if tag in {"td", "th", "tr"}
    ]
    assert cells[:3] == [("tr", None), ("th", None), ("th", "number")]
    assert cells.count(("td", "number")) == 3
    assert cells.count(("tr", "highlight")) == 1


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        full_page(["plain", "words"]).write(tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    Report("old").write(path)
    before = path.read_bytes()

    def full_disk(self: Path, text: str, **_: object) -> int:
        self.write_bytes(text.encode()[:50])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space"):
        Report("new").write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


MODELS = [f"model {number}" for number in range(13)]
FIGURES: dict[str, Callable[[], str]] = {
    "line": lambda: line_figure([0, 1, 2], [3.0, NAN, 1.0], "epoch", "loss", mark_highest=True),
    "line of one point": lambda: line_figure([0], [0.5], "epoch", "loss", mark_highest=True),
    "line without values": lambda: line_figure([0, 1], [NAN, NAN], "epoch", "loss", mark_highest=True),
    "intervals": lambda: interval_figure(
        {"a": (0.3, 0.2, 0.4), "b": (0.1, NAN, NAN), "c": (NAN, NAN, NAN)},
        colours(["a", "b", "c"], "b"),
        "b",
        "NDCG",
        limit=("best possible", 0.6),
    ),
    "intervals all zero": lambda: interval_figure({"a": (0.0, 0.0, 0.0)}, colours(["a"], "a"), "a", "NDCG"),
    "curves": lambda: curve_figure(
        {name: {k: (k / 50, k / 60, k / 40) for k in (1, 5, 20)} for name in MODELS},
        colours(MODELS, MODELS[3]),
        MODELS[3],
        "k",
        "recall",
    ),
    "curves of one point": lambda: curve_figure({"a": {10: (0.1, NAN, NAN)}}, colours(["a"], "a"), "a", "k", "r"),
    "curves all zero": lambda: curve_figure(
        {"a": {5: (0.0, 0.0, 0.0), 10: (0.0, 0.0, 0.0)}}, {"a": "red"}, "a", "k", "r"
    ),
    "shares": lambda: shares_figure({"a": [0.5, 0.3, 0.2, 0.0], "b": [NAN] * 4}, ["1", "2", "3", "4"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_xml_repeat_and_scale(name: str) -> None:
    svg = FIGURES[name]()
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox"), "without a view box an image does not scale"
    assert svg == FIGURES[name]()
    assert "nan" not in svg.lower()


def test_every_name_is_beside_its_mark() -> None:
    said = [element.text for element in ElementTree.fromstring(FIGURES["curves"]()).iter() if element.text]
    assert set(MODELS) <= set(said)


def test_the_highest_point_is_marked() -> None:
    assert "best 3.0000" in FIGURES["line"]()


def test_colours_stay_with_their_names() -> None:
    assert len(set(colours(MODELS[:8], MODELS[2]).values())) == 8
    assert colours(MODELS, MODELS[2])[MODELS[0]] == colours(MODELS[:3], MODELS[2])[MODELS[0]]
    assert set(colours(MODELS, MODELS[2])) == set(MODELS)


@given(st.lists(st.floats(0, 1), max_size=10))
def test_labels_keep_their_order_and_distance(heights: list[float]) -> None:
    gap = 0.1
    placed = _spread(heights, gap)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    in_order = [placed[place] for place in order]
    assert all(upper - lower >= gap - 1e-9 for lower, upper in pairwise(in_order))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in placed), "ten labels a tenth apart fit"


def test_a_page_without_figures_needs_no_matplotlib() -> None:
    asked = "import sys, embedrec.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
