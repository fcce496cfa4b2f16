/*
 * The random-read load generator in C: `depth` reads of 4 KiB in flight on the grant "data" for a while, by the guest's own
 * ring; results by printf. The same loop as examples/load and bench/native/load.c, in the least code that does it.
 *
 *   wasm-uring run --file data=PATH load-c.wasm [DEPTH [SECONDS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wasm_uring.h"

#define BLOCK_BYTES 4096u
/* The clock costs a call out of the sandbox: it is read once in so many completions. */
#define LOOKS_APART 1024u

static struct io_uring ring;
static struct wasm_uring_grant data;
static int32_t slot;
static uint8_t *buffers;
static uint64_t state = 0x9e3779b97f4a7c15ull;

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* xorshift64*, its upper half scaled to the number of blocks. */
static uint64_t random_offset(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  uint64_t blocks = data.size_bytes / BLOCK_BYTES;
  return ((state * 0x2545f4914f6cdd1dull) >> 32) * blocks >> 32 << 12;
}

static void start(uint32_t tag) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
  while (sqe == NULL) { /* under SQPOLL a CQE may come before its SQE is free again */
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
  }
  io_uring_prep_read_fixed(sqe, slot, buffers + tag * BLOCK_BYTES, BLOCK_BYTES, random_offset(), 0);
  io_uring_sqe_set_data64(sqe, tag);
}

/* Takes what is ready and starts as much anew. A function of its own: V8 replaces its code at the next call. */
static __attribute__((noinline)) uint32_t batch(uint32_t *failed) {
  struct io_uring_cqe *cqe;
  uint32_t head, count = 0;
  io_uring_for_each_cqe(&ring, head, cqe) {
    if (cqe->res != (int32_t)BLOCK_BYTES) ++*failed;
    start((uint32_t)io_uring_cqe_get_data64(cqe));
    count++;
  }
  io_uring_cq_advance(&ring, count);
  return count;
}

int main(int argc, char **argv) {
  uint32_t depth = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 32;
  double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
  slot = wasm_uring_grant("data", &data);
  if (slot < 0 || data.size_bytes < BLOCK_BYTES || depth < 1 || depth > 1024) {
    fprintf(stderr, "load-c: needs --file data=PATH of at least 4 KiB, and a depth of 1 to 1024\n");
    return 2;
  }
  uint32_t entries = 64;
  while (entries < depth) entries *= 2;
  int32_t result = wasm_uring_queue_init(entries, &ring, (size_t)depth * BLOCK_BYTES);
  if (result < 0) {
    fprintf(stderr, "load-c: no ring: %s\n", wasm_uring_errno_name(result));
    return 2;
  }
  buffers = wasm_uring_arena_alloc(&ring, (size_t)depth * BLOCK_BYTES);
  for (uint32_t tag = 0; tag < depth; tag++) start(tag);

  uint64_t reads = 0, next_look = LOOKS_APART;
  uint32_t failed = 0;
  double began = now_seconds(), elapsed = 0;
  while (elapsed < seconds) {
    result = io_uring_submit_and_wait(&ring, 1);
    if (result < 0) break;
    reads += batch(&failed);
    if (reads < next_look) continue;
    next_look = reads + LOOKS_APART;
    elapsed = now_seconds() - began;
  }
  printf("%.0f kIOPS at depth %u: %llu reads, %u failed, %u calls out of the sandbox\n",
         (double)reads / elapsed / 1000, depth, (unsigned long long)reads, failed, ring.enter_calls);
  return failed > 0 || result < 0;
}
