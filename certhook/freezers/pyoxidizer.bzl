# PyOxidizer's configuration for a program with certhook in it: that of "SSL Certificate Loading" in its
# documentation, with certhook in place of the code in the application.
#
# Written from the documentation. It is not run by this project's tests, since PyOxidizer downloads a Python
# to build with; its importer (oxidized_importer) is, with everything in memory.
#
# "myapp" stands for the application, here and in pip_install().

def make_exe():
    dist = default_python_distribution()

    config = dist.make_python_interpreter_config()

    # In place of config.run_module = "myapp".
    config.run_command = "import certhook.auto, runpy; runpy.run_module('myapp', run_name='__main__', alter_sys=True)"

    exe = dist.to_python_executable(name = "myapp", config = config)

    # certhook brings certifi with it.
    exe.add_python_resources(exe.pip_install(["certhook", "myapp"]))

    return exe

register_target("exe", make_exe, default = True)

resolve_targets()
