/*
 * The native twin of examples/load: the same loop over the same ring in C, so that (guest / twin)
 * is what the sandbox costs and nothing else. Same set-up flags as host/ring/mapped/create.ts but
 * NO_MMAP and restrictions, same offsets (xorshift64*, same seed), same batches, same sampling of
 * the clock, same histogram, same line of JSON. Raw system calls only: no liburing, and no
 * constants newer than Linux 5.10's headers.
 *
 *   cc -O2 -o load load.c
 *   ./load --file F --rw randread|randwrite|read|write --bs BYTES --iodepth N --runtime S
 *          [--ramp-time S] [--direct] [--sqpoll MS] [--iopoll] [--flags none|coop|single|defer]
 *          [--wait plain|timeout]
 *
 * --flags compares set-up flags, --wait timeout passes a 50 ms timeout to every wait as the host
 * does for guests.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SETUP_SUBMIT_ALL (1u << 7)
#define SETUP_COOP_TASKRUN (1u << 8)
#define SETUP_SINGLE_ISSUER (1u << 12)
#define SETUP_DEFER_TASKRUN (1u << 13)
#define SETUP_NO_SQARRAY (1u << 16)
#define ENTER_EXT_ARG (1u << 3)
#define ENTER_REGISTERED_RING (1u << 4)
#define REGISTER_FILES2 13
#define REGISTER_IOWQ_MAX_WORKERS 19
#define REGISTER_RING_FDS 20
#define RSRC_SPARSE 1u

/* As examples/load/loop.ts, histogram.ts, offsets.ts, guest.ts and host/abi.ts. */
#define STAMP_SPACING_NS 30000ull
#define STRIDE_MAX 64u
#define SPIN_LOOKS (1u << 20)
#define SUB_BITS 6
#define BUCKETS ((42 - SUB_BITS + 1) << SUB_BITS)
#define SEED 0x9e3779b97f4a7c15ull
#define ENTRIES_MIN 64u
#define FILE_SLOTS 64
#define WAIT_SLICE_NS 50000000ll

struct options {
	const char *file, *rw, *flags;
	uint32_t bs, iodepth, sqpoll_ms;
	double runtime_s, ramp_s;
	int direct, sqpoll, iopoll, timed_waits;
};

struct ring {
	int fd, enter_fd;
	uint32_t enter_flags, setup_flags;
	_Atomic uint32_t *sq_head, *sq_tail, *sq_flags, *cq_head, *cq_tail;
	uint32_t sq_entries, sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	uint32_t prepared, published, submitted, cq_head_local;
	int polled;
	uint64_t calls;
	struct { uint64_t sigmask; uint32_t size, pad; uint64_t ts; } wait;
	struct { int64_t sec, nsec; } timeout;
};

struct histogram {
	uint32_t counts[BUCKETS];
	uint64_t samples, max_ns;
};

static struct histogram histogram;

/* Exit code 3: the message is for the user, as is. */
static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(3);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* ---- histogram ---- */

static inline void histogram_add(uint64_t ns)
{
	uint32_t bucket = ns;
	if (ns >= 1u << SUB_BITS) {
		uint32_t exponent = 63 - __builtin_clzll(ns);
		bucket = ((exponent - SUB_BITS) << SUB_BITS) + (uint32_t)(ns >> (exponent - SUB_BITS));
		if (bucket >= BUCKETS)
			bucket = BUCKETS - 1;
	}
	histogram.counts[bucket]++;
	histogram.samples++;
	if (ns > histogram.max_ns)
		histogram.max_ns = ns;
}

static double middle_ns(uint32_t bucket)
{
	if (bucket < 2u << SUB_BITS)
		return bucket;
	uint32_t shift = (bucket >> SUB_BITS) - 1;
	return (double)((uint64_t)(bucket - (shift << SUB_BITS)) << shift) + (double)(1ull << shift) / 2;
}

static double percentile_us(double fraction)
{
	double wanted = fraction * histogram.samples;
	uint64_t seen = 0;
	for (uint32_t bucket = 0; bucket < BUCKETS && histogram.samples > 0; bucket++) {
		seen += histogram.counts[bucket];
		if (seen > 0 && seen >= wanted) {
			double ns = middle_ns(bucket);
			return (ns < histogram.max_ns ? ns : histogram.max_ns) / 1000;
		}
	}
	return histogram.max_ns / 1000.0;
}

/* ---- ring ---- */

static int ring_register(int fd, unsigned opcode, void *argument, unsigned count)
{
	return syscall(SYS_io_uring_register, fd, opcode, argument, count);
}

static uint32_t wanted_flags(const struct options *options)
{
	if (options->sqpoll || !strcmp(options->flags, "none"))
		return 0;
	if (!strcmp(options->flags, "coop"))
		return SETUP_COOP_TASKRUN;
	if (!strcmp(options->flags, "single"))
		return SETUP_SINGLE_ISSUER;
	if (!strcmp(options->flags, "defer"))
		return SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN;
	fprintf(stderr, "unknown --flags %s: use none, coop, single or defer\n", options->flags);
	exit(2);
}

/* Drops what this kernel does not know, newest first, as the host does. */
static int ring_create(struct ring *ring, struct io_uring_params *params, const struct options *options)
{
	uint32_t entries = ENTRIES_MIN, optional[] = { SETUP_NO_SQARRAY, wanted_flags(options), SETUP_SUBMIT_ALL };
	int fd = -1;
	while (entries < options->iodepth)
		entries *= 2;
	for (unsigned dropped = 0; dropped <= 3 && fd < 0; dropped++) {
		memset(params, 0, sizeof(*params));
		params->cq_entries = entries * 2;
		params->flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE;
		if (options->sqpoll) {
			params->flags |= IORING_SETUP_SQPOLL;
			params->sq_thread_idle = options->sqpoll_ms;
		}
		if (options->iopoll)
			params->flags |= IORING_SETUP_IOPOLL;
		for (unsigned index = dropped; index < 3; index++)
			params->flags |= optional[index];
		fd = syscall(SYS_io_uring_setup, entries, params);
		if (fd < 0 && errno != EINVAL)
			break;
	}
	if (fd < 0)
		fail("io_uring_setup");
	ring->setup_flags = params->flags;
	ring->polled = options->sqpoll;
	return fd;
}

static void ring_map(struct ring *ring, const struct io_uring_params *params)
{
	size_t sq_bytes = params->sq_off.array + params->sq_entries * 4;
	size_t cq_bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	int map = MAP_SHARED | MAP_POPULATE, access = PROT_READ | PROT_WRITE;
	char *base = mmap(NULL, sq_bytes > cq_bytes ? sq_bytes : cq_bytes, access, map, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, params->sq_entries * sizeof(struct io_uring_sqe), access, map, ring->fd, IORING_OFF_SQES);
	if (base == MAP_FAILED || ring->sqes == MAP_FAILED)
		fail("mmap of the ring");
	ring->sq_head = (void *)(base + params->sq_off.head);
	ring->sq_tail = (void *)(base + params->sq_off.tail);
	ring->sq_flags = (void *)(base + params->sq_off.flags);
	ring->cq_head = (void *)(base + params->cq_off.head);
	ring->cq_tail = (void *)(base + params->cq_off.tail);
	ring->cqes = (void *)(base + params->cq_off.cqes);
	ring->sq_entries = params->sq_entries;
	ring->sq_mask = params->sq_entries - 1;
	ring->cq_mask = params->cq_entries - 1;
	if (!(params->flags & SETUP_NO_SQARRAY))
		for (uint32_t index = 0; index < params->sq_entries; index++)
			((uint32_t *)(base + params->sq_off.array))[index] = index;
}

static void ring_setup(struct ring *ring, const struct options *options, int file, void *arena, size_t arena_bytes)
{
	struct io_uring_params params;
	ring->fd = ring_create(ring, &params, options);
	ring_map(ring, &params);

	struct { uint32_t nr, flags; uint64_t resv, data, tags; } table = { FILE_SLOTS, RSRC_SPARSE, 0, 0, 0 };
	struct { uint32_t offset, resv; uint64_t fds; } files = { 0, 0, (uint64_t)(uintptr_t)&file };
	struct { uint64_t base, length; } window = { (uint64_t)(uintptr_t)arena, arena_bytes };
	struct { uint32_t offset, resv; uint64_t data; } self = { 0xffffffffu, 0, ring->fd };
	uint32_t workers[2] = { 2, 2 };
	if (ring_register(ring->fd, REGISTER_FILES2, &table, sizeof(table)) < 0)
		fail("registering a sparse file table");
	if (ring_register(ring->fd, IORING_REGISTER_FILES_UPDATE, &files, 1) != 1)
		fail("registering the file");
	if (ring_register(ring->fd, IORING_REGISTER_BUFFERS, &window, 1) < 0)
		fail("registering the buffer (ENOMEM: see ulimit -l)");
	ring_register(ring->fd, REGISTER_IOWQ_MAX_WORKERS, workers, 2);
	ring->enter_fd = ring->fd;
	if (ring_register(ring->fd, REGISTER_RING_FDS, &self, 1) == 1) {
		ring->enter_fd = self.offset;
		ring->enter_flags = ENTER_REGISTERED_RING;
	}
	if (ring_register(ring->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		fail("enabling the ring");
	ring->timeout.nsec = WAIT_SLICE_NS;
	ring->wait.ts = (uint64_t)(uintptr_t)&ring->timeout;
	if (options->timed_waits)
		ring->enter_flags |= ENTER_EXT_ARG;
}

static inline struct io_uring_sqe *ring_get_sqe(struct ring *ring)
{
	if (ring->prepared - atomic_load_explicit(ring->sq_head, memory_order_acquire) == ring->sq_entries)
		return NULL;
	return &ring->sqes[ring->prepared++ & ring->sq_mask];
}

static inline uint32_t ring_ready(struct ring *ring)
{
	return atomic_load_explicit(ring->cq_tail, memory_order_acquire) - ring->cq_head_local;
}

static int ring_enter(struct ring *ring, uint32_t submit, uint32_t complete, uint32_t flags)
{
	int timed = (ring->enter_flags & ENTER_EXT_ARG) && (flags & IORING_ENTER_GETEVENTS);
	ring->calls++;
	flags |= ring->enter_flags & ENTER_REGISTERED_RING;
	return syscall(SYS_io_uring_enter, ring->enter_fd, submit, complete, timed ? flags | ENTER_EXT_ARG : flags,
		       timed ? &ring->wait : NULL, timed ? sizeof(ring->wait) : 0);
}

static int ring_submit_and_wait(struct ring *ring, uint32_t complete)
{
	if (ring->published != ring->prepared) {
		ring->published = ring->prepared;
		if (ring->polled) /* the load of the flags below must not pass it */
			atomic_store_explicit(ring->sq_tail, ring->prepared, memory_order_seq_cst);
		else
			atomic_store_explicit(ring->sq_tail, ring->prepared, memory_order_release);
	}
	uint32_t count = ring->published - ring->submitted, flags = 0;
	if (ring->polled) {
		ring->submitted = ring->published;
		if (atomic_load(ring->sq_flags) & IORING_SQ_NEED_WAKEUP)
			flags |= IORING_ENTER_SQ_WAKEUP;
		if (complete != 0 && ring_ready(ring) < complete)
			flags |= IORING_ENTER_GETEVENTS;
		return flags == 0 ? (int)count : ring_enter(ring, count, flags & IORING_ENTER_GETEVENTS ? complete : 0, flags);
	}
	if (count == 0 && complete != 0 && ring_ready(ring) >= complete)
		return 0;
	int result = ring_enter(ring, count, complete, complete != 0 ? IORING_ENTER_GETEVENTS : 0);
	if (result > 0)
		ring->submitted += result;
	return result;
}

static inline void ring_advance(struct ring *ring, uint32_t count)
{
	ring->cq_head_local += count;
	atomic_store_explicit(ring->cq_head, ring->cq_head_local, memory_order_release);
}

/* ---- load ---- */

struct load {
	struct ring ring;
	char *buffers;
	uint64_t *stamps, blocks, next, state;
	uint32_t bs, iodepth;
	int random, opcode;
	uint64_t ios, bytes, elapsed_ns, cpu_ns, calls, errors, shorts;
	int first_errno;
};

static inline uint64_t next_offset(struct load *load)
{
	if (!load->random) {
		uint64_t block = load->next;
		load->next = block + 1 == load->blocks ? 0 : block + 1;
		return block * load->bs;
	}
	uint64_t x = load->state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	load->state = x;
	return (((x * 0x2545f4914f6cdd1dull) >> 32) * load->blocks >> 32) * load->bs;
}

static inline void load_start(struct load *load, uint32_t slot)
{
	struct io_uring_sqe *sqe;
	while ((sqe = ring_get_sqe(&load->ring)) == NULL)
		ring_submit_and_wait(&load->ring, 0);
	uint64_t *words = (uint64_t *)sqe;
	words[0] = (uint64_t)load->opcode | (uint64_t)IOSQE_FIXED_FILE << 8; /* and file slot 0 */
	words[1] = next_offset(load);
	words[2] = (uint64_t)(uintptr_t)(load->buffers + (size_t)slot * load->bs);
	words[3] = load->bs;
	words[4] = slot;
	words[5] = words[6] = words[7] = 0;
}

static int load_failed(struct load *load, int error)
{
	load->errors++;
	if (load->first_errno == 0)
		load->first_errno = error;
	return 0;
}

static inline int hand_over(struct load *load)
{
	struct ring *ring = &load->ring;
	if (ring->polled) {
		if (ring_submit_and_wait(ring, 0) < 0)
			return load_failed(load, errno);
		for (uint32_t looks = SPIN_LOOKS; looks > 0; looks--)
			if (ring_ready(ring) != 0)
				return 1;
	}
	int result;
	do
		result = ring_submit_and_wait(ring, 1);
	while (result < 0 && (errno == EINTR || errno == ETIME));
	return result >= 0 || ring_ready(ring) != 0 || load_failed(load, errno);
}

static void note(struct load *load, int result)
{
	if (result < 0)
		load_failed(load, -result);
	else
		load->shorts++;
	load->bytes -= load->bs - (result < 0 ? 0 : result);
}

static uint32_t stride(uint64_t elapsed_ns, uint64_t batches)
{
	uint64_t fitting = STAMP_SPACING_NS * batches / (elapsed_ns + 1);
	return fitting < 1 ? 1 : fitting > STRIDE_MAX ? STRIDE_MAX : fitting;
}

/* Everything counts from here. Returns the time. */
static uint64_t load_begin(struct load *load)
{
	memset(&histogram, 0, sizeof(histogram));
	load->ios = load->bytes = load->shorts = 0;
	load->calls = load->ring.calls;
	load->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	return clock_ns(CLOCK_MONOTONIC);
}

static void load_run(struct load *load, uint64_t ramp_ns, uint64_t runtime_ns)
{
	int measuring = ramp_ns == 0;
	uint64_t start = load_begin(load), end = start + (measuring ? runtime_ns : ramp_ns), batches = 0;
	uint32_t until_stamp = 1;
	for (uint32_t slot = 0; slot < load->iodepth; slot++) {
		load_start(load, slot);
		load->stamps[slot] = start;
	}
	while (hand_over(load)) {
		uint32_t ready = ring_ready(&load->ring);
		uint64_t now = 0, stamp = 0;
		batches++;
		if (--until_stamp == 0) {
			now = stamp = clock_ns(CLOCK_MONOTONIC);
			if (now >= end) {
				if (measuring)
					break;
				measuring = 1;
				now = stamp = start = load_begin(load);
				end = start + runtime_ns;
				batches = 0;
			}
			until_stamp = stride(now - start, batches);
		}
		for (uint32_t index = 0; index < ready; index++) {
			struct io_uring_cqe *cqe = &load->ring.cqes[(load->ring.cq_head_local + index) & load->ring.cq_mask];
			uint32_t slot = cqe->user_data;
			if (load->stamps[slot] != 0) {
				if (now == 0)
					now = clock_ns(CLOCK_MONOTONIC);
				histogram_add(now - load->stamps[slot]);
			}
			load->stamps[slot] = stamp;
			if (cqe->res != (int)load->bs)
				note(load, cqe->res);
			load_start(load, slot);
		}
		ring_advance(&load->ring, ready);
		load->ios += ready;
	}
	load->elapsed_ns = clock_ns(CLOCK_MONOTONIC) - start;
	load->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - load->cpu_ns;
	load->calls = load->ring.calls - load->calls;
	load->bytes += load->ios * load->bs;
}

static void drain(struct load *load)
{
	uint32_t left = load->iodepth;
	while (left > 0 && hand_over(load)) {
		uint32_t ready = ring_ready(&load->ring);
		ready = ready < left ? ready : left;
		ring_advance(&load->ring, ready);
		left -= ready;
	}
}

/* ---- options ---- */

static struct options parse(int count, char **words)
{
	struct options options = { .rw = "randread", .flags = "coop", .bs = 4096, .iodepth = 1, .runtime_s = 1 };
	for (int index = 1; index < count; index++) {
		const char *name = words[index], *value = index + 1 < count ? words[index + 1] : "";
		if (!strcmp(name, "--direct")) {
			options.direct = 1;
			continue;
		}
		if (!strcmp(name, "--iopoll")) {
			options.iopoll = 1;
			continue;
		}
		index++;
		if (!strcmp(name, "--file"))
			options.file = value;
		else if (!strcmp(name, "--rw"))
			options.rw = value;
		else if (!strcmp(name, "--bs"))
			options.bs = strtoul(value, NULL, 10);
		else if (!strcmp(name, "--iodepth"))
			options.iodepth = strtoul(value, NULL, 10);
		else if (!strcmp(name, "--runtime"))
			options.runtime_s = strtod(value, NULL);
		else if (!strcmp(name, "--ramp-time"))
			options.ramp_s = strtod(value, NULL);
		else if (!strcmp(name, "--sqpoll"))
			options.sqpoll = 1, options.sqpoll_ms = strtoul(value, NULL, 10);
		else if (!strcmp(name, "--flags"))
			options.flags = value;
		else if (!strcmp(name, "--wait"))
			options.timed_waits = !strcmp(value, "timeout");
		else {
			fprintf(stderr, "unknown option %s\n", name);
			exit(2);
		}
	}
	if (options.file == NULL || options.bs == 0 || options.iodepth == 0 || options.iodepth > 32768) {
		fprintf(stderr, "needs --file, and --bs and --iodepth above 0\n");
		exit(2);
	}
	return options;
}

static uint64_t size_of(int file)
{
	struct stat status;
	uint64_t bytes = 0;
	if (fstat(file, &status) < 0)
		fail("fstat");
	if (S_ISBLK(status.st_mode))
		return ioctl(file, BLKGETSIZE64, &bytes) < 0 ? 0 : bytes;
	return status.st_size;
}

int main(int count, char **words)
{
	static struct load load;
	struct options options = parse(count, words);
	int writes = strstr(options.rw, "write") != NULL;
	int file = open(options.file, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | (options.direct ? O_DIRECT : 0));
	if (file < 0)
		fail(options.file);
	size_t arena_bytes = ((size_t)options.bs * options.iodepth + 4095) & ~(size_t)4095;
	load.bs = options.bs;
	load.iodepth = options.iodepth;
	load.blocks = size_of(file) / options.bs;
	if (load.blocks > UINT32_MAX)
		load.blocks = UINT32_MAX;
	if (load.blocks == 0) {
		fprintf(stderr, "%s is smaller than one block\n", options.file);
		return 2;
	}
	load.state = SEED;
	load.random = !strncmp(options.rw, "rand", 4);
	load.opcode = writes ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
	load.stamps = calloc(options.iodepth, sizeof(uint64_t));
	load.buffers = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (load.buffers == MAP_FAILED || load.stamps == NULL)
		fail("allocating buffers");
	uint64_t x = 88172645463325252ull;
	for (size_t at = 0; at < arena_bytes; at += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(load.buffers + at, &x, 8);
	}
	ring_setup(&load.ring, &options, file, load.buffers, arena_bytes);

	load_run(&load, (uint64_t)(options.ramp_s * 1e9), (uint64_t)(options.runtime_s * 1e9));
	drain(&load);
	if (options.iopoll && load.errors > 0 && load.first_errno == EOPNOTSUPP) {
		fprintf(stderr, "%s: its device has no poll queues, or it is not open for O_DIRECT\n", options.file);
		return 3;
	}
	printf("{\"ios\":%llu,\"bytes\":%llu,\"elapsedNs\":%llu,\"cpuNs\":%llu,\"calls\":%llu,\"errors\":%llu,"
	       "\"firstErrno\":%d,\"shorts\":%llu,\"latencyUs\":{\"samples\":%llu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,"
	       "\"p999\":%.3f,\"max\":%.3f},\"setupFlags\":%u}\n",
	       (unsigned long long)load.ios, (unsigned long long)load.bytes, (unsigned long long)load.elapsed_ns,
	       (unsigned long long)load.cpu_ns, (unsigned long long)load.calls, (unsigned long long)load.errors, load.first_errno,
	       (unsigned long long)load.shorts, (unsigned long long)histogram.samples, percentile_us(0.5),
	       percentile_us(0.9), percentile_us(0.99), percentile_us(0.999), histogram.max_ns / 1000.0,
	       load.ring.setup_flags);
	return load.errors > 0 ? 1 : 0;
}
