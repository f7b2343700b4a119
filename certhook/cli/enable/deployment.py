"""What ``enable`` puts into another Python, and ``disable`` takes away again.

A record says what was written, with checksums, so that nothing else is ever deleted.
Everything is written into a folder beside its place first, and moved there when it is
whole: the record before anything that it names, and last what starts certhook.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil

import certhook
from certhook import _certifi
from certhook._finder import find_package
from certhook.cli.enable.interpreter import Refused, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

#: Beside the packages: which of certhook's files these are.
RECORD = "certhook-enabled.json"

#: What Python reads when it starts, as in the wheel.
START_FILES = {"certhook.pth": b"import certhook; certhook.start()\n"}

_PACKAGES = ("certifi", "certhook")
_STAGE = ".certhook-enabling"


class Record:
    """What is to be written, or was.

    :ivar version: of certhook
    :ivar files: paths below site-packages, with "/", to their SHA-256
    :ivar appended: what is appended to the ``._pth`` file
    :ivar settings: the SHA-256 of that file before and after; empty where nothing is appended
    :ivar made: how many folders had to be made: site-packages, and the one above it
    """

    def __init__(self, version: str, files: dict[str, str], appended: str, settings: list[str], made: int) -> None:
        self.version = version
        self.files = files
        self.appended = appended
        self.settings = settings
        self.made = made
        # It may have been written by anybody who can write there, and root may read it.
        whole = isinstance(appended, str) and len(settings) in (0, 2) and made in range(3) and isinstance(files, dict)
        if not whole or not all(map(_is_ours, files)) or not re.fullmatch(r"[0-9a-z.+]{1,40}", version):
            raise ValueError("it names what is not certhook's")

    def to_json(self) -> bytes:
        """The content of the file."""
        return json.dumps(vars(self), indent=1).encode()


# Of an earlier version.
_FORMER = "certhook.start"


def _is_ours(name: str) -> bool:
    parts = name.split("/")
    return name in (*START_FILES, _FORMER) or (
        parts[0] in _PACKAGES and not {"..", ""} & {*parts} and not {*"\\:"} & {*name}
    )


def read(target: Target) -> Record | None:
    """The record of what was written into *target*, None where nothing was.

    :raises Refused: if it cannot be read, or names what is not certhook's
    """
    path = os.path.join(target.folder, RECORD)
    try:
        with open(path, "rb") as file:
            found: dict[str, Any] = json.load(file)
        record = Record(**found)
        for package in _PACKAGES:
            if by_pip(target, package):  # since then, and these files are pip's now
                record.files = {name: sha for name, sha in record.files.items() if name.split("/")[0] != package}
        return record
    except FileNotFoundError:
        return None
    except (AttributeError, OSError, TypeError, ValueError) as failure:
        raise Refused(f"{path}, which says what was enabled, cannot be used: {failure}") from None


def by_pip(target: Target, package: str) -> bool:
    """Whether pip installed *package* in *target*."""
    return bool(glob.glob(os.path.join(glob.escape(target.folder), f"{package}-*.dist-info")))


def contents(target: Target, record: Record | None) -> dict[str, bytes]:
    """The files that are to be in the site-packages of *target*.

    :param record: of those that are
    :raises Refused: where this certhook, or its certifi, is in no folder
    """
    files = {"certhook": getattr(certhook, "__file__", None)}
    has_its_own = record is None or not any(name.startswith("certifi/") for name in record.files)
    if not (has_its_own and os.path.isdir(os.path.join(target.folder, "certifi"))):
        files["certifi"] = _certifi.bundle_path(find_package(_certifi.PACKAGE))
    found = {}
    for package, file in files.items():
        if file is None or not os.path.isfile(file):
            raise Refused(f"{package} is in no folder here that could be copied; run this where pip installed certhook")
        folder = os.path.dirname(os.path.abspath(file))
        for above, inner, names in os.walk(folder):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            for name in sorted(names):
                path = os.path.join(above, name)
                if not name.endswith((".pyc", ".pyo")):
                    found["/".join([package, *os.path.relpath(path, folder).split(os.sep)])] = _content(path)
    return {**found, **START_FILES}


def plan(target: Target, files: dict[str, bytes]) -> Record:
    """The record of *files* in *target*."""
    appended, digests = "", []
    if target.settings:
        data = _content(target.settings)
        appended = _lacking(data)
        digests = [_sha256(data), _sha256(data + appended.encode())] if appended else []
    made = 0
    folder = target.folder
    while made < 2 and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
        made += 1
    sums = {name: _sha256(content) for name, content in files.items()}
    return Record(certhook.__version__, sums, appended, digests, made)


def _lacking(data: bytes) -> str:
    """The lines that a ``._pth`` file with this content lacks, to be appended."""
    there = [line.strip().replace("\\", "/").lower() for line in data.decode("utf-8-sig", "replace").splitlines()]
    end = "\r\n" if b"\r\n" in data else "\n"
    wanted = ("Lib\\site-packages", "import site")
    text = "".join(line + end for line in wanted if line.replace("\\", "/").lower() not in there)
    return end + text if text and data and not data.endswith(b"\n") else text


def place(target: Target, files: dict[str, bytes], record: Record, old: Record | None = None) -> None:
    """Write *files*, all of them or none, in the place of those of *old*.

    :raises OSError: if that cannot be done; then all is as it was before
    :raises Refused: if another ``enable`` is at it, or there is something else in the place of a file
    """
    tops = [*sorted(_tops(files) - START_FILES.keys(), reverse=True), *START_FILES]
    former = [*START_FILES, *sorted(_tops(old.files) - START_FILES.keys()), RECORD] if old else []
    for top in tops:
        if top not in former and os.path.lexists(os.path.join(target.folder, top)):
            raise Refused(f"{os.path.join(target.folder, top)} is there already, and not from 'enable'")
    foreign = _foreign(target, old) if old else None
    if foreign:
        raise Refused(f"{foreign} is there, and not from 'enable'")
    stage = os.path.join(target.folder, _STAGE)
    os.makedirs(target.folder, exist_ok=True)
    try:
        os.mkdir(stage)
    except FileExistsError:
        raise Refused(f"{stage} is there: another 'enable' is at work; delete it if it ended in the middle") from None
    moved: list[tuple[str, str]] = []

    def move(top: str, source: str, to: str) -> None:
        pair = os.path.join(source, top), os.path.join(to, top)
        os.rename(*pair)
        moved.append(pair)

    try:
        for name, data in files.items():
            _write(os.path.join(stage, "new", *name.split("/")), data)
        os.mkdir(os.path.join(stage, "old"))
        try:
            for top in former:
                if os.path.lexists(os.path.join(target.folder, top)):
                    move(top, target.folder, os.path.join(stage, "old"))
            if old:
                _edit(target, old, 0)
                made, record = old.made, plan(target, files)
                record.made = made
            _write(os.path.join(stage, "new", RECORD), record.to_json())
            for top in (RECORD, *tops):
                if top == tops[-1]:
                    _edit(target, record, 1)
                move(top, os.path.join(stage, "new"), target.folder)
        except BaseException:
            _edit(target, record, 0)
            for source, to in reversed(moved):
                os.rename(to, source)
            if old:
                _edit(target, old, 1)
            raise
    finally:
        shutil.rmtree(stage)
        _drop_made(target, record)  # where nothing is in them


def _tops(files: Iterable[str]) -> set[str]:
    """What *files* are in, at the top of site-packages."""
    return {name.split("/")[0] for name in files}


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)


def _foreign(target: Target, record: Record) -> str | None:
    """A file that is in a package of *record*, and is neither named there nor made by Python."""
    for package in sorted({name.split("/")[0] for name in record.files if "/" in name}):
        for folder, _, names in os.walk(os.path.join(target.folder, package)):
            inner = os.path.relpath(folder, target.folder).split(os.sep)
            for name in names:
                if not name.endswith(".pyc") and "/".join([*inner, name]) not in record.files:
                    return os.path.join(folder, name)
    return None


def changed(target: Target, record: Record) -> list[str]:
    """The files of *record* that are there, and not what was written any more."""
    found = [path for path in _paths(target, record) if os.path.lexists(path) and not _is_same(target, record, path)]
    if target.settings is not None and _step(target, record) == CHANGED:
        found.append(target.settings)
    return found


def unchanged(target: Target, record: Record) -> Record:
    """What of *record* is there, as it was written."""
    files = {
        name: sha
        for (name, sha), path in zip(record.files.items(), _paths(target, record))
        if os.path.lexists(path) and _is_same(target, record, path)
    }
    appended = record.appended if _step(target, record) == 1 else ""
    return Record(record.version, files, appended, record.settings, record.made)


def is_whole(target: Target, record: Record) -> bool:
    """Whether everything is there, as it was written."""
    return _step(target, record) in (1, None) and all(_is_same(target, record, path) for path in _paths(target, record))


def remove(target: Target, record: Record) -> list[str]:
    """Take away what *record* names, first of all what starts certhook.

    :returns: the paths that were left, since they are not what was written any more
    """
    left = changed(target, record)
    paths = [path for path in _paths(target, record) if path not in left]
    folders = {os.path.join(target.folder, above) for name in record.files for above in _above(name)}
    _edit(target, record, 0)
    for path in reversed(paths):
        if os.path.lexists(path):
            os.remove(path)
        # What Python compiled from it.
        above, name = os.path.split(path)
        compiled = os.path.join(above, "__pycache__")
        folders.add(compiled)
        for file in glob.glob(os.path.join(glob.escape(compiled), f"{glob.escape(os.path.splitext(name)[0])}.*.pyc")):
            if _is_inside(target, file):
                os.remove(file)
    for folder in sorted(folders, key=len, reverse=True):
        _drop(folder)
    if not left and os.path.exists(os.path.join(target.folder, RECORD)):
        os.remove(os.path.join(target.folder, RECORD))
        _drop_made(target, record)
    return left


#: What the ``._pth`` file is, besides 0 and 1: as it was before, and as it was written.
CHANGED = 2


def _step(target: Target, record: Record) -> int | None:
    """Which of its :attr:`~Record.settings` the ``._pth`` file is, or CHANGED; None where none is needed."""
    if target.settings is None or not record.settings:
        return None
    data = _content(target.settings)
    digest = _sha256(data)
    if digest in record.settings:
        return record.settings.index(digest)
    return 0 if {*record.appended.split("\n")} <= {*_lacking(data).split("\n"), ""} else CHANGED


def _edit(target: Target, record: Record, wanted: int) -> None:
    """Append the lines to the ``._pth`` file (1) or take them away again (0), unless it was changed since."""
    step = _step(target, record)
    if target.settings is None or step in (wanted, CHANGED, None):
        return
    data, appended = _content(target.settings), record.appended.encode()
    # With an ending that Python does not look for.
    temporary = f"{target.settings}.certhook"
    try:
        with open(temporary, "wb") as file:
            file.write(data + appended if wanted else data[: len(data) - len(appended)])
        shutil.copymode(target.settings, temporary)
        os.replace(temporary, target.settings)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _drop_made(target: Target, record: Record) -> None:
    folder = target.folder
    for _ in range(record.made):
        _drop(folder)
        folder = os.path.dirname(folder)


def _drop(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        pass  # It is not there, or something of somebody else's is in it.


def _paths(target: Target, record: Record) -> Iterator[str]:
    for name in record.files:
        yield os.path.join(target.folder, *name.split("/"))


def _above(name: str) -> Iterator[str]:
    """The folders that a file of a record is in, below site-packages."""
    parts = name.split("/")
    return (os.path.join(*parts[:count]) for count in range(1, len(parts)))


def _is_inside(target: Target, path: str) -> bool:
    """Whether no link on the way leads elsewhere."""
    return os.path.realpath(path) == os.path.join(os.path.realpath(target.folder), os.path.relpath(path, target.folder))


def _is_same(target: Target, record: Record, path: str) -> bool:
    name = os.path.relpath(path, target.folder).replace(os.sep, "/")
    try:
        return _is_inside(target, path) and _sha256(_content(path)) == record.files[name]
    except OSError:
        return False


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
