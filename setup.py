"""Build script of certhook; all metadata is in setup.cfg.

setup.cfg cannot express that ``certhook.pth`` belongs at the top of site-packages, in
wheels, source distributions and editable installs, and that pip removes it together with
certhook. ``data_files`` would fix the build machine's layout, and editable installs lack
``package_data``.
"""

import os

from setuptools import setup
from setuptools.command.build_py import build_py

# There is no certhook.start (PEP 829): it would make site in Python 3.15 import pkgutil and re at every
# start, which nearly doubles start-up time. Python executes import lines in .pth files up to version 3.17.
START_FILE = "certhook.pth"


class BuildPyWithStartFile(build_py):
    """Copy the start-up file next to the package, and list it among the outputs."""

    editable_mode = False

    def run(self):
        super().run()
        self.copy_file(START_FILE, self._start_file_path(), preserve_mode=False)

    def get_source_files(self):
        return [*super().get_source_files(), START_FILE]

    def get_outputs(self, *args, **kwargs):
        return [*super().get_outputs(*args, **kwargs), self._start_file_path()]

    def get_output_mapping(self):
        return {**super().get_output_mapping(), self._start_file_path(): START_FILE}

    def _start_file_path(self):
        directory = self.build_lib
        if self.editable_mode:
            directory = self.get_finalized_command("install_lib").install_dir
        return os.path.join(directory, START_FILE)


setup(cmdclass={"build_py": BuildPyWithStartFile})
