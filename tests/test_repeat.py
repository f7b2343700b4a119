"""Default trust asked for again and again on one context, as truststore does for every connection."""

from __future__ import annotations

import support

CODE = (
    support.VERDICTS.rpartition("context = ")[0]
    + """
import _ssl
ports = dict(pair.split(":") for pair in os.environ["SERVERS"].split())
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
for _ in range(5):
    context.set_default_verify_paths()
    assert verdict(ports["system"], context) == "yes"
    assert verdict(ports["stranger"], context) == "no"
print(_ssl._SSLContext.cert_store_stats(context)["x509"])
context.load_verify_locations(cafile=os.environ["OWN"])
whole = _ssl._SSLContext.cert_store_stats(context)["x509"]
context.set_default_verify_paths()
assert _ssl._SSLContext.cert_store_stats(context)["x509"] == whole > 100
print(verdict(ports["stranger"], context))
"""
)


def test_a_context_that_is_pointed_at_the_store_stays_so(installed, servers, cas, tmp_path) -> None:
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    (tmp_path / "own.pem").write_bytes(cas.pem("stranger"))
    env = support.clean_env(
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
        CERTHOOK_SOURCES="system,bundled",
        SERVERS=support.server_list(servers),
        OWN=str(tmp_path / "own.pem"),
    )
    assert support.run(installed, CODE, env=env).stdout.split() == ["1", "yes"]
