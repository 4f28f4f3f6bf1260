"""Reproduce a run's numbers from the settings it kept. See --help."""

import sys

from embedrec.cli import guarded
from embedrec.promotion_command import rerun

if __name__ == "__main__":
    sys.exit(guarded(lambda: rerun(sys.argv[1:])))
