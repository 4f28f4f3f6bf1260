"""From a measured model to a bundle, and from a bundle back to its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embedrec.bundle import Chances, Manifest, write_bundle
from embedrec.evaluation.calibration import PurchaseProbability
from embedrec.evaluation.verdict import RANDOM, Verdict
from embedrec.experiment.config import RunConfig
from embedrec.experiment.large_catalogue import indexed
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.runner import Runner
from embedrec.features import DAY
from embedrec.models import PopularityRecentConfig
from embedrec.splits import day

# Where the tables lay and how a run was recorded is no part of what it found: the same run elsewhere gives the same
# bundle, and a bundle tells nobody about the machine it was made on.
LEFT_OUT: dict[str, bool | set[str]] = {
    "outputs": True,
    "resume": True,
    "tracking": True,
    "name": True,
    "data": {"path"},
}

OF_THE_MODEL = ("slices", "calibration")
"""What metrics.json says of a model beside its test figures, and people who use the bundle want to know."""


def export(
    folder: Path,
    config: RunConfig,
    runner: Runner,
    asked: ModelOutcome | None,
    judged: Verdict,
    metrics: dict[str, Any],
) -> Manifest:
    """Write the bundle of the model asked for, or of recent popularity where `asked` is None or not to be trusted."""
    shop = runner.shop
    weights = {} if asked is None or asked.scorer is None else asked.scorer.weights()
    model = PopularityRecentConfig() if asked is None else config.model
    exported = asked or runner.measure(config.model_copy(update={"model": model}), folder, test=False)
    assert exported is not None
    manifest = Manifest(
        model=model,
        fallback_from=config.model.name if asked is None else None,
        data={
            "name": config.data.name,
            "fingerprint": shop.tables.fingerprint,
            "dated": shop.split.dated,
            "from": day(int(shop.history.times.min())),
            "until": day(shop.history.end - 1),
            "synthetic": shop.oracle is not None,
            "repeat_share": runner.test_truth.repeat_share(runner.before_test),
            "warnings": list(shop.tables.warnings),
        },
        split={
            "protocol": shop.split.protocol,
            "valid_from": day(shop.split.valid_from),
            "test_from": day(shop.split.test_from),
        },
        days=max(round((shop.split.test_from - shop.split.valid_from) / DAY), 1) if shop.split.dated else None,
        probability=_chances(exported.probability),
        audience=_chances(exported.audience),
        config=config.model_dump(mode="json", exclude=LEFT_OUT),
        metrics=_figures(metrics, model.name),
        verdict=judged.sentence,
        beaten_by=_beaten_by(judged, config.model.name),
        files={},
    )
    frames = {"customers": shop.tables.customers, "products": shop.tables.products, "events": shop.tables.events}
    schema = runner.before_test.encoder.schema
    content, record = indexed(model, schema, weights, frames) or (None, None)
    return write_bundle(folder, manifest.model_copy(update={"index": record}), weights, schema, frames, content)


def _chances(fitted: PurchaseProbability | None) -> Chances | None:
    if fitted is None:
        return None
    return Chances(scores=fitted.scores.tolist(), probabilities=fitted.probabilities.clip(0, 1).tolist())


def _figures(metrics: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the test figures of every model, and of the one in the bundle for whom it works and how sure it is."""
    told = {name: ("test", *OF_THE_MODEL) if name == model else ("test",) for name in metrics["models"]}
    return {
        name: {part: one[part] for part in told[name] if part in one}
        for name, one in metrics["models"].items()
        if "test" in one
    }


def _beaten_by(judged: Verdict, model: str) -> str | None:
    """Name the simpler model that the verdict prefers; where none beats chance, that is `random`."""
    if not judged.enough_data or judged.winner == model:
        return None
    return judged.winner or RANDOM
