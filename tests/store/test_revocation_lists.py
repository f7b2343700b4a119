"""Revocation lists in the directories of default trust, as stock Python finds them (``VERIFY_CRL_CHECK_LEAF``)."""

from __future__ import annotations

import json
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from pki import DAY, NOW, Issued, issue

CODE = """
import json, os, re, socket, ssl
def result(context, port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            context.wrap_socket(raw, server_hostname="localhost").close()
        return "verified"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
FILE = os.environ["FILE"]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
{steps}
print(json.dumps({{name: result(context, port) for name, port in json.loads(os.environ["PORTS"]).items()}}))
"""
FLAG = "context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF"
STEPS = {
    "the flag last": ("context.load_default_certs()", FLAG),
    "the flag first": (FLAG, "context.load_default_certs()"),
    "the default paths": ("context.set_default_verify_paths()", FLAG),
    "the whole chain": ("context.load_default_certs()", "context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN"),
    "queried": ("context.load_default_certs()", "context.get_ca_certs()", FLAG),
    "a file of the caller first": ("context.load_verify_locations(FILE)", "context.load_default_certs()", FLAG),
    "a file of the caller last": (FLAG, "context.load_default_certs()", "context.load_verify_locations(FILE)"),
    "only a file of the caller": ("context.load_verify_locations(FILE)", FLAG),
    "no flag": ("context.load_default_certs()",),
}
EXPECTED = {
    "kept": "verified",
    "revoked": "certificate revoked",
    "without list": "unable to get certificate CRL",
}


def revocation_list(root: Issued, *revoked: Issued) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject)
    builder = builder.last_update(NOW - DAY).next_update(NOW + 30 * DAY)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
    return builder.sign(root.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory):
    """Create a hashed directory with roots and lists, and servers; return the variables of a process."""
    directory: Path = tmp_path_factory.mktemp("machine")
    roots = {name: issue(name, ca=True, organization=name) for name in ("kept", "revoked", "without list")}
    leaves = {name: issue("localhost", root) for name, root in roots.items()}
    (directory / "roots").mkdir()
    with ExitStack() as stack:
        ports = {}
        for name, root in roots.items():
            hashed = directory / "roots" / support.hashed_name(root.der)
            hashed.write_bytes(root.pem)
            if name != "without list":
                lists = revocation_list(root, *([leaves[name]] if name == "revoked" else []))
                hashed.with_suffix(".r0").write_bytes(lists)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            (directory / "server.pem").write_bytes(leaves[name].secret + leaves[name].pem)
            context.load_cert_chain(directory / "server.pem")
            ports[name] = stack.enter_context(support.serving(context))
        file = directory / "own.pem"
        file.write_bytes(roots["kept"].pem)
        variables = {"SSL_CERT_DIR": str(directory / "roots"), "SSL_CERT_FILE": str(file)}
        yield {**variables, "FILE": str(file), "PORTS": json.dumps(ports)}


def results(python: Path, environment: dict[str, str], steps: tuple[str, ...], **variables: str) -> dict[str, str]:
    code = CODE.format(steps="\n".join(steps))
    return json.loads(support.run(python, code, env=support.clean_env(**environment, **variables)).stdout)


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_lists_in_the_directories_of_default_trust_are_used_as_by_stock_python(
    installed, plain, environment, steps
) -> None:
    found = results(installed, environment, steps)
    assert found == results(plain, environment, steps)
    if FLAG in steps and "context.load_default_certs()" in steps:
        assert found == EXPECTED


def test_lists_are_used_without_a_compiled_store(installed, environment) -> None:
    assert results(installed, environment, STEPS["the flag last"], CERTHOOK_LOAD="eager") == EXPECTED


def test_a_list_is_used_in_contexts_without_the_hook(installed, environment) -> None:
    steps = ("import certhook; certhook.uninstall()", "certhook.load_default_certs(context)", FLAG)
    assert results(installed, environment, steps) == EXPECTED
