#include <stdio.h>

#include "grymsynth.h"

int main(void) {
  grym_engine* engine = NULL;
  grym_generate_options options;
  grym_result* result = NULL;
  if (grym_engine_create(NULL, &engine) != GRYM_STATUS_OK) return 1;
  grym_generate_options_init(&options, sizeof options);
  options.prompt = "house";
  options.duration_s = 2;
  options.seed = 1;
  if (grym_engine_generate(engine, &options, NULL, NULL, &result) != GRYM_STATUS_OK) {
    printf("%s\n", grym_last_error());
    return 2;
  }
  printf("grymsynth %s, seed %lld\n", grym_version(), (long long)grym_result_seed(result));
  grym_result_destroy(result);
  grym_engine_destroy(engine);
  return 0;
}
