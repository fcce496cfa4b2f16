/* fd_readdir: every entry once, from any cookie, through any buffer. */
#include <stdlib.h>

#include "conformance.h"

enum { NAMES_MAX = 400 };

typedef struct {
  char name[32];
  __wasi_dircookie_t next;
  __wasi_inode_t inode;
  __wasi_filetype_t type;
} Entry;

static Entry entries[NAMES_MAX];

/* Whole entries from a cookie on, by one call with a buffer of `room` bytes; *ended when there are no more. */
static int read_some(__wasi_fd_t fd, __wasi_size_t room, __wasi_dircookie_t cookie, Entry *to, int *ended) {
  static uint8_t buffer[65536];
  __wasi_size_t used = 0;
  OK(__wasi_fd_readdir(fd, buffer, room, cookie, &used));
  CHECK(used <= room);
  *ended = used < room;
  int count = 0;
  for (__wasi_size_t at = 0; at + sizeof(__wasi_dirent_t) <= used;) {
    __wasi_dirent_t head;
    memcpy(&head, buffer + at, sizeof head);
    at += sizeof head;
    if (at + head.d_namlen > used) break;
    memcpy(to[count].name, buffer + at, head.d_namlen);
    to[count].name[head.d_namlen] = 0;
    to[count].next = head.d_next;
    to[count].inode = head.d_ino;
    to[count].type = head.d_type;
    at += head.d_namlen;
    count++;
  }
  return count;
}

static int read_all(__wasi_fd_t fd, __wasi_size_t room) {
  int count = 0, ended = 0;
  __wasi_dircookie_t cookie = 0;
  while (!ended && count < NAMES_MAX - 60) {
    int found = read_some(fd, room, cookie, entries + count, &ended);
    if (found == 0 && !ended) {
      CHECK(!"a buffer that holds an entry");
      return count;
    }
    count += found;
    if (count > 0) cookie = entries[count - 1].next;
  }
  return count;
}

static const Entry *named(const char *name, int count) {
  for (int at = 0; at < count; at++) {
    if (strcmp(entries[at].name, name) == 0) return entries + at;
  }
  printf("no entry %s\n", name);
  failures++;
  return entries;
}

static void make_files(const char *folder, int count) {
  char path[64];
  for (int at = 0; at < count; at++) {
    snprintf(path, sizeof path, "%s%sfile%d", folder, folder[0] == 0 ? "" : "/", at);
    OK(__wasi_fd_close(open_at(RW, path, CREATE, WRITE)));
  }
}

static void an_empty_directory(void) {
  IS(read_all(RW, 4096), 2);
  IS(named(".", 2)->inode, stat_of(RW, ".", 0).ino);
  IS(named("..", 2)->type, __WASI_FILETYPE_DIRECTORY);
}

static void the_parent_of_the_root_is_the_root(void) {
  IS(read_all(RW, 4096), 2);
  IS(named("..", 2)->inode, stat_of(RW, ".", 0).ino);
}

static void types_and_inodes(void) {
  make_file("file", "");
  OK(__wasi_path_create_directory(RW, "folder"));
  OK(__wasi_path_symlink("file", RW, "link"));
  int count = read_all(RW, 4096);
  IS(count, 5);
  IS(named("file", count)->type, __WASI_FILETYPE_REGULAR_FILE);
  IS(named("folder", count)->type, __WASI_FILETYPE_DIRECTORY);
  IS(named("link", count)->type, __WASI_FILETYPE_SYMBOLIC_LINK);
  IS(named("file", count)->inode, stat_of(RW, "file", 0).ino);
  IS(named("link", count)->inode, stat_of(RW, "link", 0).ino);
}

static void small_buffers_lose_nothing(void) {
  make_files("", 100);
  for (__wasi_size_t room = 64; room < 5000; room = room * 3 / 2) {
    int count = read_all(RW, room);
    IS(count, 102);
    for (int at = 0; at < count; at++) {
      for (int other = 0; other < at; other++) CHECK(strcmp(entries[at].name, entries[other].name) != 0);
    }
  }
}

static void a_cut_entry_fills_the_buffer(void) {
  static uint8_t buffer[64];
  __wasi_size_t used = 0;
  make_files("", 10);
  OK(__wasi_fd_readdir(RW, buffer, 30, 0, &used));
  IS(used, 30);
}

static void every_cookie_is_gone_on_from(void) {
  make_files("", 60);
  int count = read_all(RW, 65536), ended;
  IS(count, 62);
  static Entry rest[100];
  for (int at = count - 1; at >= 0; at -= 7) {
    IS(read_some(RW, 65536, entries[at].next, rest, &ended), count - 1 - at);
    if (at + 1 < count) TEXT(rest[0].name, entries[at + 1].name);
  }
}

static void cookies_fit_a_long(void) {
  make_files("", 20);
  int count = read_all(RW, 65536);
  for (int at = 0; at < count; at++) CHECK(entries[at].next <= INT32_MAX);
}

static void from_the_start_new_entries_are_seen(void) {
  IS(read_all(RW, 4096), 2);
  make_file("new", "");
  IS(read_all(RW, 4096), 3);
}

static void removing_while_reading(void) {
  Entry some[4];
  make_files("", 150);
  int ended = 0, removed = 0;
  __wasi_dircookie_t cookie = 0;
  while (!ended) {
    int found = read_some(RW, 80, cookie, some, &ended);
    for (int at = 0; at < found; at++) {
      cookie = some[at].next;
      if (some[at].name[0] == '.') continue;
      OK(__wasi_path_unlink_file(RW, some[at].name));
      removed++;
    }
  }
  IS(removed, 150);
  IS(read_all(RW, 4096), 2);
}

static void two_directories_in_turn(void) {
  OK(__wasi_path_create_directory(RW, "one"));
  OK(__wasi_path_create_directory(RW, "two"));
  make_files("one", 40);
  make_files("two", 30);
  __wasi_fd_t fds[2] = {open_at(RW, "one", FOLDER, READ), open_at(RW, "two", FOLDER, READ)};
  __wasi_dircookie_t cookies[2] = {0, 0};
  int seen[2] = {0, 0}, ended[2] = {0, 0};
  while (!ended[0] || !ended[1]) {
    for (int which = 0; which < 2; which++) {
      if (ended[which]) continue;
      Entry some[8];
      int found = read_some(fds[which], 100, cookies[which], some, &ended[which]);
      seen[which] += found;
      if (found > 0) cookies[which] = some[found - 1].next;
    }
  }
  IS(seen[0], 42);
  IS(seen[1], 32);
}

static void what_is_no_directory(void) {
  uint8_t buffer[64];
  __wasi_size_t used;
  make_file("file", "");
  FAILS(__wasi_fd_readdir(open_at(RW, "file", 0, READ), buffer, 64, 0, &used), NOTDIR);
}

RUN_CASES(CASE(an_empty_directory), CASE(the_parent_of_the_root_is_the_root), CASE(types_and_inodes),
          CASE(small_buffers_lose_nothing), CASE(a_cut_entry_fills_the_buffer), CASE(every_cookie_is_gone_on_from),
          CASE(cookies_fit_a_long), CASE(from_the_start_new_entries_are_seen), CASE(removing_while_reading),
          CASE(two_directories_in_turn), CASE(what_is_no_directory))
