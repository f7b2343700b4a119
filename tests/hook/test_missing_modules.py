"""Modules of certhook that cannot be imported, because no file descriptor is left or the disk is faulty."""

from __future__ import annotations

import pytest
import support

# Prints the number of roots of a context.
COUNT = """
import sys
for name in {missing}:
    sys.modules[name] = None
import os, ssl
ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
print(ssl.create_default_context().cert_store_stats()["x509_ca"])
"""
PATHS, WARNINGS = "certhook._path_values", "certhook._warnings"


@pytest.mark.parametrize("missing", [[PATHS], [PATHS, WARNINGS], ["certhook._trust", WARNINGS]])
@pytest.mark.parametrize(("variables", "count"), [({}, "1"), ({"CERTHOOK_EXTRA_CA_CERTS": "/x"}, "0")])
def test_a_context_is_created_with_a_message_and_never_trusts_more(
    installed, cas, tmp_path, missing: list[str], variables: dict[str, str], count: str
) -> None:
    """With certhook's variables, stock Python's roots could be more than those that the user selected."""
    file = tmp_path / "system.pem"
    file.write_bytes(cas.pem("system"))
    env = support.clean_env(SSL_CERT_FILE=str(file), SSL_CERT_DIR="", **variables)
    done = support.run(installed, COUNT.replace("{missing}", repr(missing)), env=env)
    if PATHS not in missing:
        count = "1"  # The settings are known: they include the system's roots.
    assert done.stdout == f"{count}\n"
    assert done.stderr.count("internal error, the context has") == 1
