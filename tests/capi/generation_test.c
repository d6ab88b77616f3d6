/* Audio block after block in C, by the built-in composer, and codes as values. */
#include <math.h>

#include "check.h"
#include "grymsynth.h"

static const char kRequest[] =
    "{\"prompt\": \"calm piano\", \"model\": \"composer\", \"durationSeconds\": 3, \"seed\": 5}";

static int32_t stop_at_once(double fraction, double eta_s, const char* stage, void* calls) {
  (void)fraction, (void)eta_s, (void)stage;
  ++*(int*)calls;
  return 1;
}

static void blocks_are_the_take(grym_engine* engine) {
  grym_result *whole = NULL, *told = NULL;
  grym_audio *take = NULL, *block = NULL;
  grym_generation* generation = NULL;
  int calls = 0;
  int64_t at = 0;
  CHECK_OK(grym_engine_generate_json(engine, kRequest, NULL, NULL, NULL, &whole));
  CHECK_OK(grym_result_audio(whole, &take));
  CHECK_OK(grym_engine_open_generation(engine, kRequest, NULL, &generation));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_generation_finish(generation, &told));
  CHECK(strcmp(grym_last_error_code(), "not_finished") == 0);
  CHECK_STATUS(GRYM_STATUS_CANCELLED, grym_generation_next(generation, stop_at_once, &calls, &block));
  CHECK(calls > 0 && block == NULL);
  for (;;) {
    CHECK_OK(grym_generation_next(generation, NULL, NULL, &block));
    if (!block) break;
    const int64_t frames = grym_audio_frames(block), all = grym_audio_frames(take);
    CHECK(grym_audio_rate_hz(block) == grym_audio_rate_hz(take) && at + frames <= all);
    for (int32_t c = 0; c < grym_audio_channels(block) && at + frames <= all; ++c) {
      CHECK(memcmp(grym_audio_planar(block) + c * frames, grym_audio_planar(take) + c * all + at,
                   (size_t)frames * sizeof(float)) == 0);
    }
    at += frames;
    CHECK_OK(grym_audio_destroy(block));
  }
  CHECK(at == grym_audio_frames(take) && at > 0);
  CHECK_OK(grym_generation_finish(generation, &told));
  CHECK(grym_result_seed(told) == grym_result_seed(whole));
  CHECK_STATUS(GRYM_STATUS_UNIMPLEMENTED, grym_generation_save(generation, "state"));
  CHECK(strcmp(grym_last_error_code(), "no_saved_state") == 0);
  CHECK_OK(grym_result_destroy(told));
  CHECK_OK(grym_result_destroy(whole));
  CHECK_OK(grym_audio_destroy(take));
  CHECK_OK(grym_generation_destroy(generation));
}

struct asked_again {
  grym_generation* generation;
  int calls;
};

static int32_t ask_again(double fraction, double eta_s, const char* stage, void* user_data) {
  struct asked_again* asked = user_data;
  grym_audio* block = NULL;
  grym_result* result = NULL;
  (void)fraction, (void)eta_s, (void)stage;
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_generation_next(asked->generation, NULL, NULL, &block));
  CHECK(strstr(grym_last_error(), "busy") != NULL);
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_generation_save(asked->generation, "state"));
  CHECK(strstr(grym_last_error(), "busy") != NULL);
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_generation_finish(asked->generation, &result));
  CHECK(strstr(grym_last_error(), "busy") != NULL);
  ++asked->calls;
  return 0;
}

static void a_callback_of_its_own_is_refused(grym_engine* engine) {
  struct asked_again asked = {NULL, 0};
  grym_audio* block = NULL;
  CHECK_OK(grym_engine_open_generation(engine, kRequest, NULL, &asked.generation));
  CHECK_OK(grym_generation_next(asked.generation, ask_again, &asked, &block));
  CHECK(asked.calls > 0 && grym_audio_frames(block) > 0);
  CHECK_OK(grym_audio_destroy(block));
  CHECK_OK(grym_generation_next(asked.generation, NULL, NULL, &block));
  CHECK_OK(grym_audio_destroy(block));
  CHECK_OK(grym_generation_destroy(asked.generation));
}

static void it_keeps_the_engine(void) {
  grym_engine* engine = NULL;
  grym_generation* generation = NULL;
  grym_audio* block = NULL;
  CHECK_OK(grym_engine_create(NULL, &engine));
  CHECK_OK(grym_engine_open_generation(engine, kRequest, NULL, &generation));
  CHECK_OK(grym_engine_destroy(engine));
  CHECK_OK(grym_generation_next(generation, NULL, NULL, &block));
  CHECK(grym_audio_frames(block) > 0);
  CHECK_OK(grym_audio_destroy(block));
  CHECK_OK(grym_generation_destroy(generation));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_generation_next(generation, NULL, NULL, &block));
}

static void what_cannot_be(grym_engine* engine) {
  grym_generation* generation = NULL;
  grym_codes* codes = NULL;
  grym_audio* audio = NULL;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_generation(engine, "{\"seed\": \"x\"}", NULL, &generation));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_open_generation(engine, "{\"model\": \"none\"}", NULL, &generation));
  CHECK_STATUS(GRYM_STATUS_UNIMPLEMENTED, grym_engine_resume_generation(engine, "composer", "state", &generation));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_resume_generation(engine, "none", "state", &generation));
  CHECK(generation == NULL);
  CHECK_OK(grym_audio_create(NULL, 1, 100, 16000, &audio));
  CHECK_STATUS(GRYM_STATUS_UNIMPLEMENTED, grym_engine_encode(engine, "composer", audio, NULL, NULL, NULL, &codes));
  CHECK(strcmp(grym_last_error_code(), "not_a_codec") == 0);
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_encode(engine, "none", audio, NULL, NULL, NULL, &codes));
  CHECK_STATUS(GRYM_STATUS_UNIMPLEMENTED, grym_engine_save_model_copy(engine, "composer", "copy", NULL, NULL));
  CHECK(strcmp(grym_last_error_code(), "no_copy") == 0);
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_save_model_copy(engine, "none", "copy", NULL, NULL));
  CHECK_OK(grym_audio_destroy(audio));
}

static void codes_are_values(void) {
  const int32_t values[6] = {1, 2, 3, 4, 5, 6};
  grym_codes* codes = NULL;
  CHECK_OK(grym_codes_create(values, 2, 3, &codes));
  CHECK(grym_codes_books(codes) == 2 && grym_codes_frames(codes) == 3 && grym_codes_frame_rate_hz(codes) == 0);
  CHECK(memcmp(grym_codes_values(codes), values, sizeof values) == 0);
  CHECK_OK(grym_codes_destroy(codes));
  CHECK(grym_codes_values(codes) == NULL && grym_codes_books(codes) == 0);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_codes_create(values, 0, 3, &codes));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_codes_create(values, 2, -1, &codes));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_codes_create(NULL, 2, 1, &codes));
}

int main(void) {
  grym_engine* engine = NULL;
  CHECK_OK(grym_engine_create(NULL, &engine));
  blocks_are_the_take(engine);
  a_callback_of_its_own_is_refused(engine);
  what_cannot_be(engine);
  codes_are_values();
  CHECK_OK(grym_engine_destroy(engine));
  it_keeps_the_engine();
  return check_end();
}
