"""What a sweep shows, in sentences: what is best, how much that gained, how sure it is, and what to try next."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from statistics import median

from embedrec.report import Cell, duration, fixed, percent, scale_of, written
from embedrec.search.record import SweepRecord, TrialRecord

NEAR = 0.01
"""Share of the best figure by which a quicker trial may be behind and still be worth a mention."""
QUICK = 0.5
"""Share of the best trial's training time that makes it quicker."""
EDGE = 0.1
"""Share of an axis that counts as its end."""
_FEW_TRIALS = 8
_MOST_NAMED = 4


def headline(sweep: SweepRecord, order: Collection[str]) -> str:
    """Return the sentence at the top; of many settings it names the first ones in `order`."""
    ranking = sweep.ranking()
    if not ranking:
        failed = [one.reason for one in sweep.trials if one.state == "failed"]
        said = f": {_times(len(failed), 'trial')} failed, the first with “{failed[0]}”" if failed else ""
        return f"No trial has finished with a figure{said}."
    best, value = ranking[0]
    if len(ranking) == 1:
        return f"One trial has finished, with {figure(sweep, value)} on validation{_with(best, order)}."
    if ranking[-1][1] == value:
        return f"All {len(ranking)} finished trials reach the same {figure(sweep, value)} on validation."
    unsure = len(within_noise(sweep)) == len(ranking) - 1
    doubt = " No other trial is clearly worse." if unsure else ""
    said = f"{figure(sweep, value)} on validation{_with(best, order)}"
    return f"Trial {best.number} is the best of {len(ranking)}: {said}.{doubt}"


def tiles(sweep: SweepRecord) -> list[Cell]:
    """Return the key figures."""
    ranking = sweep.ranking()
    shown = []
    if ranking:
        best, value = ranking[0]
        sure = f" ({number(best.interval[0])}–{number(best.interval[1])})" if best.interval else ""
        shown.append(Cell(number(value), f"{sweep.objective} of trial {best.number}, on validation{sure}"))
    if len(ranking) > 1:
        first, first_value = min(ranking, key=lambda row: row[0].number)
        middle = median(value for _, value in ranking)
        versus = f"than the median trial ({number(middle)})"
        if first is ranking[0][0]:
            versus += f"; trial {first.number}, the first, was the best already"
        else:
            versus += f"; {change(value, first_value)} than the first ({number(first_value)})"
        shown.append(Cell(change(value, middle), versus))
    parts = [f"{sweep.count(state)} {state}" for state in ("pruned", "failed", "running") if sweep.count(state)]
    said = ", ".join(["trials finished", *parts])
    shown.append(Cell(f"{sweep.count('finished')} of {max(sweep.asked, len(sweep.trials))}", said))
    spent = _known(one.seconds for one in sweep.trials)
    clock = max(_known(one.ended for one in sweep.trials), default=math.nan)
    if spent:
        within = f", in {duration(clock)} by the clock" if math.isfinite(clock) else ""
        shown.append(Cell(duration(sum(spent)), f"of training{within}"))
    return shown


def findings(sweep: SweepRecord) -> list[str]:
    """Return what else is worth knowing, a sentence each."""
    found = [_certainty(sweep), _quicker(sweep), *_ends(sweep), _pruning(sweep), _failures(sweep)]
    return [sentence for sentence in found if sentence]


def within_noise(sweep: SweepRecord) -> list[TrialRecord]:
    """Return the finished trials, but for the best, that lie inside the interval of the best; [] without interval."""
    ranking = sweep.ranking()
    if not ranking or ranking[0][0].interval is None:
        return []
    low, high = ranking[0][0].interval
    return [one for one, value in ranking[1:] if low <= value <= high]


def left(sweep: SweepRecord) -> int:
    """Return how many of the trials asked for have not ended."""
    return max(0, sweep.asked - sum(sweep.count(state) for state in ("finished", "pruned", "failed")))


def number(value: float | None) -> str:
    """Return an objective's value as people read it."""
    if value is None or not math.isfinite(value):
        return fixed(math.nan, 0)
    return fixed(value, 4) if abs(value) < 100 else f"{value:.5g}".replace("-", "−")


def figure(sweep: SweepRecord, value: float) -> str:
    """Return a value with the name of what it measures."""
    return f"{sweep.objective} {number(value)}"


def change(value: float, base: float) -> str:
    """Return how much higher or lower a value is than a base: in percent, or plainly where the base is not positive."""
    if value == base:
        return "no different"
    direction = "higher" if value > base else "lower"
    if base <= 0:
        return f"{number(abs(value - base))} {direction}"
    share = abs(value - base) / base
    return f"{percent(share) if share >= 0.0995 else f'{100 * share:.1f} %'} {direction}"


def _with(trial: TrialRecord, order: Collection[str]) -> str:
    """Name the settings of a trial, the first ones of `order` if there are many."""
    names = [name for name in order if name in trial.settings]
    names += [name for name in trial.settings if name not in names]
    named = [f"{name} = {written(trial.settings[name])}" for name in names[:_MOST_NAMED]]
    more = len(names) - len(named)
    named += [_times(more, "more setting")] if more else []
    return f", with {_listed(named)}" if named else ""


def _certainty(sweep: SweepRecord) -> str:
    ranking, near = sweep.ranking(), within_noise(sweep)
    if len(ranking) < 2 or ranking[0][0].interval is None:
        return ""
    low, high = map(number, ranking[0][0].interval)
    others = len(ranking) - 1
    if not near:
        return f"No other trial reaches the best one's 95 % interval, {low}–{high}."
    verb = "lies" if len(near) == 1 else "lie"
    return (
        f"{len(near)} of the other {_times(others, 'finished trial')} {verb} inside the best one's 95 % interval, "
        f"{low}–{high}: which of them is best may be chance."
    )


def _quicker(sweep: SweepRecord) -> str:
    ranking = sweep.ranking()
    spent = ranking[0][0].seconds if ranking else None
    if not spent:
        return ""
    best = ranking[0][1]
    quick = [
        (one.seconds, one, value)
        for one, value in ranking[1:]
        if one.seconds is not None and one.seconds <= QUICK * spent and abs(value - best) <= NEAR * abs(best)
    ]
    if not quick:
        return ""
    seconds, one, value = min(quick, key=lambda row: (row[0], row[1].number))
    return (
        f"Trial {one.number} comes within {100 * NEAR:.0f} % of the best ({figure(sweep, value)}) "
        f"in {duration(seconds)} of training instead of {duration(spent)}."
    )


def _ends(sweep: SweepRecord) -> list[str]:
    """Say where the best values lie at the end of what was tried, so that it is worth looking beyond."""
    ranking = sweep.ranking()
    if len(ranking) < _FEW_TRIALS or ranking[0][1] == ranking[-1][1]:
        return []
    said = []
    for name in sweep.setting_names():
        values = [one.settings[name] for one in sweep.trials if name in one.settings]
        scale = scale_of(values)
        few = scale.kind == "steps"
        if scale.kind == "names" or len(scale.names) in (1, 2):
            continue
        top = [one.settings[name] for one, _ in ranking[:3] if name in one.settings]
        places = [scale.place(value) for value in top]
        if len(top) < 3:
            continue
        for end, word, beyond in ((0.0, "low", "smaller"), (1.0, "high", "larger")):
            if all(abs(place - end) <= (0 if few else EDGE) for place in places):
                found = _listed(sorted({written(value) for value in top}, key=float))
                said.append(
                    f"The three best trials have {name} at the {word} end of what was tried ({found}): "
                    f"{beyond} values may be better still."
                )
    return said


def _pruning(sweep: SweepRecord) -> str:
    pruned = [one for one in sweep.trials if one.state == "pruned"]
    whole = [len(one.curve) for one, _ in sweep.ranking() if one.curve]
    stopped = [len(one.curve) for one in pruned if one.curve]
    if not stopped or not whole:
        return ""
    spent = _known(one.seconds for one in sweep.trials)
    share = sum(_known(one.seconds for one in pruned)) / sum(spent) if sum(spent) else math.nan
    cost = f"; they took {percent(share)} of all training time" if math.isfinite(share) else ""
    return (
        f"{_times(len(pruned), 'trial')} stopped early, after {_times(round(median(stopped)), 'epoch')} in the median "
        f"where finished ones took {round(median(whole))}{cost}."
    )


def _failures(sweep: SweepRecord) -> str:
    failed = [one for one in sweep.trials if one.state == "failed"]
    if not failed or not sweep.ranking():
        return ""
    also = f", trial {failed[0].number} with" if len(failed) > 1 else ":"
    return f"{_times(len(failed), 'trial')} failed{also} “{failed[0].reason or 'no reason given'}”."


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _times(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
