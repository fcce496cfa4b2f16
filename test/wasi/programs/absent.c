/* What programs of Unix call and WASI has nothing for: owners and modes of files. They are told that it worked. */
#include <sys/stat.h>
#include <sys/types.h>

int chmod(const char *path, mode_t mode);
int fchmod(int fd, mode_t mode);
int chown(const char *path, uid_t user, gid_t group);
int fchown(int fd, uid_t user, gid_t group);

int chmod(const char *path, mode_t mode) {
  (void)path;
  (void)mode;
  return 0;
}

int fchmod(int fd, mode_t mode) {
  (void)fd;
  (void)mode;
  return 0;
}

int chown(const char *path, uid_t user, gid_t group) {
  (void)path;
  (void)user;
  (void)group;
  return 0;
}

int fchown(int fd, uid_t user, gid_t group) {
  (void)fd;
  (void)user;
  (void)group;
  return 0;
}
