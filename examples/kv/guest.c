/*
 * A small key-value store in C: an append-only log on a granted file, written and read by the guest's own ring, and
 * commands and answers by printf and stdin of wasi-libc. What was answered with "ok" is on stable storage: kill it at any
 * moment, start it again, and it is there.
 *
 *   put KEY VALUE    answered after the commit; consecutive puts and dels are committed together ("group commit")
 *   del KEY
 *   get KEY          the value, or "none"
 *   sync             commits now
 *   count            keys, bytes of log, calls out of the sandbox
 *
 *   wasm-uring run --file log=store.log:rw kv.wasm < commands
 */
#include "guest/index.h"
#include "guest/log.h"

#define LINE_BYTES_MAX (KEY_BYTES_MAX + VALUE_BYTES_MAX + 16)
/* Answers that wait for a commit. */
#define PENDING_MAX 1024

static struct log store;
static struct index keys;
static uint32_t pending;

static void visit(void *context, const uint8_t *key, uint32_t key_bytes, uint64_t value_at,
                  uint32_t value_bytes) {
  (void)context;
  if (!index_set(&keys, key, key_bytes, value_at, value_bytes)) {
    fprintf(stderr, "kv: out of memory\n");
    exit(2);
  }
}

static void fail(const char *what, int32_t result) {
  fprintf(stderr, "kv: %s failed: %s (%d)\n", what, wasm_uring_errno_name(result), result);
  exit(2);
}

/* Makes everything answered so far durable, then says so. */
static void commit(void) {
  if (store.batch_bytes > 0) {
    int32_t result = log_commit(&store);
    if (result < 0) fail("commit", result);
  }
  for (; pending > 0; pending--) puts("ok");
  fflush(stdout);
}

static void change(const char *key, const char *value) {
  uint32_t key_bytes = (uint32_t)strlen(key);
  uint32_t value_bytes = value == NULL ? TOMBSTONE : (uint32_t)strlen(value);
  if (key_bytes == 0 || key_bytes > KEY_BYTES_MAX || (value != NULL && value_bytes > VALUE_BYTES_MAX)) {
    commit();
    puts("error: key or value too long");
    return;
  }
  uint64_t value_at;
  int32_t result = log_append(&store, key, key_bytes, value, value_bytes, &value_at);
  if (result < 0) fail("append", result);
  visit(NULL, (const uint8_t *)key, key_bytes, value_at, value_bytes);
  if (++pending == PENDING_MAX) commit();
}

static void get(const char *key) {
  commit();
  struct entry *entry = index_find(&keys, key, (uint32_t)strlen(key));
  if (entry == NULL) {
    puts("none");
    return;
  }
  /* The batch is empty after a commit: its room serves for the value. */
  int32_t result = log_read(&store, store.batch, entry->value_bytes, entry->value_at);
  if (result != (int32_t)entry->value_bytes) fail("read", result < 0 ? result : -URING_EIO);
  fwrite(store.batch, 1, entry->value_bytes, stdout);
  putchar('\n');
}

static void run(char *line) {
  char *word = strtok(line, " \n");
  char *key = word == NULL ? NULL : strtok(NULL, " \n");
  char *value = key == NULL ? NULL : strtok(NULL, "\n");
  if (word == NULL) return;
  if (strcmp(word, "put") == 0 && key != NULL) change(key, value == NULL ? "" : value);
  else if (strcmp(word, "del") == 0 && key != NULL) change(key, NULL);
  else if (strcmp(word, "get") == 0 && key != NULL) get(key);
  else if (strcmp(word, "sync") == 0) commit();
  else if (strcmp(word, "count") == 0) {
    commit();
    printf("%u keys, %llu bytes, %u calls\n", keys.live, (unsigned long long)store.length,
           store.ring.enter_calls);
  } else {
    commit();
    printf("error: unknown command \"%s\"\n", word);
  }
}

int main(void) {
  struct wasm_uring_grant grant;
  store.slot = wasm_uring_grant("log", &grant);
  if (store.slot < 0) {
    fprintf(stderr, "kv: no grant named \"log\": give one by --file log=PATH:rw\n");
    return 2;
  }
  if (grant.access != (WASM_URING_READ | WASM_URING_WRITE)) {
    fprintf(stderr, "kv: the log must be granted for reading and writing: --file log=PATH:rw\n");
    return 2;
  }
  int32_t result =
      wasm_uring_queue_init(64, &store.ring, BATCH_BYTES + BLOCKS_IN_FLIGHT * BLOCK_BYTES);
  if (result < 0) fail("set-up of the ring", result);
  store.batch = wasm_uring_arena_alloc(&store.ring, BATCH_BYTES);
  store.blocks = wasm_uring_arena_alloc(&store.ring, BLOCKS_IN_FLIGHT * BLOCK_BYTES);
  result = log_recover(&store, grant.size_bytes, visit, NULL);
  if (result < 0) fail("recovery", result);

  static char line[LINE_BYTES_MAX];
  while (fgets(line, sizeof line, stdin) != NULL) run(line);
  commit();
  return 0;
}
