"""Find the customers most likely to buy a product or a category, from a bundle. See --help."""

import sys

from embedrec.audience_command import audience
from embedrec.cli import guarded

if __name__ == "__main__":
    sys.exit(guarded(lambda: audience(sys.argv[1:])))
