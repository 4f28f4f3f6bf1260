"""What MLflow runs to answer with a registered bundle: this file is stored beside the bundle, and no pickle is.

    model = mlflow.pyfunc.load_model("models:/embedrec@champion")
    model.predict(pandas.DataFrame({"customer_id": ["C0042"]}), params={"k": 5})

MLflow executes the stored copy by itself, so nothing of this package imports the module.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from embedrec import Recommender


class BundleModel(PythonModel):
    """Lists of recommended products for a table of customers."""

    def load_context(self, context: Any) -> None:
        """Read and verify the bundle."""
        self._shop = Recommender.load(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return customer_id, cold_start and the columns of `Recommender.recommend`, customer after customer.

        `model_input` has a column customer_id; `params` are k (1 to 1000) and exclude_bought.

        Raises:
            RequestError: an id is malformed or k out of range.
        """
        asked = params or {}
        lists = []
        for customer in model_input["customer_id"]:
            table = self._shop.recommend(
                str(customer), int(asked.get("k", 10)), exclude_bought=bool(asked.get("exclude_bought", False))
            )
            table.insert(0, "customer_id", str(customer))
            table.insert(1, "cold_start", table.attrs.pop("cold_start"))
            lists.append(table)
        return pd.concat(lists, ignore_index=True) if lists else pd.DataFrame()


set_model(BundleModel())
