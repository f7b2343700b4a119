"""Read-only images: timestamps are fixed, so that only the content of a file shows a change.

As on an appliance or an immutable distribution: /etc and /usr/share are part of the image, and an update replaces the
image while the directory of stores persists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

import pytest
import support

#: The time of every file in an image: 2020-01-01.
TIME = 1577836800


def make_squashfs(tree: Path, image: Path) -> None:
    command = ["mksquashfs", tree, image, "-noappend", "-quiet", "-no-progress", "-no-xattrs"]
    run(*command, "-all-time", TIME, "-mkfs-time", TIME)


def make_erofs(tree: Path, image: Path) -> None:
    run("mkfs.erofs", f"-T{TIME}", "-U00000000-0000-0000-0000-000000000000", image, tree)


def make_ext4(tree: Path, image: Path) -> None:
    """With inodes of 128 bytes, which have no room for nanoseconds."""
    run("mke2fs", "-q", "-t", "ext4", "-I", "128", "-O", "^has_journal", "-d", tree, image, "4M")
    paths = [f"/{path.relative_to(tree)}" for path in tree.rglob("*")]
    script = "".join(f"set_inode_field {path} {field} 20200101\n" for path in paths for field in ("ctime", "mtime"))
    run("debugfs", "-w", "-f", "-", image, input=script.encode())


MAKERS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "squashfs": ("mksquashfs", make_squashfs),
    "erofs": ("mkfs.erofs", make_erofs),
    "ext4": ("mke2fs", make_ext4),
}


def run(*command: object, **kwargs: object) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True, **kwargs)


class Images(NamedTuple):
    """The interpreters, and a directory for images."""

    python: Path
    plain: Path
    directory: Path
    cas: support.Authorities
    servers: support.Servers
    make: Callable[[Path, Path], None]

    def build(self, name: str, bundle: bytes, deselected: str = "", hashed: tuple[str, ...] = ("both",)) -> Path:
        """Build an image.

        :param bundle: the content of ca-certificates.crt
        :param deselected: a file below /usr/share/ca-certificates
        :param hashed: the authorities in /etc/ssl/certs
        """
        tree = self.directory / name
        certs = tree / "etc/ssl/certs"
        certs.mkdir(parents=True)
        shared = tree / "share/ca-certificates/mozilla"
        shared.mkdir(parents=True)
        (certs / "ca-certificates.crt").write_bytes(bundle)
        for authority in hashed:
            (certs / support.hashed_name(self.cas.der(authority))).write_bytes(self.cas.pem(authority))
        for authority in ("system", "both", "bundled"):
            (shared / f"{authority}.crt").write_bytes(self.cas.pem(authority))
        lines = [f"mozilla/{authority}.crt" for authority in ("both", "bundled")]
        # A line has the same length in both states.
        lines = [f"!{line}" if line == deselected else f"{line}\n#"[: len(line) + 1] for line in lines]
        (tree / "etc/ca-certificates.conf").write_text("\n".join(lines) + "\n")
        (tree / "etc/bundle.pem").write_bytes(self.cas.pem("bundled"))
        for name in ("passwd", "group"):
            shutil.copyfile(f"/etc/{name}", tree / f"etc/{name}")
        for path in [tree, *tree.rglob("*")]:
            os.utime(path, (TIME, TIME))
        image = tree.with_suffix(".img")
        self.make(tree, image)
        return image

    def boot(self, image: Path, code: str = support.VERDICTS, stock: bool = False) -> tuple[list[str], list[str]]:
        """Run *code* on a machine with *image*.

        :returns: the trusted authorities, and further lines of the output
        """
        point = self.directory / "mounted"
        point.mkdir(exist_ok=True)
        (self.directory / "stores").mkdir(mode=0o700, exist_ok=True)
        env = support.clean_env(SERVERS=support.server_list(self.servers), CERTHOOK_BUNDLE="/etc/bundle.pem")
        env.pop("CERTHOOK_STORE_DIR", None)
        env["CERTHOOK_STORE_DIR"] = str(self.directory / "stores")
        if stock:
            env["SSL_CERT_FILE"], env["SSL_CERT_DIR"] = "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs"
        setup = (
            f"mount -o loop,ro {image} {point}; mount --bind {point}/etc /etc; "
            f"mount -t overlay -o lowerdir={point}/share:/usr/share overlay /usr/share; "
            f"mount -o remount,bind,ro {point}; mount -o remount,bind,ro /etc"
        )
        prefix = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'{setup}\nexec "$@"', "sh"]
        done = support.run_command(*prefix, self.plain if stock else self.python, "-c", code + PRINT, env=env)
        assert done.returncode == 0, done.stderr
        # CERTHOOK_BUNDLE lists a root that is distrusted later. Python 3.13 prints the line of the program as well.
        warnings = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
        assert all("distrusts it" in line for line in warnings), done.stderr
        verdicts, *others = done.stdout.splitlines()
        return [name for name, is_trusted in support.verdicts(verdicts).items() if is_trusted], others


#: Prints the status of the inputs, and whether a fresh context has loaded no root.
PRINT = """
def signature(path):
    status = os.stat(path)
    return status.st_ctime_ns, status.st_size, status.st_ino
print(*map(signature, ["/etc/ssl/certs/ca-certificates.crt", "/etc/ca-certificates.conf", "/etc/ssl/certs"]))
import _ssl
print(_ssl._SSLContext.cert_store_stats(ssl.create_default_context())["x509"])
"""


@pytest.fixture(params=MAKERS)
def images(request, installed, plain, tmp_path, cas, servers, root) -> Images:
    command, make = MAKERS[request.param]
    if shutil.which(command) is None:
        assert not os.environ.get("CI"), f"{command} is not installed"
        pytest.skip(f"{command} is not installed")
    (tmp_path / "probe").mkdir()
    make(tmp_path / "probe", tmp_path / "probe.img")
    mount = ["unshare", "-m", "mount", "-o", "loop,ro", tmp_path / "probe.img", tmp_path / "probe"]
    if support.run_command(*mount, env=support.clean_env()).returncode != 0:
        pytest.skip(f"this kernel does not mount images with {request.param}")
    return Images(installed, plain, tmp_path, cas, servers, make)


def state_of(images: Images) -> dict[str, tuple[int, int]]:
    """Return values for each file of the stores and indexes that change when it is written."""
    files = [path for path in (images.directory / "stores").rglob("*") if path.is_file()]
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns if path.name[:5] != "index" else 0) for path in files
    }


def test_a_certificate_authority_that_is_replaced_by_one_of_equal_size_is_detected(images) -> None:
    size = max(len(images.cas.pem(name)) for name in ("system", "extra"))
    contents = [images.cas.pem(name).ljust(size, b"\n") for name in ("system", "extra")]
    one, two = (images.build(name, content) for name, content in zip(("one", "two"), contents))
    stock = [images.boot(image, stock=True)[0] for image in (one, two)]
    assert stock == [["system", "both"], ["both", "extra"]]
    for _ in range(2):
        (trusted, (signature, loaded)) = images.boot(one)
        assert (trusted, loaded) == (["system", "bundled", "both"], "0")
        (trusted, (other_signature, loaded)) = images.boot(two)
        assert (trusted, loaded) == (["bundled", "both", "extra"], "0")
        assert signature == other_signature, "the images differ in their timestamps, so the test shows nothing"


def test_a_member_of_a_directory_that_is_replaced_by_one_of_equal_size_is_detected(images) -> None:
    """The file has the name of the authority *both*, and contains another certificate with its name."""
    one = images.build("one", images.cas.pem("system"))
    name = support.hashed_name(images.cas.der("both"))
    tree = images.directory / "two"
    two = images.build("two", images.cas.pem("system"))
    file = tree / "etc/ssl/certs" / name
    size = file.stat().st_size
    content = images.cas.pem("both").replace(b"-----BEGIN", b"-----Begin")
    file.write_bytes(content[:size])
    for path in (file, file.parent):
        os.utime(path, (TIME, TIME))
    two.unlink()
    images.make(tree, two)
    assert images.boot(two, stock=True)[0] == ["system"]
    for _ in range(2):
        first, second = (images.boot(image) for image in (one, two))
        assert first[0] == ["system", "bundled", "both"]
        assert second[0] == ["system", "bundled"]
        assert first[1] == second[1], "the images differ in their timestamps, or one uses no store"


def test_a_root_that_is_newly_deselected_is_rejected(images) -> None:
    bundle = images.cas.pem("system")
    one = images.build("one", bundle, hashed=())
    two = images.build("two", bundle, deselected="mozilla/bundled.crt", hashed=())
    for _ in range(2):
        first, second = (images.boot(image) for image in (one, two))
        assert first[0] == ["system", "bundled"]
        assert second[0] == ["system"]
        assert first[1] == second[1], "the images differ in their timestamps, or one uses no store"


def test_an_unchanged_image_uses_its_store_after_a_boot(images) -> None:
    image = images.build("one", images.cas.pem("system"))
    images.boot(image)
    before = state_of(images)
    for _ in range(2):
        trusted, (_, loaded) = images.boot(image)
        assert (trusted, loaded) == (["system", "bundled", "both"], "0")
    assert state_of(images) == before


#: Creates contexts for more than one interval, and asserts that they import no reader of sources.
LONG = (
    support.VERDICTS
    + """
import sys, time
for _ in range(3):
    time.sleep(0.15)
    ssl.create_default_context()
assert "certhook._sources" not in sys.modules
"""
)


def test_a_running_program_with_an_image_uses_its_store(images) -> None:
    image = images.build("one", images.cas.pem("system"))
    images.boot(image)
    trusted, (_, loaded) = images.boot(image, LONG)
    assert (trusted, loaded) == (["system", "bundled", "both"], "0")
