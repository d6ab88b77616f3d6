/* Sixteen threads on one engine, one audio and one job; meanwhile others make and destroy. */
#include <pthread.h>

#include "check.h"
#include "grymsynth.h"

enum { THREADS = 16, ROUNDS = 200 };

struct shared {
  grym_engine* engine;
  grym_audio* audio;
  grym_job* job;
  int wrong[THREADS];
};
struct one {
  struct shared* shared;
  int index;
};

static void* work(void* argument) {
  struct one* one = argument;
  struct shared* shared = one->shared;
  int wrong = 0;
  for (int round = 0; round < ROUNDS; ++round) {
    grym_audio* mono = NULL;
    grym_models* models = NULL;
    grym_memory* memory = NULL;
    grym_text* json = NULL;
    char path[64];
    wrong += grym_audio_frames(shared->audio) != 4410;
    wrong += grym_audio_planar(shared->audio)[0] != 0.0f;
    wrong += grym_audio_mix_channels(shared->audio, 1 + round % 2, &mono) != GRYM_STATUS_OK;
    wrong += grym_audio_destroy(mono) != GRYM_STATUS_OK;
    wrong += grym_audio_destroy(mono) == GRYM_STATUS_OK;
    wrong += grym_engine_models(shared->engine, &models) != GRYM_STATUS_OK || grym_models_count(models) == 0;
    wrong += grym_models_destroy(models) != GRYM_STATUS_OK;
    wrong += grym_job_progress(shared->job, NULL, NULL, NULL) != GRYM_STATUS_OK;
    (void)grym_job_error_status(shared->job);
    if (round % 50 == 0) {
      wrong += grym_engine_memory(shared->engine, &memory) != GRYM_STATUS_OK;
      wrong += grym_memory_stats_json(memory, &json) != GRYM_STATUS_OK;
      wrong += grym_text_destroy(json) != GRYM_STATUS_OK;
      wrong += grym_memory_destroy(memory) != GRYM_STATUS_OK;
    }
    /* The last error is this thread's own. */
    snprintf(path, sizeof path, "/no/such/%d-%d.wav", one->index, round);
    wrong += grym_audio_load(path, &mono) != GRYM_STATUS_NOT_FOUND;
    wrong += strstr(grym_last_error(), path) == NULL;
  }
  shared->wrong[one->index] = wrong;
  return NULL;
}

static void* destroy(void* audio) {
  return grym_audio_destroy(audio) == GRYM_STATUS_OK ? audio : NULL;
}

int main(void) {
  static struct shared shared;
  static struct one ones[THREADS];
  pthread_t threads[THREADS];
  CHECK_OK(grym_engine_create(NULL, &shared.engine));
  CHECK_OK(grym_audio_create(NULL, 2, 4410, 44100, &shared.audio));
  CHECK_OK(grym_engine_start_analyze(shared.engine, shared.audio, NULL, NULL, NULL, &shared.job));
  for (int i = 0; i < THREADS; ++i) {
    ones[i].shared = &shared;
    ones[i].index = i;
    CHECK(pthread_create(&threads[i], NULL, work, &ones[i]) == 0);
  }
  for (int i = 0; i < THREADS; ++i) {
    CHECK(pthread_join(threads[i], NULL) == 0);
    if (shared.wrong[i]) printf("thread %d: %d calls went wrong\n", i, shared.wrong[i]);
    CHECK(shared.wrong[i] == 0);
  }
  CHECK_OK(grym_job_destroy(shared.job));

  /* Sixteen threads destroy one handle: exactly one succeeds. */
  int winners = 0;
  for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, destroy, shared.audio) == 0);
  for (int i = 0; i < THREADS; ++i) {
    void* won = NULL;
    CHECK(pthread_join(threads[i], &won) == 0);
    winners += won != NULL;
  }
  CHECK(winners == 1);
  CHECK_OK(grym_engine_destroy(shared.engine));
  return check_end();
}
