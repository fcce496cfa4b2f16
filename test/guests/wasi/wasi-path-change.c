/* Directories, links, renaming and removing. */
#include "conformance.h"

static __wasi_errno_t read_link(const char *path, char *text, __wasi_size_t room) {
  __wasi_size_t used = 0;
  __wasi_errno_t error = __wasi_path_readlink(RW, path, (uint8_t *)text, room, &used);
  if (error == 0) text[used] = 0;
  return error;
}

static __wasi_errno_t exists(const char *path) {
  __wasi_filestat_t stat;
  return __wasi_path_filestat_get(RW, 0, path, &stat);
}

static void making_directories(void) {
  OK(__wasi_path_create_directory(RW, "a"));
  OK(__wasi_path_create_directory(RW, "a/b"));
  FAILS(__wasi_path_create_directory(RW, "a"), EXIST);
  FAILS(__wasi_path_create_directory(RW, "."), EXIST);
  FAILS(__wasi_path_create_directory(RW, "no/such"), NOENT);
  OK(__wasi_path_create_directory(RW, "slash/"));
  IS(stat_of(RW, "slash", 0).filetype, __WASI_FILETYPE_DIRECTORY);
  FAILS(__wasi_path_create_directory(RW, "../out"), NOTCAPABLE);
}

static void removing_directories(void) {
  OK(__wasi_path_create_directory(RW, "a"));
  OK(__wasi_path_create_directory(RW, "a/b"));
  FAILS(__wasi_path_remove_directory(RW, "a"), NOTEMPTY);
  OK(__wasi_path_remove_directory(RW, "a/b/"));
  OK(__wasi_path_remove_directory(RW, "a"));
  FAILS(__wasi_path_remove_directory(RW, "a"), NOENT);
  make_file("file", "");
  FAILS(__wasi_path_remove_directory(RW, "file"), NOTDIR);
  OK(__wasi_path_create_directory(RW, "target"));
  OK(__wasi_path_symlink("target", RW, "link"));
  FAILS(__wasi_path_remove_directory(RW, "link"), NOTDIR);
}

static void a_dot_is_nobodys_entry(void) {
  FAILS(__wasi_path_remove_directory(RW, "."), INVAL);
  OK(__wasi_path_create_directory(RW, "a"));
  FAILS(__wasi_path_remove_directory(RW, "a/."), INVAL);
  OK(exists("a"));
}

static void removing_files(void) {
  make_file("file", "");
  FAILS(__wasi_path_unlink_file(RW, "file/"), NOTDIR);
  OK(__wasi_path_unlink_file(RW, "file"));
  FAILS(__wasi_path_unlink_file(RW, "file"), NOENT);
  OK(__wasi_path_create_directory(RW, "folder"));
  FAILS(__wasi_path_unlink_file(RW, "folder"), ISDIR);
  FAILS(__wasi_path_unlink_file(RW, "folder/"), ISDIR);
  FAILS(__wasi_path_unlink_file(RW, "../rw/file"), NOTCAPABLE);
}

static void removing_a_link_keeps_its_target(void) {
  make_file("file", "abc");
  OK(__wasi_path_symlink("file", RW, "link"));
  OK(__wasi_path_unlink_file(RW, "link"));
  TEXT(text_of("file"), "abc");
}

static void symbolic_links(void) {
  char text[64];
  OK(__wasi_path_symlink("some/where", RW, "link"));
  OK(read_link("link", text, 63));
  TEXT(text, "some/where");
  IS(stat_of(RW, "link", 0).filetype, __WASI_FILETYPE_SYMBOLIC_LINK);
  FAILS(__wasi_path_symlink("x", RW, "link"), EXIST);
  FAILS(__wasi_path_symlink("x", RW, "no/such"), NOENT);
  FAILS(__wasi_path_symlink("", RW, "empty"), NOENT);
}

static void no_link_to_an_absolute_path(void) {
  FAILS(__wasi_path_symlink("/etc/passwd", RW, "link"), NOTCAPABLE);
  FAILS(exists("link"), NOENT);
}

static void readlink_cuts_off(void) {
  char text[64];
  OK(__wasi_path_symlink("some/where", RW, "link"));
  OK(read_link("link", text, 4));
  TEXT(text, "some");
}

static void readlink_of_what_is_no_link(void) {
  char text[64];
  make_file("file", "");
  FAILS(read_link("file", text, 63), INVAL);
  FAILS(read_link("nothing", text, 63), NOENT);
  FAILS(read_link(".", text, 63), INVAL);
}

static void a_status_that_follows(void) {
  make_file("file", "abc");
  OK(__wasi_path_symlink("file", RW, "link"));
  IS(stat_of(RW, "link", FOLLOW).size, 3);
  IS(stat_of(RW, "link", 0).filetype, __WASI_FILETYPE_SYMBOLIC_LINK);
  OK(__wasi_path_symlink("nowhere", RW, "dangling"));
  __wasi_filestat_t stat;
  FAILS(__wasi_path_filestat_get(RW, FOLLOW, "dangling", &stat), NOENT);
  OK(__wasi_path_filestat_get(RW, 0, "dangling", &stat));
}

static void a_status_with_a_slash(void) {
  __wasi_filestat_t stat;
  make_file("file", "abc");
  OK(__wasi_path_create_directory(RW, "folder"));
  FAILS(__wasi_path_filestat_get(RW, 0, "file/", &stat), NOTDIR);
  OK(__wasi_path_filestat_get(RW, 0, "folder/", &stat));
  IS(stat.filetype, __WASI_FILETYPE_DIRECTORY);
}

static void times_of_links(void) {
  make_file("file", "");
  OK(__wasi_path_symlink("file", RW, "link"));
  OK(__wasi_path_filestat_set_times(RW, 0, "link", 0, 1000, __WASI_FSTFLAGS_MTIM));
  IS(stat_of(RW, "link", 0).mtim, 1000);
  CHECK(stat_of(RW, "file", 0).mtim != 1000);
  OK(__wasi_path_filestat_set_times(RW, FOLLOW, "link", 0, 2000, __WASI_FSTFLAGS_MTIM));
  IS(stat_of(RW, "file", 0).mtim, 2000);
}

static void hard_links(void) {
  make_file("file", "abc");
  OK(__wasi_path_link(RW, 0, "file", RW, "same"));
  IS(stat_of(RW, "same", 0).ino, stat_of(RW, "file", 0).ino);
  IS(stat_of(RW, "file", 0).nlink, 2);
  FAILS(__wasi_path_link(RW, 0, "file", RW, "same"), EXIST);
  FAILS(__wasi_path_link(RW, 0, "nothing", RW, "new"), NOENT);
  FAILS(__wasi_path_link(RW, 0, "file", RW, "no/such"), NOENT);
  OK(__wasi_path_unlink_file(RW, "file"));
  TEXT(text_of("same"), "abc");
}

static void no_hard_link_to_a_directory(void) {
  OK(__wasi_path_create_directory(RW, "folder"));
  FAILS(__wasi_path_link(RW, 0, "folder", RW, "same"), PERM);
}

static void a_hard_link_to_a_link(void) {
  make_file("file", "abc");
  OK(__wasi_path_symlink("file", RW, "link"));
  OK(__wasi_path_link(RW, 0, "link", RW, "same"));
  IS(stat_of(RW, "same", 0).filetype, __WASI_FILETYPE_SYMBOLIC_LINK);
}

static void a_hard_link_never_follows(void) {
  make_file("file", "abc");
  OK(__wasi_path_symlink("file", RW, "link"));
  FAILS(__wasi_path_link(RW, FOLLOW, "link", RW, "same"), INVAL);
}

static void a_hard_link_with_a_slash(void) {
  make_file("file", "abc");
  FAILS(__wasi_path_link(RW, 0, "file", RW, "new/"), NOENT);
  FAILS(__wasi_path_link(RW, 0, "file/", RW, "new"), NOTDIR);
}

static void renaming_files(void) {
  make_file("a", "from a");
  make_file("b", "from b");
  OK(__wasi_path_rename(RW, "a", RW, "b"));
  TEXT(text_of("b"), "from a");
  FAILS(exists("a"), NOENT);
  FAILS(__wasi_path_rename(RW, "a", RW, "c"), NOENT);
  OK(__wasi_path_rename(RW, "b", RW, "b"));
  FAILS(__wasi_path_rename(RW, "b", RW, "no/such"), NOENT);
}

static void renaming_with_a_slash(void) {
  make_file("file", "abc");
  FAILS(__wasi_path_rename(RW, "file", RW, "new/"), NOTDIR);
  FAILS(__wasi_path_rename(RW, "file/", RW, "new"), NOTDIR);
  OK(__wasi_path_create_directory(RW, "folder"));
  OK(__wasi_path_rename(RW, "folder/", RW, "other/"));
  OK(exists("other"));
}

static void renaming_directories(void) {
  OK(__wasi_path_create_directory(RW, "a"));
  OK(__wasi_path_create_directory(RW, "empty"));
  OK(__wasi_path_create_directory(RW, "full"));
  OK(__wasi_path_create_directory(RW, "full/inner"));
  make_file("file", "");
  FAILS(__wasi_path_rename(RW, "a", RW, "full"), NOTEMPTY);
  FAILS(__wasi_path_rename(RW, "a", RW, "file"), NOTDIR);
  FAILS(__wasi_path_rename(RW, "file", RW, "a"), ISDIR);
  FAILS(__wasi_path_rename(RW, "full", RW, "full/inner/x"), INVAL);
  OK(__wasi_path_rename(RW, "full", RW, "empty"));
  OK(exists("empty/inner"));
}

static void renaming_into_another_preopen(void) {
  make_file("file", "abc");
  OK(__wasi_path_rename(RW, "file", HOST, "moved"));
  FAILS(exists("file"), NOENT);
  IS(stat_of(HOST, "moved", 0).size, 3);
}

static void renaming_leads_nowhere_outside(void) {
  make_file("file", "abc");
  FAILS(__wasi_path_rename(RW, "file", RW, "../file"), NOTCAPABLE);
  FAILS(__wasi_path_rename(RW, "../rw/file", RW, "new"), NOTCAPABLE);
  FAILS(__wasi_path_rename(HOST, "up/file", RW, "new"), NOTCAPABLE);
  OK(exists("file"));
}

static void a_link_is_renamed_not_its_target(void) {
  char text[64];
  make_file("file", "abc");
  OK(__wasi_path_symlink("file", RW, "link"));
  OK(__wasi_path_rename(RW, "link", RW, "moved"));
  OK(read_link("moved", text, 63));
  TEXT(text, "file");
}

RUN_CASES(CASE(making_directories), CASE(removing_directories), CASE(a_dot_is_nobodys_entry), CASE(removing_files),
          CASE(removing_a_link_keeps_its_target), CASE(symbolic_links), CASE(no_link_to_an_absolute_path),
          CASE(readlink_cuts_off), CASE(readlink_of_what_is_no_link), CASE(a_status_that_follows),
          CASE(a_status_with_a_slash), CASE(times_of_links), CASE(hard_links), CASE(no_hard_link_to_a_directory),
          CASE(a_hard_link_to_a_link), CASE(a_hard_link_never_follows), CASE(a_hard_link_with_a_slash),
          CASE(renaming_files), CASE(renaming_with_a_slash), CASE(renaming_directories),
          CASE(renaming_into_another_preopen), CASE(renaming_leads_nowhere_outside),
          CASE(a_link_is_renamed_not_its_target))
