"""Coverage-guided fuzzing of all parsers of external input: ``python tests/fuzz/fuzz.py [TARGET]``.

Each target is a function of bytes that raises an exception if a property does not hold: a parser
raises no exception except :exc:`ValueError`, and returns no certificate that the input does not
contain. Without TARGET, every target runs for SECONDS in its own process, starting with the seeds
below. With TARGET, the other arguments are passed to libFuzzer; a file among them is a single
input to run.
"""

from __future__ import annotations

import argparse
import base64
import os
import plistlib
import re
import subprocess
import sys
import tempfile
from binascii import crc32
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

with atheris.instrument_imports(include=["certhook"]):
    import certhook._sources.p11_kit  # noqa: F401  (instrumented here, because it is otherwise imported later)
    from certhook import _config, _store, _watch
    from certhook._certificates import auxiliary, names, x509
    from certhook._certificates import pem as pem_format
    from certhook._certificates.anchor import Anchor
    from certhook._config import ANY_PURPOSE, SERVER_AUTH, Config
    from certhook._sources import distrust, trust_settings
    from certhook._sources.collector import Collector
    from certhook._store.build import encode

import der

ROOT = der.certificate(der.common_name("a root"))


def fuzz_pem(data: bytes) -> None:
    """PEM and DER files: each entry is a certificate in the input, and every trusted one can also be distrusted."""
    trusted, problems = pem_format.parse(data)
    entries, lenient_problems = pem_format.parse(data, lenient=True)
    assert all(isinstance(problem, str) for problem in problems + lenient_problems)
    assert {entry.der for entry in trusted} <= {entry.der for entry in entries}
    if not entries:
        return
    if data.startswith(pem_format._UTF16_MARKS):
        data = data.decode("utf-16", "replace").encode("ascii", "replace")
    texts = re.split(rb"-{5}[^-\r\n]*-{5}", data)
    blocks = [part.partition(b"-----")[2] for part in data.split(b"-----BEGIN ")]
    texts += [block.partition(b"-----END")[0] for block in blocks]
    texts += [re.split(rb"\r?\n[ \t]*\r?\n", text, maxsplit=1)[-1] for text in texts]  # without headers
    candidates = [data, *(_decode_base64(text) for text in texts)]
    for entry in (*trusted, *entries):
        assert any(entry.der in candidate for candidate in candidates)
        anchor = Anchor(entry.certificate)
        assert anchor.subject and anchor.sha256 and repr(anchor)
        anchor.validity  # noqa: B018


def _decode_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def fuzz_x509(data: bytes) -> None:
    """The DER parser: it raises only ValueError, and needs time proportional to the size of the input."""
    for function in (
        x509.Certificate,
        auxiliary.read,
        x509.key_purposes,
        names.canonical,
        names.subject_hash,
        names.text,
        x509.dates,
        x509.dotted,
        lambda data: names.subject_hash(x509.Certificate(data).subject),
        lambda data: names.text(x509.Certificate(data).subject),
    ):
        try:
            function(data)
        except ValueError:
            continue


def fuzz_p11_kit(data: bytes) -> None:
    """p11-kit block lists: every rejected certificate is contained in the list."""
    for is_blocklist in (True, False):
        collector = Collector(Config({}), SERVER_AUTH)
        distrust.add_list(collector, "/list", data, is_blocklist)
        certificate = x509.Certificate(ROOT)
        rejected, paths = collector.blocklist.match(certificate)
        if rejected:
            assert set(paths) == {"/list"}
            assert len(data) > len(certificate.issuer)


def fuzz_trust_settings(data: bytes) -> None:
    """macOS trust settings: the parser raises only ValueError, and a denied purpose is never trusted."""
    try:
        records, problems = trust_settings.parse(data)
    except ValueError:
        return
    assert all(isinstance(problem, str) for problem in problems)
    certificate = x509.Certificate(ROOT)
    for record in records:
        assert len(record.sha1) == 20
        trusted = record.trusted_purposes(certificate)
        assert not trusted & record.denied
        assert not trusted & ~ANY_PURPOSE
        if record.issuer and record.issuer != certificate.issuer:
            assert not trusted or names.folded(record.issuer) == names.folded(certificate.issuer)


def fuzz_index(data: bytes) -> None:
    """Indexes of compiled stores, with a valid and an invalid checksum: they are read completely or rejected."""
    for text in (data, b"%s\0%08x\0%s" % (_store.INDEX, crc32(data), data)):
        try:
            parsed = _store.Index.from_bytes(text)
        except ValueError:
            continue
        assert os.sep not in parsed.digest
        assert encode(_store.Index.from_bytes(encode(parsed))) == encode(parsed)


def fuzz_config(data: bytes) -> None:
    """Settings: any value results in a configuration without additional sources."""
    values = [os.fsdecode(value) for value in data.split(b"\0")]
    environ = dict(zip(_config.VARIABLES, values))
    parsed = Config(environ)
    assert set(parsed.sources) <= set(_config.SOURCES)
    assert all(".." not in bundle.split("/") and not os.path.isabs(bundle) for bundle in parsed.adopt or ())
    assert all(map(os.path.isabs, parsed.extra))
    named = [name.strip().lower() for name in environ.get("CERTHOOK_SOURCES", "").split(",")]
    assert not any(named) or set(parsed.sources) <= set(named)
    assert all(problem.setting in environ for problem in parsed.problems)


TARGETS = {
    "pem": fuzz_pem,
    "x509": fuzz_x509,
    "p11_kit": fuzz_p11_kit,
    "trust_settings": fuzz_trust_settings,
    "index": fuzz_index,
    "config": fuzz_config,
}

_P11_KIT = '[p11-kit-object-v1]\nclass: certificate\nx-distrusted: true\nissuer: "%30%00"\nserial-number: "%02%01"\n'
_MAIL = der.escaped(der.extension("2.5.29.37", der.MAIL))
_ATTACHED = f'[p11-kit-object-v1]\nclass: x-certificate-extension\nobject-id: 2.5.29.37\nvalue: "{_MAIL}"\n'
_DENIED = {"kSecTrustSettingsResult": 3, "kSecTrustSettingsPolicy": b"*\x86H\x86\xf7cd\x01\x03"}
_SETTINGS = {
    "trustVersion": 1,
    "trustList": {
        "ab" * 20: {"issuerName": x509.Certificate(ROOT).issuer, "serialNumber": b"\1", "trustSettings": [_DENIED]},
        "cd" * 20: {"trustSettings": [{"kSecTrustSettingsPolicyName": "sslServer"}, {"kSecTrustSettingsResult": 2}]},
        "ef" * 20: {},
    },
}
_SNAPSHOT = _watch.Snapshot(
    [("path", "/a", "", (1, 2, 3, 4))], [("path", "/c", "", None)], [("members", "/", "b", (5, 1, 0, 0))]
)
_SIGNATURE = (5, 6, 7, 8)
_LINK = f"trust-{'cd' * 8}"
_INDEX = _store.Index(
    ("a",),
    "ab" * 20,
    _LINK,
    _SIGNATURE,
    _SIGNATURE,
    _SNAPSHOT,
    [("/c", "d")],
    ["/e"],
    ["/g"],
    (1, "there was no store"),
)
SEEDS: dict[str, list[bytes]] = {
    "pem": [
        der.pem(ROOT),
        ROOT,
        der.pem(ROOT + der.auxiliary(["1.2"]), "TRUSTED CERTIFICATE"),
        b"\xff\xfe-\0",
        b" " + der.pem(ROOT),
        der.pem(ROOT).replace(b"-\n", b"-\na: b\n\n", 1),
    ],
    "x509": [ROOT, der.auxiliary(["1.2.3"], ["1.2.4"]), der.common_name("a"), der.VALIDITY],
    "p11_kit": [
        _P11_KIT.encode() + der.pem(ROOT),
        _P11_KIT.encode() + b'value: "' + der.escaped(ROOT).encode() + b'"\n',
        der.pem(ROOT),
        _ATTACHED.encode() + der.pem(x509.Certificate(ROOT).key, "PUBLIC KEY"),
    ],
    "trust_settings": [plistlib.dumps(_SETTINGS), plistlib.dumps(_SETTINGS, fmt=plistlib.FMT_BINARY)],
    "index": [encode(_INDEX), encode(_INDEX).split(b"\0", 2)[2]],
    "config": [
        b"/a\0/b\0/c\0\0system,bundled\0chain\0/d:/e\0/f\0certifi,none\0drop\0eager\x000\0none\x000\0raise\x001"
    ],
}


def main() -> int:
    """Run the targets.

    :returns: 0 if no target failed
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="duration of each target; default: 60")
    options, rest = parser.parse_known_args()
    if options.target is not None:
        atheris.Setup([sys.argv[0], *rest], TARGETS[options.target])
        atheris.Fuzz()
        return 0
    failed = [name for name in TARGETS if not _run(name, options.seconds)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


def _run(name: str, seconds: int) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        corpus = Path(directory, "corpus")
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[name]):
            (corpus / str(number)).write_bytes(seed)
        limits = ["-rss_limit_mb=1024", "-timeout=10", f"-max_total_time={seconds}", "-max_len=16384"]
        command = [sys.executable, __file__, name, *limits, f"-artifact_prefix={tempfile.gettempdir()}/", str(corpus)]
        done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
    executions = re.findall(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    print(f"{name}: {executions[-1] if executions else 'no'} executions", flush=True)
    if done.returncode:
        print(done.stderr[-6000:], file=sys.stderr)
    return done.returncode == 0 and bool(executions)


if __name__ == "__main__":
    sys.exit(main())
