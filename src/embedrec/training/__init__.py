"""Training: Lightning wiring, losses by config, checkpoints, callbacks."""

from embedrec.training.callbacks import NDCG, RMSE, Monitor, Pruned, Report, Validate
from embedrec.training.config import LossConfig, SoftmaxConfig, TrainerConfig
from embedrec.training.fit import Fit, check_machine, fit
from embedrec.training.on_ray import fit_on_ray

__all__ = [
    "NDCG",
    "RMSE",
    "Fit",
    "LossConfig",
    "Monitor",
    "Pruned",
    "Report",
    "SoftmaxConfig",
    "TrainerConfig",
    "Validate",
    "check_machine",
    "fit",
    "fit_on_ray",
]
