/* path_open, and what a path may be. */
#include "conformance.h"

/* The import itself: libc's function takes the length from a zero byte. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("path_open"))) __wasi_errno_t raw_path_open(
    int32_t fd, int32_t lookup, const char *path, int32_t length, int32_t flags, int64_t rights, int64_t inherited,
    int32_t fd_flags, __wasi_fd_t *result);

static void creating(void) {
  FAILS(try_open(RW, "file", 0, 0, READ), NOENT);
  OK(try_open(RW, "file", 0, CREATE, BOTH));
  OK(try_open(RW, "file", 0, CREATE, BOTH));
  FAILS(try_open(RW, "file", 0, CREATE | EXCLUSIVE, BOTH), EXIST);
  OK(try_open(RW, "other", 0, CREATE | EXCLUSIVE, BOTH));
  FAILS(try_open(RW, "no/file", 0, CREATE, BOTH), NOENT);
}

static void truncating(void) {
  make_file("file", "abc");
  OK(try_open(RW, "file", 0, TRUNCATE, WRITE));
  IS(stat_of(RW, "file", 0).size, 0);
}

static void a_file_is_no_directory(void) {
  make_file("file", "abc");
  FAILS(try_open(RW, "file", 0, FOLDER, READ), NOTDIR);
  FAILS(try_open(RW, "file/inner", 0, 0, READ), NOTDIR);
  FAILS(try_open(RW, "file/..", 0, 0, READ), NOTDIR);
  FAILS(try_open(RW, "file/.", 0, 0, READ), NOTDIR);
}

static void a_directory_is_not_opened_for_writing(void) {
  OK(__wasi_path_create_directory(RW, "folder"));
  FAILS(try_open(RW, "folder", 0, 0, WRITE), ISDIR);
  FAILS(try_open(RW, "folder", 0, CREATE, BOTH), ISDIR);
  OK(try_open(RW, "folder", 0, FOLDER, READ));
  OK(try_open(RW, "folder", 0, 0, READ));
}

static void creating_a_directory_by_open(void) {
  FAILS(try_open(RW, "folder", 0, CREATE | FOLDER, READ), INVAL);
}

static void a_slash_at_the_end_means_a_directory(void) {
  make_file("file", "abc");
  OK(__wasi_path_create_directory(RW, "folder"));
  FAILS(try_open(RW, "file/", 0, 0, READ), NOTDIR);
  FAILS(try_open(RW, "file//", 0, 0, READ), NOTDIR);
  OK(try_open(RW, "folder/", 0, FOLDER, READ));
  OK(try_open(RW, "folder//", 0, FOLDER, READ));
  OK(try_open(RW, "folder/.", 0, FOLDER, READ));
}

static void a_slash_at_the_end_creates_nothing(void) {
  FAILS(try_open(RW, "new/", 0, CREATE, BOTH), ISDIR);
  FAILS(try_open(RW, "new", 0, 0, READ), NOENT);
}

static void a_path_that_leads_out(void) {
  FAILS(try_open(RW, "..", 0, FOLDER, READ), NOTCAPABLE);
  FAILS(try_open(RW, "../rw", 0, FOLDER, READ), NOTCAPABLE);
  FAILS(try_open(RW, "../ro/file", 0, 0, READ), NOTCAPABLE);
  FAILS(try_open(RW, "./../host", 0, FOLDER, READ), NOTCAPABLE);
  OK(__wasi_path_create_directory(RW, "folder"));
  FAILS(try_open(RW, "folder/../../ro", 0, FOLDER, READ), NOTCAPABLE);
  OK(try_open(RW, "folder/..", 0, FOLDER, READ));
  OK(try_open(RW, "folder/../folder", 0, FOLDER, READ));
}

static void leading_out_of_an_inner_directory(void) {
  OK(__wasi_path_create_directory(RW, "folder"));
  make_file("file", "abc");
  __wasi_fd_t inner = open_at(RW, "folder", FOLDER, READ);
  FAILS(try_open(inner, "../file", 0, 0, READ), NOTCAPABLE);
}

static void an_absolute_path(void) {
  FAILS(try_open(RW, "/rw", 0, FOLDER, READ), NOTCAPABLE);
  FAILS(try_open(RW, "/", 0, FOLDER, READ), NOTCAPABLE);
  FAILS(try_open(RW, "/etc/passwd", 0, 0, READ), NOTCAPABLE);
}

static void an_empty_path(void) {
  FAILS(try_open(RW, "", 0, 0, READ), NOENT);
}

static void a_long_name(void) {
  char name[300];
  memset(name, 'a', sizeof name);
  name[255] = 0;
  OK(try_open(RW, name, 0, CREATE, BOTH));
  name[255] = 'a';
  name[256] = 0;
  FAILS(try_open(RW, name, 0, CREATE, BOTH), NAMETOOLONG);
}

static void a_long_path(void) {
  static char path[5000];
  for (int at = 0; at < 4998; at += 2) memcpy(path + at, "./", 2);
  FAILS(try_open(RW, path, 0, FOLDER, READ), NAMETOOLONG);
}

static void a_zero_byte_in_a_path(void) {
  __wasi_fd_t fd;
  make_file("file", "abc");
  FAILS(raw_path_open(RW, 0, "file\0x", 6, 0, READ, 0, 0, &fd), INVAL);
  FAILS(raw_path_open(RW, 0, "file\0", 5, 0, READ, 0, 0, &fd), INVAL);
}

static void a_path_that_is_not_text(void) {
  FAILS(try_open(RW, "\xff\xfe", 0, CREATE, BOTH), ILSEQ);
}

static void names_of_other_languages(void) {
  make_file("Grüße-文件", "abc");
  TEXT(text_of("Grüße-文件"), "abc");
}

static void links_are_followed_when_asked(void) {
  make_file("file", "abc");
  OK(__wasi_path_symlink("file", RW, "link"));
  OK(try_open(RW, "link", FOLLOW, 0, READ));
  FAILS(try_open(RW, "link", 0, 0, READ), LOOP);
  OK(__wasi_path_symlink("nowhere", RW, "dangling"));
  FAILS(try_open(RW, "dangling", FOLLOW, 0, READ), NOENT);
  FAILS(try_open(RW, "dangling", FOLLOW, CREATE | EXCLUSIVE, BOTH), EXIST);
}

static void creating_through_a_dangling_link(void) {
  OK(__wasi_path_symlink("target", RW, "dangling"));
  OK(try_open(RW, "dangling", FOLLOW, CREATE, BOTH));
  IS(stat_of(RW, "target", 0).filetype, __WASI_FILETYPE_REGULAR_FILE);
}

static void links_on_the_way_are_followed(void) {
  OK(__wasi_path_create_directory(RW, "folder"));
  make_file("folder/file", "abc");
  OK(__wasi_path_symlink("folder", RW, "link"));
  OK(try_open(RW, "link/file", 0, 0, READ));
  OK(try_open(RW, "link/../folder/file", 0, 0, READ));
}

static void links_that_lead_out(void) {
  FAILS(try_open(HOST, "absolute", FOLLOW, 0, READ), NOTCAPABLE);
  FAILS(try_open(HOST, "up", FOLLOW, FOLDER, READ), NOTCAPABLE);
  FAILS(try_open(HOST, "up/x", 0, CREATE, BOTH), NOTCAPABLE);
}

static void a_loop_of_links(void) {
  FAILS(try_open(HOST, "loop", FOLLOW, 0, READ), LOOP);
  FAILS(try_open(HOST, "loop/x", 0, 0, READ), LOOP);
}

static void what_is_no_directory_has_no_paths(void) {
  make_file("file", "abc");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  FAILS(try_open(fd, "x", 0, CREATE, BOTH), NOTDIR);
  FAILS(try_open(99, "x", 0, 0, READ), BADF);
}

static void unknown_flags(void) {
  __wasi_fd_t fd;
  FAILS(raw_path_open(RW, 0, "file", 4, 64, READ, 0, 0, &fd), INVAL);
  FAILS(raw_path_open(RW, 0, "file", 4, CREATE, (int64_t)READ, 0, 1024, &fd), INVAL);
}

static void a_read_only_directory(void) {
  __wasi_filestat_t before = stat_of(RO, "file", 0);
  FAILS(try_open(RO, "file", 0, 0, BOTH), PERM);
  FAILS(try_open(RO, "file", 0, TRUNCATE, READ), PERM);
  FAILS(try_open(RO, "new", 0, CREATE, READ), PERM);
  FAILS(__wasi_path_create_directory(RO, "new"), PERM);
  FAILS(__wasi_path_unlink_file(RO, "file"), PERM);
  FAILS(__wasi_path_remove_directory(RO, "folder"), PERM);
  FAILS(__wasi_path_rename(RO, "file", RO, "other"), PERM);
  FAILS(__wasi_path_rename(RO, "file", RW, "other"), PERM);
  FAILS(__wasi_path_link(RO, 0, "file", RW, "other"), PERM);
  FAILS(__wasi_path_symlink("file", RO, "link"), PERM);
  FAILS(__wasi_path_filestat_set_times(RO, 0, "file", 0, 0, __WASI_FSTFLAGS_MTIM_NOW), PERM);
  __wasi_fd_t fd = open_at(RO, "file", 0, READ);
  TEXT(read_text(fd, 9), "content");
  FAILS(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM_NOW), PERM);
  __wasi_fd_t inner = open_at(RO, "folder", FOLDER, READ);
  FAILS(try_open(inner, "new", 0, CREATE, READ), PERM);
  CHECK(stat_of(RO, "file", 0).mtim == before.mtim);
}

RUN_CASES(CASE(creating), CASE(truncating), CASE(a_file_is_no_directory), CASE(a_directory_is_not_opened_for_writing),
          CASE(creating_a_directory_by_open), CASE(a_slash_at_the_end_means_a_directory),
          CASE(a_slash_at_the_end_creates_nothing), CASE(a_path_that_leads_out),
          CASE(leading_out_of_an_inner_directory), CASE(an_absolute_path), CASE(an_empty_path), CASE(a_long_name),
          CASE(a_long_path), CASE(a_zero_byte_in_a_path), CASE(a_path_that_is_not_text), CASE(names_of_other_languages),
          CASE(links_are_followed_when_asked), CASE(creating_through_a_dangling_link),
          CASE(links_on_the_way_are_followed), CASE(links_that_lead_out), CASE(a_loop_of_links),
          CASE(what_is_no_directory_has_no_paths), CASE(unknown_flags), CASE(a_read_only_directory))
