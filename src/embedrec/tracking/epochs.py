"""`EpochLogger`: the epochs of Lightning, written by a `Tracker` and so as safe as everything else it writes."""

from __future__ import annotations

from typing import Any, Protocol

from pytorch_lightning.loggers import Logger


class Run(Protocol):
    """What takes the figures."""

    run_id: str

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Record figures of a step."""


class EpochLogger(Logger):
    """Writes figures once an epoch; the step is the number of epochs done. Closing the run is left to its owner."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    @property
    def name(self) -> str:
        """What Lightning names folders by."""
        return "mlflow"

    @property
    def version(self) -> str:
        """What Lightning names folders by."""
        return self._run.run_id

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record the figures of an epoch, which Lightning counts from 0."""
        figures = dict(metrics)
        self._run.metrics(figures, int(figures.pop("epoch", 0)) + 1)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Do nothing: the settings were recorded before."""
