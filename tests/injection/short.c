/* A library to preload that shortens reads and writes of regular files: read(2) and write(2) may transfer a part. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

/* Set by the test: the number of the first call to shorten, 0 for none; whether later ones are shortened as well. */
int short_read, short_write, short_persists;
/* The number of calls that could be shortened. */
int reads, writes;
int is_counting;

static int shortens(int first, int *count, int descriptor, size_t size)
{
    struct stat status;
    if (!is_counting || size < 2 || fstat(descriptor, &status) || !S_ISREG(status.st_mode))
        return 0;
    ++*count;
    return first && (*count == first || (short_persists && *count > first));
}

ssize_t read(int descriptor, void *buffer, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "read");
    if (shortens(short_read, &reads, descriptor, size)) {
        /* Python asks for more than the file contains, so half of the request could be everything. */
        size = size / 2 < 509 ? size / 2 : 509;
    }
    return real(descriptor, buffer, size);
}

ssize_t write(int descriptor, const void *buffer, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "write");
    if (shortens(short_write, &writes, descriptor, size))
        size = size / 2;
    return real(descriptor, buffer, size);
}
