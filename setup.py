"""Builds certhook; all metadata is in setup.cfg.

What setup.cfg cannot say: ``certhook.pth`` and ``certhook.start`` belong at the
top of site-packages, in wheels, source distributions and editable installs, and
have to go when certhook is uninstalled. ``data_files`` would bake the build
machine's layout in, ``package_data`` is missing from editable installs.
"""

import os

from setuptools import setup
from setuptools.command.build_py import build_py

START_FILES = ["certhook.pth", "certhook.start"]


class BuildPyWithStartFiles(build_py):
    """Copies the start-up files beside the package, and owns up to them."""

    editable_mode = False

    def run(self):
        super().run()
        for name, target in self._start_files().items():
            self.copy_file(name, target, preserve_mode=False)

    def get_source_files(self):
        return super().get_source_files() + START_FILES

    def get_outputs(self, *args, **kwargs):
        return super().get_outputs(*args, **kwargs) + list(self._start_files().values())

    def get_output_mapping(self):
        return {**super().get_output_mapping(), **{target: name for name, target in self._start_files().items()}}

    def _start_files(self):
        folder = self.build_lib
        if self.editable_mode:
            folder = self.get_finalized_command("install_lib").install_dir
        return {name: os.path.join(folder, name) for name in START_FILES}


setup(cmdclass={"build_py": BuildPyWithStartFiles})
