/* A disk that fails: loaded before the C library, it lets calls on files whose path holds a word fail with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char word[4096];
static char calls[64];
static long failed;

/* Let these calls ("read", "write", "sync") fail on paths that hold the word; "" for none. Return how many failed. */
long broken_disk(const char *new_word, const char *new_calls) {
    long before = failed;
    failed = 0;
    snprintf(word, sizeof word, "%s", new_word);
    snprintf(calls, sizeof calls, "%s", new_calls);
    return before;
}

static int fails(int fd, const char *call) {
    char link[64], path[4096];
    if (!word[0] || !strstr(calls, call)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    if (!strstr(path, word)) return 0;
    failed++;
    errno = EIO;
    return 1;
}

#define FAULTY(type, name, call, given, passed)                               \
    type name given {                                                         \
        static type(*real) given;                                             \
        if (!real) real = (type(*) given)dlsym(RTLD_NEXT, #name);             \
        return fails(fd, call) ? -1 : real passed;                            \
    }
FAULTY(ssize_t, read, "read", (int fd, void *buffer, size_t count), (fd, buffer, count))
FAULTY(ssize_t, pread, "read", (int fd, void *buffer, size_t count, off_t at), (fd, buffer, count, at))
FAULTY(ssize_t, pread64, "read", (int fd, void *buffer, size_t count, off64_t at), (fd, buffer, count, at))
FAULTY(ssize_t, write, "write", (int fd, const void *buffer, size_t count), (fd, buffer, count))
FAULTY(ssize_t, writev, "write", (int fd, const struct iovec *parts, int count), (fd, parts, count))
FAULTY(ssize_t, pwrite, "write", (int fd, const void *buffer, size_t count, off_t at), (fd, buffer, count, at))
FAULTY(ssize_t, pwrite64, "write", (int fd, const void *buffer, size_t count, off64_t at), (fd, buffer, count, at))
FAULTY(ssize_t, copy_file_range, "write", (int in, off64_t *from, int fd, off64_t *to, size_t count, unsigned flags),
       (in, from, fd, to, count, flags))
FAULTY(ssize_t, sendfile, "write", (int fd, int in, off_t *from, size_t count), (fd, in, from, count))
FAULTY(ssize_t, sendfile64, "write", (int fd, int in, off64_t *from, size_t count), (fd, in, from, count))
FAULTY(int, fsync, "sync", (int fd), (fd))
FAULTY(int, fdatasync, "sync", (int fd), (fd))
