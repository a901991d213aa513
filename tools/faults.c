/* Counts the calls of one process that touch files under a folder, and lets one of them fail or kill.

   Preloaded (LD_PRELOAD) it does nothing before fault_arm(). Every counted call is logged: its number, name, result,
   paths, offset and length, and with fault_arm(..., record) also the bytes that were written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READS = 0, CHANGES = 1, FREES = 2 };

static char folder[PATH_MAX];
static pid_t owner;
static int log_fd = -1, failure, lasts, records;
static long count, at;

/* failure: 0 for none, -1 for SIGKILL, else an errno; with lasts it strikes from call at on, where it is plausible. */
void fault_arm(const char *of, int log, long number, int how, int lasting, int record)
{
    snprintf(folder, sizeof folder, "%s", of);
    log_fd = log, at = number, failure = how, lasts = lasting, records = record, count = 0, owner = getpid();
}

void fault_mark(const char *what)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%ld\tmark\t0\t%s\t\t0\t0\n", count, what);
    if (owner == getpid() && log_fd >= 0) syscall(SYS_write, log_fd, line, length);
}

static const char *absolute(int from, const char *path, char *out)
{
    char base[PATH_MAX] = "";
    if (path && path[0] == '/') return path;
    if (from == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return "";
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", from);
        ssize_t length = readlink(link, base, sizeof base - 1);
        base[length < 0 ? 0 : length] = 0;
    }
    snprintf(out, 2 * PATH_MAX, path ? "%s/%s" : "%s", base, path);
    return out;
}

static int counts(const char *path)
{
    size_t length = strlen(folder);
    return owner && owner == getpid() && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int plausible(int kind)
{
    if (kind == READS || (failure == ENOSPC && kind == FREES)) return 0;
    return 1;
}

static int strikes(int kind)
{
    count++;
    if (!failure || (lasts ? count < at || !plausible(kind) : count != at)) return 0;
    if (failure < 0) syscall(SYS_kill, owner, SIGKILL);
    errno = failure;
    return 1;
}

static void note(const char *name, long result, const char *path, const char *other, long offset, const void *bytes, long n)
{
    int before = errno;
    char line[4 * PATH_MAX];
    int length = snprintf(line, sizeof line, "%ld\t%s\t%ld\t%s\t%s\t%ld\t%ld\n", count, name, result, path, other, offset, n);
    syscall(SYS_write, log_fd, line, length);
    if (records && bytes && result > 0) syscall(SYS_write, log_fd, bytes, result);
    errno = before;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)
#define CALL(name, kind, path, other, offset, bytes, n, call) do { \
    if (!counts(path)) return call; \
    if (strikes(kind)) { note(name, -1, path, other, offset, NULL, n); return -1; } \
    long done = call; note(name, done, path, other, offset, bytes, n); return done; } while (0)

static int opened(int (*real)(int, const char *, int, ...), int from, const char *path, int flags, mode_t mode)
{
    char space[2 * PATH_MAX];
    const char *full = absolute(from, path, space);
    if (!counts(full)) return real(from, path, flags, mode);
    struct stat unused;
    int makes = (flags & O_CREAT) && lstat(full, &unused) != 0;
    int kind = makes || (flags & O_TRUNC) || (failure == EROFS && (flags & O_ACCMODE) != O_RDONLY) ? CHANGES : READS;
    CALL(makes ? "create" : "open", kind, full, "", flags & O_TRUNC ? 1 : 0, NULL, flags, real(from, path, flags, mode));
}

#define OPEN(name, parameters, from) \
int name parameters { \
    REAL(int, openat64, int, const char *, int, ...); \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); } \
    return opened(real, from, path, flags, mode); }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int from, const char *path, int flags, ...), from)
OPEN(openat64, (int from, const char *path, int flags, ...), from)

#define FD(name, kind, offset, bytes, n, ...) { \
    char space[2 * PATH_MAX]; const char *full = absolute(fd, NULL, space); \
    CALL(name, kind, full, "", offset, bytes, n, real(__VA_ARGS__)); }
ssize_t write(int fd, const void *from, size_t n)
{
    REAL(ssize_t, write, int, const void *, size_t);
    if (fd == log_fd || owner != getpid()) return real(fd, from, n);
    long offset = lseek(fd, 0, SEEK_CUR);
    FD("write", CHANGES, offset, from, (long)n, fd, from, n)
}
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t offset)
{
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    FD("pwrite", CHANGES, offset, from, (long)n, fd, from, n, offset)
}
ssize_t pwrite(int fd, const void *from, size_t n, off_t offset) { return pwrite64(fd, from, n, offset); }
int ftruncate64(int fd, off64_t size)
{
    REAL(int, ftruncate64, int, off64_t);
    FD("ftruncate", CHANGES, size, NULL, 0L, fd, size)
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
int fsync(int fd) { REAL(int, fsync, int); FD("fsync", CHANGES, 0L, NULL, 0L, fd) }
int fdatasync(int fd) { REAL(int, fdatasync, int); FD("fdatasync", CHANGES, 0L, NULL, 0L, fd) }
int flock(int fd, int how) { REAL(int, flock, int, int); FD("flock", READS, 0L, NULL, (long)how, fd, how) }

#define NAMED(name, kind, from, path, ...) { \
    char space[2 * PATH_MAX]; const char *full = absolute(from, path, space); \
    CALL(name, kind, full, "", 0L, NULL, 0L, real(__VA_ARGS__)); }
int unlinkat(int from, const char *path, int flags)
{
    REAL(int, unlinkat, int, const char *, int);
    NAMED(flags & AT_REMOVEDIR ? "rmdir" : "unlink", FREES, from, path, from, path, flags)
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int from, const char *path, mode_t mode)
{
    REAL(int, mkdirat, int, const char *, mode_t);
    NAMED("mkdir", CHANGES, from, path, from, path, mode)
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

#define PAIR(name, from, path, to, other, ...) { \
    char one[2 * PATH_MAX], two[2 * PATH_MAX]; const char *full = absolute(from, path, one); \
    CALL(name, CHANGES, full, absolute(to, other, two), 0L, NULL, 0L, real(__VA_ARGS__)); }
int renameat(int from, const char *path, int to, const char *other)
{
    REAL(int, renameat, int, const char *, int, const char *);
    PAIR("rename", from, path, to, other, from, path, to, other)
}
int rename(const char *path, const char *other) { return renameat(AT_FDCWD, path, AT_FDCWD, other); }
int linkat(int from, const char *path, int to, const char *other, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int);
    PAIR("link", from, path, to, other, from, path, to, other, flags)
}
int link(const char *path, const char *other) { return linkat(AT_FDCWD, path, AT_FDCWD, other, 0); }
