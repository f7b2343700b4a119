"""Run the tests, in the environment .venv: ``python3 tools/test.py [ARGUMENT...]``, as ``tox run [ARGUMENT...]``."""

import os
import sys

from _environment import ENVIRONMENT, PYTHON, create, install, require_python, run

require_python()
create()
install(".", "tox")
variables = {}
if "PIP_CERT" not in os.environ:
    # tox's environments contain no certhook when pip fills them.
    roots = os.path.join(ENVIRONMENT, "roots.pem")
    if run(PYTHON, "-m", "certhook", "export", roots) == 0:
        variables["PIP_CERT"] = roots
sys.exit(run(PYTHON, "-m", "tox", "run", *sys.argv[1:], **variables))
