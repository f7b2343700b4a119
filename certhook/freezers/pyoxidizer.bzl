# PyOxidizer configuration for a program that includes certhook. It follows the section "SSL Certificate
# Loading" of PyOxidizer's documentation, but certhook replaces the code in the application.
#
# This file was written from the documentation. This project's tests do not run it, because PyOxidizer
# downloads a Python to build with. They do run its importer (oxidized_importer) with all modules in memory.
#
# Replace "myapp" with the name of the application, both here and in pip_install().

def make_exe():
    dist = default_python_distribution()

    config = dist.make_python_interpreter_config()

    # This replaces config.run_module = "myapp".
    config.run_command = "import certhook.auto, runpy; runpy.run_module('myapp', run_name='__main__', alter_sys=True)"

    exe = dist.to_python_executable(name = "myapp", config = config)

    # certifi is a dependency of certhook, so pip installs it too.
    exe.add_python_resources(exe.pip_install(["certhook", "myapp"]))

    return exe

register_target("exe", make_exe, default = True)

resolve_targets()
