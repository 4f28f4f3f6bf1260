"""`scripts/audience.py`: the customers most likely to buy a product, a category, or any product of a list."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embedrec.bundle_commands import BUNDLE_HELP, local_bundle
from embedrec.cli import Parser, check_target, write_whole
from embedrec.errors import DataError, RequestError, nearest, quoted

if TYPE_CHECKING:  # pandas and torch take a second to load, which --help need not wait for
    import pandas as pd

    from embedrec.serving import Recommender


def audience(arguments: list[str]) -> None:
    """Print or write an audience."""
    parser = Parser(
        description="Find the customers most likely to buy a product, or any of several.",
        epilog="example: python scripts/audience.py outputs/latest/bundle --product P101 -n 500 --out audience.csv",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--product", metavar="ID")
    what.add_argument("--category", metavar="NAME", help="any product of it")
    what.add_argument("--products", metavar="FILE", help="any product of a CSV file with a column product_id")
    parser.add_argument("-n", type=_whole(1, 100_000), default=500, help="how many customers, 1 to 100000")
    parser.add_argument(
        "--exclude-recent",
        metavar="DAYS",
        type=_whole(0, 36_500),
        default=0,
        help="leave out who bought any of it within so many days before the end of the data",
    )
    parser.add_argument("--out", metavar="FILE", help="CSV to write; without it the table is printed")
    given = parser.parse_args(arguments)
    if given.out is not None:
        check_target(given.out, {"--products": given.products})

    from embedrec.serving import Recommender

    shop = Recommender.load(local_bundle(given.bundle))
    table = _ask(shop, given)
    print(_summary(table), file=sys.stderr)
    if given.out is None:
        print(table.to_string(index=False, na_rep=""))
        return
    from embedrec.spreadsheets import safe_to_open

    write_whole(Path(given.out), safe_to_open(table).to_csv(index=False))
    print(given.out)


def _ask(shop: Recommender, given: argparse.Namespace) -> pd.DataFrame:
    """Ask with a bar on stderr; a name that the shop does not have is refused with the nearest that it has."""
    from rich.console import Console
    from rich.progress import Progress

    products = _products_of(Path(given.products)) if given.products else ()
    categories = [given.category] if given.category is not None else None
    flag = "--product" if given.product is not None else "--category" if categories else f"--products {given.products}"
    known = set(shop.product_ids)
    asked = list(products) if given.product is None else [given.product.strip()]
    if unknown := [one for one in asked if one not in known]:
        raise DataError(f"{flag}: no such product as {quoted(unknown[0])}{nearest(unknown[0], shop.product_ids)}")
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Looking at customers", total=None)
        try:
            return shop.audience(
                given.product,
                given.n,
                products=products,
                categories=categories,
                exclude_recent_days=given.exclude_recent,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except RequestError as error:
            raise DataError(f"{flag}: {str(error).partition(': ')[2]}") from error


def _products_of(source: Path) -> tuple[str, ...]:
    from embedrec.tables.id_lists import read_ids
    from embedrec.tables.opening import read_raw

    if not source.is_file():
        raise DataError(f"--products {quoted(str(source), 200)}: no such file; name a CSV file with product_id")
    return read_ids(read_raw(source), "product_id").ids


def _summary(table: pd.DataFrame) -> str:
    told = table.attrs
    left_out = f", {told['left_out']:,} left out as recent buyers" if told["left_out"] else ""
    line = f"{len(table):,} of {told['customers']:,} customers{left_out}"
    if told["expected_buyers"] is None:
        return f"{line}; the bundle cannot tell how many will buy"
    within = f" within {told['days']} days" if told["days"] else ""
    return f"{line}; about {told['expected_buyers']:,.1f} of them are expected to buy{within}"


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Make the reader of a whole number from lowest to highest."""

    def read(text: str) -> int:
        if text.isdecimal() and text.isascii() and len(text) < 8 and lowest <= int(text) <= highest:
            return int(text)
        raise argparse.ArgumentTypeError(f"wanted a whole number from {lowest} to {highest}, got {text[:20]!r}")

    return read
