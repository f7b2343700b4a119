"""Repeated requests for default trust on one context: truststore makes one for every connection."""

from __future__ import annotations

import support

DEFINE_VERDICT = support.VERDICTS.rpartition("context = ")[0]

REPEAT_REQUESTS = f"""
{DEFINE_VERDICT}
import _ssl
ports = dict(pair.split(":") for pair in os.environ["SERVERS"].split())
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

def loaded():
    # ssl.SSLContext.cert_store_stats() would load every root first.
    return _ssl._SSLContext.cert_store_stats(context)["x509"]

for _ in range(5):
    context.set_default_verify_paths()
    assert verdict(ports["system"], context) == "yes"
    assert verdict(ports["stranger"], context) == "no"
assert loaded() == 1, f"{{loaded()}} roots are loaded, but only one was used"

context.load_verify_locations(cafile=os.environ["OWN"])
count = loaded()
context.set_default_verify_paths()
assert loaded() == count > 100
assert verdict(ports["stranger"], context) == "yes"
"""


def test_repeated_requests_for_default_trust_load_no_root_again(installed, servers, machine) -> None:
    env = support.clean_env(
        SSL_CERT_FILE=str(machine / "system.pem"),
        CERTHOOK_SOURCES="system,bundled",
        OWN=str(machine / "stranger.pem"),
        SERVERS=support.server_list(servers),
    )
    support.run(installed, REPEAT_REQUESTS, env=env)
