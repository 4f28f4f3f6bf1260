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
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.report import (
    BEST,
    RAMP,
    STOPPED,
    Cell,
    Command,
    Dot,
    Line,
    Mark,
    Prose,
    Report,
    Scale,
    Value,
    colours,
    cost_figure,
    curve_figure,
    difference_figure,
    interval_figure,
    leading_colours,
    line_figure,
    panels_figure,
    parallel_figure,
    progress_figure,
    reliability_figure,
    scale_of,
    scatter_figure,
    shades,
    share_bars_figure,
    shares_figure,
    slices_figure,
    steps_figure,
    trial_curves_figure,
    visible_dots,
    written,
)
from embedrec.report.cells import ABSENT, best_first, column, count, duration, probability
from embedrec.report.labels import Box, place, spread
from embedrec.report.marks import visible
from embedrec.report.trials import fitting_ticks

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
VOID = {"meta", "img", "wbr"}
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
    return interval_figure({name: (0.3, 0.2, 0.4)}, colours([name], name), {name}, name)


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
        report.key({word: "#0072B2"})
        report.table([word, "n"], [[word, Cell("0.5", word)]], word, highlight={word})
        report.table([word, "n"], [[word, Command(word)]], word, folded=[[word, Prose(word)]])
        report.command(word)
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
    report.table(
        ["word", "n"],
        [["7 dwarfs", "1,234"], ["x", Cell("0.5", "note")], ["y", "–"], ["z", "<0.001"]],
        "c",
        highlight={"x"},
    )
    report.write(tmp_path / "report.html")
    cells = [
        (tag, attrs.get("class")) for tag, attrs in read(tmp_path / "report.html").tags if tag in {"td", "th", "tr"}
    ]
    assert cells[:3] == [("tr", None), ("th", None), ("th", "number")]
    assert cells.count(("td", "number")) == 4
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
MARKS = [Mark(BEST, "best"), Mark(RAMP[0], "whole"), Mark(STOPPED, "stopped")]
DOTS = [Dot(200.0 * at, 0.1 + 0.02 * (at % 3), MARKS[at % 3]) for at in range(6)] + [Dot(1.0, NAN, MARKS[1])]
FIGURES: dict[str, Callable[[], str]] = {
    "line": lambda: line_figure([0, 1, 2], [3.0, NAN, 1.0], "epoch", "loss", best="highest"),
    "line of one point": lambda: line_figure([0], [0.5], "epoch", "loss", best="highest"),
    "line without values": lambda: line_figure([0, 1], [NAN, NAN], "epoch", "loss", best="highest"),
    "intervals": lambda: interval_figure(
        {"a": (0.3, 0.2, 0.4), "b": (0.1, NAN, NAN), "c": (NAN, NAN, NAN)},
        colours(["a", "b", "c"], "b"),
        {"b"},
        "NDCG",
        limit=("best possible", 0.6),
    ),
    "intervals all zero": lambda: interval_figure({"a": (0.0, 0.0, 0.0)}, colours(["a"], "a"), {"a"}, "NDCG"),
    "curves": lambda: curve_figure(
        {name: {k: (k / 50, k / 60, k / 40) for k in (1, 5, 20)} for name in MODELS},
        colours(MODELS, MODELS[3]),
        {MODELS[3]},
        "k",
        "recall",
    ),
    "curves of one point": lambda: curve_figure({"a": {10: (0.1, NAN, NAN)}}, colours(["a"], "a"), {"a"}, "k", "r"),
    "curves all zero": lambda: curve_figure(
        {"a": {5: (0.0, 0.0, 0.0), 10: (0.0, 0.0, 0.0)}}, {"a": "red"}, {"a"}, "k", "r"
    ),
    "intervals with seeds": lambda: interval_figure(
        {"a": (0.3, 0.2, 0.4)}, {"a": "red"}, {"a"}, "NDCG", dots={"a": [0.29, 0.31]}
    ),
    "line of errors": lambda: line_figure([0, 1, 2], [3.0, NAN, 1.0], "epoch", "RMSE", best="lowest"),
    "differences": lambda: difference_figure(
        {"a": (0.1, 0.05, 0.15), "b": (-0.1, NAN, NAN)}, {"a"}, {"a": "red", "b": "grey"}, {"a"}, "difference"
    ),
    "panels": lambda: panels_figure(
        {"head": {"a": (0.3, 0.2, 0.4)}, "tail": {"a": (NAN, NAN, NAN), "b": (0.1, 0.0, 0.2)}},
        {"a": "red", "b": "grey"},
        {"a"},
        "NDCG",
    ),
    "panels all zero": lambda: panels_figure({"head": {"a": (0.0, 0.0, 0.0)}}, {"a": "red"}, {"a"}, "NDCG"),
    "steps": lambda: steps_figure(
        {name: [(0.1, 0.05, 0.2), (NAN, NAN, NAN), (0.3, 0.2, 0.4)] for name in MODELS[:5]},
        ["1", "2–5", "6+"],
        colours(MODELS, MODELS[0]),
        {MODELS[0]},
        "bought before",
        "NDCG",
    ),
    "steps of nothing": lambda: steps_figure({"a": [(NAN, NAN, NAN)]}, ["1"], {"a": "red"}, {"a"}, "x", "y"),
    "reliability": lambda: reliability_figure(
        {"a": [(0.01, 0.02), (0.2, 0.1)]}, {"a": "red"}, {"a"}, "stated", "bought"
    ),
    "reliability of zeros": lambda: reliability_figure({"a": [(0.0, 0.0)]}, {"a": "red"}, {"a"}, "stated", "bought"),
    "scatter": lambda: scatter_figure(
        {name: (0.1 * place, 0.02 * place) for place, name in enumerate(MODELS)},
        leading_colours(MODELS, MODELS[:5]),
        set(MODELS[:2]),
        "coverage",
        "NDCG",
    ),
    "scatter over time": lambda: scatter_figure(
        {"at once": (0.0, 0.1), "slow": (4000.0, 0.3), "unknown": (NAN, 0.2)},
        dict.fromkeys(("at once", "slow", "unknown"), "red"),
        {"slow"},
        "time",
        "NDCG",
        seconds=True,
    ),
    "scatter of nothing": lambda: scatter_figure({"a": (NAN, NAN)}, {"a": "red"}, set(), "time", "NDCG", seconds=True),
    "progress": lambda: progress_figure(DOTS, "highest", "time", "NDCG", "the best one", seconds=True),
    "progress of one": lambda: progress_figure(DOTS[:1], "lowest", "trial", "RMSE", "the best one"),
    "trial curves": lambda: trial_curves_figure(
        [([(1, 0.1), (2, 0.2)], MARKS[0]), ([(1, 0.1), (2, NAN)], MARKS[2]), ([], MARKS[1])], "highest", "epoch", "NDCG"
    ),
    "cost": lambda: cost_figure(DOTS, "highest", "time", "NDCG"),
    "slices": lambda: slices_figure(
        {"dim": (scale_of([16, 32]), DOTS), "loss": (scale_of(["a", None]), DOTS[:1])}, (0.1, 0.2), "RMSE", 3
    ),
    "parallel": lambda: parallel_figure(
        {"dim": scale_of([16, 32]), "rate": Scale("log", (), 0.001, 1.0)},
        [Line({"dim": 16, "rate": 0.1}, MARKS[0]), Line({"dim": 32}, MARKS[1]), Line({"rate": "x"}, MARKS[2])],
    ),
    "share bars": lambda: share_bars_figure({"dim": 0.7, "rate": 0.3, "none": 0.0}, {"dim"}, 2.0),
    "shares": lambda: shares_figure({"a": [0.5, 0.3, 0.2, 0.0], "b": [NAN] * 4}, ["1", "2", "3", "4"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_xml_repeat_and_scale(name: str) -> None:
    svg = FIGURES[name]()
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox"), "without a view box an image does not scale"
    assert svg == FIGURES[name]()
    assert "nan" not in svg.lower()


def said_in(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


@pytest.mark.parametrize("figure", ["curves", "scatter"])
def test_every_name_is_beside_its_mark(figure: str) -> None:
    assert set(MODELS) <= set(said_in(FIGURES[figure]()))


def test_time_has_units_and_points_without_figures_are_left_out() -> None:
    svg = FIGURES["scatter over time"]()
    assert len(re.findall(r"<use[^>]*fill: #ff0000", svg)) == 2, "no time at all has its place on a log axis too"
    said = said_in(svg)
    assert {"1 min", "1 h", "slow", "at once"} <= set(said)
    assert "unknown" not in said


def test_a_difference_in_doubt_is_hollow() -> None:
    def fills(certain: set[str]) -> int:
        svg = difference_figure({"a": (0.1, 0.05, 0.15)}, certain, {"a": "#123456"}, set(), "x")
        return svg.count("fill: #123456")

    assert fills({"a"}) > fills(set()) == 0


def test_many_windows_do_not_crowd_the_axis() -> None:
    ticks = [f"w{place}" for place in range(24)]
    svg = steps_figure({"a": [(0.1, NAN, NAN)] * 24}, ticks, {"a": "red"}, {"a"}, "x", "y")
    assert 3 <= len(set(ticks) & set(said_in(svg))) <= 6


def test_the_highest_point_is_marked() -> None:
    assert "best 3.0000" in FIGURES["line"]()
    assert "best 1.0000" in FIGURES["line of errors"]()


def test_colours_stay_with_their_names() -> None:
    assert len(set(colours(MODELS[:8], MODELS[2]).values())) == 8
    assert colours(MODELS, MODELS[2])[MODELS[0]] == colours(MODELS[:3], MODELS[2])[MODELS[0]]
    assert set(colours(MODELS, MODELS[2])) == set(MODELS)


def test_leading_names_have_colours_of_their_own_and_the_rest_are_alike() -> None:
    chosen = leading_colours(MODELS, MODELS[2:7])
    assert len({chosen[name] for name in MODELS[2:7]}) == 5
    assert len({chosen[name] for name in MODELS if name not in MODELS[2:7]}) == 1
    assert set(chosen) == set(MODELS)


ROOM = Box(0.0, 0.0, 400.0, 250.0)


@given(st.lists(st.tuples(st.floats(10, 390), st.floats(10, 240)), max_size=4))  # of more, a cluster may leave no room
def test_labels_cover_neither_each_other_nor_the_edge(points: list[tuple[float, float]]) -> None:
    placed = place(points, [(80.0, 12.0)] * len(points), ROOM, gap=6.0)
    assert all(box.outside(ROOM) < 1e-6 for box in placed)
    assert all(one.overlap(other) < 1e-5 for at, one in enumerate(placed) for other in placed[:at])
    assert all(math.isclose(box.right - box.left, 80) and math.isclose(box.top - box.bottom, 12) for box in placed)


def test_a_lone_label_stands_right_of_its_point_and_left_of_it_at_the_edge() -> None:
    for x, left in ((100.0, 106.0), (380.0, 380.0 - 6.0 - 80.0)):
        (box,) = place([(x, 100.0)], [(80.0, 12.0)], ROOM, gap=6.0)
        assert (box.left, box.bottom) == (left, 94.0)


@given(*[st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))] * 2)
def test_overlap_is_the_area_in_common(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    def cells(x: int, y: int, width: int, height: int) -> set[tuple[int, int]]:
        return {(across, up) for across in range(x, x + width) for up in range(y, y + height)}

    first, second = (Box(x, y, x + width, y + height) for x, y, width, height in (one, other))
    assert first.overlap(second) == len(cells(*one) & cells(*other))
    assert first.outside(second) == len(cells(*one) - cells(*other))


@given(st.lists(st.floats(0, 1), max_size=10))
def test_labels_keep_their_order_and_distance(heights: list[float]) -> None:
    gap = 0.1
    placed = spread(heights, gap)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    in_order = [placed[place] for place in order]
    assert all(upper - lower >= gap - 1e-9 for lower, upper in pairwise(in_order))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in placed), "ten labels a tenth apart fit"


def test_a_page_without_figures_needs_no_matplotlib() -> None:
    asked = "import sys, embedrec.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (5969, "99 min"),
        (7200, "2.0 h"),
    ],
)
def test_a_duration_has_the_unit_people_would_use(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_column_shares_its_decimals_and_a_difference_its_sign() -> None:
    small = {"value": 0.0267, "low": 0.02, "high": 0.03}
    assert column([small, None]) == [Cell("0.0267", "0.0200–0.0300"), Cell(ABSENT, "")]
    assert column([small, {"value": 0.5}])[0] == Cell("0.027", "0.020–0.030")
    gap = {"difference": -0.0267, "low": -0.04, "high": 0.01}
    assert column([gap], "difference") == [Cell("−0.0267", "−0.0400 to +0.0100")]


def test_small_things_people_read() -> None:
    assert probability(0.0004) == "<0.001"
    assert probability(0.0004 * 3) == "0.001"
    assert probability(NAN) == ABSENT
    assert count({"n": 3}, None, {"n": 1012}) == "1,012"
    assert count(None, {"n": None}) == ABSENT


def test_the_best_comes_first_and_the_unmeasured_last() -> None:
    rows = {"a": {"m": {"value": None}}, "b": {"m": {"value": 0.1}}, "c": {}, "d": {"m": {"value": 0.2}}}
    assert best_first(rows, "m") == ["d", "b", "a", "c"]


settings_tried = st.lists(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), min_size=1, max_size=30
)


@given(settings_tried | st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=9))
def test_a_scale_places_its_values_in_order_and_names_places_on_it(tried: list[Value]) -> None:
    scale = scale_of(tried)
    numbers = sorted(value for value in tried if isinstance(value, float) and math.isfinite(value))
    if not scale.names:
        placed = [scale.place(value) for value in numbers]
        assert all(low <= high for low, high in pairwise(placed))
        assert all(-1e-9 <= one <= 1 + 1e-9 for one in placed)
    else:
        assert all(0 <= scale.place(value) <= 1 for value in tried)
    assert all(-1e-9 <= at <= 1 + 1e-9 for at, _ in scale.ticks())
    assert len(fitting_ticks(scale, 20)) >= min(1, len(scale.ticks()))


def test_the_kind_of_a_scale_follows_its_values() -> None:
    assert scale_of([16, 32, 64]).kind == "steps"
    assert scale_of([10 ** (-at / 5) for at in range(20)]).kind == "log"
    assert scale_of([0.01 + at / 20 for at in range(20)]).kind == "linear", "a small value alone makes no decades"
    assert scale_of(["all", 16, None, True]).names == ("16", "all", "true", "null")
    assert [scale_of([16, 32, 64]).place(value) for value in (16, 32, 64)] == [0, 0.5, 1]
    assert math.isnan(scale_of([16, 32, 64]).place(128))
    assert math.isnan(scale_of([at / 7 for at in range(30)]).place("all"))


@pytest.mark.parametrize(
    ("low", "high", "kind", "names"),
    [
        (0.0, 1.0, "linear", ["0", "0.5", "1"]),
        (0.21, 0.64, "linear", ["0.4", "0.6"]),
        (0.001, 0.1, "log", ["0.001", "0.01", "0.1"]),
        (1e-8, 1e-2, "log", ["1e-08", "1e-06", "0.0001", "0.01"]),
        (0.05, 1.2, "log", ["0.1", "0.3", "1"]),
    ],
)
def test_axes_name_round_values(low: float, high: float, kind: Literal["linear", "log"], names: list[str]) -> None:
    assert [name for _, name in Scale(kind, (), low, high).ticks()] == names


def test_values_are_written_as_on_a_command_line() -> None:
    assert [*map(written, (None, True, 64, 64.0, 0.123456, 1e-5, "x"))] == [
        "null",
        "true",
        "64",
        "64",
        "0.1235",
        "1e-05",
        "x",
    ]


def test_names_that_do_not_fit_side_by_side_stand_lower_or_are_cut() -> None:
    names = scale_of(["bpr", "in_batch", "softmax"])
    assert [name for _, name in fitting_ticks(names, 20)] == ["bpr", "in_batch", "softmax"]
    assert [name for _, name in fitting_ticks(names, 13)] == ["bpr", "\nin_batch", "softmax"]
    assert [name for _, name in fitting_ticks(names, 10)] == ["bpr", "\nin_…", "sof…"]
    assert len(fitting_ticks(scale_of([f"name {at}" for at in range(200)]), 20)) < 8


@given(st.lists(st.floats(-100, 100), min_size=1))
def test_the_darker_the_better(values: list[float]) -> None:
    for better in ("highest", "lowest"):
        shown = [RAMP.index(colour) for colour in shades(values, better)]
        good = [value if better == "highest" else -value for value in values]
        assert all(
            (one >= other) or shown[at] <= shown[to] for at, one in enumerate(good) for to, other in enumerate(good)
        )


def test_what_is_far_out_on_the_bad_side_is_not_to_scale() -> None:
    values = [0.2 + 0.001 * at for at in range(20)]
    assert visible([*values, 0.0], "highest")[0] > 0.1
    assert visible([*values, 0.0], "lowest")[0] < 0, "a good one is always in sight"
    assert visible([*values, 9.0], "highest")[1] > 9
    assert visible([0.0, 0.2, 0.21], "highest")[0] < 0, "too few to call one far out"
    dots = [Dot(0, value, MARKS[1]) for value in values] + [Dot(0, 0.1, MARKS[2])] * 20
    assert visible_dots(dots, "highest")[0] > 0.15, "trials that were stopped do not set the scale"
    assert visible([0.2], "lowest")[0] < 0.2 < visible([0.2], "lowest")[1]


def test_the_best_so_far_never_falls() -> None:
    assert "the best one" in said_in(FIGURES["progress"]())
    assert progress_figure([Dot(NAN, 0.1, MARKS[1])], "highest", "time", "NDCG", "") == "", "nothing to draw"


def test_a_command_wraps_and_further_rows_are_folded(tmp_path: Path) -> None:
    report = Report("t")
    report.table(["a.b", "how"], [["1", Command("x" * 500)]], "c", folded=[["2", Prose("why")], ["3", "–"]])
    report.write(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"<code>{'x' * 500}</code>" in page
    assert "<summary>2 more</summary>" in page
    assert "a.<wbr>b" in page
    assert "overflow-wrap: anywhere" in page
