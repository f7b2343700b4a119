"""PyInstaller runtime hook: installs the import hook before the first line of the frozen program."""


def _start() -> None:
    try:
        from certhook import start
    except ImportError:
        return  # built with --exclude-module certhook
    start("PyInstaller")


_start()
del _start
