// Loaded before libc (LD_PRELOAD): notes what a process has made durable below one folder, so that
// a test can take the rest away after it was killed, as a power loss does. SIGKILL alone shows
// nothing of syncs, since the page cache survives the process.
//   S size path   a file was synced when it had this size
//   T size path   a file was cut
//   W at size path   bytes were written in place
//   N path        a name in a folder that was synced
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_US 3000

static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static const char *folder;
static int notes = -1;

__attribute__((constructor)) static void begin(void) {
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  folder = getenv("DOORLESS_POWER_FOLDER");
  const char *file = getenv("DOORLESS_POWER_NOTES");
  if (folder && file) notes = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

// One write each: lines of several threads do not mix.
static void note(const char *format, ...) {
  char line[8192];
  va_list given;
  va_start(given, format);
  int size = vsnprintf(line, sizeof line, format, given);
  va_end(given);
  if (size > 0 && size < (int)sizeof line && write(notes, line, size) != size) abort();
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, 4095);
  if (notes < 0 || size < 0) return 0;
  path[size] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static void note_names(const char *path) {
  DIR *dir = opendir(path);
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));) note("N %s/%s\n", path, entry->d_name);
  closedir(dir);
}

static int synced(int fd, int (*sync)(int)) {
  char path[4096];
  struct stat before;
  int ours = path_of(fd, path) && fstat(fd, &before) == 0;
  // As long as a slow disk takes: the power goes while something is on its way.
  if (ours) usleep(SYNC_US);
  int result = sync(fd);
  if (ours && result == 0) {
    if (S_ISDIR(before.st_mode)) note_names(path);
    else note("S %lld %s\n", (long long)before.st_size, path);
  }
  return result;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

static int cut(int fd, off_t size) {
  char path[4096];
  int ours = path_of(fd, path);
  int result = real_ftruncate(fd, size);
  if (ours && result == 0) note("T %lld %s\n", (long long)size, path);
  return result;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

static ssize_t put(int fd, const void *bytes, size_t size, off_t at) {
  char path[4096];
  if (path_of(fd, path)) note("W %lld %lld %s\n", (long long)at, (long long)size, path);
  return real_pwrite(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *b, size_t size, off_t at) { return put(fd, b, size, at); }
ssize_t pwrite64(int fd, const void *b, size_t size, off_t at) { return put(fd, b, size, at); }
