/* A disk and a clock that fail on demand, put between a program and its system library.
 *
 * FAULTY_DISK_STORE names the folder that is concerned, FAULTY_DISK_CONTROL a file that says what
 * is wrong just now: a word (none, full, sync, read-only, slow), and how many seconds the clock is
 * off. A file beside it, `.refused` behind its name, grows by a byte with each operation that failed.
 * Preloaded into a collector by the tests; see disk_faults.rs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int read_control(char *word, long *seconds) {
    const char *path = getenv("FAULTY_DISK_CONTROL");
    char text[64] = {0};
    long file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0) : -1;
    strcpy(word, "none");
    *seconds = 0;
    if (file < 0) return 0;
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    return sscanf(text, "%15s %ld", word, seconds);
}

static int is(const char *fault) {
    char word[16];
    long seconds;
    read_control(word, &seconds);
    return strcmp(word, fault) == 0;
}

static int is_in_store(const char *path) {
    const char *store = getenv("FAULTY_DISK_STORE");
    return store && strncmp(path, store, strlen(store)) == 0;
}

static int is_stores(int file) {
    char link[32], path[4096] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return readlink(link, path, sizeof path - 1) > 0 && is_in_store(path);
}

static int fail(int error) {
    char path[4096];
    snprintf(path, sizeof path, "%s.refused", getenv("FAULTY_DISK_CONTROL"));
    long file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    syscall(SYS_write, file, "x", 1);
    syscall(SYS_close, file);
    errno = error;
    return -1;
}

ssize_t write(int file, const void *bytes, size_t length) {
    if (is_stores(file)) {
        /* A full disk takes a part. */
        if (is("full")) return length > 1 ? syscall(SYS_write, file, bytes, 1) == 1 ? fail(ENOSPC) : -1 : fail(ENOSPC);
        if (is("read-only")) return fail(EROFS);
    }
    return syscall(SYS_write, file, bytes, length);
}

int fsync(int file) {
    if (is_stores(file)) {
        if (is("sync")) return fail(EIO);
        if (is("slow")) nanosleep(&(struct timespec){0, 300000000}, NULL);
    }
    return syscall(SYS_fsync, file);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if ((flags & O_CREAT) && is_in_store(path)) {
        if (is("full")) return fail(ENOSPC);
        if (is("read-only")) return fail(EROFS);
    }
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int rename(const char *from, const char *to) {
    if (is_in_store(to) && is("read-only")) return fail(EROFS);
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdir(const char *path, mode_t mode) {
    if (is_in_store(path) && is("read-only")) return fail(EROFS);
    if (is_in_store(path) && is("full")) return fail(ENOSPC);
    return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    char word[16];
    long seconds;
    int result = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME) {
        read_control(word, &seconds);
        now->tv_sec += seconds;
    }
    return result;
}
