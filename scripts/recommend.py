"""Recommend products to one customer, or to a file of them, from a bundle. See --help."""

import sys

from embedrec.bundle_commands import recommend
from embedrec.cli import guarded

if __name__ == "__main__":
    sys.exit(guarded(lambda: recommend(sys.argv[1:])))
