"""``python -m certhook``, and the command ``certhook``."""

import os
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
    exit_status = run()
    _leave_threads(exit_status)
    return exit_status


def _leave_threads(exit_status: int) -> None:
    """End the process at once if threads of certhook are still running: OpenSSL would crash while it is unloaded."""
    threading = sys.modules.get("threading")
    if threading is not None and any(thread.name.startswith("certhook ") for thread in threading.enumerate()):
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:
            pass  # They are closed or missing.
        os._exit(exit_status)


if __name__ == "__main__":
    sys.exit(main())
