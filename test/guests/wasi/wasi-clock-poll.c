/* Clocks, waiting, arguments, randomness and the end. */
#include <stdlib.h>

#include "conformance.h"

static __wasi_timestamp_t now(__wasi_clockid_t clock) {
  __wasi_timestamp_t time = 0;
  OK(__wasi_clock_time_get(clock, 1, &time));
  return time;
}

static void monotonic_goes_on(void) {
  __wasi_timestamp_t before = now(__WASI_CLOCKID_MONOTONIC);
  for (int turn = 0; turn < 1000; turn++) {
    __wasi_timestamp_t after = now(__WASI_CLOCKID_MONOTONIC);
    CHECK(after >= before);
    before = after;
  }
}

static void realtime_is_that_of_files(void) {
  __wasi_timestamp_t before = now(__WASI_CLOCKID_REALTIME);
  make_file("file", "");
  __wasi_timestamp_t stamp = stat_of(RW, "file", 0).mtim;
  CHECK(stamp + 1000000000ull > before);
  CHECK(stamp < before + 10000000000ull);
}

static void clocks_run_at_the_same_speed(void) {
  __wasi_timestamp_t mono = now(__WASI_CLOCKID_MONOTONIC), real = now(__WASI_CLOCKID_REALTIME);
  while (now(__WASI_CLOCKID_MONOTONIC) < mono + 20000000) continue;
  int64_t other = (int64_t)(now(__WASI_CLOCKID_REALTIME) - real);
  CHECK(other > 15000000 && other < 500000000);
}

static void resolutions(void) {
  __wasi_timestamp_t resolution = 0;
  for (__wasi_clockid_t clock = __WASI_CLOCKID_REALTIME; clock <= __WASI_CLOCKID_PROCESS_CPUTIME_ID; clock++) {
    OK(__wasi_clock_res_get(clock, &resolution));
    CHECK(resolution > 0 && resolution < 1000000000);
  }
}

static void an_unknown_clock(void) {
  __wasi_timestamp_t time;
  FAILS(__wasi_clock_time_get(17, 1, &time), INVAL);
  FAILS(__wasi_clock_res_get(17, &time), INVAL);
}

static void processor_time_passes(void) {
  __wasi_timestamp_t before = now(__WASI_CLOCKID_PROCESS_CPUTIME_ID);
  volatile uint64_t sum = 0;
  for (int turn = 0; turn < 50000000; turn++) sum += (uint64_t)turn;
  CHECK(sum > 0);
  CHECK(now(__WASI_CLOCKID_PROCESS_CPUTIME_ID) > before);
}

static __wasi_subscription_t clock_after(uint64_t user, __wasi_clockid_t clock, uint64_t ns, int flags) {
  __wasi_subscription_t one = {.userdata = user, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
  one.u.u.clock.id = clock;
  one.u.u.clock.timeout = ns;
  one.u.u.clock.flags = (__wasi_subclockflags_t)flags;
  return one;
}

static __wasi_subscription_t descriptor(uint64_t user, __wasi_fd_t fd, __wasi_eventtype_t type) {
  __wasi_subscription_t one = {.userdata = user, .u = {.tag = type}};
  one.u.u.fd_read.file_descriptor = fd;
  return one;
}

static __wasi_size_t poll(const __wasi_subscription_t *wanted, int count, __wasi_event_t *events) {
  __wasi_size_t told = 0;
  OK(__wasi_poll_oneoff(wanted, events, (__wasi_size_t)count, &told));
  return told;
}

static void waiting_for_time(void) {
  __wasi_event_t event = {0};
  __wasi_timestamp_t before = now(__WASI_CLOCKID_MONOTONIC);
  __wasi_subscription_t wanted = clock_after(0x123456789abcdefull, __WASI_CLOCKID_MONOTONIC, 20000000, 0);
  IS(poll(&wanted, 1, &event), 1);
  CHECK(now(__WASI_CLOCKID_MONOTONIC) - before >= 20000000);
  CHECK(event.userdata == 0x123456789abcdefull);
  IS(event.type, __WASI_EVENTTYPE_CLOCK);
  IS(event.error, 0);
}

static void waiting_until_a_time(void) {
  for (__wasi_clockid_t clock = __WASI_CLOCKID_REALTIME; clock <= __WASI_CLOCKID_MONOTONIC; clock++) {
    __wasi_event_t event = {0};
    __wasi_timestamp_t until = now(clock) + 20000000;
    __wasi_subscription_t wanted = clock_after(1, clock, until, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME);
    IS(poll(&wanted, 1, &event), 1);
    CHECK(now(clock) + 2000000 >= until);
    CHECK(now(clock) < until + 2000000000ull);
  }
}

static void a_time_that_is_over(void) {
  __wasi_event_t event = {0};
  __wasi_subscription_t wanted =
      clock_after(1, __WASI_CLOCKID_MONOTONIC, 1, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME);
  IS(poll(&wanted, 1, &event), 1);
}

static void the_earlier_of_two_times(void) {
  __wasi_event_t events[2] = {{0}};
  const __wasi_subscription_t wanted[] = {clock_after(1, __WASI_CLOCKID_MONOTONIC, 60000000000ull, 0),
                                          clock_after(2, __WASI_CLOCKID_MONOTONIC, 10000000, 0)};
  IS(poll(wanted, 2, events), 1);
  IS(events[0].userdata, 2);
}

static void files_are_always_ready(void) {
  __wasi_event_t events[3] = {{0}};
  make_file("file", "abcdef");
  __wasi_fd_t fd = open_at(RW, "file", 0, BOTH);
  const __wasi_subscription_t wanted[] = {descriptor(1, fd, __WASI_EVENTTYPE_FD_READ),
                                          descriptor(2, fd, __WASI_EVENTTYPE_FD_WRITE),
                                          clock_after(3, __WASI_CLOCKID_MONOTONIC, 60000000000ull, 0)};
  IS(poll(wanted, 3, events), 2);
  IS(events[0].userdata + events[1].userdata, 3);
  IS(events[0].error | events[1].error, 0);
}

static void a_bad_descriptor_is_told_in_its_event(void) {
  __wasi_event_t events[2] = {{0}};
  const __wasi_subscription_t wanted[] = {descriptor(7, 99, __WASI_EVENTTYPE_FD_READ),
                                          clock_after(8, __WASI_CLOCKID_MONOTONIC, 60000000000ull, 0)};
  IS(poll(wanted, 2, events), 1);
  IS(events[0].userdata, 7);
  IS(events[0].error, __WASI_ERRNO_BADF);
}

static void polling_for_nothing(void) {
  __wasi_event_t event;
  __wasi_subscription_t wanted = {0};
  __wasi_size_t told;
  FAILS(__wasi_poll_oneoff(&wanted, &event, 0, &told), INVAL);
}

static void an_unknown_clock_is_told_in_its_event(void) {
  __wasi_event_t event = {0};
  __wasi_subscription_t wanted = clock_after(5, 99, 1, 0);
  IS(poll(&wanted, 1, &event), 1);
  IS(event.error, __WASI_ERRNO_INVAL);
}

static void arguments(void) {
  __wasi_size_t count = 0, bytes = 0;
  OK(__wasi_args_sizes_get(&count, &bytes));
  IS(count, 4);
  uint8_t *list[8];
  uint8_t text[256];
  OK(__wasi_args_get(list, text));
  TEXT((char *)list[1], "arguments");
  TEXT((char *)list[2], "two words");
  TEXT((char *)list[3], "Grüße");
  IS(bytes, list[3] - list[0] + 8);
}

static void environment(void) {
  TEXT(getenv("ONE"), "1");
  TEXT(getenv("EQUALS"), "a=b");
  CHECK(getenv("PATH") == NULL);
}

static void random_bytes(void) {
  uint8_t first[64] = {0}, second[64] = {0};
  OK(__wasi_random_get(first, 64));
  OK(__wasi_random_get(second, 64));
  CHECK(memcmp(first, second, 64) != 0);
  OK(__wasi_random_get(first, 0));
  static uint8_t many[200000];
  OK(__wasi_random_get(many, sizeof many));
  int zeros = 0;
  for (size_t at = sizeof many - 1000; at < sizeof many; at++) zeros += many[at] == 0;
  CHECK(zeros < 100);
}

static void yielding(void) {
  OK(__wasi_sched_yield());
}

static void ends_with_42(void) {
  exit(42);
}

static void ends_with_255(void) {
  __wasi_proc_exit(255);
}

static void ends_by_trap(void) {
  __builtin_trap();
}

RUN_CASES(CASE(monotonic_goes_on), CASE(realtime_is_that_of_files), CASE(clocks_run_at_the_same_speed), CASE(resolutions),
          CASE(an_unknown_clock), CASE(processor_time_passes), CASE(waiting_for_time), CASE(waiting_until_a_time),
          CASE(a_time_that_is_over), CASE(the_earlier_of_two_times), CASE(files_are_always_ready),
          CASE(a_bad_descriptor_is_told_in_its_event), CASE(polling_for_nothing),
          CASE(an_unknown_clock_is_told_in_its_event), CASE(arguments), CASE(environment), CASE(random_bytes),
          CASE(yielding), CASE(ends_with_42), CASE(ends_with_255), CASE(ends_by_trap))
