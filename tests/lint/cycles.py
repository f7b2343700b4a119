"""Fail if modules of certhook import each other in a cycle; the ``lint`` environment of tox runs this script.

The contracts in pyproject.toml compare siblings. This script also finds cycles between a package
and its own modules. Imports for type checkers count.
"""

from __future__ import annotations

import sys
from pathlib import Path

import grimp
from graphlib import CycleError, TopologicalSorter

PACKAGE = "certhook"


def main() -> int:
    """Print a cycle, if there is one, and return the exit status."""
    # The sources, not an installed package.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    imports = {
        # A module that runs as __main__ may import itself by its real name.
        module: graph.find_modules_directly_imported_by(module) - {module}
        # The package imports upwards in its activation functions, and its public names for type checkers.
        for module in graph.modules - {PACKAGE}
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        print("import cycle:", " <- ".join(error.args[1]))
        return 1
    print(f"{len(imports)} modules without an import cycle")
    return 0


if __name__ == "__main__":
    sys.exit(main())
