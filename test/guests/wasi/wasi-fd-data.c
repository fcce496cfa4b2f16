/* fd_read, fd_write, fd_pread, fd_pwrite: bytes, positions and vectors. */
#include "conformance.h"

static void write_then_read(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(write_text(fd, "abcdef", &count));
  IS(count, 6);
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  TEXT(read_text(fd, 4), "abcd");
  TEXT(read_text(fd, 4), "ef");
}

static void overwriting_in_the_middle(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(write_text(fd, "abcdef", &count));
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  OK(write_text(fd, "X", &count));
  OK(__wasi_fd_seek(fd, 2, __WASI_WHENCE_SET, &at));
  OK(write_text(fd, "Y", &count));
  TEXT(text_of("file"), "XbYdef");
}

static void end_of_file_is_zero_bytes(void) {
  make_file("file", "ab");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  TEXT(read_text(fd, 100), "ab");
  TEXT(read_text(fd, 100), "");
  TEXT(read_text(fd, 100), "");
}

static void reads_scatter(void) {
  make_file("file", "abcdefgh");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  char one[4] = {0}, two[4] = {0}, three[8] = {0};
  const __wasi_iovec_t vectors[] = {{(uint8_t *)one, 3}, {(uint8_t *)two, 0}, {(uint8_t *)two, 2}, {(uint8_t *)three, 7}};
  __wasi_size_t count;
  OK(__wasi_fd_read(fd, vectors, 4, &count));
  IS(count, 8);
  TEXT(one, "abc");
  TEXT(two, "de");
  TEXT(three, "fgh");
}

static void writes_gather(void) {
  __wasi_fd_t fd = open_at(RW, "file", CREATE, WRITE);
  const __wasi_ciovec_t vectors[] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"", 0}, {(const uint8_t *)"-two", 4}};
  __wasi_size_t count;
  OK(__wasi_fd_write(fd, vectors, 3, &count));
  IS(count, 7);
  TEXT(text_of("file"), "one-two");
}

static void no_vectors_move_nothing(void) {
  __wasi_size_t count = 9;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(__wasi_fd_write(fd, NULL, 0, &count));
  IS(count, 0);
  count = 9;
  OK(__wasi_fd_read(fd, NULL, 0, &count));
  IS(count, 0);
}

static void pread_keeps_the_position(void) {
  make_file("file", "abcdef");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  TEXT(read_text(fd, 2), "ab");
  char text[4] = {0};
  const __wasi_iovec_t vector = {(uint8_t *)text, 3};
  __wasi_size_t count;
  OK(__wasi_fd_pread(fd, &vector, 1, 3, &count));
  TEXT(text, "def");
  TEXT(read_text(fd, 2), "cd");
}

static void pread_beyond_the_end(void) {
  make_file("file", "abc");
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  char text[4] = {0};
  const __wasi_iovec_t vector = {(uint8_t *)text, 3};
  __wasi_size_t count = 9;
  OK(__wasi_fd_pread(fd, &vector, 1, 100, &count));
  IS(count, 0);
  OK(__wasi_fd_pread(fd, &vector, 1, 2, &count));
  IS(count, 1);
}

static void pwrite_keeps_the_position(void) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(write_text(fd, "abc", &count));
  const __wasi_ciovec_t vector = {(const uint8_t *)"X", 1};
  OK(__wasi_fd_pwrite(fd, &vector, 1, 0, &count));
  OK(write_text(fd, "def", &count));
  TEXT(text_of("file"), "Xbcdef");
}

static void pwrite_past_the_end_leaves_zeros(void) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  const __wasi_ciovec_t vector = {(const uint8_t *)"end", 3};
  OK(__wasi_fd_pwrite(fd, &vector, 1, 1000, &count));
  IS(stat_of(RW, "file", 0).size, 1003);
  char byte = 1;
  const __wasi_iovec_t one = {(uint8_t *)&byte, 1};
  OK(__wasi_fd_pread(fd, &one, 1, 999, &count));
  IS(byte, 0);
}

static void offsets_of_vectors_run_on(void) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  const __wasi_ciovec_t vectors[] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"cd", 2}};
  OK(__wasi_fd_pwrite(fd, vectors, 2, 1, &count));
  IS(count, 4);
  char text[8] = {0};
  const __wasi_iovec_t parts[] = {{(uint8_t *)text, 1}, {(uint8_t *)text + 1, 5}};
  OK(__wasi_fd_pread(fd, parts, 2, 1, &count));
  IS(count, 4);
  TEXT(text, "abcd");
}

static void a_reader_may_not_write(void) {
  make_file("file", "abc");
  __wasi_size_t count;
  __wasi_fd_t fd = open_at(RW, "file", 0, READ);
  FAILS(write_text(fd, "x", &count), BADF);
  const __wasi_ciovec_t vector = {(const uint8_t *)"x", 1};
  FAILS(__wasi_fd_pwrite(fd, &vector, 1, 0, &count), BADF);
  TEXT(text_of("file"), "abc");
}

static void a_writer_may_not_read(void) {
  __wasi_fd_t fd = open_at(RW, "file", CREATE, WRITE);
  char byte;
  const __wasi_iovec_t vector = {(uint8_t *)&byte, 1};
  __wasi_size_t count;
  FAILS(__wasi_fd_read(fd, &vector, 1, &count), BADF);
  FAILS(__wasi_fd_pread(fd, &vector, 1, 0, &count), BADF);
}

static void a_directory_is_not_read(void) {
  char byte;
  const __wasi_iovec_t vector = {(uint8_t *)&byte, 1};
  __wasi_size_t count;
  FAILS(__wasi_fd_read(RW, &vector, 1, &count), ISDIR);
  const __wasi_ciovec_t text = {(const uint8_t *)"x", 1};
  FAILS(__wasi_fd_write(RW, &text, 1, &count), BADF);
}

static void negative_offsets(void) {
  make_file("file", "abc");
  __wasi_fd_t fd = open_at(RW, "file", 0, BOTH);
  char byte;
  const __wasi_iovec_t vector = {(uint8_t *)&byte, 1};
  const __wasi_ciovec_t text = {(const uint8_t *)"x", 1};
  __wasi_size_t count;
  FAILS(__wasi_fd_pread(fd, &vector, 1, (__wasi_filesize_t)-1, &count), INVAL);
  FAILS(__wasi_fd_pwrite(fd, &text, 1, (__wasi_filesize_t)-1, &count), INVAL);
}

static __wasi_fd_t open_appending(void) {
  __wasi_fd_t fd = 0;
  OK(__wasi_path_open(RW, 0, "log", CREATE, BOTH, BOTH, __WASI_FDFLAGS_APPEND, &fd));
  return fd;
}

static void appending_goes_to_the_end(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  __wasi_fd_t fd = open_appending(), other = open_appending();
  OK(write_text(fd, "one.", &count));
  OK(write_text(other, "two.", &count));
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  OK(write_text(fd, "three.", &count));
  TEXT(text_of("log"), "one.two.three.");
}

static void the_position_follows_what_is_appended(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  __wasi_fd_t fd = open_appending();
  OK(write_text(fd, "one.", &count));
  OK(write_text(fd, "two.", &count));
  OK(__wasi_fd_tell(fd, &at));
  IS(at, 8);
}

static void pwrite_of_an_appending_file_goes_to_its_offset(void) {
  __wasi_size_t count;
  __wasi_fd_t fd = open_appending();
  OK(write_text(fd, "abc", &count));
  const __wasi_ciovec_t vector = {(const uint8_t *)"X", 1};
  OK(__wasi_fd_pwrite(fd, &vector, 1, 0, &count));
  TEXT(text_of("log"), "Xbc");
}

static void append_is_set_and_cleared(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  make_file("log", "abc");
  __wasi_fd_t fd = open_at(RW, "log", 0, BOTH);
  OK(__wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND));
  OK(write_text(fd, "def", &count));
  OK(__wasi_fd_fdstat_set_flags(fd, 0));
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  OK(write_text(fd, "X", &count));
  TEXT(text_of("log"), "Xbcdef");
}

static void an_unlinked_file_is_still_there(void) {
  __wasi_size_t count;
  __wasi_filesize_t at;
  __wasi_fd_t fd = open_at(RW, "file", CREATE, BOTH);
  OK(write_text(fd, "abc", &count));
  OK(__wasi_path_unlink_file(RW, "file"));
  OK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at));
  TEXT(read_text(fd, 10), "abc");
  __wasi_filestat_t stat;
  OK(__wasi_fd_filestat_get(fd, &stat));
  IS(stat.nlink, 0);
}

static void standard_input_is_read(void) {
  TEXT(read_text(0, 5), "input");
  TEXT(read_text(0, 100), " of the runner\n");
  TEXT(read_text(0, 100), "");
}

static void standard_streams_have_a_direction(void) {
  __wasi_size_t count;
  char byte;
  const __wasi_iovec_t vector = {(uint8_t *)&byte, 1};
  FAILS(write_text(0, "x", &count), BADF);
  FAILS(__wasi_fd_read(1, &vector, 1, &count), BADF);
}

RUN_CASES(CASE(write_then_read), CASE(overwriting_in_the_middle), CASE(end_of_file_is_zero_bytes), CASE(reads_scatter),
          CASE(writes_gather), CASE(no_vectors_move_nothing), CASE(pread_keeps_the_position), CASE(pread_beyond_the_end),
          CASE(pwrite_keeps_the_position), CASE(pwrite_past_the_end_leaves_zeros), CASE(offsets_of_vectors_run_on),
          CASE(a_reader_may_not_write), CASE(a_writer_may_not_read), CASE(a_directory_is_not_read),
          CASE(negative_offsets), CASE(appending_goes_to_the_end), CASE(the_position_follows_what_is_appended),
          CASE(pwrite_of_an_appending_file_goes_to_its_offset), CASE(append_is_set_and_cleared),
          CASE(an_unlinked_file_is_still_there), CASE(standard_input_is_read), CASE(standard_streams_have_a_direction))
