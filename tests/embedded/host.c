/* A program with an interpreter in it: runs the code in its last argument.

   host python|isolated SITE_IMPORT PROGRAM_NAME SEARCH_PATHS CODE

   SITE_IMPORT is 0 or 1. PROGRAM_NAME, and SEARCH_PATHS (separated by colons) in place of
   those that Python works out itself, may be empty. With FROZEN, the modules in frozen.h are in it. */

#include <Python.h>

#ifdef FROZEN
#include "frozen.h"

static int freeze(void) {
    const struct _frozen *first = PyImport_FrozenModules;
    size_t count = 0, ours = sizeof(frozen) / sizeof(frozen[0]);
    while (first != NULL && first[count].name != NULL) {
        count++;
    }
    struct _frozen *all = calloc(count + ours + 1, sizeof(struct _frozen));
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

static int search(PyConfig *config, char *paths) {
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
    PyPreConfig before;
    PyConfig config;
    PyStatus status;
    if (argc != 6) {
        return 2;
    }
    int isolated = strcmp(argv[1], "isolated") == 0;
    if (isolated) {
        PyPreConfig_InitIsolatedConfig(&before);
    } else {
        PyPreConfig_InitPythonConfig(&before);
    }
    before.utf8_mode = 1;
    status = Py_PreInitialize(&before);
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
    if (search(&config, argv[4]) < 0) {
        return 2;
    }
#ifdef FROZEN
    if (freeze() < 0) {
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
