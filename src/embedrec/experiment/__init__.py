"""From one config to a finished run."""

from embedrec.experiment.config import RunConfig, parse_config
from embedrec.experiment.run import RunResult, run

__all__ = ["RunConfig", "RunResult", "parse_config", "run"]
