/* Embeds Python and runs the code in its last argument.

   host python|isolated SITE_IMPORT PROGRAM_NAME SEARCH_PATHS CODE

   SITE_IMPORT is 0 or 1. PROGRAM_NAME may be empty. SEARCH_PATHS, separated by colons, replaces
   the module search paths that Python computes, unless it is empty. If FROZEN is defined, the
   program includes the frozen modules of frozen.h. */

#include <Python.h>

#ifdef FROZEN
#include "frozen.h"

static int add_frozen_modules(void) {
    const struct _frozen *first = PyImport_FrozenModules;
    size_t count = 0, added = sizeof(frozen) / sizeof(frozen[0]);
    while (first != NULL && first[count].name != NULL) {
        count++;
    }
    struct _frozen *all = calloc(count + added + 1, sizeof(struct _frozen));
    if (all == NULL) {
        return -1;
    }
    if (count > 0) {
        memcpy(all, first, count * sizeof(struct _frozen));
    }
    memcpy(all + count, frozen, sizeof(frozen));
    PyImport_FrozenModules = all;
    return 0;
}
#endif

static int set_search_paths(PyConfig *config, char *paths) {
    for (char *path = strtok(paths, ":"); path != NULL; path = strtok(NULL, ":")) {
        wchar_t *wide = Py_DecodeLocale(path, NULL);
        if (wide == NULL || PyStatus_Exception(PyWideStringList_Append(&config->module_search_paths, wide))) {
            return -1;
        }
        PyMem_RawFree(wide);
        config->module_search_paths_set = 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    PyPreConfig preconfig;
    PyConfig config;
    PyStatus status;
    if (argc != 6) {
        return 2;
    }
    int isolated = strcmp(argv[1], "isolated") == 0;
    if (isolated) {
        PyPreConfig_InitIsolatedConfig(&preconfig);
    } else {
        PyPreConfig_InitPythonConfig(&preconfig);
    }
    preconfig.utf8_mode = 1;
    status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    if (isolated) {
        PyConfig_InitIsolatedConfig(&config);
    } else {
        PyConfig_InitPythonConfig(&config);
    }
    config.site_import = argv[2][0] == '1';
    config.pathconfig_warnings = 0;
    if (argv[3][0] != '\0') {
        status = PyConfig_SetBytesString(&config, &config.program_name, argv[3]);
        if (PyStatus_Exception(status)) {
            Py_ExitStatusException(status);
        }
    }
    if (set_search_paths(&config, argv[4]) < 0) {
        return 2;
    }
#ifdef FROZEN
    if (add_frozen_modules() < 0) {
        return 2;
    }
#endif
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    int failed = PyRun_SimpleString(argv[5]);
    return Py_FinalizeEx() < 0 || failed ? 1 : 0;
}
