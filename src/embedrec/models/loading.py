"""From a config, a schema and plain weights back to a scorer."""

from __future__ import annotations

import torch
from torch import Tensor

from embedrec.errors import BundleError
from embedrec.features import FeatureSchema
from embedrec.models.base import Scorer
from embedrec.models.learned import TwoTowerScorer
from embedrec.models.pairs import PairNetwork, PairScorer
from embedrec.models.two_tower import TwoTower
from embedrec.models.two_tower_ids import TwoTowerIds, TwoTowerIdsScorer
from embedrec.models.two_tower_sequence import TwoTowerSequence, TwoTowerSequenceScorer

Network = TwoTower | TwoTowerIds | TwoTowerSequence | PairNetwork


def scorer_of(network: Network, dtype: torch.dtype = torch.float64) -> Scorer:
    """Put a trained network behind the scoring contract; later training does not reach the copy."""
    if isinstance(network, TwoTower):
        return TwoTowerScorer(network, dtype)
    if isinstance(network, TwoTowerIds):
        return TwoTowerIdsScorer(network, dtype)
    kind = TwoTowerSequenceScorer if isinstance(network, TwoTowerSequence) else PairScorer
    return kind(network, dtype)


def load_scorer(config: object, schema: FeatureSchema, weights: dict[str, Tensor]) -> Scorer:
    """Rebuild the model of a bundle.

    Raises:
        BundleError: the weights do not fit the schema or are not finite.
    """
    model: Scorer | Network = config.build(schema)  # type: ignore[attr-defined]  # every ModelConfig has it
    try:
        if isinstance(model, Scorer):
            model.restore(weights)
        else:
            model.load_state_dict(weights)
    except (RuntimeError, KeyError, ValueError) as error:
        raise BundleError("model.safetensors does not fit the schema of its bundle; export the bundle again") from error
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise BundleError("model.safetensors holds values that are not finite; train again")
    return model if isinstance(model, Scorer) else scorer_of(model)
