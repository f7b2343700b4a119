"""A package index as static files: the simple API as HTML and JSON, and the metadata of each release."""

from __future__ import annotations

import email
import hashlib
import html
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

import support


def wheel(name: str, version: str, module: bytes = b"", requirements: list[str] | None = None) -> bytes:
    """Return a wheel with one module and, if it has code, a command of the same name, which calls ``main()``."""
    information = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents = {
        f"{name}.py": module,
        f"{information}/METADATA": (metadata + "".join(f"Requires-Dist: {r}\n" for r in requirements or ())).encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if module:
        contents[f"{information}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}:main\n".encode()
    rows = "".join(f"{path},{support.record_hash(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{information}/RECORD"] = f"{rows}{information}/RECORD,,\n".encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in contents.items():
            archive.writestr(path, data)
    return file.getvalue()


def _name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _metadata(file: Path) -> email.message.Message:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as archive:
            (member,) = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            return email.message_from_bytes(archive.read(member))
    with tarfile.open(file) as archive:
        return email.message_from_bytes(archive.extractfile(f"{file.name[:-7]}/PKG-INFO").read())


def write(files: list[Path], host: Path) -> None:
    """Write the index of *files*, wheels and source archives, below *host*, the directory of "pypi.org"."""
    releases: dict[str, list[tuple[Path, email.message.Message]]] = {}
    for file in files:
        metadata = _metadata(file)
        releases.setdefault(_name(metadata["Name"]), []).append((file, metadata))
    (host / "files").mkdir(parents=True, exist_ok=True)
    for name, found in releases.items():
        rows = []
        for file, metadata in found:
            target = host / "files" / file.name
            target.write_bytes(file.read_bytes())
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            row = {
                "filename": file.name,
                "url": f"https://{host.name}/files/{file.name}",
                "hashes": {"sha256": digest},
                "requires-python": metadata["Requires-Python"],
                "size": target.stat().st_size,
                "upload-time": "2026-01-01T00:00:00Z",
                "yanked": False,
            }
            rows.append(row)
            information = {
                "info": {
                    "name": metadata["Name"],
                    "version": metadata["Version"],
                    "summary": metadata["Summary"] or "",
                    "requires_dist": metadata.get_all("Requires-Dist"),
                    "requires_python": metadata["Requires-Python"],
                    "yanked": False,
                },
                "urls": [
                    {
                        "filename": file.name,
                        "url": row["url"],
                        "digests": row["hashes"],
                        "packagetype": "bdist_wheel" if file.suffix == ".whl" else "sdist",
                        "yanked": False,
                    }
                ],
            }
            release = host / "pypi" / name / metadata["Version"]
            release.mkdir(parents=True, exist_ok=True)
            (release / "json").write_text(json.dumps(information))
        links = "".join(
            f'<a href="{row["url"]}#sha256={row["hashes"]["sha256"]}"'
            + (f' data-requires-python="{html.escape(row["requires-python"])}"' if row["requires-python"] else "")
            + f">{row['filename']}</a><br>\n"
            for row in rows
        )
        page = host / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        (page / "index.html").write_text(f"<!DOCTYPE html><html><body>\n{links}</body></html>\n")
        versions = sorted({metadata["Version"] for _, metadata in found})
        answer = {"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": rows}
        (page / "index.json").write_text(json.dumps(answer))
