/**
 * Where node:wasi (Node 24 and 26) does something else than the conformance guests assert, and why
 * we do not follow it. docs/wasi.md tells them in prose.
 */
const RIGHTS =
  "it enforces rights one by one (ENOTCAPABLE); we hold to reading and writing, as wasmtime";
const FAULT =
  "a pointer outside of memory is EOVERFLOW or EINVAL there, EFAULT as in wasmtime here";
const DOTS = 'it lists neither "." nor "..", which readdir(3) promises';
const READ_ONLY = "it has no read-only directories";
const LEXICAL =
  "it resolves paths by their text, so a/.. need not exist and ../rw is the root again";
const NUMBERS = "errno differs; ours is that of Linux and wasmtime";

export const DIFFERENCES: Readonly<Record<string, string>> = {
  "wasi-fd-data/a_reader_may_not_write": RIGHTS,
  "wasi-fd-data/a_writer_may_not_read": RIGHTS,
  "wasi-fd-data/a_directory_is_not_read": RIGHTS,
  "wasi-fd-data/pwrite_of_an_appending_file_goes_to_its_offset":
    "it appends, which is Linux's known deviation from POSIX",
  "wasi-fd-table/a_directory_has_no_position": RIGHTS,
  "wasi-fd-table/a_reader_sets_no_size": RIGHTS,
  "wasi-fd-table/allocating_nothing":
    "it makes the file longer by ftruncate, so zero bytes are fine",
  "wasi-fd-table/preopens_have_names": NUMBERS,
  "wasi-fd-table/a_preopens_name_needs_room": NUMBERS,
  "wasi-fd-table/descriptors_know_their_type":
    "it hands out flags of Linux (O_LARGEFILE) that WASI does not know",
  "wasi-fd-table/flags_are_kept": "as above: flags of Linux are in the answer",
  "wasi-fd-table/times_are_set_to_the_nanosecond": "it sets whole microseconds",
  "wasi-fd-table/times_are_set_to_now": "it sets whole microseconds, so 1 ns becomes 0",
  "wasi-fd-table/opened_numbers_are_bounded":
    "it opens until the host's process has no descriptors left",
  "wasi-readdir/an_empty_directory": DOTS,
  "wasi-readdir/the_parent_of_the_root_is_the_root": DOTS,
  "wasi-readdir/types_and_inodes": `${DOTS}; its inode numbers are 0`,
  "wasi-readdir/small_buffers_lose_nothing": DOTS,
  "wasi-readdir/every_cookie_is_gone_on_from": DOTS,
  "wasi-readdir/from_the_start_new_entries_are_seen": DOTS,
  "wasi-readdir/removing_while_reading":
    "it counts entries anew for every call, and misses half of them when some were removed",
  "wasi-readdir/two_directories_in_turn": DOTS,
  "wasi-readdir/what_is_no_directory": RIGHTS,
  "wasi-path-open/a_file_is_no_directory": LEXICAL,
  "wasi-path-open/a_path_that_leads_out": LEXICAL,
  "wasi-path-open/an_empty_path": NUMBERS,
  "wasi-path-open/a_long_path": LEXICAL,
  "wasi-path-open/a_zero_byte_in_a_path": "it cuts the path off at a zero byte at its end",
  "wasi-path-open/a_path_that_is_not_text": "paths are UTF-8 in WASI; it passes any bytes on",
  "wasi-path-open/links_are_followed_when_asked": "it follows a link that is not to be followed",
  "wasi-path-open/links_that_lead_out":
    "it follows links on the way out of the directory, and creates files there",
  "wasi-path-open/what_is_no_directory_has_no_paths": RIGHTS,
  "wasi-path-open/unknown_flags": "it ignores flags that it does not know",
  "wasi-path-open/a_read_only_directory": READ_ONLY,
  "wasi-path-change/a_dot_is_nobodys_entry": `${LEXICAL}; it removes the preopened directory itself`,
  "wasi-path-change/removing_files": LEXICAL,
  "wasi-path-change/symbolic_links": NUMBERS,
  "wasi-path-change/no_link_to_an_absolute_path": NUMBERS,
  "wasi-path-change/readlink_cuts_off": "it refuses a buffer that is too short (ENOBUFS)",
  "wasi-path-change/times_of_links": "it sets whole microseconds",
  "wasi-path-change/a_hard_link_never_follows": "it follows the link; wasmtime refuses to",
  "wasi-path-change/renaming_leads_nowhere_outside": LEXICAL,
  "wasi-clock-poll/waiting_for_time": "it may wake a little before the time",
  "wasi-clock-poll/waiting_until_a_time": "it waits for an absolute time as if it were a duration",
  "wasi-clock-poll/a_time_that_is_over": "as above, and never ends",
  "wasi-clock-poll/files_are_always_ready":
    "epoll takes no regular files: EPERM for all of the call",
  "wasi-clock-poll/a_bad_descriptor_is_told_in_its_event":
    "it waits for the clock, and does not tell of the descriptor at all",
  "wasi-clock-poll/an_unknown_clock_is_told_in_its_event":
    "it takes any clock for one that it knows",
  "wasi-pointers/vectors_outside": FAULT,
  "wasi-pointers/buffers_outside": FAULT,
  "wasi-pointers/results_of_transfers_outside": FAULT,
  "wasi-pointers/results_of_descriptors_outside": FAULT,
  "wasi-pointers/listings_outside": FAULT,
  "wasi-pointers/paths_outside": FAULT,
  "wasi-pointers/results_of_paths_outside": FAULT,
  "wasi-pointers/polling_outside": FAULT,
  "wasi-pointers/the_rest_outside": FAULT,
  "wasi-pointers/the_last_byte_counts": FAULT,
};

/** Of those, the ones that depend on chance or on the version of Node. */
export const VARYING: ReadonlySet<string> = new Set(["wasi-clock-poll/waiting_for_time"]);

/** Those that never end under node:wasi: each gets a process and little time of its own. */
export const ENDLESS: ReadonlySet<string> = new Set([
  "wasi-clock-poll/waiting_until_a_time",
  "wasi-clock-poll/a_time_that_is_over",
]);
