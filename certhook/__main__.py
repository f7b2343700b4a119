"""``python -m certhook``."""

import sys

if __name__ == "__main__":
    try:
        from certhook.cli import main
    except KeyboardInterrupt:
        sys.exit(130)  # the exit status that main() uses
    sys.exit(main())
