/*
 * The least of a shell for SQLite's library: sqlite DATABASE SQL prints every row, with bars between its columns.
 */
#include <stdio.h>

#include "sqlite3.h"

static int print_row(void *unused, int count, char **values, char **names) {
  (void)unused;
  (void)names;
  for (int at = 0; at < count; at++) printf("%s%s", at > 0 ? "|" : "", values[at] != NULL ? values[at] : "");
  putchar('\n');
  return 0;
}

int main(int argc, char **argv) {
  sqlite3 *database = NULL;
  char *message = NULL;
  if (argc != 3) {
    fputs("usage: sqlite DATABASE SQL\n", stderr);
    return 2;
  }
  if (sqlite3_open(argv[1], &database) != SQLITE_OK) {
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(database));
    return 1;
  }
  if (sqlite3_exec(database, argv[2], print_row, NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "sqlite: %s\n", message);
    return 1;
  }
  return sqlite3_close(database) == SQLITE_OK ? 0 : 1;
}
