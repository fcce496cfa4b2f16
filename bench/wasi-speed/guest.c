/*
 * What a WASI call costs: each operation in a loop on files of the preopened directory, the same program under every host.
 *
 *   wasi-speed.wasm SECONDS OPERATION...     prints one line "OPERATION NANOSECONDS" each on stderr
 *
 * Needs in its working directory: data.bin (16 MiB) and a directory `many` with entries to list.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DATA_BYTES (16u << 20)
#define STREAM_BYTES (64u << 10)

static unsigned char buffer[STREAM_BYTES];
static int data;
static uint64_t state = 0x9e3779b97f4a7c15ull;

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static off_t random_offset(uint32_t bytes) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (off_t)((state * 0x2545f4914f6cdd1dull >> 40) % (DATA_BYTES / bytes)) * bytes;
}

static void check(int good, const char *what) {
  if (good) return;
  perror(what);
  exit(1);
}

/* Each does `count` operations. */
static void do_pread(uint32_t bytes, uint32_t count) {
  while (count-- > 0) check(pread(data, buffer, bytes, random_offset(bytes)) == (ssize_t)bytes, "pread");
}
static void pread_512(uint32_t count) { do_pread(512, count); }
static void pread_4k(uint32_t count) { do_pread(4096, count); }
static void pread_64k(uint32_t count) { do_pread(65536, count); }

static void read_sequential(uint32_t count) {
  while (count-- > 0) {
    ssize_t got = read(data, buffer, STREAM_BYTES);
    check(got >= 0, "read");
    if (got == 0) lseek(data, 0, SEEK_SET);
  }
}

static void write_sequential(uint32_t count) {
  int fd = open("written.bin", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  check(fd >= 0, "open written.bin");
  for (uint32_t done = 0; done < count; done++) {
    check(write(fd, buffer, STREAM_BYTES) == (ssize_t)STREAM_BYTES, "write");
    if (done % (DATA_BYTES / STREAM_BYTES) == DATA_BYTES / STREAM_BYTES - 1) lseek(fd, 0, SEEK_SET);
  }
  close(fd);
}

static void seek(uint32_t count) {
  while (count-- > 0) check(lseek(data, random_offset(512), SEEK_SET) >= 0, "lseek");
}

static void open_close(uint32_t count) {
  while (count-- > 0) {
    int fd = open("data.bin", O_RDONLY);
    check(fd >= 0, "open");
    close(fd);
  }
}

static void stat_path(uint32_t count) {
  struct stat status;
  while (count-- > 0) check(stat("data.bin", &status) == 0, "stat");
}

static void stat_descriptor(uint32_t count) {
  struct stat status;
  while (count-- > 0) check(fstat(data, &status) == 0, "fstat");
}

/* One operation is one listing of the whole directory. */
static void list_directory(uint32_t count) {
  while (count-- > 0) {
    DIR *directory = opendir("many");
    check(directory != NULL, "opendir");
    uint32_t entries = 0;
    while (readdir(directory) != NULL) entries++;
    check(entries >= 10000, "readdir: fewer than 10000 entries");
    closedir(directory);
  }
}

static void clock_read(uint32_t count) {
  while (count-- > 0) now_ns();
}

/* To standard output, which the host captures or sends to nowhere. */
static void write_stdout(uint32_t count) {
  while (count-- > 0) check(write(1, buffer, 64) == 64, "write to standard output");
}

static const struct {
  const char *name;
  void (*run)(uint32_t count);
} OPERATIONS[] = {
    {"pread-512", pread_512},   {"pread-4k", pread_4k},     {"pread-64k", pread_64k},
    {"read", read_sequential},  {"write", write_sequential}, {"lseek", seek},
    {"open-close", open_close}, {"stat", stat_path},        {"fstat", stat_descriptor},
    {"readdir", list_directory}, {"clock", clock_read},
    {"write-stdout", write_stdout},
};

/* Nanoseconds of one operation, over at least that time. */
static double measure_for(void (*run)(uint32_t), uint32_t batch, double seconds) {
  double total = 0;
  uint64_t done = 0;
  while (total < seconds * 1e9) {
    double began = now_ns();
    run(batch);
    total += now_ns() - began;
    done += batch;
  }
  return total / (double)done;
}

/*
 * Batches grow until one takes a tenth of the time, so that reading the clock does not count. The first round does not
 * count either: the engine of the host compiles what is hot on threads of its own, and late when the machine is busy.
 */
static void measure(const char *name, void (*run)(uint32_t), double seconds) {
  uint32_t batch = 1;
  for (;;) {
    double began = now_ns();
    run(batch);
    double took = now_ns() - began;
    if (took >= seconds * 1e8 || batch >= (1u << 24)) break;
    batch *= 2;
  }
  measure_for(run, batch, seconds);
  fprintf(stderr, "%s %.2f\n", name, measure_for(run, batch, seconds));
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
  if (seconds <= 0) {
    fprintf(stderr, "usage: wasi-speed SECONDS OPERATION...\n");
    return 2;
  }
  data = open("data.bin", O_RDONLY);
  check(data >= 0, "data.bin");
  for (int word = 2; word < argc; word++) {
    size_t at = 0, count = sizeof OPERATIONS / sizeof *OPERATIONS;
    while (at < count && strcmp(OPERATIONS[at].name, argv[word]) != 0) at++;
    if (at == count) {
      fprintf(stderr, "wasi-speed: no operation \"%s\"\n", argv[word]);
      return 2;
    }
    measure(argv[word], OPERATIONS[at].run, seconds);
  }
  return 0;
}
