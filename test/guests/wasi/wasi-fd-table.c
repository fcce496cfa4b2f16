/* Positions, storage, descriptors by number, and what describes them. */
#include "conformance.h"

static void seeking(void) {
  __wasi_filesize_t at;
  make_file("file", "abcdef");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  OK(__wasi_fd_seek(fd, 4, __WASI_WHENCE_SET, &at));
  IS(at, 4);
  OK(__wasi_fd_seek(fd, -2, __WASI_WHENCE_CUR, &at));
  IS(at, 2);
  TEXT(read_text(fd, 1), "c");
  OK(__wasi_fd_seek(fd, -1, __WASI_WHENCE_END, &at));
  IS(at, 5);
  TEXT(read_text(fd, 9), "f");
  OK(__wasi_fd_tell(fd, &at));
  IS(at, 6);
}

static void a_bad_seek_moves_nothing(void) {
  __wasi_filesize_t at;
  make_file("file", "abcdef");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  OK(__wasi_fd_seek(fd, 3, __WASI_WHENCE_SET, &at));
  FAILS(__wasi_fd_seek(fd, -1, __WASI_WHENCE_SET, &at), INVAL);
  FAILS(__wasi_fd_seek(fd, -4, __WASI_WHENCE_CUR, &at), INVAL);
  FAILS(__wasi_fd_seek(fd, -7, __WASI_WHENCE_END, &at), INVAL);
  OK(__wasi_fd_tell(fd, &at));
  IS(at, 3);
}

static void an_unknown_whence(void) {
  __wasi_filesize_t at;
  make_file("file", "abcdef");
  FAILS(__wasi_fd_seek(open_at(RW, "file", 0, READ), 0, 7, &at), INVAL);
}

static void writing_beyond_the_end(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_seek(fd, 100, __WASI_WHENCE_END, &at));
  IS(stat_of(RW, "file", 0).size, 0);
  OK(write_text(fd, "x", &count));
  IS(stat_of(RW, "file", 0).size, 101);
}

static void a_directory_has_no_position(void) {
  __wasi_filesize_t at;
  FAILS(__wasi_fd_seek(RW, 0, __WASI_WHENCE_SET, &at), BADF);
  FAILS(__wasi_fd_tell(RW, &at), BADF);
}

static void size_is_set(void) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(write_text(fd, "abcdef", &count));
  OK(__wasi_fd_filestat_set_size(fd, 3));
  TEXT(text_of("file"), "abc");
  OK(__wasi_fd_filestat_set_size(fd, 5));
  IS(stat_of(RW, "file", 0).size, 5);
  char bytes[2] = {1, 1};
  const __wasi_iovec_t vector = {(uint8_t *)bytes, 2};
  OK(__wasi_fd_pread(fd, &vector, 1, 3, &count));
  IS(bytes[0] | bytes[1], 0);
}

static void a_reader_sets_no_size(void) {
  make_file("file", "abc");
  FAILS(__wasi_fd_filestat_set_size(open_at(RW, "file", 0, READ), 0), INVAL);
  TEXT(text_of("file"), "abc");
}

static void allocating_grows(void) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(write_text(fd, "abc", &count));
  OK(__wasi_fd_allocate(fd, 0, 100));
  IS(stat_of(RW, "file", 0).size, 100);
  OK(__wasi_fd_allocate(fd, 0, 10));
  IS(stat_of(RW, "file", 0).size, 100);
  TEXT(text_of("file"), "abc");
}

static void allocating_nothing(void) {
  FAILS(__wasi_fd_allocate(open_at(RW, "file", CREATE, BOTH), 0, 0), INVAL);
}

static void advice(void) {
  make_file("file", "abc");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  for (__wasi_advice_t one = __WASI_ADVICE_NORMAL; one <= __WASI_ADVICE_NOREUSE; one++) OK(__wasi_fd_advise(fd, 0, 3, one));
  FAILS(__wasi_fd_advise(fd, 0, 3, 17), INVAL);
  FAILS(__wasi_fd_advise(RW, 0, 3, __WASI_ADVICE_NORMAL), BADF);
}

static void synchronizing(void) {
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_sync(fd));
  OK(__wasi_fd_datasync(fd));
  OK(__wasi_fd_sync(RW));
}

static void what_is_closed_is_gone(void) {
  __wasi_fdstat_t stat;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_close(fd));
  FAILS(__wasi_fd_close(fd), BADF);
  FAILS(__wasi_fd_fdstat_get(fd, &stat), BADF);
  FAILS(__wasi_fd_close(12345), BADF);
  FAILS(__wasi_fd_close((__wasi_fd_t)-1), BADF);
}

static void the_lowest_number_is_given(void) {
  __wasi_fd_t first = open_at(RW, "a", CREATE, BOTH), second = open_at(RW, "b", CREATE, BOTH);
  CHECK(first < second);
  OK(__wasi_fd_close(first));
  IS(open_at(RW, "c", CREATE, BOTH), first);
}

static void renumbering_moves(void) {
  make_file("a", "from a");
  make_file("b", "from b");
  __wasi_fd_t a = open_at(RW, "a", 0, READ), b = open_at(RW, "b", 0, READ);
  TEXT(read_text(a, 5), "from ");
  OK(__wasi_fd_renumber(a, b));
  TEXT(read_text(b, 9), "a");
  FAILS(__wasi_fd_close(a), BADF);
}

static void renumbering_to_itself(void) {
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_renumber(fd, fd));
  OK(__wasi_fd_close(fd));
}

static void renumbering_what_is_not_open(void) {
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  FAILS(__wasi_fd_renumber(fd, 77), BADF);
  FAILS(__wasi_fd_renumber(77, fd), BADF);
  OK(__wasi_fd_close(fd));
}

static void preopens_have_names(void) {
  __wasi_prestat_t stat;
  char name[4] = {0};
  OK(__wasi_fd_prestat_get(RW, &stat));
  IS(stat.tag, __WASI_PREOPENTYPE_DIR);
  IS(stat.u.dir.pr_name_len, 3);
  OK(__wasi_fd_prestat_dir_name(RW, (uint8_t *)name, 3));
  TEXT(name, "/rw");
  FAILS(__wasi_fd_prestat_get(HOST + 1, &stat), BADF);
  FAILS(__wasi_fd_prestat_get(1, &stat), BADF);
}

static void a_preopens_name_needs_room(void) {
  char name[4] = {0};
  FAILS(__wasi_fd_prestat_dir_name(RW, (uint8_t *)name, 2), NAMETOOLONG);
}

static void descriptors_know_their_type(void) {
  __wasi_fdstat_t stat;
  OK(__wasi_fd_fdstat_get(RW, &stat));
  IS(stat.fs_filetype, __WASI_FILETYPE_DIRECTORY);
  OK(__wasi_fd_fdstat_get(open_at(RW, "file", CREATE, BOTH), &stat));
  IS(stat.fs_filetype, __WASI_FILETYPE_REGULAR_FILE);
  IS(stat.fs_flags, 0);
  OK(__wasi_fd_fdstat_get(0, &stat));
  IS(stat.fs_filetype, __WASI_FILETYPE_REGULAR_FILE);
}

static void rights_tell_reading_from_writing(void) {
  __wasi_fdstat_t stat;
  make_file("file", "abc");
  OK(__wasi_fd_fdstat_get(open_at(RW, "file", 0, READ), &stat));
  CHECK((stat.fs_rights_base & __WASI_RIGHTS_FD_READ) != 0);
  CHECK((stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE) == 0);
  OK(__wasi_fd_fdstat_get(open_at(RW, "file", 0, WRITE), &stat));
  CHECK((stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE) != 0);
  CHECK((stat.fs_rights_base & __WASI_RIGHTS_FD_READ) == 0);
}

static void flags_are_kept(void) {
  __wasi_fdstat_t stat;
  __wasi_fd_t fd = 0;
  OK(__wasi_path_open(RW, 0, "file", CREATE, BOTH, BOTH, __WASI_FDFLAGS_APPEND, &fd));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  IS(stat.fs_flags, __WASI_FDFLAGS_APPEND);
  OK(__wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK));
  OK(__wasi_fd_fdstat_get(fd, &stat));
  IS(stat.fs_flags, __WASI_FDFLAGS_NONBLOCK);
}

static void files_are_described(void) {
  __wasi_filestat_t stat;
  make_file("file", "abcdef");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  OK(__wasi_fd_filestat_get(fd, &stat));
  IS(stat.size, 6);
  IS(stat.nlink, 1);
  IS(stat.filetype, __WASI_FILETYPE_REGULAR_FILE);
  CHECK(stat.mtim > 1600000000000000000ull);
  __wasi_filestat_t same = stat_of(RW, "file", 0);
  IS(memcmp(&same.ino, &stat.ino, 8), 0);
  IS(memcmp(&same.mtim, &stat.mtim, 8), 0);
  IS(stat_of(RW, ".", 0).filetype, __WASI_FILETYPE_DIRECTORY);
  CHECK(stat_of(RW, ".", 0).ino != stat.ino);
}

static void times_are_set_to_the_nanosecond(void) {
  __wasi_filestat_t stat;
  const __wasi_timestamp_t accessed = 1234567890123456789ull, modified = 987654321987654321ull;
  const int both = __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_filestat_set_times(fd, accessed, modified, both));
  OK(__wasi_fd_filestat_get(fd, &stat));
  CHECK(stat.atim == accessed);
  CHECK(stat.mtim == modified);
  OK(__wasi_path_filestat_set_times(RW, 0, "file", 7, 8, __WASI_FSTFLAGS_MTIM));
  OK(__wasi_fd_filestat_get(fd, &stat));
  CHECK(stat.atim == accessed);
  IS(stat.mtim, 8);
}

static void times_are_set_to_now(void) {
  __wasi_filestat_t stat;
  __wasi_timestamp_t now;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_filestat_set_times(fd, 1, 1, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
  OK(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM_NOW));
  OK(__wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 1, &now));
  OK(__wasi_fd_filestat_get(fd, &stat));
  IS(stat.atim, 1);
  CHECK(stat.mtim + 10000000000ull > now);
}

static void times_both_given_and_now(void) {
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  FAILS(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW), INVAL);
  FAILS(__wasi_path_filestat_set_times(RW, 0, "file", 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW), INVAL);
}

static void opened_numbers_are_bounded(void) {
  __wasi_errno_t error = 0;
  __wasi_fd_t fd;
  int opened = 0;
  make_file("file", "");
  while (error == 0 && opened < 100000) {
    error = __wasi_path_open(RW, 0, "file", 0, READ, READ, 0, &fd);
    if (error == 0) opened++;
  }
  IS(error, __WASI_ERRNO_MFILE);
  CHECK(opened > 100);
  OK(__wasi_fd_close(RW + 4));
  OK(__wasi_path_open(RW, 0, "file", 0, READ, READ, 0, &fd));
}

RUN_CASES(CASE(seeking), CASE(a_bad_seek_moves_nothing), CASE(an_unknown_whence), CASE(writing_beyond_the_end),
          CASE(a_directory_has_no_position), CASE(size_is_set), CASE(a_reader_sets_no_size), CASE(allocating_grows),
          CASE(allocating_nothing), CASE(advice), CASE(synchronizing), CASE(what_is_closed_is_gone),
          CASE(the_lowest_number_is_given), CASE(renumbering_moves), CASE(renumbering_to_itself),
          CASE(renumbering_what_is_not_open), CASE(preopens_have_names), CASE(a_preopens_name_needs_room),
          CASE(descriptors_know_their_type), CASE(rights_tell_reading_from_writing), CASE(flags_are_kept),
          CASE(files_are_described), CASE(times_are_set_to_the_nanosecond), CASE(times_are_set_to_now),
          CASE(times_both_given_and_now), CASE(opened_numbers_are_bounded))
