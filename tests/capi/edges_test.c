/* Errors, handles, option structs, callbacks: what a program can get wrong. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "grymsynth.h"

static void errors(void) {
  grym_audio* audio = (grym_audio*)&audio;
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_audio_load("/no/such/file.wav", &audio));
  CHECK(audio == NULL);
  CHECK(strstr(grym_last_error(), "/no/such/file.wav") != NULL);
  CHECK(strcmp(grym_last_error_code(), "ok") != 0);
  CHECK(strcmp(grym_last_error_problems_json(), "[]") == 0);
  CHECK_OK(grym_audio_create(NULL, 1, 10, 8000, &audio)); /* a good call clears it */
  CHECK(strcmp(grym_last_error_code(), "ok") == 0 && grym_last_error()[0] == '\0');
  CHECK_OK(grym_audio_destroy(audio));
  CHECK(strcmp(grym_status_name(GRYM_STATUS_DATA_LOSS), "data_loss") == 0);
  CHECK(strcmp(grym_status_name(99), "unknown") == 0 && strcmp(grym_status_name(-1), "unknown") == 0);
  CHECK(strcmp(grym_version(), "0.1.0") == 0);
}

static void long_and_dirty_messages(void) {
  char path[8000];
  grym_audio* audio = NULL;
  memset(path, 'a', sizeof path);
  path[1] = '\n';
  path[2] = '\x1b';
  path[sizeof path - 1] = '\0';
  CHECK(grym_audio_load(path, &audio) != GRYM_STATUS_OK);
  CHECK(strlen(grym_last_error()) < 4000);
  for (const char* c = grym_last_error(); *c; ++c) CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* Convention 5: whole characters of RFC 3629 only. */
static int is_utf8(const char* text) {
  for (const unsigned char* c = (const unsigned char*)text; *c; ++c) {
    const int more = *c < 0x80 ? 0 : *c >= 0xc2 && *c < 0xe0 ? 1 : *c >= 0xe0 && *c < 0xf0 ? 2 : *c < 0xf5 ? 3 : -1;
    if (more < 0 || (*c >= 0x80 && *c < 0xc2)) return 0;
    for (int i = 0; i < more; ++i) {
      if ((*++c & 0xc0) != 0x80) return 0;
    }
  }
  return 1;
}

/* What is quoted is cut after a whole character, and bytes that are none do not come back. */
static void messages_are_utf8(grym_engine* engine) {
  grym_features* features = NULL;
  grym_text* route = NULL;
  grym_audio* audio = NULL;
  CHECK_OK(grym_audio_create(NULL, 1, 44100, 44100, &audio));
  CHECK_OK(grym_engine_analyze(engine, audio, NULL, NULL, NULL, &features));
  CHECK_OK(grym_audio_destroy(audio));
  const char* wrong[] = {"\xff", "\xc3(", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\xe0\x80\x80", "\xc3"};
  for (int shift = 0; shift < 4; ++shift) {
    char name[4200] = "", task[4400];
    double value = 0;
    memset(name, 'a', (size_t)shift);
    for (size_t at = (size_t)shift; at + 2 < sizeof name; at += 2) memcpy(name + at, "\xc3\xa9", 2);
    name[sizeof name - 1] = name[sizeof name - 2] = '\0';
    CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_features_number(features, name, &value));
    CHECK(is_utf8(grym_last_error()) && strstr(grym_last_error(), "\xc3\xa9...\"") != NULL);
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_add_model_opener(engine, name, name));
    CHECK(is_utf8(grym_last_error()));
    for (int as_key = 0; as_key < 2; ++as_key) {
      snprintf(task, sizeof task, as_key ? "{\"%s\": 1}" : "{\"capability\": \"%s\"}", name);
      CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_route(engine, task, &route));
      CHECK(is_utf8(grym_last_error()) && is_utf8(grym_last_error_problems_json()));
    }
    CHECK(grym_audio_load(name, &audio) != GRYM_STATUS_OK);
    CHECK(is_utf8(grym_last_error()) && strlen(grym_last_error()) < 4000);
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    double value = 0;
    CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_features_number(features, wrong[i], &value));
    CHECK(is_utf8(grym_last_error()) && strstr(grym_last_error(), "got \"?") != NULL);
  }
  double value = 0;
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_features_number(features, "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x8e\xb5", &value));
  CHECK(strstr(grym_last_error(), "got \"\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x8e\xb5\"") != NULL);
  CHECK_OK(grym_features_destroy(features));
}

/* Every capability that can be a task is one here. */
static void tasks(grym_engine* engine) {
  grym_text* route = NULL;
  const char* words = "{\"capability\": \"embed_text\", \"request\": {\"prompt\": \"rain\"}}";
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_route(engine, words, &route));
  CHECK(strcmp(grym_last_error_code(), "no_model") == 0);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_route(engine, "{\"capability\": \"stream\"}", &route));
  CHECK(strstr(grym_last_error(), "task/capability: want one of generate") != NULL);
  CHECK(strstr(grym_last_error(), "embed_text") != NULL && strstr(grym_last_error(), "got \"stream\"") != NULL);
}

/* The handle of an engine's memory keeps nothing open. */
static void memory_ends_with_its_engine(void) {
  grym_engine *engine = NULL, *closed = NULL;
  grym_memory *memory = NULL, *second = NULL;
  grym_text* stats = NULL;
  grym_result* result = NULL;
  CHECK_OK(grym_engine_create(NULL, &engine));
  CHECK_OK(grym_engine_memory(engine, &memory));
  CHECK_OK(grym_memory_check(memory));
  CHECK_OK(grym_engine_destroy(engine));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_memory_stats_json(memory, &stats));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_memory_check(memory));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_memory_close(memory));
  CHECK(stats == NULL);
  CHECK_OK(grym_memory_destroy(memory));

  CHECK_OK(grym_engine_create(NULL, &closed));
  CHECK_OK(grym_engine_memory(closed, &second));
  CHECK_OK(grym_engine_close(closed));
  CHECK_OK(grym_engine_close(closed));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_memory_stats_json(second, &stats));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_engine_generate(closed, NULL, NULL, NULL, &result));
  CHECK_OK(grym_memory_destroy(second));
  CHECK_OK(grym_engine_destroy(closed));
}

static void handles(void) {
  const float planar[6] = {0.0f, 0.5f, -0.5f, 1.0f, 0.25f, -1.0f};
  grym_audio* audio = NULL;
  CHECK_OK(grym_audio_create(planar, 2, 3, 44100, &audio));
  CHECK(grym_audio_channels(audio) == 2 && grym_audio_frames(audio) == 3 && grym_audio_rate_hz(audio) == 44100);
  CHECK(memcmp(grym_audio_planar(audio), planar, sizeof planar) == 0);

  CHECK(grym_audio_channels(NULL) == 0 && strstr(grym_last_error(), "NULL") != NULL);
  CHECK(grym_text_data((const grym_text*)(const void*)audio)[0] == '\0');
  CHECK(strstr(grym_last_error(), "grym_audio") != NULL);
  CHECK(grym_audio_channels((const grym_audio*)(const void*)planar) == 0);
  CHECK(strstr(grym_last_error(), "no handle") != NULL);

  CHECK_OK(grym_audio_destroy(audio));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_audio_destroy(audio));
  CHECK(strstr(grym_last_error(), "destroyed") != NULL);
  CHECK(grym_audio_planar(audio) == NULL);
  CHECK_OK(grym_audio_destroy(NULL));

  /* Slots are used again; a handle from before stays dead all the same. */
  grym_audio* stale = audio;
  for (int i = 0; i < 5000; ++i) {
    CHECK_OK(grym_audio_create(NULL, 1, 1, 8000, &audio));
    CHECK(audio != stale);
    CHECK_OK(grym_audio_destroy(audio));
    CHECK(grym_audio_channels(stale) == 0);
  }
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_audio_create(NULL, 0, 1, 44100, &audio));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_audio_create(NULL, 33, 1, 44100, &audio));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_audio_create(NULL, 1, -1, 44100, &audio));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_audio_create(NULL, 1, 1, 10, &audio));
  CHECK(grym_audio_create(NULL, 32, INT64_MAX / 8, 44100, &audio) != GRYM_STATUS_OK && audio == NULL);
}

/* A later version of a struct that today's library knows: longer at the end. */
struct longer {
  grym_enhance_options known;
  double added;
};

static void option_structs(grym_engine* engine) {
  grym_audio* audio = NULL;
  grym_enhanced* out = NULL;
  struct longer longer;
  grym_enhance_options* options = &longer.known;
  CHECK_OK(grym_audio_create(NULL, 1, 4410, 44100, &audio));

  CHECK_OK(grym_enhance_options_init(options, sizeof *options));
  CHECK(options->struct_size == sizeof *options && options->level == 0.5 && isnan(options->target_lufs));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_enhance_options_init(options, 0));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_enhance_options_init(options, 13));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_enhance_options_init(options, 1u << 20));

  /* An older program: its struct ends before `level`. The rest keeps its defaults; nothing behind it is read. */
  CHECK_OK(grym_enhance_options_init(options, sizeof *options));
  options->struct_size = (uint32_t)offsetof(grym_enhance_options, level);
  options->level = 1e9;
  CHECK_OK(grym_engine_enhance(engine, audio, NULL, options, NULL, NULL, &out));
  CHECK_OK(grym_enhanced_destroy(out));
  options->struct_size = sizeof *options;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_enhance(engine, audio, NULL, options, NULL, NULL, &out));

  /* A newer program: fine while what we do not know is zero. */
  memset(&longer, 0, sizeof longer);
  CHECK_OK(grym_enhance_options_init(options, sizeof longer));
  CHECK(options->struct_size == sizeof longer && longer.added == 0);
  CHECK_OK(grym_engine_enhance(engine, audio, NULL, options, NULL, NULL, &out));
  CHECK_OK(grym_enhanced_destroy(out));
  longer.added = 1;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_enhance(engine, audio, NULL, options, NULL, NULL, &out));
  options->struct_size = 0;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_enhance(engine, audio, NULL, options, NULL, NULL, &out));
  options->struct_size = 0xcccccccc;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_enhance(engine, audio, NULL, options, NULL, NULL, &out));
  CHECK_OK(grym_audio_destroy(audio));
}

static void inputs(grym_engine* engine) {
  grym_audio* audio = NULL;
  grym_features* features = NULL;
  CHECK_OK(grym_audio_create(NULL, 1, 4410, 44100, &audio));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_analyze(engine, NULL, NULL, NULL, NULL, &features));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_analyze(engine, audio, "x.wav", NULL, NULL, &features));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_engine_analyze(engine, NULL, "/no/such.wav", NULL, NULL, &features));
  CHECK(features == NULL);
  CHECK_OK(grym_audio_destroy(audio));
}

/* Parts by name: what was asked for is heard as within the whole, the rest is at its default. */
static void parts(grym_engine* engine) {
  static float samples[44100];
  grym_audio* audio = NULL;
  grym_features *features = NULL, *whole = NULL;
  grym_job* job = NULL;
  double rms = 0, whole_rms = 0, loudness = 0;
  for (int n = 0; n < 44100; ++n) samples[n] = n % 100 < 50 ? 0.25f : -0.25f;
  CHECK_OK(grym_audio_create(samples, 1, 44100, 44100, &audio));
  CHECK_OK(grym_engine_analyze_parts(engine, audio, NULL, NULL, NULL, NULL, &whole));
  CHECK_OK(grym_engine_analyze_parts(engine, audio, NULL, "  pitch level", NULL, NULL, &features));
  CHECK_OK(grym_features_number(whole, "rms_dbfs", &whole_rms));
  CHECK_OK(grym_features_number(features, "rms_dbfs", &rms));
  CHECK_OK(grym_features_number(features, "integrated_lufs", &loudness));
  CHECK(rms == whole_rms && rms > -13 && rms < -11);
  CHECK(isinf(loudness));
  CHECK_OK(grym_features_number(whole, "integrated_lufs", &loudness));
  CHECK(loudness > -20);
  CHECK_OK(grym_features_destroy(features));
  CHECK_OK(grym_features_destroy(whole));
  features = NULL;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_analyze_parts(engine, audio, NULL, "level tempo", NULL, NULL, &features));
  CHECK(features == NULL);
  CHECK(strstr(grym_last_error(), "\"tempo\"") != NULL);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_analyze_parts(engine, audio, NULL, " ", NULL, NULL, &features));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_start_analyze_parts(engine, audio, NULL, "tempo", NULL, NULL, &job));
  CHECK(job == NULL);
  CHECK_OK(grym_engine_start_analyze_parts(engine, audio, NULL, "level", NULL, NULL, &job));
  CHECK_OK(grym_job_wait(job, -1));
  CHECK_OK(grym_job_take_features(job, &features));
  CHECK_OK(grym_features_number(features, "rms_dbfs", &rms));
  CHECK_OK(grym_features_number(features, "integrated_lufs", &loudness));
  CHECK(rms == whole_rms && isinf(loudness));
  CHECK_OK(grym_features_destroy(features));
  CHECK_OK(grym_job_destroy(job));
  CHECK_OK(grym_audio_destroy(audio));
}

static int32_t stop_at_once(double fraction, double eta_s, const char* stage, void* user_data) {
  (void)fraction, (void)eta_s, (void)stage;
  ++*(int*)user_data;
  return 1;
}

struct inside {
  grym_engine* engine;
  grym_job** job;
  int calls;
  int wrong;
};

/* A callback that calls back. */
static int32_t call_back(double fraction, double eta_s, const char* stage, void* user_data) {
  struct inside* inside = user_data;
  grym_models* all = NULL;
  (void)fraction, (void)eta_s, (void)stage;
  ++inside->calls;
  if (grym_engine_models(inside->engine, &all) != GRYM_STATUS_OK) inside->wrong = 1;
  grym_models_destroy(all);
  if (inside->job && *inside->job) {
    grym_result* result = NULL;
    if (grym_job_progress(*inside->job, NULL, NULL, NULL) != GRYM_STATUS_OK) inside->wrong = 2;
    if (grym_job_wait(*inside->job, -1) != GRYM_STATUS_FAILED_PRECONDITION) inside->wrong = 3;
    if (grym_job_take_result(*inside->job, &result) != GRYM_STATUS_FAILED_PRECONDITION) inside->wrong = 4;
    if (grym_job_destroy(*inside->job) != GRYM_STATUS_FAILED_PRECONDITION) inside->wrong = 5;
  }
  return 0;
}

static void callbacks(grym_engine* engine) {
  grym_generate_options options;
  grym_result* result = NULL;
  int calls = 0;
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  options.prompt = "ambient";
  options.seed = 1;
  options.duration_s = 20;
  CHECK_STATUS(GRYM_STATUS_CANCELLED, grym_engine_generate(engine, &options, stop_at_once, &calls, &result));
  CHECK(calls >= 1 && result == NULL);

  struct inside inside = {engine, NULL, 0, 0};
  CHECK_OK(grym_engine_generate(engine, &options, call_back, &inside, &result));
  CHECK(inside.calls > 0 && inside.wrong == 0);
  CHECK_OK(grym_result_destroy(result));

  grym_job* job = NULL;
  inside.job = &job;
  CHECK_OK(grym_engine_start_generate(engine, &options, call_back, &inside, &job));
  CHECK_OK(grym_job_wait(job, -1));
  CHECK(inside.wrong == 0);
  CHECK_OK(grym_job_take_result(job, &result));
  CHECK_OK(grym_result_destroy(result));
  CHECK_OK(grym_job_destroy(job));
}

/* Every call with a callback, whose callback makes that very call again, once. */
struct again {
  grym_engine* engine;
  const grym_audio* audio;
  const grym_workflow* workflow;
  int which, depth, calls, wrong;
};

static int32_t call_again(double fraction, double eta_s, const char* stage, void* user_data);

static void tell_again(int64_t sequence, const char* kind, const char* step, int32_t visit, const char* text,
                       void* user_data) {
  (void)sequence, (void)kind, (void)step, (void)visit, (void)text;
  call_again(0, 0, "", user_data);
}

static grym_status call_once(struct again* again) {
  grym_features* features = NULL;
  grym_patterns* patterns = NULL;
  grym_style* style = NULL;
  grym_enhanced* enhanced = NULL;
  grym_comparison* comparison = NULL;
  grym_result* result = NULL;
  grym_run* run = NULL;
  grym_workflow_options how;
  grym_status status = GRYM_STATUS_OK;
  switch (again->which) {
    case 0: status = grym_engine_analyze(again->engine, again->audio, NULL, call_again, again, &features); break;
    case 1:
      status = grym_engine_detect_patterns(again->engine, again->audio, NULL, call_again, again, &patterns);
      break;
    case 2: status = grym_engine_classify_style(again->engine, again->audio, NULL, call_again, again, &style); break;
    case 3: status = grym_engine_enhance(again->engine, again->audio, NULL, NULL, call_again, again, &enhanced); break;
    case 4: status = grym_compare(again->audio, NULL, again->audio, NULL, call_again, again, &comparison); break;
    case 5:
      status =
          grym_engine_generate_json(again->engine, "{\"prompt\":\"ambient\",\"durationSeconds\":1,\"seed\":1}",
                                    NULL, call_again, again, &result);
      break;
    default:
      CHECK_OK(grym_workflow_options_init(&how, sizeof how));
      if (again->which == 7) {
        how.on_event = tell_again;
        how.on_event_user_data = again;
      }
      status = grym_engine_run_workflow(again->engine, again->workflow, &how, again->which == 6 ? call_again : NULL,
                                        again, &run);
      if (status == GRYM_STATUS_OK && strcmp(grym_run_state(run), "completed") != 0) again->wrong = 2;
  }
  grym_features_destroy(features);
  grym_patterns_destroy(patterns);
  grym_style_destroy(style);
  grym_enhanced_destroy(enhanced);
  grym_comparison_destroy(comparison);
  grym_result_destroy(result);
  grym_run_destroy(run);
  return status;
}

static int32_t call_again(double fraction, double eta_s, const char* stage, void* user_data) {
  struct again* again = user_data;
  (void)fraction, (void)eta_s, (void)stage;
  ++again->calls;
  if (again->depth > 0) return 0;
  ++again->depth;
  if (call_once(again) != GRYM_STATUS_OK) again->wrong = 1;
  return 0;
}

static void callbacks_that_call_again(grym_engine* engine) {
  static const char step[] =
      "{\"id\":\"w\",\"name\":\"w\",\"initialStep\":\"s\",\"steps\":{\"s\":{\"id\":\"s\",\"type\":\"analysis\","
      "\"operation\":\"features\",\"inputs\":[{\"source\":\"parameter\",\"key\":\"audioFile\"}],\"parameters\":{},"
      "\"nextSteps\":{}}},\"parameters\":{\"audioFile\":\"grym-edges.wav\"}}";
  grym_audio* audio = NULL;
  grym_workflow* workflow = NULL;
  CHECK_OK(grym_audio_create(NULL, 1, 22050, 22050, &audio));
  CHECK_OK(grym_audio_save(audio, "grym-edges.wav", NULL));
  CHECK_OK(grym_workflow_from_json(step, &workflow));
  for (int which = 0; which < 8; ++which) {
    struct again again = {engine, audio, workflow, which, 0, 0, 0};
    CHECK_OK(call_once(&again));
    if (again.calls == 0 || again.wrong) printf("call %d: %d callbacks, wrong %d\n", which, again.calls, again.wrong);
    CHECK(again.calls > 1 && again.depth == 1 && again.wrong == 0);
  }
  CHECK_OK(grym_workflow_destroy(workflow));
  CHECK_OK(grym_audio_destroy(audio));
  CHECK(remove("grym-edges.wav") == 0);
}

static void jobs_end(grym_engine* engine) {
  grym_generate_options options;
  grym_job* job = NULL;
  grym_result* result = NULL;
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  options.prompt = "rock";
  options.duration_s = 300;
  CHECK_OK(grym_engine_start_generate(engine, &options, NULL, NULL, &job));
  CHECK_STATUS(GRYM_STATUS_DEADLINE_EXCEEDED, grym_job_wait(job, 0));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_job_wait(job, NAN));
  CHECK(grym_job_error_status(job) == GRYM_STATUS_OK && strcmp(grym_job_error_code(job), "ok") == 0);
  CHECK_OK(grym_job_cancel(job));
  CHECK_OK(grym_job_wait(job, 60));
  CHECK(grym_job_error_status(job) == GRYM_STATUS_CANCELLED);
  CHECK(strcmp(grym_job_error_code(job), "cancelled") == 0);
  CHECK_STATUS(GRYM_STATUS_CANCELLED, grym_job_take_result(job, &result));
  CHECK_OK(grym_job_destroy(job));

  /* Destroying a running job cancels it; destroying the engine leaves a running job what it needs. */
  CHECK_OK(grym_engine_start_generate(engine, &options, NULL, NULL, &job));
  CHECK_OK(grym_job_destroy(job));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_job_destroy(job));
  grym_engine* other = NULL;
  CHECK_OK(grym_engine_create(NULL, &other));
  options.duration_s = 4;
  CHECK_OK(grym_engine_start_generate(other, &options, NULL, NULL, &job));
  CHECK_OK(grym_engine_destroy(other));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_destroy(other));
  CHECK_OK(grym_job_take_result(job, &result));
  CHECK_OK(grym_result_destroy(result));
  CHECK_OK(grym_job_destroy(job));
}

static void requests(grym_engine* engine) {
  grym_generate_options options;
  grym_result* result = NULL;
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  options.duration_s = -1;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_generate(engine, &options, NULL, NULL, &result));
  CHECK(strstr(grym_last_error(), "uration") != NULL);
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  options.quality = 7;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_generate(engine, &options, NULL, NULL, &result));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_generate_json(engine, "{", NULL, NULL, NULL, &result));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_generate_json(engine, "{\"noSuchField\": 1}", NULL, NULL, NULL, &result));
  grym_workflow* document = NULL;
  grym_workflow_options how;
  grym_run* run = NULL;
  CHECK_OK(grym_workflow_from_template("audio-enhancement", &document));
  CHECK_OK(grym_workflow_options_init(&how, sizeof how));
  const char* bad[] = {"", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":1,\"a\":2}",
                       "{\"a\":[1}", "{\"\\ud800\":1}", "{\"a\":\"\n\"}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    how.parameters_json = bad[i];
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_run_workflow(engine, document, &how, NULL, NULL, &run));
    CHECK(strstr(grym_last_error(), "parameters_json") != NULL);
  }
  CHECK_OK(grym_workflow_destroy(document));
}

int main(void) {
  grym_engine* engine = NULL;
  errors();
  long_and_dirty_messages();
  handles();
  CHECK_OK(grym_engine_create(NULL, &engine));
  if (!engine) return check_end();
  option_structs(engine);
  inputs(engine);
  parts(engine);
  callbacks(engine);
  callbacks_that_call_again(engine);
  jobs_end(engine);
  requests(engine);
  messages_are_utf8(engine);
  tasks(engine);
  CHECK_OK(grym_engine_destroy(engine));
  memory_ends_with_its_engine();
  return check_end();
}
