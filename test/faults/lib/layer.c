/*
 * A layer between a program and its C library (LD_PRELOAD), for a database named by FAULTS_NAME:
 *
 *   FAULTS_LOG      every write, truncation and fsync of its files, and what is sent to sockets, is recorded there
 *   FAULTS_CONTROL  a file with a `struct control`: which calls fail, and how far the clock is off
 *
 * A record is: operation, file, 2 unused bytes, length (4 bytes), offset (8 bytes), the data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, OPEN = 8, SEND = 16, UNLINK = 32 };
enum { MAIN = 1, WAL = 2, JOURNAL = 4, SOCKET = 8, FOLDER = 16, PROBE = 32 };

struct control {
  int32_t calls;      /* which operations fail, as bits */
  int32_t files;      /* of which files, as bits */
  int32_t error;      /* the errno that they fail with; 0: writes are short */
  int32_t skipped;    /* so many of them succeed before */
  int32_t times;      /* so many fail; below 0: all */
  int32_t failed;     /* how many have failed */
  int64_t clock_ns;   /* added to the time of day */
};

struct record {
  uint8_t operation;
  uint8_t file;
  uint16_t unused;
  uint32_t length;
  uint64_t offset;
};

#define MAX_FDS 65536
static uint8_t kinds[MAX_FDS];
static struct control none;
static struct control *control = &none;
static const char *name = "";
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void) {
  const char *log = getenv("FAULTS_LOG"), *path = getenv("FAULTS_CONTROL");
  if (getenv("FAULTS_NAME")) name = getenv("FAULTS_NAME");
  if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
  void *map = fd < 0 ? MAP_FAILED : mmap(0, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) control = map;
}

/* Which of the files a path names; 0: none. */
static int kind_of(const char *path) {
  const char *at = path && *name ? strstr(path, name) : 0;
  if (!at) return 0;
  at += strlen(name);
  if (strcmp(at, "-probe") == 0) return PROBE;
  return *at == 0 ? MAIN : strcmp(at, "-wal") == 0 ? WAL : strcmp(at, "-journal") == 0 ? JOURNAL : 0;
}

static int is_folder(int fd) {
  struct stat stats;
  return fstat(fd, &stats) == 0 && S_ISDIR(stats.st_mode);
}

static int kind(int fd) { return fd >= 0 && fd < MAX_FDS ? kinds[fd] : 0; }

static void note(int operation, int file, const void *data, size_t length, uint64_t offset) {
  if (log_fd < 0) return;
  struct record record = {operation, file, 0, data ? length : 0, offset};
  struct iovec parts[2] = {{&record, sizeof record}, {(void *)data, data ? length : 0}};
  int saved = errno;
  syscall(SYS_writev, log_fd, parts, data ? 2 : 1);
  errno = saved;
}

/* Whether this call is to fail. */
static int fails(int operation, int file) {
  if (!(control->calls & operation) || !(control->files & file) || control->times == 0) return 0;
  if (control->skipped > 0) {
    control->skipped--;
    return 0;
  }
  if (control->times > 0) control->times--;
  control->failed++;
  return 1;
}

#define REAL(type, symbol, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, symbol)

static int opened(int fd, const char *path) {
  if (fd >= 0 && fd < MAX_FDS) kinds[fd] = kind_of(path);
  return fd;
}

#define OPENER(function) \
  int function(const char *path, int flags, ...) { \
    REAL(int, #function, const char *, int, ...); \
    va_list arguments; \
    va_start(arguments, flags); \
    mode_t mode = va_arg(arguments, mode_t); \
    va_end(arguments); \
    if (fails(OPEN, kind_of(path))) return errno = control->error, -1; \
    return opened(real(path, flags, mode), path); \
  }
OPENER(open)
OPENER(open64)

int openat(int folder, const char *path, int flags, ...) {
  REAL(int, "openat", int, const char *, int, ...);
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  if (fails(OPEN, kind_of(path))) return errno = control->error, -1;
  return opened(real(folder, path, flags, mode), path);
}

int close(int fd) {
  REAL(int, "close", int);
  if (fd >= 0 && fd < MAX_FDS) kinds[fd] = 0;
  return real(fd);
}

static ssize_t put(int fd, const void *data, size_t length, off_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  int file = kind(fd);
  if (!file) return real(fd, data, length, offset);
  pthread_mutex_lock(&lock);
  ssize_t done;
  if (!fails(WRITE, file)) done = real(fd, data, length, offset);
  else if (control->error) done = -1, errno = control->error;
  else done = real(fd, data, length > 1 ? length / 2 : length, offset);
  if (done > 0) note(WRITE, file, data, done, offset);
  pthread_mutex_unlock(&lock);
  return done;
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return put(fd, data, length, offset); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return put(fd, data, length, offset); }

#define SYNCER(function) \
  int function(int fd) { \
    REAL(int, #function, int); \
    int file = kind(fd); \
    if (!file && is_folder(fd)) file = FOLDER; \
    if (!file) return real(fd); \
    pthread_mutex_lock(&lock); \
    int done = fails(SYNC, file) ? (errno = control->error, -1) : real(fd); \
    if (done == 0) note(SYNC, file, 0, 0, 0); \
    pthread_mutex_unlock(&lock); \
    return done; \
  }
SYNCER(fsync)
SYNCER(fdatasync)

#define TRUNCATER(function) \
  int function(int fd, off_t length) { \
    REAL(int, #function, int, off_t); \
    int file = kind(fd); \
    if (!file) return real(fd, length); \
    pthread_mutex_lock(&lock); \
    int done = fails(TRUNCATE, file) ? (errno = control->error, -1) : real(fd, length); \
    if (done == 0) note(TRUNCATE, file, 0, 0, length); \
    pthread_mutex_unlock(&lock); \
    return done; \
  }
TRUNCATER(ftruncate)
TRUNCATER(ftruncate64)

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  int done = real(path), file = kind_of(path);
  if (done == 0 && file) note(UNLINK, file, 0, 0, 0);
  return done;
}

/* Recorded before it is sent: whoever receives it does so after all that is recorded before it. */
ssize_t send(int fd, const void *data, size_t length, int flags) {
  REAL(ssize_t, "send", int, const void *, size_t, int);
  note(SEND, SOCKET, data, length, 0);
  return real(fd, data, length, flags);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int done = syscall(SYS_clock_gettime, clock, time);
  if (done == 0 && clock == CLOCK_REALTIME && control->clock_ns) {
    int64_t ns = time->tv_sec * 1000000000ll + time->tv_nsec + control->clock_ns;
    time->tv_sec = ns / 1000000000ll;
    time->tv_nsec = ns % 1000000000ll;
  }
  return done;
}

int gettimeofday(struct timeval *time, void *zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}
