"""Write the diagrams of the manual, ``docs/_static/*.svg``: ``python tools/diagrams.py``.

The background is opaque, so that the diagrams are readable on light and dark pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

DIRECTORY = Path(__file__).resolve().parent.parent / "docs" / "_static"

WIDTH = 940
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Helvetica, Arial, sans-serif"
_MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# Fill and border of each kind of box.
_COLOURS = {
    "place": ("#eef2f7", "#64748b"),
    "source": ("#dbeafe", "#1d4ed8"),
    "filter": ("#fee2e2", "#b91c1c"),
    "result": ("#dcfce7", "#15803d"),
    "step": ("#dbeafe", "#1d4ed8"),
    "question": ("#fef3c7", "#b45309"),
    "failure": ("#fee2e2", "#b91c1c"),
}


class Box(NamedTuple):
    """A box with a title and lines of text."""

    x: int
    y: int
    width: int
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "step"

    @property
    def height(self) -> int:
        """The height of the title, the lines and the margins."""
        return 34 + 18 * len(self.lines)

    @property
    def bottom(self) -> int:
        """The lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> int:
        """The horizontal centre."""
        return self.x + self.width // 2

    def svg(self) -> str:
        """Return the elements."""
        fill, border = _COLOURS[self.kind]
        parts = [
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="6" fill="{fill}"'
            f' stroke="{border}" stroke-width="1.5"/>',
            _text(self.middle, self.y + 22, self.title, weight="bold", anchor="middle"),
        ]
        parts += [_text(self.middle, self.y + 41 + 18 * n, line, anchor="middle") for n, line in enumerate(self.lines)]
        return "\n".join(parts)


def _text(x: int, y: int, text: str, *, weight: str = "normal", anchor: str = "start", font: str = _FONT) -> str:
    style = f'font-family="{font}" font-size="13" font-weight="{weight}" text-anchor="{anchor}" fill="#0f172a"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def _arrow(*points: tuple[int, int], label: str = "") -> str:
    path = "M" + " L".join(f"{x} {y}" for x, y in points)
    line = f'<path d="{path}" fill="none" stroke="#334155" stroke-width="1.5" marker-end="url(#arrow)"/>'
    (x, y), (x2, y2) = points[-2:]
    return line if not label else f"{line}\n{_text((x + x2) // 2 + 8, (y + y2) // 2 + 4, label)}"


def _variables(x: int, y: int, *names: str) -> str:
    return "\n".join(_text(x, y + 18 * number, name, font=_MONOSPACE) for number, name in enumerate(names))


def _down(above: Box, below: Box, label: str = "") -> str:
    return _arrow((above.middle, above.bottom), (above.middle, below.y - 2), label=label)


def _document(height: int, title: str, parts: list[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            f' role="img" aria-labelledby="title">',
            f'<title id="title">{escape(title)}</title>',
            '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
            ' orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" fill="#334155"/></marker></defs>',
            f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10" fill="#ffffff" stroke="#cbd5e1"/>',
            *parts,
            "</svg>\n",
        ]
    )


def sources() -> str:
    """Return the diagram of the chain of sources."""
    heading = _text(690, 36, "Variables", weight="bold")
    locations = [
        Box(24, 24, 214, "Operating system", ("OpenSSL's file and directory", "well-known locations"), "place"),
        Box(250, 24, 190, "certifi", ("cacert.pem on disk, in an", "archive or in memory"), "place"),
        Box(452, 24, 190, "You", ("files and directories of", "additional roots"), "place"),
    ]
    system = Box(24, 136, 214, "source: system", ("or the native stores",), "source")
    bundled = Box(250, 136, 190, "source: bundled", ("only for servers",), "source")
    extra = Box(452, 136, 190, "source: extra", ("always read",), "source")
    merge = Box(24, 244, 618, "Merge", ("the selected sources, without duplicates",), "source")
    distrust = Box(24, 336, 618, "Distrust", ("minus roots on the block lists of the operating system",), "filter")
    removed = Box(
        24,
        428,
        618,
        "Removed roots",
        ("minus roots that certifi removed, in requests for a public bundle",),
        "filter",
    )
    trust = Box(24, 520, 618, "Trust set", ("certhook list",), "result")
    store = Box(24, 612, 618, "Compiled store", ("a directory in OpenSSL's hashed layout",), "result")
    default = Box(24, 716, 303, "Context with default trust", ("urllib, aiohttp, ...",), "result")
    adopted = Box(339, 716, 303, "Context that names a public bundle", ("requests, httpx, ...: adopted",), "result")
    boxes = [*locations, system, bundled, extra, merge, distrust, removed, trust, store, default, adopted]
    arrows = [_down(above, below) for above, below in zip(locations, (system, bundled, extra))]
    arrows += [_down(above, merge) for above in (system, bundled, extra)]
    arrows += [_down(a, b) for a, b in ((merge, distrust), (distrust, removed), (removed, trust), (trust, store))]
    arrows += [_arrow((box.middle, store.bottom), (box.middle, box.y - 2)) for box in (default, adopted)]
    variables = [
        _variables(690, 58, "SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE"),
        _variables(690, 158, "CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS"),
        _variables(690, 264, "CERTHOOK_SOURCES", "CERTHOOK_MODE"),
        _variables(690, 458, "CERTHOOK_REMOVED"),
        _variables(690, 632, "CERTHOOK_LOAD", "CERTHOOK_STORE_DIR"),
        _variables(690, 736, "CERTHOOK_ADOPT", "CERTHOOK_CLIENTS"),
    ]
    return _document(
        790, "From the locations of roots to a context", [heading, *arrows, *map(Box.svg, boxes), *variables]
    )


def data_flow() -> str:
    """Return the diagram of the stages of a process."""
    stages = [(52, "Interpreter", "start"), (157, "import ssl", ""), (244, "First", "context")]
    stages += [(456, "Each", "context"), (571, "Handshake", ""), (665, "Failed", "verification")]
    headings = [_text(24, y + 18 * n, text, weight="bold") for y, *texts in stages for n, text in enumerate(texts)]
    start = Box(160, 30, 520, "certhook.pth: import certhook; certhook.start()", ("inserts one finder for ssl",))
    patch = Box(160, 126, 520, "The finder loads Python's own ssl", ("and wraps the functions that load roots",))
    current = Box(
        160,
        222,
        520,
        "Is there a compiled store, and are its inputs unchanged?",
        ("compares times and sizes",),
        "question",
    )
    build = Box(440, 326, 240, "Read the sources", ("and write a store",))
    attach = Box(
        160, 434, 520, "The context reads roots from the store, on demand", ("changes are noticed after 0.1 s",)
    )
    handshake = Box(160, 540, 520, "OpenSSL verifies the server", ("no code of certhook runs",), "place")
    note = Box(160, 644, 520, "The exception gets a note with the reason and the command", (), "failure")
    repair = Box(
        160, 722, 520, "The store is verified, and built again if necessary", ("for the next connection",), "failure"
    )
    boxes = [start, patch, current, build, attach, handshake, note, repair]
    arrows = [
        _down(start, patch),
        _down(patch, current),
        _arrow((280, current.bottom), (280, attach.y - 2), label="yes"),
        _arrow((560, current.bottom), (560, build.y - 2), label="no"),
        _arrow((560, build.bottom), (560, attach.y - 2)),
        _down(attach, handshake),
        _arrow((420, handshake.bottom), (420, note.y - 2), label="rejected"),
        _down(note, repair),
    ]
    costs = [
        _text(700, 30 + 22, "imports one module;"),
        _text(700, 30 + 40, "reads no certificate"),
        _text(700, 126 + 22, "imports four modules;"),
        _text(700, 126 + 40, "reads no certificate"),
        _text(700, 222 + 22, "with a store: reads one index,"),
        _text(700, 222 + 40, "parses no certificate"),
        _text(700, 326 + 22, "once, and after a change"),
        _text(700, 434 + 22, "microseconds"),
        _text(700, 540 + 22, "as in stock Python"),
        _text(700, 644 + 22, "from memory; reads no file"),
        _text(700, 722 + 22, "at most once per second"),
    ]
    return _document(
        800, "From interpreter start to a failed verification", [*arrows, *map(Box.svg, boxes), *headings, *costs]
    )


DIAGRAMS = {"sources.svg": sources, "data-flow.svg": data_flow}

if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        (DIRECTORY / name).write_text(draw(), encoding="utf-8")
