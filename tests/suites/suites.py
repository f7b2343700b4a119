"""The test suites of other projects, with their requirements and known differences.

A floor is a round number below the number of tests that passed when the suite was added, so that
a run that collects almost no tests fails.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple


class Known(NamedTuple):
    """A test whose outcome necessarily differs with certhook."""

    #: The outcome with certhook.
    outcome: str
    reason: str


class Suite(NamedTuple):
    """The tests of one project."""

    #: The minimum number of tests that pass, with and without certhook.
    floor: int
    #: Arguments that select all tests: paths in the source distribution, or modules of :mod:`test`.
    targets: tuple[str, ...]
    #: The source distribution with the tests; empty for those of the interpreter.
    source: str = ""
    #: Required packages besides pytest.
    packages: tuple[str, ...] = ()
    #: Arguments for pytest.
    arguments: tuple[str, ...] = ()
    #: Tests with a different outcome, by id.
    known: Mapping[str, Known] = {}


#: For every suite that pytest runs. The pinned projects expect the warnings of this major version.
PYTEST = ("pytest >= 8, < 9", "pytest-reportlog", "pytest-timeout", "pytest-xdist")

SUITES = {
    "cpython": Suite(
        floor=2900,
        targets=(
            "test_asyncio.test_events",
            "test_asyncio.test_ssl",
            "test_asyncio.test_sslproto",
            "test_asyncio.test_streams",
            "test_cmd_line",
            "test_ftplib",
            "test_httplib",
            "test_imaplib",
            "test_import",
            "test_importlib",
            "test_inspect",
            "test_nntplib",
            "test_poplib",
            "test_site",
            "test_smtplib",
            "test_ssl",
            "test_sys",
            "test_urllib",
            "test_urllib2",
            "test_urllib2_localnet",
            "test_warnings",
        ),
        known={
            "test.test_site.StartupImportTests.test_startup_imports": Known(
                "skipped", "the test skips itself if any .pth file exists, such as certhook.pth"
            ),
            "test.test_ssl.ContextTests.test_load_default_certs_env": Known(
                "failed", "cert_store_stats() includes the roots of SSL_CERT_DIR, as for an eagerly loaded context"
            ),
        },
    ),
    "urllib3": Suite(
        floor=1800,
        targets=("test",),
        source="urllib3==2.7.0",
        packages=(
            "urllib3[brotli,h2,socks]==2.7.0",
            "anyio[trio]",
            "httpx",
            "hypercorn",
            "pyopenssl < 26",
            "pytest-socket",
            "quart",
            "quart-trio",
            "trustme",
        ),
        # Upstream uses a fork of hypercorn that is not on PyPI. Without the fork, some tests of client certificates
        # and HTTP/2 fail, and the deselected test never ends.
        arguments=("-m", "not requires_network and not integration", "-k", "not http2_probe_blocked_per_thread"),
    ),
    "requests": Suite(
        floor=600,
        targets=("tests",),
        source="requests==2.34.2",
        packages=(
            "requests[socks]==2.34.2",
            "httpbin ~= 0.10.0",
            "pytest-httpbin == 2.1.0",
            "pytest-mock",
            "trustme",
        ),
        # These need a network that drops packets to an unassigned address.
        arguments=(
            "--deselect=tests/test_requests.py::TestTimeout::test_connect_timeout",
            "--deselect=tests/test_requests.py::TestTimeout::test_total_timeout_connect",
        ),
    ),
    "httpx": Suite(
        floor=1400,
        targets=("tests",),
        source="httpx==0.28.1",
        packages=(
            "httpx[brotli,cli,http2,socks,zstd]==0.28.1",
            "chardet == 5.*",
            "click < 8.2",
            "cryptography",
            "trio == 0.27.*",
            "trustme",
            "uvicorn == 0.32.*",
        ),
        # The test server uses a fixed port, so the tests run in a single process.
        arguments=("-m", "not network", "-n", "0"),
    ),
    "aiohttp": Suite(
        floor=1400,
        # The tests that connect, serve, start interpreters or inspect modules; the others concern parsers and headers.
        targets=tuple(
            f"tests/test_{name}.py"
            for name in (
                "circular_imports",
                "client_connection",
                "client_fingerprint",
                "client_functional",
                "client_request",
                "client_session",
                "client_ws_functional",
                "connector",
                "imports",
                "proxy",
                "proxy_functional",
                "pytest_plugin",
                "run_app",
                "test_utils",
                "web_functional",
                "web_runner",
                "web_sendfile_functional",
                "web_server",
            )
        ),
        source="aiohttp==3.14.5",
        packages=(
            "aiohttp[speedups]==3.14.5",
            "blockbuster",
            "freezegun",
            "isal",
            "proxy.py >= 2.4.4rc5",
            "pytest-cov",
            "pytest-mock",
            "pytest_codspeed",
            "python-on-whales",
            "re-assert",
            "trustme",
            "zlib_ng",
        ),
        # Upstream's default options measure coverage.
        arguments=("-o", "addopts=", "-m", "not dev_mode"),
    ),
    "truststore": Suite(
        floor=20,
        targets=("tests",),
        source="truststore==0.10.5",
        packages=(
            "truststore==0.10.5",
            "aiohttp",
            "flaky",
            "httpx",
            "pyopenssl",
            "pytest-asyncio",
            "pytest-httpserver",
            "requests",
            "trustme",
            "urllib3",
        ),
        arguments=("-m", "not internet"),
    ),
}
