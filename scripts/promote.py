"""Make a run's bundle, or a sweep's best trial, the champion of the model registry. See --help."""

import sys

from embedrec.cli import guarded
from embedrec.promotion_command import promote

if __name__ == "__main__":
    sys.exit(guarded(lambda: promote(sys.argv[1:])))
