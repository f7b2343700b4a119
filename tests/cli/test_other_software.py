"""``python -m certhook status``: libraries that certhook does not reach, and software that changes trust."""

from __future__ import annotations

import pytest
import support


def test_libraries_that_certhook_does_not_reach_are_listed_with_a_remedy(certhook, status, metadata) -> None:
    path = metadata(pycurl="7.49.0", httpr="0.7.8", psycopg2_binary="2.9", requests="2.32", pyOpenSSL="26.4.0")
    changed = {"PYTHONPATH": path, "HTTPR_CA_BUNDLE": "/roots.pem"}
    found = status(**changed)["unreached_libraries"]
    assert [(library["name"], library["version"], library["variables"]) for library in found] == [
        ("httpr", "0.7.8", [{"name": "HTTPR_CA_BUNDLE", "value": "/roots.pem"}]),
        ("psycopg2-binary", "2.9", [{"name": "PGSSLROOTCERT", "value": None}]),
        ("pycurl", "7.49.0", []),
    ]
    shown = certhook(**changed).stdout
    assert support.shows(shown, "HTTPR_CA_BUNDLE=/roots.pem", "PGSSLROOTCERT=(not set)")
    assert support.shows(shown, "start the program with 'certhook run --env', which sets HTTPR_CA_BUNDLE")
    assert support.shows(shown, "set CAINFO to a file of root certificates")
    assert all(support.shows(shown, library["remedy"]) for library in found)


def test_each_variant_of_a_library_is_listed(status, metadata) -> None:
    found = status(PYTHONPATH=metadata(pyarrow="26.0.1"))["unreached_libraries"]
    assert [library["name"] for library in found] == ["pyarrow (Flight)", "pyarrow (GCS)", "pyarrow (S3)"]


def test_without_such_libraries_the_report_has_no_section_for_them(certhook, status) -> None:
    assert status()["unreached_libraries"] == []
    assert "does not reach" not in certhook().stdout


def test_packages_that_change_trust_are_listed_with_their_effect(certhook, status, metadata) -> None:
    path = metadata(pip_system_certs="5.0", certifi_linux="1.0")
    found = [one for one in status(PYTHONPATH=path)["other_software"] if not one["name"].endswith("customize")]
    assert [(one["name"], one["version"]) for one in found] == [("certifi-linux", "1.0"), ("pip-system-certs", "5.0")]
    shown = certhook(PYTHONPATH=path).stdout
    assert "Other software:\n" in shown
    assert all(support.shows(shown, f"{one['name']} {one['version']} {one['effect']}") for one in found)


def test_a_foreign_sitecustomize_is_listed_and_the_drop_in_is_not(status, installed, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").touch()
    (found,) = (one for one in status(PYTHONPATH=str(tmp_path))["other_software"] if one["name"] == "sitecustomize")
    assert found["effect"] == f"{tmp_path / 'sitecustomize.py'} runs at every start of this interpreter"
    drop_in = str(support.purelib(installed) / "certhook" / "bootstrap")
    assert "bootstrap" not in str(status(PYTHONPATH=drop_in)["other_software"])


@pytest.fixture
def neighbours_after(status, tmp_path):
    """A function that returns the other software in a process that has run *code* at start-up."""

    def run(code: str) -> dict[str, str]:
        (tmp_path / "sitecustomize.py").write_text(code)
        found = status(PYTHONPATH=str(tmp_path))["other_software"]
        return {one["name"]: one["effect"] for one in found if one["name"] != "sitecustomize"}

    return run


@pytest.mark.parametrize(
    ("module", "function", "patched", "name"),
    [
        ("gevent.monkey", "is_module_patched", "ssl", "gevent"),
        ("eventlet.patcher", "is_monkey_patched", "socket", "eventlet"),
    ],
)
def test_a_library_that_patched_ssl_is_listed(module, function, patched, name, neighbours_after) -> None:
    code = "import sys, types; sys.modules[{!r}] = types.SimpleNamespace({}={!r}.__eq__)"
    assert neighbours_after(code.format(module, function, "another module")) == {}
    assert list(neighbours_after(code.format(module, function, patched))) == [name]


@pytest.mark.parametrize("module", ["truststore._api", "pip._vendor.truststore._api"])
def test_an_injected_truststore_is_listed(module: str, neighbours_after) -> None:
    code = f"import ssl; ssl.SSLContext = type('SSLContext', (ssl.SSLContext,), {{'__module__': {module!r}}})"
    assert "the operating system verifies" in neighbours_after(code)["truststore"]
