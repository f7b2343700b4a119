"""Which tests of other people are run, with what, and which differences are known.

A floor is a round number below what passed when the suite was taken up: a run
that collects next to nothing is no success.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple


class Known(NamedTuple):
    """Why a test cannot have the outcome that it has without certhook."""

    #: What it is with certhook.
    outcome: str
    why: str


class Suite(NamedTuple):
    """The tests of one project."""

    #: How many tests have to pass, without certhook and with it.
    floor: int
    #: What to name for all of its tests: paths in the source distribution, or modules of :mod:`test`.
    targets: tuple[str, ...]
    #: The source distribution that has the tests; none: they are the interpreter's own.
    source: str = ""
    #: What they need installed, besides pytest.
    packages: tuple[str, ...] = ()
    #: What pytest is told.
    arguments: tuple[str, ...] = ()
    #: Tests whose outcome has to differ, by their ids.
    known: Mapping[str, Known] = {}


#: For every suite that pytest runs. The major version is that of which the pinned projects know the warnings.
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
                "skipped", "it steps aside where there is any .pth file, and certhook.pth is one"
            ),
            "test.test_ssl.ContextTests.test_load_default_certs_env": Known(
                "failed", "cert_store_stats() counts the roots of SSL_CERT_DIR too, as if they were loaded"
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
        # Upstream tests with a fork of hypercorn, which is not on PyPI: without it some of its tests of client
        # certificates and HTTP/2 fail, and this one waits for ever.
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
        # These need a network that drops what is sent to an address that nobody has.
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
        # Its server always has the same port, so there can be one process only.
        arguments=("-m", "not network", "-n", "0"),
    ),
    "aiohttp": Suite(
        floor=1400,
        # Whatever connects, serves, starts interpreters or looks at modules; the rest is parsers and headers.
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
        # Upstream's own options measure coverage.
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
