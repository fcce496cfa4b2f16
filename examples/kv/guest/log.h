/*
 * The append-only log of the key-value store, on the guest's own ring: records are appended by WRITE_FIXED with an FSYNC
 * linked behind, so that a record is acknowledged only when it is on stable storage; at start the log is read with several
 * blocks in flight, and a tail that a crash tore is cut off.
 *
 *   record:  | checksum u32 | key bytes u32 | value bytes u32, or TOMBSTONE | key | value |
 *   checksum: CRC-32C of all that follows it
 */
#ifndef KV_LOG_H
#define KV_LOG_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "wasm_uring.h"

#define TOMBSTONE 0xffffffffu
#define HEADER_BYTES 12u
#define KEY_BYTES_MAX 1024u
#define VALUE_BYTES_MAX (64u << 10)
#define RECORD_BYTES_MAX (HEADER_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX)
/* One batch of appended records: what one write and one fsync make durable together. */
#define BATCH_BYTES (256u << 10)
#define BLOCK_BYTES (128u << 10)
#define BLOCKS_IN_FLIGHT 8u

struct log {
  struct io_uring ring;
  int32_t slot;
  uint64_t length; /* bytes of whole records on the file */
  uint8_t *batch;  /* in the arena */
  uint32_t batch_bytes;
  uint8_t *blocks; /* in the arena */
};

/* What a record means to the store. `value` is NULL for a tombstone. */
typedef void (*log_visitor)(void *context, const uint8_t *key, uint32_t key_bytes, uint64_t value_at,
                            uint32_t value_bytes);

/* CRC-32C, a nibble at a time: a table of 64 bytes. */
static uint32_t crc32c(const uint8_t *bytes, uint32_t length) {
  static const uint32_t TABLE[16] = {
      0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
      0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  uint32_t crc = 0xffffffff;
  for (uint32_t index = 0; index < length; index++) {
    crc ^= bytes[index];
    crc = TABLE[crc & 15] ^ (crc >> 4);
    crc = TABLE[crc & 15] ^ (crc >> 4);
  }
  return ~crc;
}

static uint32_t read_u32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return value;
}

/* Waits for one completion; its result. */
static int32_t log_complete(struct log *log, uint64_t *user_data) {
  struct io_uring_cqe *cqe;
  int32_t result = io_uring_wait_cqe(&log->ring, &cqe);
  if (result < 0) return result;
  result = cqe->res;
  if (user_data != NULL) *user_data = cqe->user_data;
  io_uring_cqe_seen(&log->ring, cqe);
  return result;
}

/* Reads `length` bytes at `offset` into the arena; short only at the end of the file. */
static int32_t log_read(struct log *log, uint8_t *buffer, uint32_t length, uint64_t offset) {
  uint32_t done = 0;
  while (done < length) {
    io_uring_prep_read_fixed(io_uring_get_sqe(&log->ring), log->slot, buffer + done, length - done,
                             offset + done, 0);
    int32_t result = log_complete(log, NULL);
    if (result < 0) return result;
    if (result == 0) break;
    done += (uint32_t)result;
  }
  return (int32_t)done;
}

/*
 * Appends what is in the batch and waits until it is durable. A write that was cut short breaks the link: what is left is
 * written again, with its own fsync. 0 or a negated errno, after which the batch counts as not written.
 */
static int32_t log_commit(struct log *log) {
  uint32_t done = 0;
  while (done < log->batch_bytes) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&log->ring);
    io_uring_prep_write_fixed(sqe, log->slot, log->batch + done, log->batch_bytes - done,
                              log->length + done, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
    sqe->user_data = 1;
    sqe = io_uring_get_sqe(&log->ring);
    io_uring_prep_fsync(sqe, log->slot, IORING_FSYNC_DATASYNC);
    sqe->user_data = 2;
    int32_t written = 0, synced = 0;
    for (int seen = 0; seen < 2; seen++) {
      uint64_t which;
      int32_t result = log_complete(log, &which);
      if (which == 1) written = result;
      else synced = result;
    }
    if (written <= 0) return written == 0 ? -URING_EIO : written;
    done += (uint32_t)written;
    if (synced < 0 && synced != -URING_ECANCELED) return synced;
  }
  log->length += log->batch_bytes;
  log->batch_bytes = 0;
  return 0;
}

/* Adds a record to the batch; where its value will lie in the file. Commits first when there is no room. */
static int32_t log_append(struct log *log, const char *key, uint32_t key_bytes, const char *value,
                          uint32_t value_bytes, uint64_t *value_at) {
  uint32_t stored = value == NULL ? 0 : value_bytes;
  uint32_t bytes = HEADER_BYTES + key_bytes + stored;
  if (log->batch_bytes + bytes > BATCH_BYTES) {
    int32_t result = log_commit(log);
    if (result < 0) return result;
  }
  uint8_t *record = log->batch + log->batch_bytes;
  uint32_t header[3] = {0, key_bytes, value == NULL ? TOMBSTONE : value_bytes};
  memcpy(record, header, HEADER_BYTES);
  memcpy(record + HEADER_BYTES, key, key_bytes);
  if (stored > 0) memcpy(record + HEADER_BYTES + key_bytes, value, stored);
  header[0] = crc32c(record + 4, bytes - 4);
  memcpy(record, header, 4);
  *value_at = log->length + log->batch_bytes + HEADER_BYTES + key_bytes;
  log->batch_bytes += bytes;
  return 0;
}

/* Whole, plausible records at the start of [bytes, bytes + length): visits them; how many bytes they take. */
static uint32_t log_parse(const uint8_t *bytes, uint32_t length, uint64_t offset, log_visitor visit,
                          void *context) {
  uint32_t at = 0;
  while (length - at >= HEADER_BYTES) {
    const uint8_t *record = bytes + at;
    uint32_t key_bytes = read_u32(record + 4), value_bytes = read_u32(record + 8);
    uint32_t stored = value_bytes == TOMBSTONE ? 0 : value_bytes;
    if (key_bytes == 0 || key_bytes > KEY_BYTES_MAX || stored > VALUE_BYTES_MAX) break;
    uint32_t record_bytes = HEADER_BYTES + key_bytes + stored;
    if (length - at < record_bytes || crc32c(record + 4, record_bytes - 4) != read_u32(record)) break;
    visit(context, record + HEADER_BYTES, key_bytes, offset + at + HEADER_BYTES + key_bytes,
          value_bytes);
    at += record_bytes;
  }
  return at;
}

/*
 * Reads the whole log, BLOCKS_IN_FLIGHT blocks at a time, and visits its records in order. A record may cross blocks: what
 * is left of one block is carried in front of the next. Cuts a torn tail off. 0 or a negated errno.
 */
static int32_t log_recover(struct log *log, uint64_t file_bytes, log_visitor visit, void *context) {
  static uint8_t work[RECORD_BYTES_MAX + BLOCK_BYTES];
  int32_t results[BLOCKS_IN_FLIGHT];
  uint8_t ready[BLOCKS_IN_FLIGHT] = {0};
  uint64_t blocks = (file_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
  uint64_t started = 0, completed = 0;
  uint32_t carried = 0;
  uint64_t parsed = 0;
  for (uint64_t block = 0; block < blocks; block++) {
    for (; started < blocks && started < block + BLOCKS_IN_FLIGHT; started++) {
      uint32_t place = (uint32_t)(started % BLOCKS_IN_FLIGHT);
      struct io_uring_sqe *sqe = io_uring_get_sqe(&log->ring);
      io_uring_prep_read_fixed(sqe, log->slot, log->blocks + place * BLOCK_BYTES, BLOCK_BYTES,
                               started * BLOCK_BYTES, 0);
      sqe->user_data = place;
    }
    uint32_t place = (uint32_t)(block % BLOCKS_IN_FLIGHT);
    while (!ready[place]) {
      uint64_t which = BLOCKS_IN_FLIGHT;
      int32_t result = log_complete(log, &which);
      if (which >= BLOCKS_IN_FLIGHT) return result;
      completed++;
      results[which] = result;
      ready[which] = 1;
    }
    ready[place] = 0;
    if (results[place] < 0) return results[place];
    uint8_t *bytes = log->blocks + place * BLOCK_BYTES;
    uint64_t left = file_bytes - block * BLOCK_BYTES;
    uint32_t wanted = left < BLOCK_BYTES ? (uint32_t)left : BLOCK_BYTES;
    uint32_t got = (uint32_t)results[place];
    if (got < wanted) {
      int32_t more = log_read(log, bytes + got, wanted - got, block * BLOCK_BYTES + got);
      if (more < 0) return more;
    }
    memcpy(work + carried, bytes, wanted);
    uint32_t length = carried + wanted;
    uint32_t used = log_parse(work, length, parsed, visit, context);
    parsed += used;
    carried = length - used;
    if (carried > RECORD_BYTES_MAX) break; /* no record is that long: the rest is torn */
    memmove(work, work + used, carried);
  }
  /* After a torn record blocks may still be in flight. */
  for (; completed < started; completed++) log_complete(log, NULL);
  log->length = parsed;
  if (parsed == file_bytes) return 0;
  fprintf(stderr, "kv: cutting %llu bytes of a torn record off the log\n",
          (unsigned long long)(file_bytes - parsed));
  io_uring_prep_ftruncate(io_uring_get_sqe(&log->ring), log->slot, (int64_t)parsed);
  return log_complete(log, NULL);
}
#endif
