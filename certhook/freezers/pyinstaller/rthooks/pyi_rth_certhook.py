"""Runs in a program that PyInstaller made, before its first line."""


def _start() -> None:
    try:
        from certhook import start
    except ImportError:
        return  # built with --exclude-module certhook
    start("PyInstaller")


_start()
del _start
