"""The address of the manual, for messages: an installed certhook has no copy of it. certhook never opens it."""

from __future__ import annotations

_ADDRESS = "https://certhook.readthedocs.io/en/stable/"


def page(name: str, anchor: str = "") -> str:
    """Return the address of a page, or of a part of it.

    :param name: the path of the page in the manual, such as "how-to/pip"
    """
    return f"{_ADDRESS}{name}.html{f'#{anchor}' if anchor else ''}"


def troubleshooting(anchor: str) -> str:
    """Return the address of the part about a problem.

    :param anchor: the identifier of a cause of ``check``, or another label of this page
    """
    return page("troubleshooting", anchor)
