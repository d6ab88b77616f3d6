/* Checks for the C tests: a failed one prints where and what, and the program ends with 1 when any failed. */
#ifndef GRYM_TESTS_CAPI_CHECK_H
#define GRYM_TESTS_CAPI_CHECK_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures = 0;

#define CHECK(condition)                                                                    \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      ++check_failures;                                                                     \
      printf("%s:%d: not so: %s\n  last error: %s\n", __FILE__, __LINE__, #condition, grym_last_error()); \
    }                                                                                       \
  } while (0)

/* A call that must succeed. */
#define CHECK_OK(call)                                                                            \
  do {                                                                                            \
    const grym_status check_status = (call);                                                      \
    if (check_status != GRYM_STATUS_OK) {                                                         \
      ++check_failures;                                                                           \
      printf("%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, grym_status_name(check_status), grym_last_error()); \
    }                                                                                             \
  } while (0)

/* A call that must answer this status, with words. */
#define CHECK_STATUS(wanted, call)                                                                 \
  do {                                                                                             \
    const grym_status check_status = (call);                                                       \
    if (check_status != (wanted) || grym_last_error()[0] == '\0') {                                \
      ++check_failures;                                                                            \
      printf("%s:%d: %s: want %s, got %s: %s\n", __FILE__, __LINE__, #call, grym_status_name(wanted), \
             grym_status_name(check_status), grym_last_error());                                   \
    }                                                                                              \
  } while (0)

static int check_end(void) {
  if (check_failures) printf("%d checks failed\n", check_failures);
  return check_failures != 0;
}

#endif
