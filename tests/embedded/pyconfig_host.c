/* Embeds Python with the given settings of PyConfig and runs CODE.

   pyconfig_host USE_ENVIRONMENT ISOLATED SITE_IMPORT PROGRAM_NAME CODE

   The first three arguments are 0 or 1 and set the members of PyConfig with these names. */

#include <Python.h>

static void check(PyStatus status) {
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
}

int main(int argc, char **argv) {
    PyConfig config;
    if (argc != 6) {
        return 2;
    }
    PyConfig_InitPythonConfig(&config);
    config.use_environment = argv[1][0] == '1';
    config.isolated = argv[2][0] == '1';
    config.site_import = argv[3][0] == '1';
    check(PyConfig_SetBytesString(&config, &config.program_name, argv[4]));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    int failed = PyRun_SimpleString(argv[5]);
    return Py_FinalizeEx() < 0 || failed ? 1 : 0;
}
