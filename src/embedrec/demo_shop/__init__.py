"""A synthetic shop with a known truth: three tables to try things on, and the best NDCG reachable on them.

world      who shops and what is on sale
purchases  two years of shopping in that world
oracle     the ranking by the true probabilities, and what it scores
tables     the three tables, with gaps
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from embedrec.columns import TABLE_NAMES
from embedrec.demo_shop.oracle import oracle_report
from embedrec.demo_shop.purchases import simulate
from embedrec.demo_shop.tables import shop_tables
from embedrec.demo_shop.world import BROWSING_DAYS, FIRST_DATE, draw_world
from embedrec.errors import ConfigError, quoted

__all__ = ["ORACLE", "is_complete", "write_demo_shop"]

# More would take minutes; the demo is not a load test.
LIMITS = {"customers": (10, 50_000), "products": (10, 5_000), "seed": (0, 2**32 - 1)}
ORACLE = "oracle.json"
ABOUT = "README.txt"
FILES = (ORACLE, *(f"{name}.csv" for name in TABLE_NAMES), ABOUT)
README = """\
This shop is SYNTHETIC: every customer, product and purchase was drawn by a program (embedrec's demo shop).

seed {seed}, {customers} customers, {products} products, {purchases} purchases from {first} to {last}

customer_interactions.csv  page views (number) and time spent (minutes) up to {browsing_until}
purchase_history.csv       who bought what on which day
product_details.csv        category, price and mean rating (1 to 5 stars) per product
oracle.json                the NDCG@10 of a ranking by the true probabilities: the upper limit for any model

Some cells are empty, some customers and products are missing from a table or never bought: that is meant.
"""


def write_demo_shop(folder: Path, customers: int = 3000, products: int = 800, seed: int = 0) -> Path:
    """Write a synthetic shop's three CSV tables, README.txt and oracle.json into `folder`; return `folder`.

    The same arguments write the same bytes. About 20 purchases a customer. A demo shop already in the folder
    is replaced, file by file once all are written; other files stay. Raises `ConfigError` for a number out of
    range and for a folder that cannot be written or that holds tables which are not a demo shop's.
    """
    for name, value in (("customers", customers), ("products", products), ("seed", seed)):
        low, high = LIMITS[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            wanted = f"a whole number from {low} to {high}"
            raise ConfigError(f"{name}: wanted {wanted}, got {quoted(value)}; change it")
    folder = Path(folder)
    try:
        _refuse_foreign(folder)
        _write(folder, _files(customers, products, seed))
    except OSError as error:
        raise ConfigError(
            f"{quoted(folder)}: cannot write the demo shop there ({error.strerror}); name another folder"
        ) from error
    return folder


def _files(customers: int, products: int, seed: int) -> dict[str, str]:
    """Draw the shop and return the text of each file by name."""
    world = draw_world(customers, products, np.random.default_rng([seed, 0]))
    purchases = simulate(world, np.random.default_rng([seed, 1]))
    tables = shop_tables(world, purchases, np.random.default_rng([seed, 2]))
    report = oracle_report(world, purchases, seed)
    # The oracle goes first: it marks the folder as ours even if we are stopped half-way.
    files = {ORACLE: json.dumps(report, indent=2, allow_nan=False) + "\n"}
    files |= {f"{name}.csv": table.to_csv(index=False, lineterminator="\n") for name, table in tables.items()}
    dates = purchases.dates
    files[ABOUT] = README.format(
        seed=seed,
        customers=customers,
        products=products,
        purchases=len(dates),
        first=dates.min(),
        last=dates.max(),
        browsing_until=FIRST_DATE + (BROWSING_DAYS - 1),
    )
    return files


def _refuse_foreign(folder: Path) -> None:
    """Raise `ConfigError` where writing would hit a file, or tables that may be somebody's real ones."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{quoted(folder)}: wanted a folder, found a file; name another folder")
    taken = [name for name in FILES if (folder / name).exists()]
    if taken and not _is_ours(folder / ORACLE):
        raise ConfigError(
            f"{quoted(folder)}: holds {taken[0]} but no {ORACLE} of ours, so it is no demo shop; name another folder"
        )


def is_complete(folder: Path) -> bool:
    """Tell whether a folder holds a whole demo shop."""
    return all((folder / name).is_file() for name in FILES)


def _is_ours(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["synthetic"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write all files into a draft folder, then move them, so that no half-written file is ever seen."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".demo-", dir=folder) as draft:
        for name, text in files.items():
            (Path(draft) / name).write_text(text, encoding="utf-8", newline="\n")
        for name in files:
            (Path(draft) / name).replace(folder / name)
