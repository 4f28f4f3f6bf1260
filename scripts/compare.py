"""Compare models on one split, with intervals, tests and a verdict. See --help."""

import sys
from pathlib import Path

from embedrec.cli import guarded
from embedrec.comparison_command import compare_models

CONF = Path(__file__).resolve().parent.parent / "conf"

if __name__ == "__main__":
    sys.exit(guarded(lambda: compare_models(sys.argv[1:], CONF)))
