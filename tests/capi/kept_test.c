/* Compiled against the header of an earlier release (kept/), run against today's library: an old program goes on
 * working. What it uses must never change its meaning. */
#include GRYM_KEPT_HEADER
#include "check.h"

int main(void) {
  grym_engine_options engine_options;
  grym_engine* engine = NULL;
  CHECK_OK(grym_engine_options_init(&engine_options, sizeof engine_options));
  CHECK(engine_options.struct_size == sizeof engine_options && engine_options.budget_bytes == (int64_t)6 << 30);
  CHECK_OK(grym_engine_create(&engine_options, &engine));
  if (!engine) return check_end();

  grym_enhance_options enhance;
  grym_audio_save_options save;
  grym_workflow_options workflow;
  CHECK_OK(grym_enhance_options_init(&enhance, sizeof enhance));
  CHECK_OK(grym_audio_save_options_init(&save, sizeof save));
  CHECK_OK(grym_workflow_options_init(&workflow, sizeof workflow));

  grym_generate_options options;
  grym_result* result = NULL;
  grym_audio* audio = NULL;
  grym_features* features = NULL;
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  CHECK(options.seed == -1 && options.duration_s == 8);
  options.prompt = "techno";
  options.seed = 5;
  options.duration_s = 4;
  CHECK_OK(grym_engine_generate(engine, &options, NULL, NULL, &result));
  CHECK_OK(grym_result_audio(result, &audio));
  CHECK(grym_audio_frames(audio) > 0);
  CHECK_OK(grym_engine_analyze(engine, audio, NULL, NULL, NULL, &features));
  double channels = 0;
  CHECK_OK(grym_features_number(features, "channels", &channels));
  CHECK(channels == 2);
  CHECK_OK(grym_features_destroy(features));
  CHECK_OK(grym_audio_destroy(audio));
  CHECK_OK(grym_result_destroy(result));
  CHECK_OK(grym_engine_destroy(engine));
  return check_end();
}
