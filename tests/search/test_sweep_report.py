"""The report of a sweep says what the trials say, in any state of the sweep, and whatever their settings are called."""

from __future__ import annotations

import base64
import math
import random
import re
import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("optuna", reason="optuna is not installed")

from embedrec.report import BEST, Dot, Mark, scale_of, slices_figure
from embedrec.search.findings import change, findings, headline, left, number, tiles, within_noise
from embedrec.search.importance import MIN_TRIALS, importances
from embedrec.search.record import Setting, State, SweepRecord, TrialRecord
from embedrec.search.report import OPEN_ROWS, write_sweep_report

NAN = math.nan
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a" * 300, "漢字 \x00 \ud800", "${x}$", "-"]


def trial(
    number: int,
    value: float | None = None,
    state: State = "finished",
    seconds: float | None = 10.0,
    **settings: Setting,
) -> TrialRecord:
    curve = tuple((epoch, value * epoch / 4) for epoch in range(1, 5)) if value is not None else ()
    command = f"python scripts/train.py seed=0 trial={number}"
    return TrialRecord(number, state, settings, value, seconds, 12.0 * (number + 1), curve, "", command)


def sweep(*trials: TrialRecord, maximize: bool = True, asked: int | None = None) -> SweepRecord:
    return SweepRecord(
        name="tuning",
        objective="NDCG@10" if maximize else "RMSE",
        maximize=maximize,
        asked=len(trials) if asked is None else asked,
        data="Online Retail",
        sampler="TPE",
        pruner="median rule",
        trials=trials,
        continue_command="python scripts/train.py -m name=tuning",
        parallel=2,
    )


def many(count: int, settings: int = 3, effect: float = 1.0) -> SweepRecord:
    """Only the first setting has an effect; one trial in five is pruned, one in twenty fails."""
    draw = random.Random(count)
    trials = []
    for at in range(count):
        drawn: dict[str, Setting] = {f"model.s{place}": 10 ** draw.uniform(-3, 0) for place in range(settings)}
        value = 0.3 - effect * 0.05 * abs(math.log10(float(drawn["model.s0"] or 1)) + 1) + draw.gauss(0, 0.002)
        state: State = "failed" if at % 20 == 19 else "pruned" if at % 5 == 4 else "finished"
        trials.append(trial(at, None if state == "failed" else value, state, **drawn))
    return sweep(*trials)


class Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.images: list[str] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(base64.b64decode(str(dict(attrs)["src"]).split(",")[1]).decode())

    def handle_data(self, data: str) -> None:
        self.text += data


def written(tmp_path: Path, record: SweepRecord) -> Page:
    write_sweep_report(tmp_path / "report.html", record)
    page = Page(tmp_path / "report.html")
    for image in page.images:
        ElementTree.fromstring(image)
        assert "nan" not in re.sub(r">[^<]*<", "><", image).lower()
    return page


def test_the_page_says_which_trial_is_best_and_how_to_run_it(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        sweep(
            trial(0, 0.10, **{"model.dim": 32}),
            trial(1, 0.12, **{"model.dim": 64}),
            trial(2, 0.05, "pruned", 2.0, **{"model.dim": 16}),
            replace(trial(3, None, "failed", **{"model.dim": 8}), reason="out of memory"),
            asked=6,
        ),
    )
    assert "Trial 1 is the best of 2: NDCG@10 0.1200 on validation, with model.dim = 64." in page.text
    assert "20 % higher than the first (0.1000)" in page.text
    assert "2 of 6" in page.text
    assert "trials finished, 1 pruned, 1 failed" in page.text
    assert "2 of 6 trials have not ended" in page.text
    assert "python scripts/train.py -m name=tuning" in page.text
    assert "1 trial failed: “out of memory”." in page.text
    assert all(page.text.count(f"trial={at}") >= 1 for at in range(4)), "each trial has its command"
    assert f"that needs {MIN_TRIALS} finished trials; there are 2" in page.text
    rows = re.findall(r'<tr[^>]*><th scope="row"[^>]*>(\d+)</th>', page.source)
    assert rows == ["1", "0", "2", "3"], "best first, then pruned, then failed"


def test_a_sweep_in_full_has_every_figure(tmp_path: Path) -> None:
    page = written(tmp_path, many(40))
    assert len(page.images) == 6
    captions = re.findall(r"<figcaption>([^<]*)", page.source)
    for said in ("best so far", "learned", "decide", "line through its settings", "over each", "training longer"):
        assert any(said in caption for caption in captions), said
    assert page.tags.count("tr") == 40 + 2, "two tables of trials, each with a header"
    assert f"{40 - OPEN_ROWS} more" in page.text


def test_the_lowest_error_is_best(tmp_path: Path) -> None:
    record = sweep(trial(0, 1.2, x=1), trial(1, 0.9, x=2), trial(2, 1.0, x=3), maximize=False)
    page = written(tmp_path, record)
    assert "Trial 1 is the best of 3: RMSE 0.9000" in page.text
    assert "lower is better" in page.text
    assert "10 % lower" in page.text


def test_nothing_is_fetched_and_nothing_runs(tmp_path: Path) -> None:
    page = written(tmp_path, many(30))
    outside = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.source)
    assert not re.search(r"https?:|url\(|@import|<script|<link|<iframe", outside)
    assert "default-src 'none'" in page.source
    for image in page.images:
        assert not re.search(r"<script|<image|<foreignObject|@import|url\((?!#)", image)


@pytest.mark.parametrize("word", HOSTILE)
def test_settings_reasons_and_names_are_only_text(tmp_path: Path, word: str) -> None:
    def page(said: str) -> Page:
        trials = [
            replace(trial(at, 0.1 + 0.01 * at, **{said: said, "n": at}), reason=said, command=said) for at in range(12)
        ]
        failed = replace(trial(12, None, "failed", **{said: said}), reason=said)
        return written(tmp_path, replace(sweep(*trials, failed), name=said, data=said, objective=said, sampler=said))

    plain, hostile = page("plain"), page(word)
    assert [tag for tag in hostile.tags if tag != "wbr"] == plain.tags
    if word.isprintable():
        assert word in hostile.text


DEGENERATE: dict[str, SweepRecord] = {
    "nothing yet": sweep(asked=20),
    "one running": sweep(trial(0, None, "running", None, x=1), asked=20),
    "all failed": sweep(*(replace(trial(at, None, "failed", x=at), reason="bad config") for at in range(3))),
    "all pruned": sweep(*(trial(at, 0.1 * at, "pruned", x=at) for at in range(3))),
    "one": sweep(trial(0, 0.2, x=1)),
    "one of zero": sweep(trial(0, 0.0, x=1)),
    "all the same": sweep(*(trial(at, 0.2, x=at) for at in range(12))),
    "without settings": sweep(trial(0, 0.2), trial(1, 0.3)),
    "one setting that never changes": sweep(*(trial(at, 0.2 + at, x=1) for at in range(12))),
    "NaN and infinity": sweep(
        *(trial(at, 0.2 + 0.01 * at, x=at) for at in range(12)),
        trial(12, NAN, x=NAN),
        trial(13, math.inf, x=math.inf),
        replace(trial(14, 0.3, x=None), curve=((1, NAN), (2, 0.3)), seconds=NAN, ended=NAN),
    ),
    "huge and tiny": sweep(*(trial(at, 10.0 ** (at * 20 - 150), x=10**400, y=5e-324 * at) for at in range(15))),
    "negative": sweep(*(trial(at, -0.1 * at, x=-at) for at in range(12))),
    "mixed": sweep(*(trial(at, 0.1 * at, x=["all", 16, None, True, 0.5, ""][at % 6]) for at in range(15))),
    "without times": sweep(*(replace(trial(at, 0.1 + at, x=at), ended=None, seconds=None) for at in range(12))),
    "without curves": sweep(*(replace(trial(at, 0.1 + at, x=at), curve=()) for at in range(12))),
    "200 names": sweep(*(trial(at, 0.1 + at % 7, x=f"name {at}") for at in range(200))),
    "60 trials, 12 settings": many(60, 12),
    "one far out": sweep(*(trial(at, 0.2 + 0.001 * at, x=at) for at in range(15)), trial(15, 1e6, x=3), maximize=False),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_any_state_of_a_sweep_has_a_report(tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = written(tmp_path, DEGENERATE[name])
    assert "Which settings suit Online Retail?" in page.text


def test_what_the_headline_says_of_odd_sweeps() -> None:
    said = {name: headline(record, []) for name, record in DEGENERATE.items()}
    assert said["nothing yet"] == "No trial has finished with a figure."
    assert said["all failed"] == "No trial has finished with a figure: 3 trials failed, the first with “bad config”."
    assert said["one"] == "One trial has finished, with NDCG@10 0.2000 on validation, with x = 1."
    assert said["all the same"] == "All 12 finished trials reach the same NDCG@10 0.2000 on validation."


# nearer to the end of floats no axis can be drawn, and no figure on validation lies there
numbers = st.floats(-1e50, 1e50) | st.sampled_from([math.nan, math.inf, -math.inf])
values = st.none() | numbers | st.floats(0, 1)
drawn = st.dictionaries(
    st.sampled_from(["model.dim", "loss.dim", "x"]),
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | numbers | st.text(max_size=4),
)
records = st.lists(
    st.builds(
        TrialRecord,
        number=st.integers(0, 99),
        state=st.sampled_from(["finished", "pruned", "failed", "running"]),
        settings=drawn,
        value=values,
        seconds=st.none() | st.floats(0, 1e6),
        ended=st.none() | st.floats(0, 1e6),
        curve=st.lists(st.tuples(st.integers(0, 9), numbers), max_size=3).map(tuple),
        reason=st.text(max_size=5),
        command=st.text(max_size=5),
        interval=st.none() | st.just((0.2, 0.4)),
    ),
    max_size=14,
    unique_by=lambda one: one.number,
)


@given(records, st.booleans())
@settings(max_examples=12)
def test_any_record_has_a_report(tmp_path_factory: pytest.TempPathFactory, trials: list[TrialRecord], up: bool) -> None:
    written(tmp_path_factory.mktemp("page"), sweep(*trials, maximize=up, asked=20))


@given(records, st.booleans())
def test_the_ranking_is_every_finished_figure_best_first(trials: list[TrialRecord], up: bool) -> None:
    record = sweep(*trials, maximize=up)
    found = [value for _, value in record.ranking()]
    known = [one.value for one in trials if one.state == "finished" and one.value is not None]
    assert found == sorted((value for value in known if math.isfinite(value)), reverse=up)
    assert left(record) == record.count("running")


def test_what_matters_comes_first_and_beyond_chance() -> None:
    found = importances(many(60))
    assert isinstance(found, dict)
    assert next(iter(found)) == "model.s0"
    assert found["model.s0"].beyond_chance
    assert found["model.s0"].share > 0.5
    assert sum(one.share for one in found.values()) == pytest.approx(1)


def test_settings_without_effect_are_called_chance() -> None:
    alarms = 0
    for count in range(20, 40):
        found = importances(many(count, settings=2, effect=0.0))
        assert isinstance(found, dict)
        alarms += sum(one.beyond_chance for one in found.values())
    assert alarms <= 6, "5 % of 40 are 2; 7 or more have a chance below 1 %"


def test_conditional_settings_have_an_importance() -> None:
    draw = random.Random(0)
    trials = []
    for at in range(40):
        rate = 10 ** draw.uniform(-3, 0)
        if at % 2:
            trials.append(trial(at, 0.3 - 0.05 * abs(math.log10(rate) + 1), model="deep", **{"model.rate": rate}))
        else:
            trials.append(trial(at, 0.1 + draw.gauss(0, 0.001), model="flat", **{"model.alpha": rate}))
    found = importances(sweep(*trials))
    assert isinstance(found, dict)
    assert set(found) == {"model", "model.rate", "model.alpha"}
    assert found["model"].beyond_chance
    assert found["model.rate"].share > found["model.alpha"].share


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("one", "no setting has more than one value"),
        ("without settings", "no setting has more than one value"),
        ("all the same", "all finished trials are equally good"),
        ("nothing yet", "no setting"),
    ],
)
def test_without_importance_there_is_a_reason(name: str, reason: str) -> None:
    found = importances(DEGENERATE[name])
    assert isinstance(found, str)
    assert reason in found


def test_the_noise_is_what_lies_inside_the_interval_of_the_best() -> None:
    trials = [trial(at, 0.30 - 0.01 * at, x=at) for at in range(5)]
    best = replace(trials[0], interval=(0.275, 0.325))
    record = sweep(best, *trials[1:])
    assert [one.number for one in within_noise(record)] == [1, 2]
    assert any(
        "2 of the other 4 finished trials lie inside the best one's 95 % interval" in one for one in findings(record)
    )
    wide = sweep(replace(best, interval=(0.1, 0.5)), *trials[1:])
    assert headline(wide, []).endswith("No other trial is clearly worse.")
    assert within_noise(sweep(*trials)) == [], "without an interval nothing is known"


def test_a_quicker_trial_that_is_as_good_is_named() -> None:
    record = sweep(trial(0, 0.3, seconds=600, x=1), trial(1, 0.298, seconds=60, x=2), trial(2, 0.2, seconds=1, x=3))
    assert "Trial 1 comes within 1 % of the best (NDCG@10 0.2980) in 60 s of training instead of 10 min." in findings(
        record
    )
    assert not any("comes within" in one for one in findings(sweep(*record.trials[::2])))


def test_the_end_of_what_was_tried_is_named() -> None:
    steps = [16, 32, 64, 128]
    rising = sweep(*(trial(at, 0.01 * at, **{"model.dim": steps[at // 4]}) for at in range(16)))
    (said,) = (one for one in findings(rising) if "end of what was tried" in one)
    assert said.startswith("The three best trials have model.dim at the high end of what was tried (128): larger ")
    inside = sweep(*(trial(at, -abs(at - 8), **{"model.dim": at / 16}) for at in range(16)))
    assert not any("end of what was tried" in one for one in findings(inside))


def test_trials_beyond_those_asked_for_count(tmp_path: Path) -> None:
    """The sweep was repeated with a smaller n_trials."""
    record = sweep(trial(0, 0.3, x=1), *(trial(at, 0.1, "pruned", x=at) for at in range(1, 7)), asked=5)
    assert any(one.value == "1 of 7" for one in tiles(record))


def test_every_panel_has_a_setting() -> None:
    """Five settings in two rows of three: the sixth place is empty."""
    dots = [Dot(0.5, 0.1, Mark(BEST, "best"))]
    svg = slices_figure({f"s{at}": (scale_of([1]), dots) for at in range(5)}, (0.0, 1.0), "y", 3)
    assert svg.count('id="axes_') == 5


def test_what_pruning_saved_is_said() -> None:
    short = replace(trial(1, 0.1, "pruned", 5.0, x=2), curve=((1, 0.1),))
    (said,) = (one for one in findings(sweep(trial(0, 0.3, x=1), short)) if "stopped early" in one)
    assert said.startswith("1 trial stopped early, after 1 epoch in the median where finished ones took 4")
    assert said.endswith("33 % of all training time.")


def test_changes_are_said_as_people_say_them() -> None:
    assert change(0.12, 0.10) == "20 % higher"
    assert change(0.98, 1.0) == "2.0 % lower"
    assert change(1.0, 1.0) == "no different"
    assert change(0.1, 0.0) == "0.1000 higher"
    assert change(-0.2, -0.1) == "0.1000 lower"
    assert number(NAN) == number(None) == "–"
    assert number(-12345.678) == "−12346"


def test_the_best_of_all_was_first() -> None:
    (_, gain, *_) = tiles(sweep(trial(0, 0.3, x=1), trial(1, 0.2, x=2)))
    assert gain.value == "20 % higher"
    assert gain.note.endswith("trial 0, the first, was the best already")


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_sweep_report(tmp_path / name, many(30))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
