"""From one config to a finished run."""

from embedrec.experiment.config import RunConfig, parse_config
from embedrec.experiment.run import RunResult, follow, run

__all__ = ["RunConfig", "RunResult", "follow", "parse_config", "run"]
