"""`scripts/recommend.py`, `evaluate.py` and `serve.py`: ask a bundle, measure it again from itself alone, serve it.

Each takes the folder of a bundle, or the address of a registered one: models:/embedrec@champion, models:/embedrec/3.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedrec.cli import Parser, check_target
from embedrec.errors import ConfigError, DataError, quoted

if TYPE_CHECKING:  # pandas and torch take a second to load, which --help need not wait for
    import pandas as pd

    from embedrec.serving import Arrivals, Recommender
    from embedrec.tables import TableAccount

REGISTERED = "models:/"
EVERYBODY = "all"
LONG = 100  # customers, from which a bar shows the progress
BUNDLE_HELP = "folder that train.py wrote, or a registered bundle such as models:/embedrec@champion"


def recommend(arguments: list[str]) -> None:
    """Print or write recommendations for one customer or for a file of them."""
    parser = Parser(
        description="Recommend products from a bundle.",
        epilog="example: python scripts/recommend.py outputs/latest/bundle --customer C0042 -k 10; "
        "for everybody: python scripts/recommend.py outputs/latest/bundle --customers all -k 20 --out lists",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--customer", metavar="ID")
    who.add_argument(
        "--customers",
        metavar="FILE|all",
        help="CSV with a column customer_id, or all that the shop knows; use with --out",
    )
    parser.add_argument(
        "--new-products",
        metavar="FILE",
        help="table like product_details: recommend these products too; without a customer, show what is like them",
    )
    parser.add_argument("-k", type=_whole, default=10, help="how many products, 1 to 1000")
    parser.add_argument("--exclude-bought", action="store_true", help="leave out what the customer bought before")
    parser.add_argument("--only", choices=["new", "again"], help="only what they never bought, or only what they did")
    parser.add_argument("--in-stock", action="store_true", help="leave out what product_details say is sold out")
    parser.add_argument(
        "--diversity", type=_share, default=0.0, metavar="0..1", help="0: the likeliest, 1: as mixed as can be"
    )
    parser.add_argument("--json", action="store_true", help="print the list as one line of JSON")
    parser.add_argument(
        "--out",
        metavar="FILE|DIR",
        help="CSV to write the lists of --customers to; for all a folder of parquet files, without reasons, which take "
        "longer than the lists; the same command again goes on where it was stopped",
    )
    parser.add_argument("--engine", choices=["local", "ray"], help="what makes the parts of --customers all")
    given = parser.parse_args(arguments)
    if given.customer is None and given.customers is None and given.new_products is None:
        raise ConfigError("one of --customer, --customers and --new-products is required; see --help")
    if (given.customers is None) != (given.out is None):
        raise ConfigError("--customers and --out go together; see --help")
    if given.customers is not None and given.json:
        raise ConfigError("--json goes with --customer; lists of many customers are written to --out as CSV")
    if given.only == "again" and given.exclude_bought:
        raise ConfigError("--only again asks for what --exclude-bought leaves out; give one of them")
    everybody = given.customers == EVERYBODY
    if given.engine is not None and not everybody:
        raise ConfigError("--engine goes with --customers all; leave it out")
    if everybody and (given.diversity or given.new_products is not None):
        raise ConfigError("--customers all goes with neither --diversity nor --new-products; leave them out")
    if given.out is not None and not everybody:
        check_target(given.out, {"--customers": given.customers, "--new-products": given.new_products})

    from embedrec.serving import Recommender

    bundle = Path(local_bundle(given.bundle))
    shop = Recommender.load(bundle)
    if given.new_products is not None:
        _say_arrivals(shop.add_products(given.new_products).arrivals[-1])
    if given.in_stock and not shop.tells_stock:
        raise ConfigError("--in-stock: this shop's product_details do not say what is in stock; leave it out")
    if everybody:
        _recommend_everybody(shop, bundle, given)
        return
    filters = {
        "exclude_bought": given.exclude_bought,
        "only": given.only,
        "in_stock": given.in_stock,
        "diversity": given.diversity,
    }
    if given.customers is not None:
        _recommend_file(shop, Path(given.customers), Path(given.out), given.k, filters)
        return
    if given.customer is None:
        table = _like_the_new(shop, given.k)
    else:
        table = shop.recommend(given.customer, given.k, **filters)
    if given.json:
        print(json.dumps([_plain(row) for row in table.to_dict("records")], allow_nan=False))
        return
    if given.customer is None and table.empty:
        print("Nothing to show: no new product, or none that anything is known to be like.")
        return
    if table.empty:
        print("Nothing to show: no product is left by what was asked for.")
        return
    if table.attrs.get("cold_start"):
        print("This customer has not bought anything yet; these products are popular now.")
    print(table.drop(columns="score").to_string(index=False))


def evaluate(arguments: list[str]) -> None:
    """Print the metrics of a bundle, recomputed from its own files, as one JSON object."""
    parser = Parser(
        description="Measure an exported bundle again: its weights, its encoder, the tables of DATA.",
        epilog="example: python scripts/evaluate.py outputs/latest/bundle outputs/demo",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument("data", metavar="DATA", help="folder or file with the shop's tables")
    given = parser.parse_args(arguments)

    from embedrec.experiment.reevaluation import reevaluate

    print(json.dumps(reevaluate(Path(local_bundle(given.bundle)), given.data), allow_nan=False))


def serve(arguments: list[str]) -> int:
    """Serve the page and the API of a bundle until interrupted; return the exit code."""
    from embedrec.app.command import main

    if {"-h", "--help"} & set(arguments):
        print(f"BUNDLE is a {BUNDLE_HELP}.\n")

    return main([local_bundle(one) for one in arguments])


def local_bundle(given: str) -> str:
    """Return the folder of a registered bundle, anything else as it is.

    The registry is that of MLFLOW_TRACKING_URI, or of outputs/mlflow.db.

    Raises:
        ConfigError: there is no such model, alias or version.
    """
    if not given.startswith(REGISTERED):
        return given
    from embedrec.tracking.registry import fetch_bundle  # MLflow, which serving a folder does not need

    return str(fetch_bundle(given))


def _recommend_file(shop: Recommender, source: Path, target: Path, k: int, filters: Mapping[str, Any]) -> None:
    from rich.progress import Progress

    from embedrec.serving.lists import customer_lists
    from embedrec.spreadsheets import safe_to_open
    from embedrec.tables.id_lists import read_ids
    from embedrec.tables.opening import read_raw

    if not source.is_file():
        raise DataError(f"{quoted(source, 200)} is no regular file: name a CSV file with customer_id")
    found = read_ids(read_raw(source), "customer_id")
    _say_account(found.account, "customers", found.quarantine)
    with Progress(disable=len(found.ids) < LONG) as bar:
        task = bar.add_task("Recommending", total=len(found.ids))
        lists = customer_lists(shop, found.ids, k, filters, lambda done, _: bar.update(task, completed=done))
    partial = target.with_name(f".{target.name}.partial")
    try:
        safe_to_open(lists).to_csv(partial, index=False)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"--out {target} cannot be written ({error.strerror})") from error
    print(target)


def _recommend_everybody(shop: Recommender, bundle: Path, given: argparse.Namespace) -> None:
    from rich.progress import Progress

    from embedrec.serving.parts import Parts

    filters = {"only": "new" if given.exclude_bought else given.only, "in_stock": given.in_stock}
    everybody = shop.everybody(given.k, **filters)
    parts = Parts(Path(given.out), {"bundle": shop.manifest.id, "k": given.k, **filters}, everybody.count)
    try:
        with parts.begun(), Progress(disable=everybody.count < LONG) as bar:
            missing = parts.missing
            left = sum(stop - start for start, stop in map(parts.span, missing))
            task = bar.add_task("Recommending", total=everybody.count, completed=everybody.count - left)
            if given.engine == "ray":
                from embedrec.serving.parts_on_ray import write_on_ray

                write_on_ray(parts, bundle, {"k": given.k, **filters}, lambda more: bar.advance(task, more))
            else:
                for number in missing:
                    parts.write(number, everybody.lists, lambda more: bar.advance(task, more))
            parts.finish()
    except OSError as error:
        raise ConfigError(f"--out {given.out} cannot be written ({error.strerror or error})") from error
    print(parts.folder)


def _say_arrivals(arrivals: Arrivals) -> None:
    """Tell on stderr where the rows of new products went, and what the model cannot know of them."""
    _say_account(arrivals.account, "new products", arrivals.quarantine, arrivals.warnings)


def _say_account(account: TableAccount, what: str, quarantine: pd.DataFrame, warnings: Iterable[str] = ()) -> None:
    """Tell on stderr where the rows of a file went; what cannot be understood is at most 5 % of them."""
    counts = (
        f"{account.file}: {account.read:,} rows read, {account.used:,} {what}, {account.quarantined:,} not "
        f"understood, {account.duplicates:,} duplicates, {account.set_aside:,} set aside"
    )
    rows = quarantine[["line", "column", "text", "reason"]].itertuples(index=False)
    strange = (f"line {line}: {column} {quoted(text)} {reason}" for line, column, text, reason in rows)
    for line in (counts, *(f"  note: {note}" for note in (*account.notes, *warnings)), *strange):
        print(line, file=sys.stderr)


def _like_the_new(shop: Recommender, k: int) -> pd.DataFrame:
    """Return what is most like each new product, the closest first."""
    import pandas as pd

    lists = []
    for product in shop.arrivals[-1].products["product_id"]:
        table = shop.similar(product, k)
        table.insert(0, "new_product_id", product)
        lists.append(table)
    return pd.concat(lists, ignore_index=True) if lists else pd.DataFrame()


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}


def _share(text: str) -> float:
    try:
        if 0 <= (value := float(text)) <= 1:
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"wanted a number from 0 to 1, got {text[:20]!r}")


def _whole(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 4 or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"wanted a whole number from 1 to 1000, got {text[:20]!r}")
    return int(text)
