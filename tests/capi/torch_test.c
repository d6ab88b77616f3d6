/* Checkpoints in C: opened, planned, used to embed, to make audio and to code it.
 * Usage: torch_test [CLAP_FOLDER AUDIOLDM_FOLDER MUSICGEN_FOLDER] */
#include <math.h>

#include "check.h"
#include "grymsynth_torch.h"

#define CHECK_CODE(wanted) CHECK(strcmp(grym_last_error_code(), wanted) == 0)

static grym_engine* new_engine(int32_t registered) {
  grym_engine_options options;
  grym_engine* engine = NULL;
  CHECK_OK(grym_engine_options_init(&options, sizeof options));
  options.cores = 2;
  CHECK_OK(grym_engine_create(&options, &engine));
  if (registered) CHECK_OK(grym_torch_register(engine));
  return engine;
}

static int32_t count_and_go_on(double fraction, double eta_s, const char* stage, void* calls) {
  (void)fraction, (void)eta_s, (void)stage;
  ++*(int*)calls;
  return 0;
}

static int32_t count_and_stop(double fraction, double eta_s, const char* stage, void* calls) {
  count_and_go_on(fraction, eta_s, stage, calls);
  return 1;
}

static int has_model(grym_engine* engine, const char* id) {
  grym_models* models = NULL;
  int found = 0;
  CHECK_OK(grym_engine_models(engine, &models));
  for (size_t i = 0; i < grym_models_count(models); ++i) found += strcmp(grym_models_id(models, i), id) == 0;
  CHECK_OK(grym_models_destroy(models));
  return found;
}

static void options(void) {
  grym_open_model_options options;
  memset(&options, 0x5a, sizeof options);
  CHECK_OK(grym_open_model_options_init(&options, sizeof options));
  CHECK(options.struct_size == sizeof options && options.may_lower_precision == 0 && options.budget_bytes == 0);
  CHECK(options.most_wait_s == 60);
  CHECK(!options.id && !options.device && !options.dtype && !options.component_dtypes_json);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_open_model_options_init(NULL, sizeof options));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_open_model_options_init(&options, 0));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_open_model_options_init(&options, 3));
}

static void not_registered(void) {
  grym_engine* engine = new_engine(0);
  grym_text* id = (grym_text*)&engine;
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_engine_open_model(engine, "/no/such/folder", NULL, &id));
  CHECK_CODE("no_opener");
  CHECK(id == NULL);
  CHECK(strstr(grym_last_error(), "grym_torch_register") != NULL);
  CHECK_OK(grym_engine_destroy(engine));
}

static void what_is_no_engine(void) {
  grym_engine* engine = new_engine(1);
  grym_audio* audio = NULL;
  grym_text* text = NULL;
  grym_generate_options request;
  size_t dims = 7;
  float value = 0;
  CHECK_OK(grym_audio_create(NULL, 1, 100, 16000, &audio));
  CHECK_OK(grym_generate_options_init(&request, sizeof request));
  grym_engine* const wrong[] = {NULL, (grym_engine*)(void*)audio, (grym_engine*)(void*)&value};
  for (size_t i = 0; i < 3; ++i) {
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_torch_register(wrong[i]));
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(wrong[i], "x", NULL, &text));
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_close_model(wrong[i], "x"));
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_plan_json(wrong[i], &request, &text));
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(wrong[i], "x", NULL, NULL, "rain", NULL, 0, &dims));
    CHECK(text == NULL && dims == 0);
  }
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, NULL, NULL, &text));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, "x", NULL, NULL));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_close_model(engine, NULL));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_close_model(engine, "no such"));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_plan_json(engine, &request, NULL));
  request.model = "no such";
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_plan_json(engine, &request, &text));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, NULL, NULL, NULL, "rain", NULL, 0, &dims));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, "x", NULL, NULL, "rain", NULL, 0, NULL));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_embed(engine, "no such", NULL, NULL, "rain", NULL, 0, &dims));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_open_model(engine, "/no/such/folder", NULL, &text));
  CHECK(strstr(grym_last_error(), "/no/such/folder") != NULL);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_add_model_opener(engine, NULL, grym_build()));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_add_model_opener(engine, &value, NULL));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_add_model_opener(engine, &value, "another build"));
  CHECK(strstr(grym_last_error(), "another build") != NULL);
  CHECK_OK(grym_audio_destroy(audio));
  CHECK_OK(grym_engine_destroy(engine));
}

static void bad_options(grym_engine* engine, const char* folder) {
  grym_open_model_options options;
  grym_text* id = NULL;
  CHECK_OK(grym_open_model_options_init(&options, sizeof options));
  options.dtype = "float12";
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  CHECK_CODE("bad_dtype");
  options.dtype = NULL;
  options.device = "toaster";
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  CHECK_CODE("bad_device");
  options.device = "cpu";
  options.budget_bytes = -1;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  CHECK_CODE("bad_budget");
  options.budget_bytes = 0;
  options.component_dtypes_json = "{\"text\": 8}";
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  options.component_dtypes_json = "[";
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  options.component_dtypes_json = NULL;
  options.id = "Not An Id";
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  options.id = NULL;
  options.struct_size = 0;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_open_model(engine, folder, &options, &id));
  CHECK(id == NULL);
}

static void open_as(grym_engine* engine, const char* folder, const char* name) {
  grym_open_model_options options;
  grym_text* id = NULL;
  CHECK_OK(grym_open_model_options_init(&options, sizeof options));
  options.id = name;
  options.device = "cpu";
  CHECK_OK(grym_engine_open_model(engine, folder, &options, &id));
  CHECK(strcmp(grym_text_data(id), name) == 0 && grym_text_size(id) == strlen(name));
  CHECK_OK(grym_text_destroy(id));
  CHECK(has_model(engine, name));
  CHECK_STATUS(GRYM_STATUS_ALREADY_EXISTS, grym_engine_open_model(engine, folder, &options, &id));
  CHECK_CODE("model_exists");
  CHECK(id == NULL);
}

static double length_of(const float* values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += (double)values[i] * values[i];
  return sqrt(sum);
}

static void embed(grym_engine* engine, const char* folder) {
  static float tone[48000];
  float text[1024], again[1024], sound[1024];
  size_t dims = 0;
  grym_audio* audio = NULL;
  grym_text* plan = NULL;
  grym_generate_options request;
  open_as(engine, folder, "ear");
  for (size_t i = 0; i < 48000; ++i) tone[i] = 0.4f * (float)sin(0.0576 * (double)i);
  CHECK_OK(grym_audio_create(tone, 1, 48000, 48000, &audio));

  CHECK_OK(grym_engine_embed(engine, "ear", NULL, NULL, "rain", NULL, 0, &dims));
  CHECK(dims > 1 && dims <= 1024);
  const size_t want = dims;
  if (want < 2 || want > 1024) return;
  dims = 0;
  text[0] = 9;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_embed(engine, "ear", NULL, NULL, "rain", text, want - 1, &dims));
  CHECK(dims == want && text[0] == 9);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, "ear", NULL, NULL, "rain", text, 0, &dims));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, "ear", NULL, NULL, "rain", NULL, want, &dims));
  text[want] = 9;
  CHECK_OK(grym_engine_embed(engine, "ear", NULL, NULL, "rain", text, want, &dims));
  CHECK(dims == want && fabs(length_of(text, want) - 1) < 1e-5 && text[want] == 9);
  CHECK_OK(grym_engine_embed(engine, "ear", NULL, NULL, "rain", again, 1024, &dims));
  CHECK(dims == want && memcmp(text, again, want * sizeof *text) == 0);
  /* A text that is too long is cut, and the call says so. */
  static char wall[100001];
  memset(wall, 'a', 100000);
  for (size_t i = 3; i < 100000; i += 5) wall[i] = i % 2 ? ' ' : '\x1b';
  CHECK(grym_last_warnings()[0] == '\0');
  CHECK_OK(grym_engine_embed(engine, "ear", NULL, NULL, wall, again, 1024, &dims));
  CHECK(strstr(grym_last_warnings(), "text: cut to 512 tokens, ") != NULL);
  CHECK(grym_last_warnings()[0] == 't' && grym_last_error()[0] == '\0');
  CHECK_OK(grym_engine_embed(engine, "ear", NULL, NULL, "rain", again, 1024, &dims));
  CHECK(grym_last_warnings()[0] == '\0');
  grym_text* said = NULL;
  CHECK_STATUS(GRYM_STATUS_UNIMPLEMENTED, grym_engine_transcribe(engine, "ear", audio, NULL, &said));
  CHECK_CODE("no_transcription");
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_transcribe(engine, "ear", NULL, NULL, &said));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_transcribe(engine, "no such", audio, NULL, &said));
  CHECK(said == NULL);
  CHECK_OK(grym_engine_embed(engine, "ear", audio, NULL, NULL, sound, 1024, &dims));
  CHECK(fabs(length_of(sound, want) - 1) < 1e-5 && memcmp(text, sound, want * sizeof *text) != 0);

  int told = 0;
  CHECK_OK(grym_engine_embed_with_progress(engine, "ear", audio, NULL, NULL, count_and_go_on, &told, again, 1024, &dims));
  CHECK(told > 0 && memcmp(again, sound, want * sizeof *sound) == 0);
  told = 0;
  CHECK_STATUS(GRYM_STATUS_CANCELLED, grym_engine_embed_with_progress(engine, "ear", audio, NULL, NULL, count_and_stop,
                                                                      &told, again, 1024, &dims));
  CHECK(told == 1);
  CHECK_STATUS(GRYM_STATUS_UNIMPLEMENTED,
               grym_engine_transcribe_with_progress(engine, "ear", audio, NULL, count_and_stop, &told, &said));

  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, "ear", NULL, NULL, NULL, sound, 1024, &dims));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, "ear", audio, NULL, "x", sound, 1024, &dims));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_embed(engine, "ear", audio, "x", NULL, sound, 1024, &dims));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND,
               grym_engine_embed(engine, "ear", NULL, "/no/such.wav", NULL, sound, 1024, &dims));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_embed(engine, "ear", (grym_audio*)(void*)engine, NULL, NULL, sound, 1024, &dims));

  CHECK_OK(grym_generate_options_init(&request, sizeof request));
  request.model = "ear"; /* hears, and makes nothing */
  CHECK(grym_engine_plan_json(engine, &request, &plan) != GRYM_STATUS_OK || strstr(grym_text_data(plan), "plan/1"));
  CHECK_OK(grym_text_destroy(plan));
  CHECK_OK(grym_engine_close_model(engine, "ear"));
  CHECK(!has_model(engine, "ear"));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_close_model(engine, "ear"));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_embed(engine, "ear", NULL, NULL, "rain", sound, 1024, &dims));
  CHECK_OK(grym_audio_destroy(audio));
}

static int32_t stop(double fraction, double eta_s, const char* stage, void* user_data) {
  (void)fraction, (void)eta_s, (void)stage, (void)user_data;
  return 1;
}

/* A second that the network with random weights made is noise; the gate may think it none. */
static void generate(grym_engine* engine, const char* folder) {
  grym_generate_options request;
  grym_result* result = NULL;
  grym_audio* audio = NULL;
  grym_text* plan = NULL;
  open_as(engine, folder, "maker");
  CHECK_OK(grym_generate_options_init(&request, sizeof request));
  request.prompt = "rain on a tin roof";
  request.duration_s = 1;
  request.seed = 4;
  request.model = "maker";
  CHECK_OK(grym_engine_plan_json(engine, &request, &plan));
  CHECK(strstr(grym_text_data(plan), "grymsynth.plan/1") != NULL && strstr(grym_text_data(plan), "vocoder") != NULL);
  CHECK_OK(grym_text_destroy(plan));

  const grym_status made = grym_engine_generate(engine, &request, NULL, NULL, &result);
  if (made == GRYM_STATUS_OK) {
    CHECK_OK(grym_result_audio(result, &audio));
    CHECK(grym_audio_frames(audio) > 0 && grym_result_seed(result) >= 0);
    CHECK_OK(grym_audio_destroy(audio));
    CHECK_OK(grym_result_destroy(result));
  } else {
    CHECK(made == GRYM_STATUS_FAILED_PRECONDITION);
    CHECK_CODE("take_rejected");
    CHECK(result == NULL);
  }
  CHECK_STATUS(GRYM_STATUS_CANCELLED, grym_engine_generate(engine, &request, &stop, NULL, &result));
  request.duration_s = 100; /* the engine takes that, the model does not */
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_generate(engine, &request, NULL, NULL, &result));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_plan_json(engine, &request, &plan));
  CHECK_CODE("bad_duration");
  CHECK_OK(grym_engine_close_model(engine, "maker"));
  request.duration_s = 1;
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_generate(engine, &request, NULL, NULL, &result));
}

/* Three takes, ranked by a model that hears and reads. */
static void takes(grym_engine* engine, const char* clap, const char* audioldm) {
  grym_result* result = NULL;
  open_as(engine, clap, "judge");
  open_as(engine, audioldm, "maker");
  const char* request = "{\"prompt\": \"slow house\", \"durationSeconds\": 4, \"seed\": 4, \"model\": \"composer\", "
                        "\"takes\": 3, \"rankBy\": \"judge\"}";
  CHECK_OK(grym_engine_generate_json(engine, request, NULL, NULL, NULL, &result));
  CHECK(grym_result_other_take_count(result) == 2);
  double before = 1;
  for (size_t i = 0; i < 2; ++i) {
    grym_audio* audio = NULL;
    int64_t seed = -1;
    double score = 2;
    CHECK_OK(grym_result_other_take(result, i, &seed, &score, &audio));
    CHECK(seed >= 0 && seed != grym_result_seed(result) && score <= before && score >= -1);
    CHECK(grym_audio_frames(audio) == 4 * 44100);
    before = score;
    CHECK_OK(grym_audio_destroy(audio));
    CHECK_OK(grym_result_other_take(result, i, NULL, NULL, &audio));
    CHECK_OK(grym_audio_destroy(audio));
  }
  grym_audio* none = NULL;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_result_other_take(result, 2, NULL, NULL, &none));
  CHECK(none == NULL);
  grym_text* json = NULL;
  CHECK_OK(grym_result_to_json(result, &json));
  CHECK(strstr(grym_text_data(json), "\"ranked_by\": \"judge\"") || strstr(grym_text_data(json), "\"ranked_by\":\"judge\""));
  CHECK(strstr(grym_text_data(json), "take_scores") != NULL);
  CHECK_OK(grym_text_destroy(json));
  CHECK_OK(grym_result_destroy(result));
  /* A maker is no judge. */
  const char* wrong = "{\"prompt\": \"x\", \"seed\": 4, \"model\": \"composer\", \"takes\": 2, \"rankBy\": \"maker\"}";
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_generate_json(engine, wrong, NULL, NULL, NULL, &result));
  CHECK_CODE("no_model");
  CHECK_OK(grym_engine_close_model(engine, "judge"));
  CHECK_OK(grym_engine_close_model(engine, "maker"));
}

/* A budget of its own that nothing fits into: both numbers. */
static void too_small(grym_engine* engine, const char* folder) {
  grym_open_model_options options;
  grym_generate_options request;
  grym_result* result = NULL;
  grym_text *id = NULL, *plan = NULL;
  CHECK_OK(grym_open_model_options_init(&options, sizeof options));
  options.id = "starved";
  options.device = "cpu";
  options.budget_bytes = 1000;
  CHECK_OK(grym_engine_open_model(engine, folder, &options, &id));
  CHECK_OK(grym_text_destroy(id));
  CHECK_OK(grym_generate_options_init(&request, sizeof request));
  request.prompt = "rain";
  request.duration_s = 1;
  request.model = "starved";
  CHECK_STATUS(GRYM_STATUS_RESOURCE_EXHAUSTED, grym_engine_plan_json(engine, &request, &plan));
  CHECK(strstr(grym_last_error(), "budget is 1000") != NULL);
  CHECK(plan == NULL);
  /* The engine recovers with another model, and the result says which. */
  const grym_status made = grym_engine_generate(engine, &request, NULL, NULL, &result);
  CHECK(made == GRYM_STATUS_OK || made == GRYM_STATUS_RESOURCE_EXHAUSTED);
  if (made == GRYM_STATUS_OK) {
    CHECK_OK(grym_result_to_json(result, &plan));
    CHECK(strstr(grym_text_data(plan), "\"model\": \"starved\"") == NULL);
    CHECK_OK(grym_text_destroy(plan));
    CHECK_OK(grym_result_destroy(result));
  }
  CHECK_OK(grym_engine_close_model(engine, "starved"));
}

/* A model that makes music is a codec beside it. */
static void code(grym_engine* engine, const char* folder) {
  static float tone[32000];
  grym_audio *audio = NULL, *back = NULL;
  grym_codes* codes = NULL;
  open_as(engine, folder, "band");
  for (size_t i = 0; i < 32000; ++i) tone[i] = 0.4f * (float)sin(0.0576 * (double)i);
  CHECK_OK(grym_audio_create(tone, 1, 32000, 32000, &audio));
  CHECK_OK(grym_engine_encode(engine, "band", audio, NULL, NULL, NULL, &codes));
  CHECK(grym_codes_books(codes) == 4 && grym_codes_frames(codes) == 50 && grym_codes_frame_rate_hz(codes) == 50);
  CHECK_OK(grym_engine_decode(engine, "band", codes, NULL, NULL, &back));
  CHECK(grym_audio_frames(back) == 32000 && grym_audio_rate_hz(back) == 32000 && grym_audio_channels(back) == 1);
  CHECK_OK(grym_audio_destroy(back));
  CHECK_STATUS(GRYM_STATUS_CANCELLED, grym_engine_decode(engine, "band", codes, &stop, NULL, &back));
  CHECK(back == NULL);
  CHECK_OK(grym_codes_destroy(codes));
  CHECK_OK(grym_audio_destroy(audio));
  CHECK_OK(grym_engine_close_model(engine, "band"));
}

int main(int argc, char** argv) {
  options();
  not_registered();
  what_is_no_engine();
  if (argc == 4) {
    grym_engine* engine = new_engine(1);
    bad_options(engine, argv[1]);
    embed(engine, argv[1]);
    generate(engine, argv[2]);
    takes(engine, argv[1], argv[2]);
    too_small(engine, argv[2]);
    code(engine, argv[3]);
    CHECK_OK(grym_engine_destroy(engine));
  }
  return check_end();
}
