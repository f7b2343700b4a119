"""The table of libraries in ``docs/libraries.rst``, generated from the package: this script writes the file."""

from __future__ import annotations

from support import ROOT

from certhook.cli._library_table import LIBRARIES, Library

FILE = ROOT / "docs" / "libraries.rst"

_HEAD = """\
Libraries
=========

.. Generated: run 'python tests/library_table.py'.

The tests send real requests with each of these libraries, to servers whose root is only in the
system's store, only in certifi's bundle, or in neither: on Debian and Fedora with another OpenSSL,
and in an empty container. They also send the requests without certhook. The libraries with a TLS
implementation of their own are tested on Debian, with their variable or option.

- *Default trust*: the library requests the default roots from Python's ``ssl``.
- *Adopted bundle*: the library names a copy of Mozilla's roots, and certhook adds the other roots
  of default trust.
- *Client hook*: the library does not request its roots from ``ssl``. ``CERTHOOK_CLIENTS`` selects
  the hooks.
- ``certhook run --env``: the library has a TLS implementation of its own, and reads a variable.
- *Own option*: certhook does not reach the library.

The standard library's modules for mail and FTP, and libraries such as aio-pika or aiomysql, verify a
server only if the program passes a context, such as ``ssl.create_default_context()``.

.. list-table::
   :header-rows: 1

   * - library
     - tested version
     - its own roots
     - mechanism of certhook
"""


def library_table() -> str:
    """Return the document as reStructuredText."""
    return _HEAD + "".join(map(_row, LIBRARIES))


def _row(library: Library) -> str:
    settings = [f"``{setting}``" for setting in (*library.variables, library.option) if setting]
    mechanism = f"{library.mechanism}: {', '.join(settings)}" if settings else library.mechanism
    cells = (library.name, library.version or "standard library", library.roots, mechanism)
    return f"   * - {cells[0]}\n" + "".join(f"     - {cell}\n" for cell in cells[1:])


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(library_table(), encoding="utf-8")
