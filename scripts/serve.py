"""Serve the page and the API of a bundle: `python scripts/serve.py outputs/latest/bundle`."""

import sys

from embedrec.app.command import main

if __name__ == "__main__":
    sys.exit(main())
