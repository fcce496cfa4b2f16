/* Where each key's newest value lies in the log: a hash table with open addressing, linear probing and tombstones. */
#ifndef KV_INDEX_H
#define KV_INDEX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct entry {
  char *key; /* NULL: never used */
  uint32_t key_bytes;
  uint32_t value_bytes; /* 0xffffffff: deleted */
  uint64_t value_at;
};

struct index {
  struct entry *entries;
  uint32_t capacity; /* a power of two */
  uint32_t used;     /* entries with a key, deleted ones included */
  uint32_t live;
};

static uint32_t hash_bytes(const uint8_t *bytes, uint32_t length) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (uint32_t at = 0; at < length; at++) hash = (hash ^ bytes[at]) * 16777619u;
  return hash ^ (hash >> 15);
}

static struct entry *index_slot(struct entry *entries, uint32_t capacity, const void *key,
                                uint32_t key_bytes) {
  uint32_t at = hash_bytes(key, key_bytes) & (capacity - 1);
  while (entries[at].key != NULL &&
         (entries[at].key_bytes != key_bytes || memcmp(entries[at].key, key, key_bytes) != 0))
    at = (at + 1) & (capacity - 1);
  return &entries[at];
}

/* The key's entry, or NULL when it has none or was deleted. */
static struct entry *index_find(const struct index *index, const void *key, uint32_t key_bytes) {
  if (index->capacity == 0) return NULL;
  struct entry *entry = index_slot(index->entries, index->capacity, key, key_bytes);
  return entry->key == NULL || entry->value_bytes == 0xffffffffu ? NULL : entry;
}

static int index_grow(struct index *index) {
  uint32_t capacity = index->capacity == 0 ? 1024 : index->capacity * 2;
  struct entry *entries = calloc(capacity, sizeof(struct entry));
  if (entries == NULL) return 0;
  for (uint32_t at = 0; at < index->capacity; at++) {
    struct entry *old = &index->entries[at];
    if (old->key != NULL) *index_slot(entries, capacity, old->key, old->key_bytes) = *old;
  }
  free(index->entries);
  index->entries = entries;
  index->capacity = capacity;
  return 1;
}

/* Sets or, with value_bytes 0xffffffff, deletes. 0 when memory is exhausted. */
static int index_set(struct index *index, const void *key, uint32_t key_bytes, uint64_t value_at,
                     uint32_t value_bytes) {
  if (index->used * 4 >= index->capacity * 3 && !index_grow(index)) return 0;
  struct entry *entry = index_slot(index->entries, index->capacity, key, key_bytes);
  int was_live = entry->key != NULL && entry->value_bytes != 0xffffffffu;
  if (entry->key == NULL) {
    entry->key = malloc(key_bytes);
    if (entry->key == NULL) return 0;
    memcpy(entry->key, key, key_bytes);
    entry->key_bytes = key_bytes;
    index->used++;
  }
  entry->value_at = value_at;
  entry->value_bytes = value_bytes;
  index->live += (value_bytes != 0xffffffffu) - was_live;
  return 1;
}
#endif
