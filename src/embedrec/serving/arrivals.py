"""Products that come after the training: read and checked as product_details were, and what the model lacks of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from embedrec.columns import CATEGORY, PRICE, PRODUCT, RATING
from embedrec.errors import DataError, RequestError, nearest, quoted
from embedrec.features import FeatureSchema
from embedrec.features.hierarchy import nearest_rows
from embedrec.models import Scorer
from embedrec.tables import TableAccount
from embedrec.tables.config import ColumnsConfig
from embedrec.tables.details import read_products
from embedrec.tables.in_memory import raw_of
from embedrec.tables.opening import read_raw

IN_MEMORY = "new products"  # what messages call a table that is no file


@dataclass(frozen=True)
class Arrivals:
    """New products that a Recommender took in, and where every row went that they came in."""

    products: pd.DataFrame
    """Columns of `Tables.products`, sorted by product_id."""
    account: TableAccount
    quarantine: pd.DataFrame
    """One row for each that could not be understood: table, file, line, column, reason, text."""
    warnings: tuple[str, ...]
    """What the model cannot know of them."""


def columns_of(config: dict[str, Any]) -> ColumnsConfig:
    """Return the names of columns that a run was given, of its settings as a manifest keeps them."""
    return ColumnsConfig.model_validate(config.get("data", {}).get("columns", {}))


def read_arrivals(
    given: pd.DataFrame | str | Path,
    known: Collection[str],
    columns: ColumnsConfig,
    schema: FeatureSchema,
    model: Scorer,
) -> Arrivals:
    """Read new products; rows of `known` ones are set aside.

    Raises:
        DataError: the table cannot be read, has no row or no product_id, or over 5 % of it cannot be understood.
        RequestError: `given` is neither a table nor a file.
    """
    if isinstance(given, pd.DataFrame):
        raw = raw_of(given, IN_MEMORY)
    elif isinstance(given, str | Path):
        if not Path(given).is_file():
            raise DataError(f"{quoted(given, 200)} is no regular file: name a CSV or parquet file with product_id")
        raw = read_raw(Path(given))
    else:
        raise RequestError("frame", f"wanted a table or the path of one, got {type(given).__name__}")
    if not len(raw.cells) and not raw.rejected:
        raise DataError(f"{raw.file} has no row: it needs a header with product_id and at least one product")
    try:
        products, ledger = read_products(raw, columns, known)
        account = ledger.account()
    except DataError as error:
        if "data.columns" not in str(error):
            raise
        raise DataError(
            f"{error}; new products are read with the data.columns of the training: rename the header here"
        ) from error
    warnings = _warnings(products, schema, model) if len(products) else ()
    return Arrivals(products, account, ledger.quarantined_rows(), warnings)


def _warnings(products: pd.DataFrame, schema: FeatureSchema, model: Scorer) -> tuple[str, ...]:
    """Say what of new products has no weight in the model."""
    if not model.reads_features:
        return ("this model scores products by who bought them: it cannot tell those apart that nobody bought yet",)
    said = []
    category = products[CATEGORY].dropna()
    if count := int((strange := nearest_rows(category, schema.categories) == 0).sum()):
        first = str(category[strange].iloc[0])
        said.append(
            f"{count:,} of {len(products):,} new products have a {CATEGORY} that the training did not know, such as "
            f"{quoted(first)}{nearest(first, schema.categories)}: scored as if they had none"
        )
    for column, known in ((PRICE, schema.knows_prices), (RATING, schema.knows_ratings)):
        if not known and bool(products[column].notna().any()):
            said.append(f"the training knew no {column}: that of new products is shown and does not change a score")
    return tuple(said)


def grown(products: pd.DataFrame, arrivals: pd.DataFrame) -> pd.DataFrame:
    """Put new products to those of a bundle, sorted as the reader sorts them.

    What only stood on lines of views gives way to a row of its own.
    """
    columns = products.columns.union(arrivals.columns, sort=False)  # the bundle need not know what is in stock
    products = products.reindex(columns=columns)
    alike = arrivals.reindex(columns=columns).astype(products.dtypes)
    others = products[~products[PRODUCT].isin(alike[PRODUCT])]
    return pd.concat([others, alike]).sort_values(PRODUCT, ignore_index=True)
