"""Print how many roots a default context trusts, the version of OpenSSL, and that of Python."""

import json
import ssl
import sys

roots = ssl.create_default_context().cert_store_stats()["x509_ca"]
print(json.dumps([roots, ssl.OPENSSL_VERSION, sys.version.split()[0]]))
