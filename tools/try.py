"""Install certhook from this clone into the environment .venv, and show what it does: ``python3 tools/try.py``."""

import sys

from _environment import PYTHON, create, install, require_python, run

require_python()
create()
install(".")
sys.exit(run(PYTHON, "-m", "certhook", "demo"))
