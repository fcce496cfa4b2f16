/*
 * wasm_uring.h: the kernel's own io_uring rings in the memory of a WebAssembly guest, for C and C++.
 *
 * One header, nothing to link. Names are liburing's where they mean the same; what is particular to wasm-uring begins with
 * wasm_uring_. Needs <stdint.h> and <stddef.h>, and aligned_alloc unless WASM_URING_NO_LIBC is defined.
 *
 *     clang --target=wasm32-wasi -O2 -I sdk/c program.c -o program.wasm          (also with -matomics)
 *     wasm-uring run --file input=data.bin program.wasm
 *
 *     struct io_uring ring;
 *     struct wasm_uring_grant input;
 *     if (wasm_uring_queue_init(64, &ring, 1 << 20) < 0) return 2;
 *     int slot = wasm_uring_grant("input", &input);
 *     char *buffer = wasm_uring_arena_alloc(&ring, 4096);
 *     io_uring_prep_read_fixed(io_uring_get_sqe(&ring), slot, buffer, 4096, 0, 0);
 *     io_uring_submit_and_wait(&ring, 1);
 *     struct io_uring_cqe *cqe;
 *     if (io_uring_peek_cqe(&ring, &cqe) == 0) { use(cqe->res); io_uring_cqe_seen(&ring, cqe); }
 *
 * What differs from liburing:
 *   - a descriptor is a slot of the fixed file table, given by wasm_uring_grant(); IOSQE_FIXED_FILE is set by itself;
 *   - data lands in the arena only, the window that was registered at set-up: buf_index is 0; wasm_uring_add_arena adds more;
 *   - results are negated errno values of LINUX, which are not those of wasi-libc's <errno.h>: compare with URING_EAGAIN
 *     and the like, print with wasm_uring_errno_name();
 *   - without SQPOLL completions of slow operations are posted inside io_uring_submit_and_wait, io_uring_wait_cqe and
 *     io_uring_get_events: a loop that only peeks may look for ever;
 *   - a guest has one ring, and it lives as long as the guest.
 *
 * Threads: one thread at a time, as with liburing. Memory order: with -matomics the shared words are accessed by sequentially
 * consistent atomics. Without it they are volatile, which is enough as long as a call follows each submission; under SQPOLL
 * this header then makes that call every time, where with -matomics it makes it only when the kernel thread sleeps.
 *
 * The contract behind it, for other languages: docs/abi.md.
 */
#ifndef WASM_URING_H
#define WASM_URING_H

#include <stddef.h>
#include <stdint.h>
#ifndef WASM_URING_NO_LIBC
#include <stdlib.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the contract between guest and host; a host that speaks another refuses the set-up. */
#define WASM_URING_ABI_VERSION 1u
/* addr of an SQE is this plus the pointer. */
#define WASM_URING_ADDRESS_BASE 0x100000000ull

#define WASM_URING_INLINE static inline __attribute__((always_inline, unused))
#define WASM_URING_FUNCTION static __attribute__((unused))
#define WASM_URING_IMPORT(name) __attribute__((import_module("uring"), import_name(name)))

/* ---- imports: results >= 0 or a negated Linux errno ---- */

WASM_URING_IMPORT("query") int32_t wasm_uring_import_query(void *limits);
WASM_URING_IMPORT("grant")
int32_t wasm_uring_import_grant(const char *name, uint32_t name_length, void *info);
WASM_URING_IMPORT("setup") int32_t wasm_uring_import_setup(void *request);
WASM_URING_IMPORT("enter")
int32_t wasm_uring_import_enter(uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                                int32_t timeout_us);

WASM_URING_IMPORT("arena")
int32_t wasm_uring_import_arena(void *offset, uint32_t length, uint32_t index);
WASM_URING_IMPORT("personality")
int32_t wasm_uring_import_personality(const char *name, uint32_t name_length);

/* ---- errno of Linux, those that a guest meets ---- */

enum {
  URING_EPERM = 1, URING_ENOENT = 2, URING_EINTR = 4, URING_EIO = 5, URING_EBADF = 9,
  URING_EAGAIN = 11, URING_ENOMEM = 12, URING_EACCES = 13, URING_EFAULT = 14, URING_EBUSY = 16,
  URING_EINVAL = 22, URING_EFBIG = 27, URING_ENOSPC = 28, URING_ESPIPE = 29, URING_EROFS = 30,
  URING_EPIPE = 32, URING_ENAMETOOLONG = 36, URING_ETIME = 62, URING_EPROTONOSUPPORT = 93,
  URING_EOPNOTSUPP = 95, URING_ECONNRESET = 104, URING_ECANCELED = 125
};

/* The name of a Linux errno, of either sign; "errno" for one that is not in the list above. */
WASM_URING_FUNCTION const char *wasm_uring_errno_name(int32_t result) {
  switch (result < 0 ? -result : result) {
    case 0: return "success";
    case URING_EPERM: return "EPERM";
    case URING_ENOENT: return "ENOENT";
    case URING_EINTR: return "EINTR";
    case URING_EIO: return "EIO";
    case URING_EBADF: return "EBADF";
    case URING_EAGAIN: return "EAGAIN";
    case URING_ENOMEM: return "ENOMEM";
    case URING_EACCES: return "EACCES";
    case URING_EFAULT: return "EFAULT";
    case URING_EBUSY: return "EBUSY";
    case URING_EINVAL: return "EINVAL";
    case URING_EFBIG: return "EFBIG";
    case URING_ENOSPC: return "ENOSPC";
    case URING_ESPIPE: return "ESPIPE";
    case URING_EROFS: return "EROFS";
    case URING_EPIPE: return "EPIPE";
    case URING_ENAMETOOLONG: return "ENAMETOOLONG";
    case URING_ETIME: return "ETIME";
    case URING_EPROTONOSUPPORT: return "EPROTONOSUPPORT";
    case URING_EOPNOTSUPP: return "EOPNOTSUPP";
    case URING_ECONNRESET: return "ECONNRESET";
    case URING_ECANCELED: return "ECANCELED";
    default: return "errno";
  }
}

/* ---- the kernel's structures, <linux/io_uring.h> ---- */

struct io_uring_sqe {
  uint8_t opcode;
  uint8_t flags;
  uint16_t ioprio;
  int32_t fd;
  uint64_t off;
  uint64_t addr;
  uint32_t len;
  union {
    uint32_t rw_flags;
    uint32_t fsync_flags;
    uint32_t poll32_events;
    uint32_t sync_range_flags;
    uint32_t fadvise_advice;
    uint32_t cancel_flags;
  };
  uint64_t user_data;
  uint16_t buf_index;
  uint16_t personality;
  int32_t splice_fd_in;
  uint64_t addr3;
  uint64_t __pad2;
};

struct io_uring_cqe {
  uint64_t user_data;
  int32_t res;
  uint32_t flags;
};

struct __kernel_timespec {
  int64_t tv_sec;
  long long tv_nsec;
};

_Static_assert(sizeof(struct io_uring_sqe) == 64, "an SQE has 64 bytes");
_Static_assert(sizeof(struct io_uring_cqe) == 16, "a CQE has 16 bytes");

enum {
  IORING_OP_FSYNC = 3, IORING_OP_READ_FIXED = 4, IORING_OP_WRITE_FIXED = 5, IORING_OP_POLL_ADD = 6,
  IORING_OP_POLL_REMOVE = 7, IORING_OP_SYNC_FILE_RANGE = 8, IORING_OP_ASYNC_CANCEL = 14,
  IORING_OP_FALLOCATE = 17, IORING_OP_FADVISE = 24, IORING_OP_SHUTDOWN = 34, IORING_OP_FTRUNCATE = 55
};
enum {
  IOSQE_FIXED_FILE = 1, IOSQE_IO_DRAIN = 2, IOSQE_IO_LINK = 4, IOSQE_IO_HARDLINK = 8, IOSQE_ASYNC = 16,
  IOSQE_BUFFER_SELECT = 32, IOSQE_CQE_SKIP_SUCCESS = 64
};
enum { IORING_FSYNC_DATASYNC = 1 };
enum { IORING_ENTER_GETEVENTS = 1, IORING_ENTER_SQ_WAKEUP = 2 };
enum { IORING_SQ_NEED_WAKEUP = 1, IORING_SQ_CQ_OVERFLOW = 2 };
enum {
  IORING_ASYNC_CANCEL_ALL = 1, IORING_ASYNC_CANCEL_FD = 2, IORING_ASYNC_CANCEL_ANY = 4,
  IORING_ASYNC_CANCEL_FD_FIXED = 8, IORING_ASYNC_CANCEL_USERDATA = 16, IORING_ASYNC_CANCEL_OP = 32
};

/* ---- grants and limits: assembly/abi/request.ts ---- */

enum { WASM_URING_READ = 1, WASM_URING_WRITE = 2 };
enum {
  WASM_URING_FILE = 1, WASM_URING_BLOCK_DEVICE = 2, WASM_URING_CHARACTER_DEVICE = 3,
  WASM_URING_PIPE = 4, WASM_URING_SOCKET = 5, WASM_URING_EVENTFD = 6, WASM_URING_TIMERFD = 7
};

struct wasm_uring_grant {
  uint64_t size_bytes;      /* when it was granted; 0 for streams */
  uint32_t access;          /* WASM_URING_READ | WASM_URING_WRITE */
  uint32_t kind;            /* WASM_URING_FILE ... */
  uint32_t alignment;  /* of addresses, offsets and lengths; 1 unless O_DIRECT */
  uint32_t reserved;
};

struct wasm_uring_limits {
  uint32_t abi_version;
  uint32_t page_size;
  uint32_t sq_entries; /* recommended */
  uint32_t sq_entries_max;
  uint32_t arena_length_max;
  uint32_t sqe_flags_allowed;
  uint32_t sqe_flags_required;
  uint32_t grants; /* slots 0 .. grants-1 are filled */
  uint64_t opcodes; /* bit N: opcode N is allowed */
};

struct wasm_uring_request {
  uint32_t abi_version, sq_entries, cq_entries, ring_offset, ring_length, sqes_offset, sqes_length;
  uint32_t arena_offset, arena_length, flags;
  /* the host's reply */
  uint32_t mode, sq_head, sq_tail, sq_flags, sq_dropped, sq_array, sqes, cq_head, cq_tail;
  uint32_t cq_overflow, cq_flags, cqes, sq_entries_actual, cq_entries_actual;
};

enum {
  WASM_URING_SQPOLL = 1, WASM_URING_DEFER_TASKRUN = 2, WASM_URING_MAPPED = 4,
  WASM_URING_MIRRORED = 8, WASM_URING_EMULATED = 16
};

_Static_assert(sizeof(struct wasm_uring_grant) == 24, "as GrantInfo");
_Static_assert(sizeof(struct wasm_uring_limits) == 40, "as Limits");
_Static_assert(sizeof(struct wasm_uring_request) == 96, "as SetupRequest");

/* The slot of the grant of this name and what is known of it (info may be NULL); -URING_ENOENT when there is none. */
WASM_URING_FUNCTION int32_t wasm_uring_grant(const char *name, struct wasm_uring_grant *info) {
  uint32_t length = 0;
  while (name[length] != 0) length++;
  return wasm_uring_import_grant(name, length, info);
}

/* ---- the ring ---- */

struct io_uring {
  uint32_t mode; /* WASM_URING_SQPOLL ... */
  uint32_t sq_entries, cq_entries;
  uint32_t enter_calls; /* calls out of the sandbox so far */
  uint8_t *arena;
  size_t arena_bytes, arena_used;

  uint32_t *sq_khead, *sq_ktail, *sq_kflags, *cq_khead, *cq_ktail;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
  uint32_t sqe_tail;      /* handed out by io_uring_get_sqe */
  uint32_t sqe_published; /* the kernel may see them */
  uint32_t sqe_submitted; /* enter has taken them */
  uint32_t cqe_head;
};

#ifdef __wasm_atomics__
/* Pairs with the kernel's load-acquire/store-release of the same words (io_uring/io_uring.c). */
#define WASM_URING_LOAD(pointer) __atomic_load_n((pointer), __ATOMIC_SEQ_CST)
#define WASM_URING_STORE(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_SEQ_CST)
#define WASM_URING_HAS_ATOMICS 1
#else
#define WASM_URING_BARRIER() __asm__ volatile("" ::: "memory")
WASM_URING_INLINE uint32_t wasm_uring_load(const uint32_t *pointer) {
  uint32_t value = *(const volatile uint32_t *)pointer;
  WASM_URING_BARRIER();
  return value;
}
WASM_URING_INLINE void wasm_uring_store(uint32_t *pointer, uint32_t value) {
  WASM_URING_BARRIER();
  *(volatile uint32_t *)pointer = value;
}
#define WASM_URING_LOAD(pointer) wasm_uring_load(pointer)
#define WASM_URING_STORE(pointer, value) wasm_uring_store((pointer), (value))
#define WASM_URING_HAS_ATOMICS 0
#endif

WASM_URING_INLINE size_t wasm_uring_align(size_t value, size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

/* Header, CQEs and SQ array (kernels before 6.6 have one): io_uring/io_uring.c, rings_size(). */
WASM_URING_INLINE size_t wasm_uring_ring_bytes(uint32_t sq_entries, uint32_t cq_entries) {
  return wasm_uring_align(64 + (size_t)cq_entries * 16, 64) + (size_t)sq_entries * 4;
}

WASM_URING_INLINE uint32_t wasm_uring_page_size(void) {
  struct wasm_uring_limits limits;
  return wasm_uring_import_query(&limits) < 0 ? 65536 : limits.page_size;
}

/* Bytes that wasm_uring_queue_init_mem needs. `entries` is a power of two. */
WASM_URING_FUNCTION size_t wasm_uring_mem_bytes(uint32_t entries, size_t arena_bytes) {
  size_t page = wasm_uring_page_size();
  return wasm_uring_align(wasm_uring_ring_bytes(entries, entries * 2), page) +
         wasm_uring_align((size_t)entries * 64, page) + wasm_uring_align(arena_bytes, page) + page;
}

/*
 * Has the host build the ring in `memory`, which must stay as it is as long as the guest lives. 0 or a negated Linux errno;
 * the reason, in words, goes to the embedder.
 */
WASM_URING_FUNCTION int32_t wasm_uring_queue_init_mem(uint32_t entries, struct io_uring *ring,
                                                      size_t arena_bytes, void *memory,
                                                      size_t memory_bytes) {
  if (memory_bytes < wasm_uring_mem_bytes(entries, arena_bytes)) return -URING_EINVAL;
  size_t page = wasm_uring_page_size();
  size_t start = wasm_uring_align((size_t)memory, page);
  struct wasm_uring_request request;
  __builtin_memset(&request, 0, sizeof(request));
  request.abi_version = WASM_URING_ABI_VERSION;
  request.sq_entries = entries;
  request.cq_entries = entries * 2;
  request.ring_offset = (uint32_t)start;
  request.ring_length =
      (uint32_t)wasm_uring_align(wasm_uring_ring_bytes(entries, entries * 2), page);
  request.sqes_offset = request.ring_offset + request.ring_length;
  request.sqes_length = (uint32_t)wasm_uring_align((size_t)entries * 64, page);
  request.arena_offset = request.sqes_offset + request.sqes_length;
  request.arena_length = (uint32_t)wasm_uring_align(arena_bytes, page);
  int32_t result = wasm_uring_import_setup(&request);
  if (result < 0) return result;

  ring->mode = request.mode;
  ring->sq_entries = request.sq_entries_actual;
  ring->cq_entries = request.cq_entries_actual;
  ring->enter_calls = 0;
  ring->arena = (uint8_t *)(size_t)request.arena_offset;
  ring->arena_bytes = request.arena_length;
  ring->arena_used = 0;
  ring->sq_khead = (uint32_t *)(size_t)request.sq_head;
  ring->sq_ktail = (uint32_t *)(size_t)request.sq_tail;
  ring->sq_kflags = (uint32_t *)(size_t)request.sq_flags;
  ring->cq_khead = (uint32_t *)(size_t)request.cq_head;
  ring->cq_ktail = (uint32_t *)(size_t)request.cq_tail;
  ring->sqes = (struct io_uring_sqe *)(size_t)request.sqes;
  ring->cqes = (struct io_uring_cqe *)(size_t)request.cqes;
  /* The host's self-test moved the indices: begin where they are. */
  ring->sqe_tail = ring->sqe_published = ring->sqe_submitted = WASM_URING_LOAD(ring->sq_ktail);
  ring->cqe_head = WASM_URING_LOAD(ring->cq_khead);
  if (request.sq_array != 0) {
    uint32_t *array = (uint32_t *)(size_t)request.sq_array;
    for (uint32_t index = 0; index < ring->sq_entries; index++) array[index] = index;
  }
  return 0;
}

#ifndef WASM_URING_NO_LIBC
/*
 * A ring of `entries` SQEs (a power of two; 0 takes what the host recommends) and an arena of `arena_bytes`, rounded up to
 * pages, in memory of its own. 0 or a negated Linux errno.
 */
WASM_URING_FUNCTION int32_t wasm_uring_queue_init(uint32_t entries, struct io_uring *ring,
                                                  size_t arena_bytes) {
  struct wasm_uring_limits limits;
  int32_t result = wasm_uring_import_query(&limits);
  if (result < 0) return result;
  if (entries == 0) entries = limits.sq_entries;
  if (entries > limits.sq_entries_max || arena_bytes > limits.arena_length_max) return -URING_EINVAL;
  size_t bytes = wasm_uring_align(wasm_uring_mem_bytes(entries, arena_bytes), limits.page_size);
  void *memory = aligned_alloc(limits.page_size, bytes);
  if (memory == NULL) return -URING_ENOMEM;
  result = wasm_uring_queue_init_mem(entries, ring, arena_bytes, memory, bytes);
  if (result < 0) free(memory);
  return result;
}
#endif

/* A buffer of the arena, aligned for O_DIRECT; NULL when it is used up. Never freed by itself. */
WASM_URING_FUNCTION void *wasm_uring_arena_alloc(struct io_uring *ring, size_t bytes) {
  size_t start = wasm_uring_align(ring->arena_used, 4096);
  if (start > ring->arena_bytes || bytes > ring->arena_bytes - start) return NULL;
  ring->arena_used = start + bytes;
  return ring->arena + start;
}

/*
 * Registers whole pages of memory beside the arena as fixed buffer `index`, 1 to 15, each once: what io_uring_prep_read_fixed
 * and io_uring_prep_write_fixed then take as buf_index. 0 or a negated Linux errno.
 */
WASM_URING_INLINE int32_t wasm_uring_add_arena(void *memory, uint32_t bytes, uint32_t index) {
  return wasm_uring_import_arena(memory, bytes, index);
}

/*
 * The id of credentials that the embedder registered under this name, for the `personality` of an SQE; -URING_ENOENT when
 * there are none, -URING_EBADF before there is a ring.
 */
WASM_URING_FUNCTION int32_t wasm_uring_personality(const char *name) {
  uint32_t length = 0;
  while (name[length] != 0) length++;
  return wasm_uring_import_personality(name, length);
}

/* ---- submission ---- */

WASM_URING_INLINE unsigned io_uring_sq_ready(const struct io_uring *ring) {
  return ring->sqe_tail - WASM_URING_LOAD(ring->sq_khead);
}

WASM_URING_INLINE unsigned io_uring_sq_space_left(const struct io_uring *ring) {
  return ring->sq_entries - io_uring_sq_ready(ring);
}

/* A free SQE for one of the io_uring_prep_ functions, or NULL when the queue is full: submit, then try again. */
WASM_URING_INLINE struct io_uring_sqe *io_uring_get_sqe(struct io_uring *ring) {
  if (io_uring_sq_space_left(ring) == 0) return NULL;
  return &ring->sqes[ring->sqe_tail++ & (ring->sq_entries - 1)];
}

WASM_URING_INLINE unsigned io_uring_cq_ready(const struct io_uring *ring) {
  return WASM_URING_LOAD(ring->cq_ktail) - ring->cqe_head;
}

WASM_URING_INLINE int wasm_uring_cq_has_overflow(const struct io_uring *ring) {
  return (WASM_URING_LOAD(ring->sq_kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
}

/* Looks at the CQ this often before a call is spent on waiting for what a kernel thread does: some 20 µs. */
#define WASM_URING_SPIN_LOOKS 4096

WASM_URING_FUNCTION int32_t wasm_uring_submit_polled(struct io_uring *ring, uint32_t count,
                                                     unsigned wait_nr, int32_t timeout_us) {
  uint32_t flags = 0;
  ring->sqe_submitted = ring->sqe_published;
  /* The kernel thread sets NEED_WAKEUP, issues a full barrier and looks at the tail once more before it sleeps. */
  if (!WASM_URING_HAS_ATOMICS || (WASM_URING_LOAD(ring->sq_kflags) & IORING_SQ_NEED_WAKEUP) != 0)
    flags |= IORING_ENTER_SQ_WAKEUP;
  if (flags == 0) {
    for (int look = 0; look < WASM_URING_SPIN_LOOKS && io_uring_cq_ready(ring) < wait_nr; look++) {
    }
  }
  if (wait_nr != 0 && io_uring_cq_ready(ring) < wait_nr) flags |= IORING_ENTER_GETEVENTS;
  if (flags == 0) return (int32_t)count;
  ring->enter_calls++;
  int32_t result = wasm_uring_import_enter(
      count, (flags & IORING_ENTER_GETEVENTS) != 0 ? wait_nr : 0, flags, timeout_us);
  return result < 0 ? result : (int32_t)count;
}

/*
 * Hands over everything prepared and waits for `wait_nr` completions, at most `timeout_us` (-1: without end). SQEs handed
 * over, or a negated Linux errno: -URING_ETIME when the wait ran out.
 */
WASM_URING_FUNCTION int32_t wasm_uring_submit_and_wait_us(struct io_uring *ring, unsigned wait_nr,
                                                          int32_t timeout_us) {
  if (ring->sqe_published != ring->sqe_tail) {
    ring->sqe_published = ring->sqe_tail;
    WASM_URING_STORE(ring->sq_ktail, ring->sqe_tail);
  }
  uint32_t count = ring->sqe_published - ring->sqe_submitted;
  if ((ring->mode & WASM_URING_SQPOLL) != 0)
    return wasm_uring_submit_polled(ring, count, wait_nr, timeout_us);
  if (count == 0 && wait_nr != 0 && io_uring_cq_ready(ring) >= wait_nr) return 0;
  ring->enter_calls++;
  int32_t result = wasm_uring_import_enter(count, wait_nr, wait_nr != 0 ? IORING_ENTER_GETEVENTS : 0,
                                           timeout_us);
  if (result > 0) ring->sqe_submitted += (uint32_t)result;
  return result;
}

WASM_URING_INLINE int io_uring_submit(struct io_uring *ring) {
  return wasm_uring_submit_and_wait_us(ring, 0, 0);
}

WASM_URING_INLINE int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr) {
  return wasm_uring_submit_and_wait_us(ring, wait_nr, -1);
}

/* ---- completion ---- */

/* Has what is complete posted, without waiting; also what found no room in the CQ. 0 or a negated Linux errno. */
WASM_URING_INLINE int io_uring_get_events(struct io_uring *ring) {
  ring->enter_calls++;
  int32_t result = wasm_uring_import_enter(0, 0, IORING_ENTER_GETEVENTS, 0);
  return result < 0 ? result : 0;
}

/* The oldest completion that is there: 0, or -URING_EAGAIN. Valid until io_uring_cqe_seen. */
WASM_URING_INLINE int io_uring_peek_cqe(struct io_uring *ring, struct io_uring_cqe **cqe) {
  if (io_uring_cq_ready(ring) == 0) {
    *cqe = NULL;
    return -URING_EAGAIN;
  }
  *cqe = &ring->cqes[ring->cqe_head & (ring->cq_entries - 1)];
  return 0;
}

WASM_URING_FUNCTION int wasm_uring_wait_cqe_us(struct io_uring *ring, struct io_uring_cqe **cqe,
                                               int32_t timeout_us) {
  if (io_uring_peek_cqe(ring, cqe) == 0) return 0;
  if (wasm_uring_cq_has_overflow(ring)) io_uring_get_events(ring);
  int32_t result = wasm_uring_submit_and_wait_us(ring, 1, timeout_us);
  if (io_uring_peek_cqe(ring, cqe) == 0) return 0;
  return result < 0 ? result : -URING_EAGAIN;
}

/* The oldest completion, waiting for it. Unlike liburing's it also hands over what is prepared. */
WASM_URING_INLINE int io_uring_wait_cqe(struct io_uring *ring, struct io_uring_cqe **cqe) {
  return wasm_uring_wait_cqe_us(ring, cqe, -1);
}

/* Waits at most the given time, in microseconds' precision and at most some 35 minutes; -URING_ETIME when it ran out. */
WASM_URING_FUNCTION int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                                  const struct __kernel_timespec *ts) {
  if (ts == NULL) return io_uring_wait_cqe(ring, cqe);
  if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec > 999999999) return -URING_EINVAL;
  int64_t limit = 0x7fffffff;
  int64_t timeout_us =
      ts->tv_sec > limit / 1000000 ? limit : ts->tv_sec * 1000000 + (ts->tv_nsec + 999) / 1000;
  return wasm_uring_wait_cqe_us(ring, cqe, (int32_t)(timeout_us > limit ? limit : timeout_us));
}

/* Gives `nr` completions back to the kernel. */
WASM_URING_INLINE void io_uring_cq_advance(struct io_uring *ring, unsigned nr) {
  ring->cqe_head += nr;
  WASM_URING_STORE(ring->cq_khead, ring->cqe_head);
}

WASM_URING_INLINE void io_uring_cqe_seen(struct io_uring *ring, const struct io_uring_cqe *cqe) {
  if (cqe != NULL) io_uring_cq_advance(ring, 1);
}

/* for every completion that is there: io_uring_for_each_cqe(&ring, head, cqe) { ...; count++; } then io_uring_cq_advance */
#define io_uring_for_each_cqe(ring, head, cqe)                                                     \
  for ((head) = (ring)->cqe_head;                                                                  \
       ((cqe) = (head) != WASM_URING_LOAD((ring)->cq_ktail)                                        \
                    ? &(ring)->cqes[(head) & ((ring)->cq_entries - 1)]                             \
                    : NULL) != NULL;                                                               \
       (head)++)

/* ---- what an SQE says ---- */

WASM_URING_INLINE void io_uring_sqe_set_data(struct io_uring_sqe *sqe, void *data) {
  sqe->user_data = (uint64_t)(size_t)data;
}
WASM_URING_INLINE void *io_uring_cqe_get_data(const struct io_uring_cqe *cqe) {
  return (void *)(size_t)cqe->user_data;
}
WASM_URING_INLINE void io_uring_sqe_set_data64(struct io_uring_sqe *sqe, uint64_t data) {
  sqe->user_data = data;
}
WASM_URING_INLINE uint64_t io_uring_cqe_get_data64(const struct io_uring_cqe *cqe) {
  return cqe->user_data;
}
/* IOSQE_IO_LINK and the like; IOSQE_FIXED_FILE, which every policy requires, stays. */
WASM_URING_INLINE void io_uring_sqe_set_flags(struct io_uring_sqe *sqe, unsigned flags) {
  sqe->flags = (uint8_t)(flags | IOSQE_FIXED_FILE);
}

/* All 64 bytes, so that nothing of the last use remains; user_data becomes 0. */
WASM_URING_INLINE void io_uring_prep_rw(int op, struct io_uring_sqe *sqe, int fd, uint64_t addr,
                                        unsigned len, uint64_t offset) {
  struct io_uring_sqe filled;
  __builtin_memset(&filled, 0, sizeof(filled));
  filled.opcode = (uint8_t)op;
  filled.flags = IOSQE_FIXED_FILE;
  filled.fd = fd;
  filled.off = offset;
  filled.addr = addr;
  filled.len = len;
  *sqe = filled;
}

/* pread(2) into the arena; offset -1 reads at the file's position (streams). */
WASM_URING_INLINE void io_uring_prep_read_fixed(struct io_uring_sqe *sqe, int slot, void *buffer,
                                                unsigned nbytes, uint64_t offset, int buf_index) {
  io_uring_prep_rw(IORING_OP_READ_FIXED, sqe, slot, WASM_URING_ADDRESS_BASE + (size_t)buffer, nbytes,
                   offset);
  sqe->buf_index = (uint16_t)buf_index;
}

/* pwrite(2) from the arena. */
WASM_URING_INLINE void io_uring_prep_write_fixed(struct io_uring_sqe *sqe, int slot,
                                                 const void *buffer, unsigned nbytes,
                                                 uint64_t offset, int buf_index) {
  io_uring_prep_rw(IORING_OP_WRITE_FIXED, sqe, slot, WASM_URING_ADDRESS_BASE + (size_t)buffer,
                   nbytes, offset);
  sqe->buf_index = (uint16_t)buf_index;
}

/* fsync(2), or fdatasync(2) with IORING_FSYNC_DATASYNC. */
WASM_URING_INLINE void io_uring_prep_fsync(struct io_uring_sqe *sqe, int slot, unsigned fsync_flags) {
  io_uring_prep_rw(IORING_OP_FSYNC, sqe, slot, 0, 0, 0);
  sqe->fsync_flags = fsync_flags;
}

/* sync_file_range(2). */
WASM_URING_INLINE void io_uring_prep_sync_file_range(struct io_uring_sqe *sqe, int slot, unsigned len,
                                                     uint64_t offset, int flags) {
  io_uring_prep_rw(IORING_OP_SYNC_FILE_RANGE, sqe, slot, 0, len, offset);
  sqe->sync_range_flags = (uint32_t)flags;
}

/* posix_fadvise(2). */
WASM_URING_INLINE void io_uring_prep_fadvise(struct io_uring_sqe *sqe, int slot, uint64_t offset,
                                             uint32_t len, int advice) {
  io_uring_prep_rw(IORING_OP_FADVISE, sqe, slot, 0, len, offset);
  sqe->fadvise_advice = (uint32_t)advice;
}

/* fallocate(2); the kernel takes the length in addr. */
WASM_URING_INLINE void io_uring_prep_fallocate(struct io_uring_sqe *sqe, int slot, int mode,
                                               uint64_t offset, uint64_t len) {
  io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, slot, len, (unsigned)mode, offset);
}

/* ftruncate(2). */
WASM_URING_INLINE void io_uring_prep_ftruncate(struct io_uring_sqe *sqe, int slot, int64_t len) {
  io_uring_prep_rw(IORING_OP_FTRUNCATE, sqe, slot, 0, 0, (uint64_t)len);
}

/* poll(2), once. */
WASM_URING_INLINE void io_uring_prep_poll_add(struct io_uring_sqe *sqe, int slot, unsigned poll_mask) {
  io_uring_prep_rw(IORING_OP_POLL_ADD, sqe, slot, 0, 0, 0);
  sqe->poll32_events = poll_mask;
}

/* Ends the poll whose user_data is the given one. */
WASM_URING_INLINE void io_uring_prep_poll_remove(struct io_uring_sqe *sqe, uint64_t user_data) {
  io_uring_prep_rw(IORING_OP_POLL_REMOVE, sqe, -1, user_data, 0, 0);
}

/* Ends the operation whose user_data is the given one. */
WASM_URING_INLINE void io_uring_prep_cancel64(struct io_uring_sqe *sqe, uint64_t user_data,
                                              int flags) {
  io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, -1, user_data, 0, 0);
  sqe->cancel_flags = (uint32_t)flags;
}

/* Ends operations on a slot. */
WASM_URING_INLINE void io_uring_prep_cancel_fd(struct io_uring_sqe *sqe, int slot, unsigned flags) {
  io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, slot, 0, 0, 0);
  sqe->cancel_flags = flags | IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;
}

/* shutdown(2): how is 0 (read), 1 (write) or 2 (both). */
WASM_URING_INLINE void io_uring_prep_shutdown(struct io_uring_sqe *sqe, int slot, int how) {
  io_uring_prep_rw(IORING_OP_SHUTDOWN, sqe, slot, 0, (unsigned)how, 0);
}

#ifdef __cplusplus
}
#endif

#endif
