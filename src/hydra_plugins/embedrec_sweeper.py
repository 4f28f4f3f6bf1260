"""Hydra finds sweepers in this namespace only; ours lives in `embedrec.search`."""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class EmbedrecSweeper(Sweeper):
    """`hydra/sweeper=embedrec`: trials are kept in a study that can be continued, shared and pruned."""

    def __init__(self, n_jobs: int | None = None) -> None:
        """`n_jobs` trials run at the same time, -1 one on each processor; None leaves it to the launcher."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over."""
        self.config = config
        self.loader = hydra_context.config_loader
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run all trials."""
        from embedrec.search.driver import drive

        assert self.config is not None
        assert self.launcher is not None
        return drive(self.config, self.loader, self.launcher, arguments)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="embedrec",
    node={"_target_": f"{__name__}.{EmbedrecSweeper.__name__}", "n_jobs": None},
    provider="embedrec",
)
