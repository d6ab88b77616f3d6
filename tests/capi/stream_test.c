/* Hearing while the audio runs: a callback's thread pushes, another reads, and the report is that of the whole. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "grymsynth.h"

enum { RATE = 44100, SECONDS = 12, FRAMES = RATE * SECONDS };
static float samples[2 * FRAMES]; /* planar */

static void make_music(void) {
  for (int n = 0; n < FRAMES; ++n) {
    const double t = (double)n / RATE, in_beat = fmod(t, 0.5);
    samples[n] = (float)(0.7 * exp(-25 * in_beat) * cos(2 * 3.14159265358979 * 900 * in_beat) +
                         0.1 * sin(2 * 3.14159265358979 * 220 * t));
    samples[FRAMES + n] = 0.5f * samples[n];
  }
}

struct pusher {
  grym_analysis_stream* stream;
  int wrong;
};

static void* push_all(void* argument) {
  struct pusher* pusher = argument;
  for (int64_t at = 0; at < FRAMES; at += 64) {
    const float* channels[2] = {samples + at, samples + FRAMES + at};
    const int64_t frames = at + 64 <= FRAMES ? 64 : FRAMES - at;
    pusher->wrong += grym_analysis_stream_push(pusher->stream, channels, frames) != GRYM_STATUS_OK;
  }
  return NULL;
}

static void whole_life(grym_engine* engine) {
  grym_analysis_stream_options options;
  struct pusher pusher = {NULL, 0};
  pthread_t thread;
  grym_analysis_live live;
  double onset_s = 0, beat_s = 0, pitch_s = 0, chroma_s = 0, times_s[16], late_s[16];
  int32_t kinds[16];
  size_t count = 0, onsets = 0, beats = 0;
  CHECK_OK(grym_analysis_stream_options_init(&options, sizeof options));
  CHECK(options.rate_hz == 44100 && options.channels == 1 && options.longest_s == 600 && options.most_events == 1024);
  options.channels = 2;
  CHECK_OK(grym_analysis_stream_create(&options, &pusher.stream));
  CHECK_OK(grym_analysis_stream_latencies(pusher.stream, &onset_s, &beat_s, &pitch_s, &chroma_s));
  CHECK(onset_s > 0.03 && onset_s < 0.09 && beat_s < 0.23 && pitch_s < 0.09 && chroma_s < 0.3);
  CHECK_OK(grym_analysis_stream_latencies(pusher.stream, NULL, NULL, NULL, NULL));

  CHECK(pthread_create(&thread, NULL, push_all, &pusher) == 0);
  memset(&live, 0, sizeof live);
  live.struct_size = sizeof live;
  do {
    CHECK_OK(grym_analysis_stream_live(pusher.stream, &live));
    CHECK_OK(grym_analysis_stream_events(pusher.stream, 16, kinds, times_s, late_s, &count));
    for (size_t i = 0; i < count; ++i) {
      CHECK(late_s[i] >= 0 && late_s[i] <= (kinds[i] == GRYM_EVENT_BEAT ? beat_s : onset_s));
      ++*(kinds[i] == GRYM_EVENT_BEAT ? &beats : &onsets);
    }
  } while (live.time_s < SECONDS - 1e-9 || count > 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(pusher.wrong == 0);
  CHECK(onsets >= 22 && onsets <= 25 && beats >= 12);
  CHECK(fabs(live.tempo_bpm - 120) < 1 && live.integrated_lufs > -40 && live.chroma[9] > 0.9f);
  CHECK(live.dropped_events == 0 && live.struct_size == sizeof live);

  grym_features *heard = NULL, *whole = NULL;
  grym_text *gaps = NULL, *heard_json = NULL, *whole_json = NULL;
  grym_audio* audio = NULL;
  CHECK_OK(grym_analysis_stream_finish(pusher.stream, NULL, NULL, &heard, &gaps));
  CHECK(strcmp(grym_text_data(gaps), "[]") == 0);
  CHECK_OK(grym_audio_create(samples, 2, FRAMES, RATE, &audio));
  CHECK_OK(grym_engine_analyze(engine, audio, NULL, NULL, NULL, &whole));
  CHECK_OK(grym_features_to_json(heard, 1, &heard_json));
  CHECK_OK(grym_features_to_json(whole, 1, &whole_json));
  CHECK(strcmp(grym_text_data(heard_json), grym_text_data(whole_json)) == 0);
  CHECK_OK(grym_text_destroy(heard_json));
  CHECK_OK(grym_text_destroy(whole_json));
  CHECK_OK(grym_text_destroy(gaps));
  CHECK_OK(grym_features_destroy(heard));
  CHECK_OK(grym_features_destroy(whole));
  CHECK_OK(grym_audio_destroy(audio));
  const float* channels[2] = {samples, samples};
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_analysis_stream_push(pusher.stream, channels, 1));
  CHECK_STATUS(GRYM_STATUS_FAILED_PRECONDITION, grym_analysis_stream_finish(pusher.stream, NULL, NULL, &heard, NULL));
  CHECK_OK(grym_analysis_stream_destroy(pusher.stream));
}

static void wrong_calls(void) {
  grym_analysis_stream_options options;
  grym_analysis_stream* stream = NULL;
  grym_features* features = NULL;
  grym_text* gaps = NULL;
  grym_analysis_live live;
  size_t count = 7;
  CHECK_OK(grym_analysis_stream_options_init(&options, sizeof options));
  options.channels = 0;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_analysis_stream_create(&options, &stream));
  CHECK(stream == NULL && strstr(grym_last_error(), "channels") != NULL);
  options.channels = 2;
  options.longest_s = 1;
  options.most_events = 16;
  CHECK_OK(grym_analysis_stream_create(&options, &stream));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_analysis_stream_push(stream, NULL, 1));
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_analysis_stream_push_interleaved(stream, samples, -1));
  CHECK_OK(grym_analysis_stream_push(stream, NULL, 0));
  memset(&live, 0x55, sizeof live);
  live.struct_size = 16; /* an older program's */
  CHECK_OK(grym_analysis_stream_live(stream, &live));
  CHECK(live.time_s == 0 && live.momentary_lufs > 1); /* the second lies beyond 16 bytes */
  live.struct_size = 3;
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_analysis_stream_live(stream, &live));
  CHECK_OK(grym_analysis_stream_events(stream, 0, NULL, NULL, NULL, &count));
  CHECK(count == 0);
  CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_analysis_stream_finish(stream, NULL, NULL, &features, &gaps));
  CHECK(features == NULL && gaps == NULL && strcmp(grym_last_error_code(), "no_frames") == 0);
  CHECK_OK(grym_analysis_stream_push_interleaved(stream, samples, FRAMES));
  CHECK_OK(grym_analysis_stream_finish(stream, NULL, NULL, &features, &gaps));
  CHECK(strstr(grym_text_data(gaps), "\"duration_s\"") != NULL);
  double duration_s = 0;
  CHECK_OK(grym_features_number(features, "duration_s", &duration_s));
  CHECK(duration_s == 1);
  CHECK_OK(grym_features_destroy(features));
  CHECK_OK(grym_text_destroy(gaps));
  CHECK_OK(grym_analysis_stream_destroy(stream));
}

/* More streams than are found without a lock. */
static void many(void) {
  static grym_analysis_stream* streams[400];
  grym_analysis_stream_options options;
  grym_analysis_live live;
  CHECK_OK(grym_analysis_stream_options_init(&options, sizeof options));
  options.longest_s = 0;
  for (int i = 0; i < 300; ++i) CHECK_OK(grym_analysis_stream_create(&options, &streams[i]));
  for (int i = 0; i < 300; ++i) CHECK_OK(grym_analysis_stream_push_interleaved(streams[i], samples, 10 + i));
  memset(&live, 0, sizeof live);
  live.struct_size = sizeof live;
  for (int i = 0; i < 300; ++i) {
    CHECK_OK(grym_analysis_stream_live(streams[i], &live));
    CHECK(fabs(live.time_s - (10.0 + i) / RATE) < 1e-12);
    CHECK_OK(grym_analysis_stream_destroy(streams[i]));
    CHECK_STATUS(GRYM_STATUS_INVALID_ARGUMENT, grym_analysis_stream_push_interleaved(streams[i], samples, 1));
  }
}

int main(void) {
  grym_engine* engine = NULL;
  make_music();
  CHECK_OK(grym_engine_create(NULL, &engine));
  whole_life(engine);
  wrong_calls();
  many();
  CHECK_OK(grym_engine_destroy(engine));
  return check_end();
}
