"""Train one model, or a grid of them with `-m`: read → split → train → evaluate → export. See --help."""

import sys
from pathlib import Path

from embedrec.cli import guarded
from embedrec.training_command import train

CONF = Path(__file__).resolve().parent.parent / "conf"

if __name__ == "__main__":
    sys.exit(guarded(lambda: train(sys.argv[1:], CONF)))
