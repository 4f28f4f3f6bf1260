"""Send a run that was recorded here to an MLflow server. See --help."""

import sys

from embedrec.cli import guarded
from embedrec.promotion_command import push

if __name__ == "__main__":
    sys.exit(guarded(lambda: push(sys.argv[1:])))
