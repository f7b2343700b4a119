"""Write ``docs/reference/libraries.rst``, which contains the table of libraries, from the data of the package."""

from __future__ import annotations

from support import ROOT

from certhook.cli._library_table import HOME, LIBRARIES, OPTION, VARIABLE, Library

FILE = ROOT / "docs" / "reference" / "libraries.rst"

_HEAD = """\
Libraries
=========

.. Generated: run 'python tests/library_table.py'.

certhook gives most libraries *default trust*, the roots of the operating system and certifi's. The
last column of the table contains the mechanism:

- *Default trust*: the library requests the default roots from Python's ``ssl``.
- *Adopted bundle*: the library names a copy of Mozilla's roots, and certhook adds the other roots
  of default trust.
- *Client hook*: the library does not request default roots from ``ssl``, and certhook patches it.
  ``CERTHOOK_CLIENTS`` selects the hooks.
- ``certhook run --env``: the library has a TLS implementation of its own, which reads a variable.
- *Its own option*: certhook does not reach the library. The program must select the roots.

The standard library's modules for mail and FTP, and libraries such as aio-pika or aiomysql, verify
a server only if the program passes a context, such as ``ssl.create_default_context()``.

The tests send real requests, with certhook and without it, to servers whose root is only in the
system's store, only in certifi's bundle, or in neither. They use the stores of Debian and Fedora
together with another OpenSSL, and an empty container. Libraries with a TLS implementation of their
own are tested with Debian's store and with their variable or option.

.. list-table::
   :header-rows: 1

   * - library
     - tested version
     - its own roots
     - mechanism
"""


def library_table() -> str:
    """Return the document as reStructuredText."""
    return _HEAD + "".join(map(_row, LIBRARIES))


def _row(library: Library) -> str:
    settings = [f"``{setting}``" for setting in (*library.variables, library.option) if setting]
    mechanism = f"``{library.mechanism}``" if library.mechanism == VARIABLE else library.mechanism
    if library.mechanism == VARIABLE and library.option:
        settings[-1] = f"or its own option {settings[-1]}"
    elif library.mechanism == OPTION:
        settings = [" or ".join(reversed(settings))]
    mechanism = f"{mechanism}: {', '.join(settings)}" if settings else mechanism
    roots = f"``{library.roots}``" if library.roots == HOME else library.roots
    cells = (library.name, library.version or "standard library", roots, mechanism)
    return f"   * - {cells[0]}\n" + "".join(f"     - {cell}\n" for cell in cells[1:])


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(library_table(), encoding="utf-8")
