/*
 * A disk that fails as real ones do, for tests: preloaded into a program, it stands between SQLite and the files of one
 * folder (FAULTS_FOLDER). FAULTS_DISK holds what is on the platter: the pages that a sync has written. A test cuts the power
 * by killing the program and taking the files from there.
 *
 * A sync that is told to fail answers EIO and forgets which pages were dirty, as Linux does: they can still be read, the
 * next sync succeeds, and they are not on the platter unless they are written again.
 *
 * Files whose writes do not come through libc (all but SQLite's) are copied whole when they are synced.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define FILES_MAX 64

/* Words of the file FAULTS_DISK/switches, which a test writes while the program runs; see faulty-disk.ts. */
enum { FAIL_LOG_SYNC, FAIL_DATABASE_SYNC, WRITE_ERROR, LOG_SYNCS, DATABASE_SYNCS, FAILURES, LEAK_PERCENT, WORDS };

struct file {
  char name[256];
  unsigned char *dirty; /* a flag for each page */
  size_t pages;
  off_t cut_to; /* the shortest it was since the last sync; -1 when it was not cut */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES_MAX];
static int file_count;
static const char *folder, *disk;
static size_t folder_length;
static volatile int *switches;

static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off64_t);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void start(void) {
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  folder = getenv("FAULTS_FOLDER");
  disk = getenv("FAULTS_DISK");
  if (!folder || !disk) return;
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/switches", disk);
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void *words = mmap(NULL, WORDS * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (words == MAP_FAILED) return;
  folder_length = strlen(folder);
  switches = words;
}

/* The name inside the folder, "" for the folder itself, NULL for what lies elsewhere or is not kept on the platter. */
static const char *inside(const char *path) {
  if (!switches || strncmp(path, folder, folder_length) != 0) return NULL;
  if (path[folder_length] == 0) return "";
  if (path[folder_length] != '/') return NULL;
  const char *name = path + folder_length + 1;
  size_t length = strlen(name);
  if (strchr(name, '/') || strstr(name, " (deleted)") || length > 200) return NULL;
  if (length > 4 && (!strcmp(name + length - 4, "-shm") || !strcmp(name + length - 5, "-lock"))) return NULL;
  return name;
}

static const char *name_of(int fd, char path[PATH_MAX]) {
  if (!switches) return NULL;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return NULL;
  path[length] = 0;
  return inside(path);
}

static int ends_with(const char *name, const char *end) {
  size_t n = strlen(name), e = strlen(end);
  return n >= e && strcmp(name + n - e, end) == 0;
}

static int is_log(const char *name) { return ends_with(name, "-wal"); }
static int is_database(const char *name) { return ends_with(name, ".db"); }
static int is_tracked(const char *name) { return is_log(name) || is_database(name) || ends_with(name, "-journal"); }

static struct file *state_of(const char *name) {
  for (int i = 0; i < file_count; i++)
    if (strcmp(files[i].name, name) == 0) return &files[i];
  if (file_count == FILES_MAX) abort();
  struct file *made = &files[file_count++];
  snprintf(made->name, sizeof made->name, "%s", name);
  made->cut_to = -1;
  return made;
}

static void touch(struct file *file, off_t offset, size_t count) {
  size_t last = (size_t)(offset + count + PAGE - 1) / PAGE;
  if (last > file->pages) {
    size_t pages = last * 2 + 64;
    file->dirty = realloc(file->dirty, pages);
    memset(file->dirty + file->pages, 0, pages - file->pages);
    file->pages = pages;
  }
  for (size_t page = (size_t)offset / PAGE; page < last; page++) file->dirty[page] = 1;
}

static void forget(struct file *file) {
  if (file->pages) memset(file->dirty, 0, file->pages);
  file->cut_to = -1;
}

static int open_platter(const char *name) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", disk, name);
  return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void copy_page(int from, int to, off_t offset) {
  char page[PAGE];
  ssize_t count = pread(from, page, PAGE, offset);
  if (count > 0) real_pwrite(to, page, (size_t)count, offset);
}

/* Writes what is dirty to the platter. */
static void flush_pages(const char *name, int fd) {
  /* A tracked file is read by its own descriptor: closing another would drop the process's locks on it (POSIX). */
  char own[64];
  snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
  int from = is_tracked(name) ? fd : open(own, O_RDONLY | O_CLOEXEC), to = open_platter(name);
  struct stat at;
  if (from >= 0 && to >= 0 && fstat(from, &at) == 0) {
    if (is_tracked(name)) {
      struct file *file = state_of(name);
      struct stat on;
      if (file->cut_to >= 0 && fstat(to, &on) == 0 && on.st_size > file->cut_to) real_ftruncate(to, file->cut_to);
      for (size_t page = 0; page < file->pages; page++)
        if (file->dirty[page]) copy_page(from, to, (off_t)page * PAGE);
      forget(file);
    } else {
      real_ftruncate(to, at.st_size);
      for (off_t offset = 0; offset < at.st_size; offset += PAGE) copy_page(from, to, offset);
    }
  }
  if (from >= 0 && !is_tracked(name)) close(from);
  if (to >= 0) close(to);
}

static int fails(const char *name) {
  int which = is_log(name) ? FAIL_LOG_SYNC : is_database(name) ? FAIL_DATABASE_SYNC : -1;
  if (which < 0) return 0;
  __sync_fetch_and_add(&switches[is_log(name) ? LOG_SYNCS : DATABASE_SYNCS], 1);
  if (switches[which] <= 0 || __sync_sub_and_fetch(&switches[which], 1) != 0) return 0;
  __sync_fetch_and_add(&switches[FAILURES], 1);
  return 1;
}

static int sync_file(int fd, int (*real)(int)) {
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (!name || !*name) return real(fd);
  pthread_mutex_lock(&lock);
  if (fails(name)) {
    forget(state_of(name));
    pthread_mutex_unlock(&lock);
    errno = EIO;
    return -1;
  }
  flush_pages(name, fd);
  pthread_mutex_unlock(&lock);
  return 0;
}

int fsync(int fd) { return sync_file(fd, real_fsync); }
int fdatasync(int fd) { return sync_file(fd, real_fdatasync); }

/* A full disk refuses what makes a file longer, a read-only file system everything. */
static int refuses(int fd, off_t end) {
  int error = switches[WRITE_ERROR];
  struct stat at;
  if (error == 0 || (error == ENOSPC && fstat(fd, &at) == 0 && end <= at.st_size)) return 0;
  __sync_fetch_and_add(&switches[FAILURES], 1);
  errno = error;
  return 1;
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t offset) {
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (!name || !*name || !is_tracked(name)) return real_pwrite(fd, bytes, count, offset);
  if (refuses(fd, offset + (off_t)count)) return -1;
  pthread_mutex_lock(&lock);
  ssize_t done = real_pwrite(fd, bytes, count, offset);
  if (done > 0) {
    touch(state_of(name), offset, (size_t)done);
    /* The kernel may write a page at any time. */
    if (switches[LEAK_PERCENT] > rand() % 100) {
      int to = open_platter(name);
      if (to >= 0) {
        real_pwrite(to, bytes, (size_t)done, offset);
        close(to);
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return write_at(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return write_at(fd, bytes, count, offset); }

static int cut_at(int fd, off_t length) {
  char path[PATH_MAX];
  const char *name = name_of(fd, path);
  if (name && *name && is_tracked(name)) {
    if (refuses(fd, length)) return -1;
    pthread_mutex_lock(&lock);
    struct file *file = state_of(name);
    struct stat at;
    if (fstat(fd, &at) == 0 && length < at.st_size && (file->cut_to < 0 || length < file->cut_to)) file->cut_to = length;
    for (size_t page = (size_t)(length + PAGE - 1) / PAGE; page < file->pages; page++) file->dirty[page] = 0;
    pthread_mutex_unlock(&lock);
  }
  return real_ftruncate(fd, length);
}

int ftruncate(int fd, off_t length) { return cut_at(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut_at(fd, length); }

int unlink(const char *path) {
  const char *name = inside(path);
  if (name && *name) {
    char platter[PATH_MAX];
    snprintf(platter, sizeof platter, "%s/%s", disk, name);
    real_unlink(platter);
    pthread_mutex_lock(&lock);
    forget(state_of(name));
    pthread_mutex_unlock(&lock);
  }
  return real_unlink(path);
}
