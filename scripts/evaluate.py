"""Recompute the metrics of an exported bundle from the bundle alone. See --help."""

import sys

from embedrec.bundle_commands import evaluate
from embedrec.cli import guarded

if __name__ == "__main__":
    sys.exit(guarded(lambda: evaluate(sys.argv[1:])))
