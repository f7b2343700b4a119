"""CPython for Windows without and with certhook: the variables of OpenSSL and requests next to the Windows stores.

CPython loads the stores ROOT and CA even if a variable names other files.
"""

from __future__ import annotations

import json

import pytest
from wine import RERUN_IF_WINESERVER_DIES

pytestmark = RERUN_IF_WINESERVER_DIES

#: Code that prints, for each of CASES (environment variables), the roots that the clients trust.
RESULTS = """
import certifi, warnings
warnings.simplefilter("ignore")  # Missing files are reported.
def as_requests():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
    return context
results = []
for variables in json.loads(os.environ["CASES"]):
    variables = {name: value.format(certifi=certifi.where()) for name, value in variables.items()}
    os.environ.update(variables)
    for create in (ssl.create_default_context, as_requests):
        try:
            context = create()
            results.append([name for name, port in SERVERS if verdict(port, context) == "yes"])
        except OSError as error:
            results.append(type(error).__name__)
    for name in variables:
        del os.environ[name]
print(json.dumps(results))
"""


@pytest.mark.parametrize("rejected", ["", "both"])
def test_certhook_trusts_no_less_than_stock_python(windows, tmp_path, cas, rejected: str) -> None:
    """The CA *system* is only in ROOT, *both* also in certifi's bundle, and *extra* only in a file."""
    file = tmp_path / "extra.pem"
    file.write_bytes(cas.pem("extra"))
    values = (windows.path(file), windows.path(tmp_path / "missing.pem"), "", "{certifi}")
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
    cases = [{}, *({name: value} for name in names for value in values)]
    add = "".join(f"add({store!r}, {name!r})\n" for store, name in [("ROOT", "system"), ("ROOT", "both")])
    distrust = f"add('Disallowed', {rejected!r})\n" if rejected else ""
    windows.run(f"{add}{distrust}print(1)")
    variables = {"CASES": json.dumps(cases)}
    stock = windows.run(RESULTS, **variables, CERTHOOK_DISABLED="1")
    hooked = windows.run(RESULTS, **variables)
    violations = []
    for number, (without, with_certhook) in enumerate(zip(stock, hooked)):
        client, case = ("default", "requests")[number % 2], cases[number // 2]
        (value,) = case.values() or [""]
        if client == "requests" and "REQUESTS_CA_BUNDLE" in case and value not in ("", "{certifi}"):
            is_right = without == with_certhook  # A file that the caller names is passed through.
        else:
            # The sources are the Windows stores, certifi's bundle and the file in a variable of OpenSSL.
            is_configured = value == values[0] and "REQUESTS_CA_BUNDLE" not in case
            listed = {"system", "both", "bundled", *(["extra"] if is_configured else [])}
            is_right = {*without} - {rejected} <= {*with_certhook} <= listed - {rejected}
        if not is_right:
            violations.append((case, client, without, with_certhook))
    assert violations == []
