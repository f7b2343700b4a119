"""Types that several packages share. Imported only by type checkers."""

from __future__ import annotations

from typing import List, Optional, Tuple

#: Change time in nanoseconds, size in bytes, inode and device of a path; None if the path does not exist.
#: Other inputs use the four numbers differently.
Signature = Optional[Tuple[int, int, int, int]]

#: A watched input and its signature: the kind, name and detail of the input, and the signature.
Row = Tuple[str, str, str, Signature]
Rows = List[Row]
