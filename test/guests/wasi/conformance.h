/*
 * The frame of the conformance guests: a program of many cases. Without an argument it prints their names; with the name
 * of one it runs that, prints the line of every assertion that does not hold, and exits with 1 then. The calls are those
 * of preview1 themselves, not of libc, because their very errno is what is asserted.
 *
 * Every case begins with descriptor RW, an empty directory that may be changed, RO, one that may not be (with `file`,
 * holding "content", and an empty directory `folder`), and HOST, in which the runner laid the links `absolute` ->
 * /etc/passwd, `up` -> ../rw and `loop` -> loop. Standard input is the file "input of the runner".
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

enum { RW = 3, RO = 4, HOST = 5 };

/* As wasi-libc asks for them: everything but what the other direction needs. Some hosts hold a guest to each of them. */
#define BOTH 0x0fffffffull
#define WRITING (__WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_DATASYNC | __WASI_RIGHTS_FD_ALLOCATE | __WASI_RIGHTS_FD_FILESTAT_SET_SIZE)
#define READ (BOTH & ~WRITING)
#define WRITE (BOTH & ~(__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_READDIR))
enum {
  CREATE = __WASI_OFLAGS_CREAT,
  FOLDER = __WASI_OFLAGS_DIRECTORY,
  EXCLUSIVE = __WASI_OFLAGS_EXCL,
  TRUNCATE = __WASI_OFLAGS_TRUNC,
};
enum { FOLLOW = __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW };

static int failures;

#define CHECK(condition) check((condition) != 0, #condition, __LINE__)
#define IS(actual, expected) is((long long)(actual), (long long)(expected), #actual, #expected, __LINE__)
/* A call that must succeed; with a name of errno for one that must not. */
#define OK(call) IS(call, __WASI_ERRNO_SUCCESS)
#define FAILS(call, name) IS(call, __WASI_ERRNO_##name)

__attribute__((unused)) static void check(int holds, const char *condition, int line) {
  if (holds) return;
  printf("line %d: not %s\n", line, condition);
  failures++;
}

__attribute__((unused)) static void is(long long actual, long long expected, const char *what, const char *name, int line) {
  if (actual == expected) return;
  printf("line %d: %s is %lld, not %s (%lld)\n", line, what, actual, name, expected);
  failures++;
}

/* path_open; 0xffffffff when it failed. */
__attribute__((unused)) static __wasi_fd_t open_at(__wasi_fd_t from, const char *path, int flags, uint64_t rights) {
  __wasi_fd_t fd = (__wasi_fd_t)-1;
  __wasi_errno_t error = __wasi_path_open(from, FOLLOW, path, (__wasi_oflags_t)flags, rights, rights, 0, &fd);
  if (error != 0) printf("opening %s: errno %d\n", path, error);
  return error == 0 ? fd : (__wasi_fd_t)-1;
}

__attribute__((unused)) static __wasi_errno_t try_open(__wasi_fd_t from, const char *path, int follow, int flags, uint64_t rights) {
  __wasi_fd_t fd;
  __wasi_errno_t error = __wasi_path_open(from, (__wasi_lookupflags_t)follow, path, (__wasi_oflags_t)flags, rights, rights, 0, &fd);
  if (error == 0 && __wasi_fd_close(fd) != 0) printf("what was opened cannot be closed\n");
  return error;
}

__attribute__((unused)) static __wasi_errno_t write_text(__wasi_fd_t fd, const char *text, __wasi_size_t *written) {
  const __wasi_ciovec_t vector = {(const uint8_t *)text, strlen(text)};
  return __wasi_fd_write(fd, &vector, 1, written);
}

/* Reads on; the text, which the next call overwrites. */
__attribute__((unused)) static const char *read_text(__wasi_fd_t fd, __wasi_size_t length) {
  static char text[256];
  __wasi_size_t count = 0;
  const __wasi_iovec_t vector = {(uint8_t *)text, length};
  if (__wasi_fd_read(fd, &vector, 1, &count) != 0) return "(error)";
  text[count] = 0;
  return text;
}

#define TEXT(actual, expected) text_is(actual, expected, __LINE__)
__attribute__((unused)) static void text_is(const char *actual, const char *expected, int line) {
  if (strcmp(actual, expected) == 0) return;
  printf("line %d: \"%s\", not \"%s\"\n", line, actual, expected);
  failures++;
}

/* Makes a file with this text. */
__attribute__((unused)) static void make_file(const char *path, const char *text) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, path, CREATE, BOTH);
  OK(write_text(fd, text, &count));
  OK(__wasi_fd_close(fd));
}

/* The whole text of a file of RW. */
__attribute__((unused)) static const char *text_of(const char *path) {
  __wasi_fd_t fd = open_at(RW, path, 0, READ);
  const char *text = read_text(fd, 255);
  OK(__wasi_fd_close(fd));
  return text;
}

__attribute__((unused)) static __wasi_filestat_t stat_of(__wasi_fd_t from, const char *path, int follow) {
  __wasi_filestat_t stat = {0};
  OK(__wasi_path_filestat_get(from, (__wasi_lookupflags_t)follow, path, &stat));
  return stat;
}

typedef struct {
  const char *name;
  void (*run)(void);
} Case;

__attribute__((unused)) static int run_cases(const Case *cases, int count, int argc, char **argv) {
  for (int at = 0; at < count; at++) {
    if (argc < 2) {
      puts(cases[at].name);
    } else if (strcmp(argv[1], cases[at].name) == 0) {
      cases[at].run();
      return failures > 0;
    }
  }
  if (argc < 2) return 0;
  printf("no case %s\n", argv[1]);
  return 2;
}

#define CASE(function) \
  { #function, function }
#define RUN_CASES(...)                                                            \
  int main(int argc, char **argv) {                                               \
    static const Case cases[] = {__VA_ARGS__};                                    \
    return run_cases(cases, (int)(sizeof cases / sizeof *cases), argc, argv);     \
  }

#endif
