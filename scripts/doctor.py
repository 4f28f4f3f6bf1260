"""Data doctor: what is in the tables, and whether a model can be trusted on them. See --help."""

import sys
from pathlib import Path

from embedrec.cli import guarded
from embedrec.doctor_command import diagnose

CONF = Path(__file__).resolve().parent.parent / "conf"

if __name__ == "__main__":
    sys.exit(guarded(lambda: diagnose(sys.argv[1:], CONF)))
