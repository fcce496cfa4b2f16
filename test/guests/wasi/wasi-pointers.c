/* Pointers and lengths that lie outside of the memory: EFAULT, and nothing was done. */
#include "conformance.h"

#define IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) __wasi_errno_t
IMPORT(fd_read) raw_fd_read(int32_t, uint32_t, int32_t, uint32_t);
IMPORT(fd_write) raw_fd_write(int32_t, uint32_t, int32_t, uint32_t);
IMPORT(fd_pread) raw_fd_pread(int32_t, uint32_t, int32_t, int64_t, uint32_t);
IMPORT(fd_pwrite) raw_fd_pwrite(int32_t, uint32_t, int32_t, int64_t, uint32_t);
IMPORT(fd_seek) raw_fd_seek(int32_t, int64_t, int32_t, uint32_t);
IMPORT(fd_tell) raw_fd_tell(int32_t, uint32_t);
IMPORT(fd_fdstat_get) raw_fd_fdstat_get(int32_t, uint32_t);
IMPORT(fd_filestat_get) raw_fd_filestat_get(int32_t, uint32_t);
IMPORT(fd_prestat_get) raw_fd_prestat_get(int32_t, uint32_t);
IMPORT(fd_prestat_dir_name) raw_fd_prestat_dir_name(int32_t, uint32_t, uint32_t);
IMPORT(fd_readdir) raw_fd_readdir(int32_t, uint32_t, uint32_t, int64_t, uint32_t);
IMPORT(path_open) raw_path_open(int32_t, int32_t, uint32_t, uint32_t, int32_t, int64_t, int64_t, int32_t, uint32_t);
IMPORT(path_filestat_get) raw_path_filestat_get(int32_t, int32_t, uint32_t, uint32_t, uint32_t);
IMPORT(path_create_directory) raw_path_create_directory(int32_t, uint32_t, uint32_t);
IMPORT(path_unlink_file) raw_path_unlink_file(int32_t, uint32_t, uint32_t);
IMPORT(path_symlink) raw_path_symlink(uint32_t, uint32_t, int32_t, uint32_t, uint32_t);
IMPORT(path_rename) raw_path_rename(int32_t, uint32_t, uint32_t, int32_t, uint32_t, uint32_t);
IMPORT(path_link) raw_path_link(int32_t, int32_t, uint32_t, uint32_t, int32_t, uint32_t, uint32_t);
IMPORT(path_readlink) raw_path_readlink(int32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);
IMPORT(poll_oneoff) raw_poll_oneoff(uint32_t, uint32_t, uint32_t, uint32_t);
IMPORT(clock_time_get) raw_clock_time_get(int32_t, int64_t, uint32_t);
IMPORT(random_get) raw_random_get(uint32_t, uint32_t);
IMPORT(args_get) raw_args_get(uint32_t, uint32_t);
IMPORT(args_sizes_get) raw_args_sizes_get(uint32_t, uint32_t);

enum { TOP = 0xfffffff0u };

static uint32_t address(const void *of) {
  return (uint32_t)(uintptr_t)of;
}

/* The first address that does not exist. */
static uint32_t end_of_memory(void) {
  return (uint32_t)__builtin_wasm_memory_size(0) * 65536;
}

static __wasi_size_t count;

static void vectors_outside(void) {
  make_file("file", "precious");
  __wasi_fd_t fd = open_at(RW, "file", 0, BOTH);
  FAILS(raw_fd_read(fd, TOP, 1, address(&count)), FAULT);
  FAILS(raw_fd_write(fd, TOP, 1, address(&count)), FAULT);
  FAILS(raw_fd_pread(fd, end_of_memory() - 4, 1, 0, address(&count)), FAULT);
  FAILS(raw_fd_pwrite(fd, end_of_memory() - 4, 1, 0, address(&count)), FAULT);
  TEXT(text_of("file"), "precious");
}

static void buffers_outside(void) {
  make_file("file", "precious");
  __wasi_fd_t fd = open_at(RW, "file", 0, BOTH);
  const uint32_t bad[][2] = {{TOP, 8}, {end_of_memory() - 1, 2}, {end_of_memory(), 1}, {16, 0xffffffffu}};
  for (int at = 0; at < 4; at++) {
    FAILS(raw_fd_read(fd, address(bad[at]), 1, address(&count)), FAULT);
    FAILS(raw_fd_write(fd, address(bad[at]), 1, address(&count)), FAULT);
    FAILS(raw_fd_pread(fd, address(bad[at]), 1, 0, address(&count)), FAULT);
    FAILS(raw_fd_pwrite(fd, address(bad[at]), 1, 0, address(&count)), FAULT);
  }
  TEXT(text_of("file"), "precious");
}

static void results_of_transfers_outside(void) {
  make_file("file", "precious");
  __wasi_fd_t fd = open_at(RW, "file", 0, BOTH);
  const __wasi_ciovec_t vector = {(const uint8_t *)"out", 3};
  FAILS(raw_fd_write(fd, address(&vector), 1, TOP), FAULT);
  FAILS(raw_fd_write(fd, address(&vector), 1, end_of_memory() - 3), FAULT);
  FAILS(raw_fd_pwrite(fd, address(&vector), 1, 0, TOP), FAULT);
  TEXT(text_of("file"), "precious");
}

static void results_of_descriptors_outside(void) {
  make_file("file", "abc");
  __wasi_fd_t fd = open_at(RW, "file", 0, BOTH);
  FAILS(raw_fd_seek(fd, 0, 0, TOP), FAULT);
  FAILS(raw_fd_tell(fd, end_of_memory() - 7), FAULT);
  FAILS(raw_fd_fdstat_get(fd, end_of_memory() - 23), FAULT);
  FAILS(raw_fd_filestat_get(fd, end_of_memory() - 63), FAULT);
  FAILS(raw_fd_prestat_get(RW, end_of_memory() - 7), FAULT);
  FAILS(raw_fd_prestat_dir_name(RW, TOP, 3), FAULT);
}

static void listings_outside(void) {
  uint8_t buffer[64];
  FAILS(raw_fd_readdir(RW, TOP, 64, 0, address(&count)), FAULT);
  FAILS(raw_fd_readdir(RW, address(buffer), 0xffffffffu, 0, address(&count)), FAULT);
  FAILS(raw_fd_readdir(RW, address(buffer), 64, 0, TOP), FAULT);
}

static void paths_outside(void) {
  __wasi_filestat_t stat;
  __wasi_fd_t fd;
  FAILS(raw_path_open(RW, 0, TOP, 8, CREATE, BOTH, 0, 0, address(&fd)), FAULT);
  FAILS(raw_path_filestat_get(RW, 0, TOP, 8, address(&stat)), FAULT);
  FAILS(raw_path_create_directory(RW, TOP, 8), FAULT);
  FAILS(raw_path_create_directory(RW, 16, 0xffffffffu), FAULT);
  FAILS(raw_path_unlink_file(RW, end_of_memory() - 1, 2), FAULT);
  FAILS(raw_path_symlink(TOP, 8, RW, address("new"), 3), FAULT);
  FAILS(raw_path_symlink(address("old"), 3, RW, TOP, 8), FAULT);
  FAILS(raw_path_rename(RW, TOP, 8, RW, address("new"), 3), FAULT);
  make_file("old", "");
  FAILS(raw_path_rename(RW, address("old"), 3, RW, TOP, 8), FAULT);
  FAILS(raw_path_link(RW, 0, address("old"), 3, RW, TOP, 8), FAULT);
}

static void results_of_paths_outside(void) {
  char text[8];
  make_file("file", "");
  OK(__wasi_path_symlink("file", RW, "link"));
  FAILS(raw_path_open(RW, 0, address("new"), 3, CREATE, BOTH, 0, 0, TOP), FAULT);
  FAILS(try_open(RW, "new", 0, 0, READ), NOENT);
  FAILS(raw_path_filestat_get(RW, 0, address("file"), 4, end_of_memory() - 63), FAULT);
  FAILS(raw_path_readlink(RW, address("link"), 4, TOP, 8, address(&count)), FAULT);
  FAILS(raw_path_readlink(RW, address("link"), 4, address(text), 8, TOP), FAULT);
}

static void polling_outside(void) {
  __wasi_subscription_t wanted = {.u = {.tag = __WASI_EVENTTYPE_CLOCK}};
  __wasi_event_t event;
  FAILS(raw_poll_oneoff(TOP, address(&event), 1, address(&count)), FAULT);
  FAILS(raw_poll_oneoff(address(&wanted), TOP, 1, address(&count)), FAULT);
  FAILS(raw_poll_oneoff(address(&wanted), address(&event), 1, TOP), FAULT);
}

static void the_rest_outside(void) {
  __wasi_size_t size;
  FAILS(raw_clock_time_get(0, 1, end_of_memory() - 7), FAULT);
  FAILS(raw_random_get(end_of_memory() - 1, 2), FAULT);
  FAILS(raw_random_get(16, 0xffffffffu), FAULT);
  FAILS(raw_args_get(TOP, address(&size)), FAULT);
  FAILS(raw_args_sizes_get(TOP, address(&size)), FAULT);
}

static void the_last_byte_counts(void) {
  FAILS(raw_random_get(end_of_memory(), 1), FAULT);
  OK(raw_random_get(end_of_memory() - 1, 1));
  OK(raw_clock_time_get(0, 1, end_of_memory() - 8));
}

RUN_CASES(CASE(vectors_outside), CASE(buffers_outside), CASE(results_of_transfers_outside),
          CASE(results_of_descriptors_outside), CASE(listings_outside), CASE(paths_outside),
          CASE(results_of_paths_outside), CASE(polling_outside), CASE(the_rest_outside), CASE(the_last_byte_counts))
