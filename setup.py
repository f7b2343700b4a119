"""Build script of certhook; all metadata is in setup.cfg.

It does two things that setup.cfg cannot express:

- ``certhook.pth`` belongs at the top of site-packages, in wheels, source distributions and editable installs, and pip
  removes it together with certhook. ``data_files`` would fix the build machine's layout, and editable installs lack
  ``package_data``.
- Archives are reproducible: times, modes and owners of the files in them do not depend on the machine. The time is that
  of SOURCE_DATE_EPOCH, or the date of the newest release in CHANGELOG.rst.
"""

import datetime
import gzip
import io
import os
import re
import stat
import tarfile
import time
import zipfile

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.dist import Distribution

# There is no certhook.start (PEP 829): it would make site in Python 3.15 import pkgutil and re at every
# start, which nearly doubles start-up time. Python executes import lines in .pth files up to version 3.17.
START_FILE = "certhook.pth"

# The earliest time that a zip archive can contain.
OLDEST = 315532800
RELEASE = re.compile(r"^\d+\.\d+\.\d+ \((\d{4})-(\d\d)-(\d\d)\)$", re.MULTILINE)


class BuildPyWithStartFile(build_py):
    """Copy the start-up file next to the package, and list it among the outputs."""

    editable_mode = False

    def run(self):
        super().run()
        self.copy_file(START_FILE, self._start_file_path(), preserve_mode=False)

    def get_source_files(self):
        return [*super().get_source_files(), START_FILE]

    def get_outputs(self, *args, **kwargs):
        return [*super().get_outputs(*args, **kwargs), self._start_file_path()]

    def get_output_mapping(self):
        return {**super().get_output_mapping(), self._start_file_path(): START_FILE}

    def _start_file_path(self):
        directory = self.build_lib
        if self.editable_mode:
            directory = self.get_finalized_command("install_lib").install_dir
        return os.path.join(directory, START_FILE)


class ReproducibleSdist(sdist):
    """Build a source distribution that does not depend on the machine."""

    def run(self):
        super().run()
        for path in self.get_archive_files():
            if path.endswith(".tar.gz"):
                replace_tar(path)


def reproducible_wheel():
    """Return the command that builds wheels, or nothing if the build does not need it: setuptools < 70.1 lacks it."""
    try:
        base = Distribution().get_command_class("bdist_wheel")
    except Exception:
        return {}

    class ReproducibleWheel(base):
        """Build a wheel that does not depend on the machine."""

        def run(self):
            super().run()
            for command, _, path in self.distribution.dist_files:
                if command == "bdist_wheel":
                    replace_zip(path)

    return {"bdist_wheel": ReproducibleWheel}


def archive_time():
    """Return the time of all files in archives, in seconds since 1970."""
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return max(int(os.environ["SOURCE_DATE_EPOCH"]), OLDEST)
    try:
        with open("CHANGELOG.rst", encoding="utf-8") as file:
            found = RELEASE.search(file.read())
    except FileNotFoundError:
        found = None
    if not found:
        return OLDEST
    return int(datetime.datetime(*map(int, found.groups()), tzinfo=datetime.timezone.utc).timestamp())


def replace_zip(path):
    """Write the zip archive *path* again, with the same files in the same order."""
    date = time.gmtime(archive_time())[:6]
    with zipfile.ZipFile(path) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            member = zipfile.ZipInfo(name, date)
            member.create_system = 3  # Unix, also on Windows
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)


def replace_tar(path):
    """Write the compressed tar archive *path* again, with the same files in alphabetical order."""
    with tarfile.open(path) as archive:
        members = sorted(archive.getmembers(), key=lambda member: member.name)
        files = [(member, archive.extractfile(member).read() if member.isfile() else b"") for member in members]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in files:
            archive.addfile(normalized(member), io.BytesIO(data))
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as compressed:
        compressed.write(content.getvalue())


def normalized(member):
    """Return the description of a file in a tar archive without the properties of the machine."""
    result = tarfile.TarInfo(member.name)
    result.type, result.size, result.mtime = member.type, member.size, archive_time()
    result.mode = 0o755 if member.isdir() or member.mode & stat.S_IXUSR else 0o644
    return result


setup(cmdclass={"build_py": BuildPyWithStartFile, "sdist": ReproducibleSdist, **reproducible_wheel()})
