"""Build the files of a release reproducibly, and check them.

The files are built twice from one commit, without files that are not part of it: in different directories, with another
umask, time zone and time of the files. Both builds must be equal. The results are the source distribution, the wheel
that is built from it, an SBOM in the format CycloneDX, and SHA256SUMS::

    $ python3 -m venv build && build/bin/pip install -r tools/release-requirements.txt
    $ build/bin/python tools/release.py --outdir dist
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# pyroma expects the e-mail address of an author. SECURITY.md defines the only private contact.
PYROMA = ("--min", "10", "--skip-tests", "AuthorEmail")
MODULE = [sys.executable, "-m"]


def main() -> None:
    """Build, compare and check."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--commit", default="HEAD", help="the commit to build (default: HEAD)")
    text = "the directory for the files (default: dist)"
    parser.add_argument("--outdir", type=Path, default=ROOT / "dist", help=text)
    parser.add_argument("--no-checks", action="store_true", help="only build and compare")
    options = parser.parse_args()
    options.outdir.mkdir(parents=True, exist_ok=True)
    if any(options.outdir.iterdir()):
        parser.error(f"{options.outdir} is not empty")
    with tempfile.TemporaryDirectory() as directory:
        first = build(options.commit, Path(directory, "a"), options.outdir, 0o022, "UTC", 0)
        second = build(options.commit, Path(directory, "b", "deeper"), Path(directory, "out"), 0o077, "Asia/Tokyo", 1)
    if first != second:
        sys.exit(f"The builds differ: {first} and {second}")
    if not options.no_checks:
        check(options.outdir)
        first.update(write_sbom(options.outdir))
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(first.items()))
    (options.outdir / "SHA256SUMS").write_text(sums, encoding="ascii")
    print(sums, end="")


def build(commit: str, source: Path, out: Path, umask: int, zone: str, age: int) -> dict[str, str]:
    """Build *commit* in the new directory *source*, and return the SHA-256 of each file.

    :param age: whether the files in *source* are old
    """
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    environ = {**os.environ, "TZ": zone}
    environ.pop("SOURCE_DATE_EPOCH", None)
    previous = os.umask(umask)
    try:
        source.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                member.mode &= ~umask
                member.mtime -= age * 10**9
                tar.extract(member, source, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        command = [*MODULE, "build", "--no-isolation", "--outdir", str(out.absolute())]
        subprocess.run(command, cwd=source, env=environ, check=True, stdout=subprocess.DEVNULL)
    finally:
        os.umask(previous)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("certhook-*")}


def check(directory: Path) -> None:
    """Check the files in *directory*.

    :raises subprocess.CalledProcessError: if a check fails
    """
    (sdist,) = directory.glob("certhook-*.tar.gz")
    (wheel,) = directory.glob("certhook-*.whl")
    for command in (
        ["twine", "check", "--strict", sdist, wheel],
        ["check_wheel_contents", wheel],
        ["pyroma", *PYROMA, sdist],
        ["check_manifest", ROOT],
    ):
        subprocess.run([*MODULE, *map(str, command)], cwd=ROOT, check=True)


def requirements(wheel: Path) -> list[str]:
    """Return the requirements of *wheel*, without those of extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    return [one for one in metadata.get_all("Requires-Dist", ()) if "extra ==" not in one]


def write_sbom(directory: Path) -> dict[str, str]:
    """Write the SBOM of an environment with only the wheel and its requirements, and return its SHA-256.

    The tool validates the result against the schema of CycloneDX.
    """
    (wheel,) = directory.glob("certhook-*.whl")
    version = wheel.name.split("-")[1]
    path = directory / f"certhook-{version}.cdx.json"
    with tempfile.TemporaryDirectory() as temporary:
        environment = Path(temporary, "environment")
        venv.create(environment, with_pip=False)
        python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        pip = [*MODULE, "pip", "--python", str(python), "install", "--quiet"]
        # Installed by its name, because the SBOM contains the path of a file that is installed directly.
        subprocess.run([*pip, "--no-index", "--no-deps", "--find-links", str(directory), "certhook"], check=True)
        subprocess.run([*pip, f"certhook=={version}"], check=True)
        project = Path(temporary, "pyproject.toml")
        facts = {"name": "certhook", "version": version, "license": "MIT", "dependencies": requirements(wheel)}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in facts.items()]
        project.write_text("".join(["[project]\n", *lines]), encoding="ascii")
        command = [*MODULE, "cyclonedx_py", "environment", "--pyproject", str(project), "--mc-type", "library"]
        command += ["--output-reproducible", "--validate", "-o", str(path), str(python)]
        subprocess.run(command, check=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


if __name__ == "__main__":
    main()
