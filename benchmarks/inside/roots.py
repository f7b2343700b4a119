"""Print the number of roots in a default context, and the versions of OpenSSL and Python, as JSON."""

import json
import ssl
import sys

roots = ssl.create_default_context().cert_store_stats()["x509_ca"]
print(json.dumps([roots, ssl.OPENSSL_VERSION, sys.version.split()[0]]))
