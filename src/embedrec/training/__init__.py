"""Training with Lightning: wiring, checkpoints, callbacks; the logger is handed in."""

from embedrec.training.config import SoftmaxConfig, TrainerConfig
from embedrec.training.fit import Fit, fit

__all__ = ["Fit", "SoftmaxConfig", "TrainerConfig", "fit"]
