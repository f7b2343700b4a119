"""Builds certhook; all metadata is in setup.cfg.

What setup.cfg cannot say: ``certhook.pth`` belongs at the top of site-packages, in
wheels, source distributions and editable installs, and has to go when certhook is
uninstalled. ``data_files`` would bake the build machine's layout in, ``package_data``
is missing from editable installs.
"""

import os

from setuptools import setup
from setuptools.command.build_py import build_py

# No certhook.start (PEP 829): for one, site of Python 3.15 imports pkgutil and re at every start, which
# nearly doubles it. Lines that import are read in .pth files up to Python 3.17.
START_FILE = "certhook.pth"


class BuildPyWithStartFile(build_py):
    """Copies the start-up file beside the package, and owns up to it."""

    editable_mode = False

    def run(self):
        super().run()
        self.copy_file(START_FILE, self._target(), preserve_mode=False)

    def get_source_files(self):
        return [*super().get_source_files(), START_FILE]

    def get_outputs(self, *args, **kwargs):
        return [*super().get_outputs(*args, **kwargs), self._target()]

    def get_output_mapping(self):
        return {**super().get_output_mapping(), self._target(): START_FILE}

    def _target(self):
        folder = self.build_lib
        if self.editable_mode:
            folder = self.get_finalized_command("install_lib").install_dir
        return os.path.join(folder, START_FILE)


setup(cmdclass={"build_py": BuildPyWithStartFile})
