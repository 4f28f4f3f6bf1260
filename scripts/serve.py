"""Serve the page and the API of a bundle: a folder, or a registered one such as models:/embedrec@champion."""

import sys

from embedrec.bundle_commands import serve
from embedrec.cli import guarded

if __name__ == "__main__":
    sys.exit(guarded(lambda: serve(sys.argv[1:])))
