"""How seconds and memory grow with a shop: each stage from tables to an answer, for 1, 3, 10, … million purchases.

    python tests/benchmarks/growth.py OUT [--millions 1 3 10 30]

A process for each size, so that the peak of memory of a stage is its own. Writes OUT/growth.json, a table (growth.md)
and a plot (growth.svg). A stage is linear where `slope`, that of a straight line through the logarithms of seconds and
purchases, is 1; below it is better than linear.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

STAGES = ("read", "split", "features", "one epoch", "evaluation", "export", "load", "one answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10, 30])
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)  # a shop to measure, in a process of its own
    asked = parser.parse_args()
    if asked.one:
        _measure(asked.one, asked.out)
        return
    from growing_shop import write_growing_shop

    asked.out.mkdir(parents=True, exist_ok=True)
    found = []
    for millions in asked.millions:
        with tempfile.TemporaryDirectory(dir=asked.out) as place:
            customers, products = write_growing_shop(Path(place) / "shop", round(1e6 * millions))
            print(f"{millions:g} M purchases, {customers:,} customers, {products:,} products …", flush=True)
            command = [sys.executable, __file__, str(asked.out), "--one", place]
            subprocess.run(command, check=True)
            stages = json.loads((Path(place) / "stages.json").read_text(encoding="utf-8"))
        found.append({"millions": millions, "customers": customers, "products": products, "stages": stages})
        (asked.out / "growth.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    table = _table(found)
    (asked.out / "growth.md").write_text(table, encoding="utf-8")
    (asked.out / "growth.svg").write_text(_plot(found), encoding="utf-8")
    print(table)
    print(asked.out / "growth.svg")


def _measure(place: Path, out: Path) -> None:
    """Go through all stages once; leave their seconds and peaks of memory in place/stages.json."""
    import torch

    from embedrec import Recommender
    from embedrec.bundle import Manifest, write_bundle
    from embedrec.experiment.config import RunConfig
    from embedrec.experiment.runner import Runner, peak_mb, reset_peak
    from embedrec.experiment.shop import open_tables, split_shop

    stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        reset_peak()
        start = time.perf_counter()
        yield
        stages[name] = {"seconds": time.perf_counter() - start, "peak_mb": peak_mb()}
        print(f"  {name}: {stages[name]['seconds']:.1f} s, {stages[name]['peak_mb'] / 1024:.1f} GB", flush=True)
        (place / "stages.json").write_text(json.dumps(stages), encoding="utf-8")

    config = RunConfig.model_validate(
        {
            "data": {"name": "files", "path": str(place / "shop")},
            "model": {"name": "two_tower"},
            "trainer": {"max_epochs": 1},
            "outputs": str(out),
        }
    )
    with stage("read"):
        tables = open_tables(config.data)
    with stage("split"):
        shop = split_shop(tables, config.split)
    with stage("features"):
        runner = Runner(shop, progress=False)
    moment = runner.before_valid
    with stage("one epoch"):
        select, _ = runner._examples(config, config.model)
        network = runner._network(config, config.model, moment, select)
        runner._fit(config, network, select, place / "checkpoints", epochs=1)
    with stage("evaluation"):
        from embedrec.models import scorer_of

        outcome = runner._outcome(config.model.name, scorer_of(network).observe(moment), config, 0.0)
    with stage("export"):
        data = {"name": "grown", "fingerprint": tables.fingerprint, "dated": True, "from": "2024-01-01"}
        data |= {"until": "2025-12-30", "synthetic": True, "repeat_share": None, "warnings": []}
        split = {"protocol": "global_time", "valid_from": "2025-10-01", "test_from": "2025-11-01"}
        manifest = Manifest(model=config.model, data=data, split=split, config={}, metrics={}, verdict="", files={})
        frames = {"customers": shop.tables.customers, "products": shop.tables.products, "events": shop.tables.events}
        weights = outcome.scorer.weights()
        write_bundle(place / "bundle", manifest, weights, moment.encoder.schema, frames)
    del shop, runner, tables, outcome, network, select, moment, frames, weights
    torch.set_num_threads(1)
    with stage("load"):
        served = Recommender.load(place / "bundle")
    customer = served.customer_ids[0]
    served.recommend(customer)
    with stage("one answer"):
        served.recommend(customer)


def _slope(found: list[dict], name: str) -> float:
    seconds = [one["stages"][name]["seconds"] for one in found]
    return float(np.polyfit(np.log([one["millions"] for one in found]), np.log(seconds), 1)[0])


def _table(found: list[dict]) -> str:
    head = ["stage", *(f"{one['millions']:g} M" for one in found), "slope"]
    rows = [head, ["---"] * len(head)]
    for name in STAGES:
        cells = [
            f"{one['stages'][name]['seconds']:.3g} s, {one['stages'][name]['peak_mb'] / 1024:.1f} GB" for one in found
        ]
        rows.append([name, *cells, f"{_slope(found, name):.2f}" if len(found) > 1 else "–"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _plot(found: list[dict]) -> str:
    from embedrec.report.drawing import svg

    def draw(figure) -> None:
        millions = [one["millions"] for one in found]
        for axes, key, unit in zip(
            figure.subplots(1, 2), ("seconds", "peak_mb"), ("seconds", "GB at most"), strict=True
        ):
            for name in STAGES:
                values = [one["stages"][name][key] / (1024 if key == "peak_mb" else 1) for one in found]
                axes.plot(millions, values, marker="o", label=name)
            axes.set(xscale="log", yscale="log", xlabel="million purchases", ylabel=unit)
            axes.set_xticks(millions, [f"{one:g}" for one in millions])
            axes.minorticks_off()
        axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 4.0)


if __name__ == "__main__":
    main()
