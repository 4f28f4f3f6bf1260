"""Write the three tables of a synthetic shop.

example: python scripts/make_demo_data.py outputs/demo --customers 500 --products 200 --seed 1"""

import argparse
import sys
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        """Print and end with exit code 2."""
        self.exit(2, f"error: {message}\n")


def main() -> int:
    """Parse, write, print the folder. Returns the exit code."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder for the files, made where missing")
    parser.add_argument("--customers", metavar="N", type=int, default=3000, help="(default: %(default)s)")
    parser.add_argument("--products", metavar="M", type=int, default=800, help="(default: %(default)s)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()

    from embedrec.demo_shop import write_demo_shop
    from embedrec.errors import EmbedrecError

    try:
        print(write_demo_shop(options.folder, options.customers, options.products, options.seed))
    except EmbedrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
