"""The base class of inputs other than files and directories."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Signature


class Input:
    """Base class of inputs.

    :ivar kind: the kind of input, which identifies the class in a snapshot
    :ivar name: the name of the input: a time, or the name of a key, a store or a domain
    """

    kind = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def signature(self, portable: bool = False) -> Signature:
        """Return the current signature.

        :param portable: whether it must survive packing into a container image
        """
        raise NotImplementedError
