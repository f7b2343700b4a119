"""``python -m certhook``, and the command ``certhook``."""

import sys


def main() -> int:
    """Run the command line. No verb imports a module from the working directory.

    :returns: the exit status
    """
    # It imports only modules that Python has imported already.
    from certhook import _working_directory

    sys.path[:] = _working_directory.search_path()
    try:
        from certhook.cli import main as run
    except KeyboardInterrupt:
        return 130  # the exit status that run() uses
    return run()


if __name__ == "__main__":
    sys.exit(main())
