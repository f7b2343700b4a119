"""Run mutmut in the current directory and write ``results.json``; :file:`run.py` starts this script."""

from __future__ import annotations

import json
import sys
from typing import Iterator

import libcst as cst
from mutmut.__main__ import _run, collect_source_file_mutation_data
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.mutators import mutation_operators, operator_string
from mutmut.stats import status_by_exit_code


def remove_raise(node: cst.Raise) -> Iterator[cst.Pass]:
    """Replace a ``raise`` statement by ``pass``: each error needs a test of its own."""
    yield cst.Pass()


#: Names whose case makes no difference.
CASE_INSENSITIVE = {"ascii", "latin-1", "md5", "sha1", "utf-8", "utf-16", "utf-16-be", "utf-32-be"}


def change_data(node: cst.SimpleString) -> Iterator[cst.SimpleString]:
    """Change a string, unless it contains a space: the tests do not fix the wording of messages."""
    text = node.raw_value if isinstance(node, cst.SimpleString) else ""
    if " " in text:
        return
    for changed in operator_string(node):
        if text not in CASE_INSENSITIVE or changed.raw_value.lower() != text:
            yield changed


def changed_lines(diff: str) -> tuple[str, str]:
    """The lines that *diff* removes and adds, without indentation."""
    lines = diff.splitlines()[2:]
    return tuple("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")  # type: ignore[return-value]


def main() -> None:
    """Run mutmut on every mutant, and write the state and the change of each."""
    operators = [
        (kind, change_data if function is operator_string else function) for kind, function in mutation_operators
    ]
    mutation_operators[:] = [*operators, (cst.Raise, remove_raise)]
    _run((), int(sys.argv[1]))
    mutants, _ = collect_source_file_mutation_data(mutant_names=())
    results = []
    for data, name, exit_code in mutants:
        function = name.rpartition("__mutmut_")[0].rpartition(".")[2].replace("xǁ", "").replace("ǁ", ".")
        removed, added = changed_lines(get_diff_for_mutant(name, path=data.path))
        change = [function[2:] if function.startswith("x_") else function, removed, added]
        results.append({"status": status_by_exit_code[exit_code], "change": change})
    with open("results.json", "w", encoding="utf-8") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main()
