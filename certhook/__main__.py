"""``python -m certhook``."""

import sys

from certhook.cli import main

if __name__ == "__main__":
    sys.exit(main())
