"""Write the three tables of a synthetic shop, labelled as such. See --help."""

import sys
from pathlib import Path

from embedrec.cli import Parser, guarded


def main() -> None:
    """Parse, write, print the folder."""
    parser = Parser(
        description="Write the three CSV tables of a synthetic shop, and the best figures reachable on them.",
        epilog="example: python scripts/make_demo_data.py outputs/demo --customers 500 --products 200 --seed 1",
    )
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder for the files, made where missing")
    parser.add_argument("--customers", metavar="N", type=int, default=3000, help="(default: %(default)s)")
    parser.add_argument("--products", metavar="M", type=int, default=800, help="(default: %(default)s)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()

    from embedrec.demo_shop import write_demo_shop

    print(write_demo_shop(options.folder, options.customers, options.products, options.seed))


if __name__ == "__main__":
    sys.exit(guarded(main))
