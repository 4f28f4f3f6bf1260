"""A bundle as an MLflow model: signature, input example and the code that answers; models-from-code, so no pickle."""

from __future__ import annotations

import tempfile
import warnings
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

NAME = "embedrec"
"""The registered model, and the recorded model of a run."""
BUNDLE = "bundle"
"""Folder of a bundle: in a run, and among a model's artifacts."""
BUNDLE_TAG = "bundle"
CODE = Path(__file__).with_name("bundle_model.py")


def log_bundle(client: Any, run_id: str, bundle: Path, bundle_id: str) -> str:
    """Record a bundle as the model and output of a run, with signature and input example; return MLflow's id of it.

    A bundle that the run has recorded before is found again. Its folder is called `bundle`.
    """
    run = client.get_run(run_id)
    experiment = run.info.experiment_id
    known = client.search_logged_models([experiment], filter_string=f"tags.`{BUNDLE_TAG}` = '{bundle_id}'")
    for one in known:
        if one.source_run_id == run_id and str(one.status) == "READY":
            _put_out(client, run, str(one.model_id))
            return str(one.model_id)
    model = client.create_logged_model(experiment, name=NAME, source_run_id=run_id, tags={BUNDLE_TAG: bundle_id})
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        save_bundle_model(bundle, place, run_id, str(model.model_id))
        client.log_model_artifacts(model.model_id, str(place))
    client.finalize_logged_model(model.model_id, "READY")
    _put_out(client, run, str(model.model_id))
    return str(model.model_id)


def _put_out(client: Any, run: Any, model_id: str) -> None:
    """Name a model among the outputs of a run, once."""
    from mlflow.entities import LoggedModelOutput

    if model_id not in [one.model_id for one in (run.outputs.model_outputs if run.outputs else [])]:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, 0)])


def save_bundle_model(bundle: Path, place: Path, run_id: str | None = None, model_id: str | None = None) -> None:
    """Write a bundle as an MLflow model: the bundle, the code of `bundle_model`, and what goes in and out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own type hints while it is imported
        import pandas as pd
        from mlflow.models import Model, ModelSignature
        from mlflow.pyfunc import save_model
        from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

        def columns(**types: str) -> Any:
            return Schema([ColSpec(kind, name, required=name == "customer_id") for name, kind in types.items()])

        assert bundle.name == BUNDLE, f"{bundle} is no folder of a run's bundle"
        save_model(
            str(place),
            python_model=str(CODE),
            artifacts={BUNDLE: str(bundle)},
            signature=ModelSignature(
                inputs=columns(customer_id="string"),
                outputs=columns(
                    customer_id="string",
                    cold_start="boolean",
                    rank="long",
                    product_id="string",
                    category="string",
                    price="double",
                    rating="double",
                    score="double",
                    reason="string",
                ),
                params=ParamSchema([ParamSpec("k", "long", 10), ParamSpec("exclude_bought", "boolean", False)]),
            ),
            input_example=pd.DataFrame({"customer_id": ["C0042"]}),
            # said here, or MLflow loads the model in a process of its own to find out
            pip_requirements=[f"{name}=={installed(name)}" for name in (NAME, "mlflow")],
        )
        model = Model.load(str(place))
        flavour = model.flavors["python_function"]
        # a registered model tells nobody where on the machine it was made
        flavour["model_code_path"] = CODE.name
        flavour["artifacts"][BUNDLE]["uri"] = flavour["artifacts"][BUNDLE]["path"]
        model.run_id, model.model_id = run_id, model_id
        model.save(str(place / "MLmodel"))
