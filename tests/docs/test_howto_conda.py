"""The guide to conda, with the layout of its environments: an OpenSSL that reads only ssl/cacert.pem."""

from __future__ import annotations

import pages
import pytest
import recipes
import support

FETCH = "import urllib.request; print(urllib.request.urlopen('https://intranet.example').read())"
#: A directory of OpenSSL as in an environment of conda, at the path that is compiled into this Python's OpenSSL.
LAYOUT = """
mkdir -p $CONDA/ssl
cp {bundle} $CONDA/ssl/cacert.pem
ln -sf cacert.pem $CONDA/ssl/cert.pem
mount --bind $CONDA/ssl {openssldir}
exec "$@"
"""


@pytest.fixture
def run(network, home, installed, plain, tmp_path):
    bundle = support.purelib(installed) / "certifi" / "cacert.pem"
    code = "import os, ssl; print(os.path.dirname(ssl.get_default_verify_paths().openssl_cafile))"
    layout = LAYOUT.format(bundle=bundle, openssldir=support.run(plain, code).stdout.strip())
    conda = tmp_path / "conda"

    def run(python, *arguments: str, fails: bool = False, **variables: object) -> str:
        quoted = " ".join(f'"{each}"' for each in (python, *arguments))
        script = f"unshare --mount --propagation private bash -e -c '{layout}' layout {quoted}"
        variables = {name: str(value).format(conda=conda) for name, value in variables.items()}
        method = network.fail if fails else network.succeed
        return method(script, home, CONDA=conda, CERTHOOK_STORE_DIR=tmp_path / "stores", **variables)

    return run


def test_the_environment_trusts_the_company(run, installed, plain):
    assert "CERTIFICATE_VERIFY_FAILED" in run(plain, "-c", FETCH, fails=True)
    assert "hello" in run(installed, "-c", FETCH)
    # The command of the page.
    *_, status = recipes.script("conda", "conda activate").splitlines()
    assert "Active in this interpreter" in run(installed, *status.split()[1:])


def test_the_variable_of_an_activated_environment(run, installed):
    variable = "{conda}/ssl/cacert.pem"
    assert "hello" in run(installed, "-c", FETCH, CONDA_PREFIX="{conda}", SSL_CERT_FILE=variable)
    run(installed, "-c", FETCH, fails=True, SSL_CERT_FILE=variable)


def test_the_environment_file():
    (block,) = pages.blocks("how-to/conda", "yaml")
    assert block.text.endswith("    - pip:\n        - certhook\n") or "  - pip:\n      - certhook" in block.text
