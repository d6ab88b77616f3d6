/* compose_c "PROMPT" [OUT.wav]: text to music from C, with progress and readable errors. */
#include <stdio.h>

#include "grymsynth.h"

static int32_t show_progress(double fraction, double eta_s, const char* stage, void* user_data) {
  (void)user_data;
  (void)eta_s;
  fprintf(stderr, "\r%3.0f %%  %-20s", fraction * 100, stage);
  return 0; /* anything else would cancel */
}

static int fail(void) {
  fprintf(stderr, "\n%s: %s\n", grym_last_error_code(), grym_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "compose_c \"PROMPT\" [OUT.wav]\n");
    return 2;
  }
  const char* path = argc > 2 ? argv[2] : "take.wav";
  grym_engine* engine = NULL;
  if (grym_engine_create(NULL, &engine) != GRYM_STATUS_OK) return fail();

  grym_generate_options options;
  grym_generate_options_init(&options, sizeof options);
  options.prompt = argv[1];
  options.duration_s = 20;
  grym_result* result = NULL;
  grym_audio* audio = NULL;
  int code = 0;
  if (grym_engine_generate(engine, &options, show_progress, NULL, &result) != GRYM_STATUS_OK ||
      grym_result_audio(result, &audio) != GRYM_STATUS_OK || grym_audio_save(audio, path, NULL) != GRYM_STATUS_OK) {
    code = fail();
  } else {
    fprintf(stderr, "\n");
    printf("%s: %.1f s, seed %lld\n", path, (double)grym_audio_frames(audio) / grym_audio_rate_hz(audio),
           (long long)grym_result_seed(result));
  }
  grym_audio_destroy(audio);
  grym_result_destroy(result);
  grym_engine_destroy(engine);
  return code;
}
