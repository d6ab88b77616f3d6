/* The main job as a C program would do it: hear a recording, remember its patterns, make an enhanced take, judge it,
 * export it; then the same as jobs. Usage: main_job_test INPUT FOLDER. Also writes what the equality test compares. */
#include <math.h>

#include "check.h"
#include "grymsynth.h"

static void write_text(const char* folder, const char* name, const grym_text* text) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE* file = fopen(path, "wb");
  CHECK(file != NULL);
  if (!file) return;
  CHECK(fwrite(grym_text_data(text), 1, grym_text_size(text), file) == grym_text_size(text));
  CHECK(fclose(file) == 0);
}

static void write_samples(const char* folder, const char* name, const grym_audio* audio) {
  char path[1024];
  const size_t count = (size_t)grym_audio_channels(audio) * (size_t)grym_audio_frames(audio);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE* file = fopen(path, "wb");
  CHECK(file != NULL);
  if (!file) return;
  CHECK(fwrite(grym_audio_planar(audio), sizeof(float), count, file) == count);
  CHECK(fclose(file) == 0);
}

struct heard {
  int calls;
  double last;
  int fell;
};

static int32_t on_progress(double fraction, double eta_s, const char* stage, void* user_data) {
  struct heard* heard = user_data;
  (void)eta_s;
  if (stage == NULL || fraction < heard->last) heard->fell = 1;
  heard->last = fraction;
  ++heard->calls;
  return 0;
}

static void hear(grym_engine* engine, const char* input, const char* folder) {
  grym_features* features = NULL;
  struct heard heard = {0, 0, 0};
  CHECK_OK(grym_engine_analyze(engine, NULL, input, on_progress, &heard, &features));
  CHECK(heard.calls > 0 && !heard.fell);

  double duration_s = 0, tempo_bpm = -1;
  CHECK_OK(grym_features_number(features, "duration_s", &duration_s));
  CHECK_OK(grym_features_number(features, "tempo_bpm", &tempo_bpm));
  CHECK(duration_s > 0 && tempo_bpm >= 0);
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_features_number(features, "no such", &tempo_bpm));
  CHECK(strstr(grym_last_error(), "integrated_lufs") != NULL);

  const double* beats = NULL;
  size_t count = 0;
  CHECK_OK(grym_features_times(features, "beats_s", &beats, &count));
  for (size_t i = 0; i < count; ++i) CHECK(beats[i] >= 0 && beats[i] <= duration_s);

  const float* chroma = NULL;
  size_t frames = 0, dim = 0;
  double rate_hz = 0, start_s = 0;
  CHECK_OK(grym_features_series(features, "chroma", &chroma, &frames, &dim, &rate_hz, &start_s));
  CHECK(dim == 12 && frames > 0 && rate_hz > 0 && chroma != NULL);

  grym_text* json = NULL;
  CHECK_OK(grym_features_to_json(features, 0, &json));
  CHECK(grym_text_size(json) == strlen(grym_text_data(json)));
  write_text(folder, "features.json", json);
  CHECK_OK(grym_text_destroy(json));

  for (size_t i = 0; i < grym_features_span_count(features, GRYM_SPANS_CHORDS); ++i) {
    double from = -1, to = -1;
    const char* label = NULL;
    CHECK_OK(grym_features_span(features, GRYM_SPANS_CHORDS, i, &from, &to, &label, NULL));
    CHECK(from < to && label[0] != '\0');
  }
  CHECK_OK(grym_features_destroy(features));

  grym_style* style = NULL;
  CHECK_OK(grym_engine_classify_style(engine, NULL, input, NULL, NULL, &style));
  CHECK(grym_style_count(style, GRYM_STYLE_GENRES) >= 12);
  const char* label = NULL;
  CHECK_OK(grym_style_label(style, GRYM_STYLE_GENRES, 0, &label, NULL));
  CHECK(label && label[0] != '\0');
  CHECK_OK(grym_style_destroy(style));
}

/* What the recogniser says about a pattern that it has learned. */
static void recognise(grym_engine* engine, const grym_patterns* patterns, size_t index) {
  grym_text* classes = NULL;
  CHECK_OK(grym_engine_classify_pattern(engine, patterns, index, &classes));
  CHECK(strstr(grym_text_data(classes), "{\"classes\":[{\"path\":\"") == grym_text_data(classes));
  CHECK_OK(grym_text_destroy(classes));

  CHECK_OK(grym_default_taxonomy_json(&classes));
  CHECK(strstr(grym_text_data(classes), "grymsynth.taxonomy/1") != NULL);
  CHECK_OK(grym_text_destroy(classes));

  grym_matches* matches = NULL;
  int32_t kind = -1, wanted = -2;
  CHECK_OK(grym_patterns_get(patterns, index, NULL, &wanted, NULL, NULL));
  CHECK_OK(grym_engine_similar_patterns(engine, patterns, index, 0.5, 5, &matches));
  for (size_t i = 0; i < grym_matches_count(matches); ++i) {
    double similarity = 0;
    CHECK_OK(grym_matches_get(matches, i, NULL, &kind, &similarity, NULL, NULL));
    CHECK(kind == wanted && similarity >= 0.5);
  }
  CHECK_OK(grym_matches_destroy(matches));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_similar_patterns(engine, patterns, index, 2, 5, &matches));

  CHECK_OK(grym_engine_related_patterns(engine, patterns, index, &matches));
  for (size_t i = 0; i < grym_matches_count(matches); ++i) CHECK(grym_matches_relation(matches, i)[0] != '\0');
  CHECK(grym_matches_relation(matches, grym_matches_count(matches))[0] == '\0');
  CHECK_OK(grym_matches_destroy(matches));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_related_patterns(engine, patterns, grym_patterns_count(patterns), &matches));
}

/* All of it in one call gives what the single calls give. */
static void process(grym_engine* engine, const char* input) {
  grym_process_options options;
  grym_enhance_options enhance;
  grym_processed* processed = NULL;
  grym_enhanced *enhanced = NULL, *alone = NULL;
  grym_audio *audio = NULL, *audio_alone = NULL;
  grym_features* features = NULL;
  grym_patterns* patterns = NULL;
  grym_style* style = NULL;
  grym_job* job = NULL;
  double rate_hz = 0;
  CHECK_OK(grym_process_options_init(&options, sizeof options));
  CHECK_OK(grym_enhance_options_init(&enhance, sizeof enhance));
  enhance.level = 0.25;
  options.enhance = &enhance;
  CHECK_OK(grym_engine_start_process(engine, NULL, input, &options, NULL, NULL, &job));
  CHECK_OK(grym_job_take_processed(job, &processed));
  CHECK_OK(grym_job_destroy(job));
  CHECK_OK(grym_processed_enhanced(processed, &enhanced));
  CHECK_OK(grym_processed_features(processed, &features));
  CHECK_OK(grym_processed_patterns(processed, &patterns));
  CHECK_OK(grym_processed_style(processed, &style));
  CHECK_OK(grym_processed_destroy(processed)); /* its parts stay */
  CHECK(grym_style_count(style, GRYM_STYLE_GENRES) >= 12);
  CHECK(grym_patterns_count(patterns) > 0);
  CHECK_OK(grym_enhanced_audio(enhanced, &audio));
  CHECK_OK(grym_engine_enhance(engine, NULL, input, &enhance, NULL, NULL, &alone));
  CHECK_OK(grym_enhanced_audio(alone, &audio_alone));
  CHECK(grym_enhanced_stage_count(enhanced) == grym_enhanced_stage_count(alone));
  CHECK(grym_audio_frames(audio) == grym_audio_frames(audio_alone));
  CHECK(memcmp(grym_audio_planar(audio), grym_audio_planar(audio_alone),
               (size_t)grym_audio_channels(audio) * (size_t)grym_audio_frames(audio) * sizeof(float)) == 0);
  CHECK_OK(grym_audio_destroy(audio_alone));
  CHECK_OK(grym_enhanced_destroy(alone));
  CHECK_OK(grym_style_destroy(style));
  CHECK_OK(grym_patterns_destroy(patterns));
  CHECK_OK(grym_features_destroy(features));
  CHECK_OK(grym_audio_destroy(audio));
  CHECK_OK(grym_enhanced_destroy(enhanced));

  options.enhance = NULL;
  options.rate_hz = 22050;
  CHECK_OK(grym_engine_process(engine, NULL, input, &options, NULL, NULL, &processed));
  CHECK_OK(grym_processed_features(processed, &features));
  CHECK_OK(grym_features_number(features, "rate_hz", &rate_hz));
  CHECK(rate_hz == 22050);
  CHECK_OK(grym_features_destroy(features));
  CHECK_OK(grym_processed_destroy(processed));
  options.rate_hz = -5;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT,
               grym_engine_process(engine, NULL, input, &options, NULL, NULL, &processed));
}

static void remember(grym_engine* engine, const char* input, const char* folder) {
  grym_patterns* patterns = NULL;
  grym_memory* memory = NULL;
  grym_text* json = NULL;
  CHECK_OK(grym_engine_detect_patterns(engine, NULL, input, NULL, NULL, &patterns));
  CHECK_OK(grym_patterns_to_json(patterns, &json));
  write_text(folder, "patterns.json", json);
  grym_patterns* again = NULL;
  CHECK_OK(grym_patterns_from_json(grym_text_data(json), &again));
  const size_t count = grym_patterns_count(patterns);
  CHECK(grym_patterns_count(again) == count);
  CHECK_OK(grym_patterns_destroy(again));
  CHECK_OK(grym_text_destroy(json));
  CHECK(count > 0);

  int64_t* ids = calloc(count + 1, sizeof *ids);
  CHECK_OK(grym_engine_memory(engine, &memory));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_memory_store(memory, patterns, ids, count - 1));
  CHECK_OK(grym_memory_store(memory, patterns, ids, count));
  CHECK_OK(grym_memory_stats_json(memory, &json));
  CHECK(strstr(grym_text_data(json), "\"index_loaded\":false") != NULL);
  CHECK_OK(grym_text_destroy(json));
  CHECK_OK(grym_memory_load_index(memory, NULL, NULL));
  CHECK_OK(grym_memory_stats_json(memory, &json));
  CHECK(strstr(grym_text_data(json), "\"index_loaded\":true") != NULL);
  CHECK_OK(grym_text_destroy(json));
  for (size_t i = 0; i < count; ++i) {
    grym_matches* matches = NULL;
    CHECK(ids[i] > 0);
    CHECK_OK(grym_memory_query(memory, grym_patterns_embedding(patterns, i), 3, GRYM_PATTERN_KIND_ANY, -1, &matches));
    double similarity = 0;
    CHECK(grym_matches_count(matches) > 0);
    CHECK_OK(grym_matches_get(matches, 0, NULL, NULL, &similarity, NULL, NULL));
    CHECK(fabs(similarity - 1) < 1e-3); /* it finds itself, or its equal */
    CHECK(grym_matches_relation(matches, 0)[0] == '\0');
    CHECK_OK(grym_matches_destroy(matches));
    recognise(engine, patterns, i);
  }
  CHECK_OK(grym_memory_record_outcome(memory, ids[0], 0.75, "a take"));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_memory_record_outcome(memory, 1 << 30, 0.5, NULL));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_memory_close(memory));
  CHECK_OK(grym_memory_check(memory));
  free(ids);
  CHECK_OK(grym_memory_destroy(memory));
  CHECK_OK(grym_patterns_destroy(patterns));
}

static void make(grym_engine* engine, const char* input, const char* folder) {
  grym_enhanced* enhanced = NULL;
  grym_audio *audio = NULL, *clean = NULL, *take = NULL;
  grym_result* result = NULL;
  grym_comparison* comparison = NULL;
  grym_text* json = NULL;
  char path[1024];

  CHECK_OK(grym_audio_load(input, &audio));
  CHECK_OK(grym_engine_enhance(engine, audio, NULL, NULL, NULL, NULL, &enhanced));
  CHECK_OK(grym_enhanced_audio(enhanced, &clean));
  CHECK(grym_audio_frames(clean) == grym_audio_frames(audio));
  CHECK(grym_enhanced_stage_count(enhanced) > 0);
  CHECK_OK(grym_enhanced_destroy(enhanced));
  write_samples(folder, "enhanced.f32", clean); /* stays valid without the handle that it came from */

  grym_generate_options options;
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  options.prompt = "house, bright";
  options.seed = 7;
  options.duration_s = 8;
  options.want_stems = 1;
  options.model = "composer";
  CHECK_OK(grym_engine_generate(engine, &options, NULL, NULL, &result));
  CHECK(grym_result_seed(result) == 7);
  CHECK_OK(grym_result_audio(result, &take));
  CHECK(grym_audio_channels(take) == 2 && grym_audio_rate_hz(take) == 44100);
  CHECK(grym_result_stem_count(result) > 1);
  CHECK(grym_result_stem_name(result, 0)[0] != '\0');
  write_samples(folder, "take.f32", take);
  CHECK(grym_result_has_midi(result) == 1);
  snprintf(path, sizeof path, "%s/take.mid", folder);
  CHECK_OK(grym_result_save_midi(result, path));
  CHECK_OK(grym_result_to_json(result, &json));
  CHECK(strstr(grym_text_data(json), "composer") != NULL);
  CHECK_OK(grym_text_destroy(json));
  snprintf(path, sizeof path, "%s/take.wav", folder);
  CHECK_OK(grym_audio_save(take, path, NULL));

  CHECK_OK(grym_compare(audio, NULL, clean, NULL, NULL, NULL, &comparison));
  CHECK(grym_comparison_quality_score(comparison) >= 0 && grym_comparison_quality_score(comparison) <= 1);
  CHECK_OK(grym_comparison_to_json(comparison, &json));
  write_text(folder, "comparison.json", json);
  CHECK_OK(grym_text_destroy(json));
  CHECK_OK(grym_comparison_destroy(comparison));
  CHECK_OK(grym_result_destroy(result));
  CHECK_OK(grym_audio_destroy(take));
  CHECK_OK(grym_audio_destroy(clean));
  CHECK_OK(grym_audio_destroy(audio));
}

static void models(grym_engine* engine) {
  grym_models* all = NULL;
  grym_text* json = NULL;
  CHECK_OK(grym_engine_models(engine, &all));
  CHECK(grym_models_count(all) > 0);
  int found = 0;
  for (size_t i = 0; i < grym_models_count(all); ++i) {
    found |= strcmp(grym_models_id(all, i), "composer") == 0;
    CHECK_OK(grym_models_info_json(all, i, &json));
    CHECK_OK(grym_text_destroy(json));
  }
  CHECK(found);
  CHECK_OK(grym_models_destroy(all));
  CHECK_OK(grym_engine_route(engine, "{\"capability\": \"generate\", \"request\": {\"prompt\": \"jazz\"}}", &json));
  CHECK(strstr(grym_text_data(json), "\"composer\"") != NULL);
  CHECK_OK(grym_text_destroy(json));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_route(engine, "{\"capability\": \"fly\"}", &json));
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND,
               grym_engine_route(engine, "{\"capability\": \"generate\", \"model\": \"nobody\"}", &json));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_engine_route(engine, "[1", &json));
}

static void workflow(grym_engine* engine, const char* input, const char* folder) {
  grym_workflow* document = NULL;
  grym_run* run = NULL;
  grym_text* json = NULL;
  char parameters[2048], path[1024];

  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_workflow_from_template("no such", &document));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_workflow_from_json("{\"steps\": 3}", &document));
  CHECK(strstr(grym_last_error_problems_json(), "\"pointer\"") != NULL);
  CHECK_OK(grym_workflow_from_template("audio-enhancement", &document));
  CHECK_OK(grym_workflow_plan_json(document, &json));
  CHECK(strstr(grym_text_data(json), "\"steps\"") != NULL);
  CHECK_OK(grym_text_destroy(json));

  grym_workflow_options options;
  CHECK_OK(grym_workflow_options_init(&options, sizeof options));
  snprintf(parameters, sizeof parameters, "{\"audioFile\": \"%s\"}", input);
  options.parameters_json = parameters;
  options.output_dir = folder;
  options.output_name = "workflow";
  options.seed = 3;
  struct heard heard = {0, 0, 0};
  CHECK_OK(grym_engine_run_workflow(engine, document, &options, on_progress, &heard, &run));
  CHECK(strcmp(grym_run_state(run), "completed") == 0);
  if (grym_run_error_status(run) != GRYM_STATUS_OK) printf("run: %s\n", grym_run_error(run));
  CHECK(grym_run_execution_id(run)[0] != '\0');
  CHECK_OK(grym_run_to_json(run, &json));
  CHECK_OK(grym_text_destroy(json));
  CHECK_OK(grym_engine_summary_json(engine, run, &json));
  CHECK(strstr(grym_text_data(json), "\"exported\":true") != NULL);
  CHECK_OK(grym_text_destroy(json));
  snprintf(path, sizeof path, "%s/report.html", folder);
  CHECK_OK(grym_engine_write_report(engine, run, path));
  CHECK_OK(grym_run_destroy(run));
  CHECK_OK(grym_workflow_destroy(document));
}

static void jobs(grym_engine* engine, const char* input) {
  grym_job* job = NULL;
  grym_features* features = NULL;
  grym_patterns* patterns = NULL;
  struct heard heard = {0, 0, 0};
  CHECK_OK(grym_engine_start_analyze(engine, NULL, input, on_progress, &heard, &job));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_job_take_patterns(job, &patterns));
  CHECK_OK(grym_job_wait(job, -1));
  CHECK(grym_job_done(job) == 1 && grym_job_error_status(job) == GRYM_STATUS_OK);
  double fraction = 0;
  CHECK_OK(grym_job_progress(job, &fraction, NULL, NULL));
  CHECK(fraction == 1);
  CHECK_OK(grym_job_take_features(job, &features));
  CHECK_OK(grym_features_destroy(features));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_job_take_features(job, &features));
  CHECK(features == NULL);
  CHECK_OK(grym_job_destroy(job));

  CHECK_OK(grym_engine_start_analyze(engine, NULL, "/no/such/file.wav", NULL, NULL, &job));
  CHECK_OK(grym_job_wait(job, -1));
  CHECK(grym_job_error_status(job) == GRYM_STATUS_NOT_FOUND);
  CHECK(strstr(grym_job_error(job), "/no/such/file.wav") != NULL && grym_job_error_code(job)[0] != '\0');
  CHECK_STATUS(GRYM_STATUS_NOT_FOUND, grym_job_take_features(job, &features));
  CHECK_OK(grym_job_destroy(job));
}

int main(int argc, char** argv) {
  if (argc != 3) {
    printf("usage: main_job_test INPUT FOLDER\n");
    return 2;
  }
  grym_engine* engine = NULL;
  CHECK_OK(grym_engine_create(NULL, &engine));
  if (!engine) return check_end();
  hear(engine, argv[1], argv[2]);
  remember(engine, argv[1], argv[2]);
  process(engine, argv[1]);
  make(engine, argv[1], argv[2]);
  models(engine);
  workflow(engine, argv[1], argv[2]);
  jobs(engine, argv[1]);
  CHECK_OK(grym_engine_destroy(engine));
  return check_end();
}
