"""Repeated requests for default trust on one context, as truststore makes them for every connection."""

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
context.load_verify_locations(cafile=os.environ["STRANGER"])
count = _ssl._SSLContext.cert_store_stats(context)["x509"]
context.set_default_verify_paths()
assert _ssl._SSLContext.cert_store_stats(context)["x509"] == count > 100
print(verdict(ports["stranger"], context))
"""
)


def test_repeated_requests_for_default_trust_load_nothing_twice(installed, servers, cas, tmp_path) -> None:
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    (tmp_path / "stranger.pem").write_bytes(cas.pem("stranger"))
    env = support.clean_env(
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
        CERTHOOK_SOURCES="system,bundled",
        SERVERS=support.server_list(servers),
        STRANGER=str(tmp_path / "stranger.pem"),
    )
    assert support.run(installed, CODE, env=env).stdout.split() == ["1", "yes"]
