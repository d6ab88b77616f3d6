/* main_job_c INPUT DIR: the audio-enhancement template on INPUT with seed 0, exported into DIR; prints the result. */
#include <stdio.h>
#include <stdlib.h>

#include "grymsynth.h"

static int fail(void) {
  fprintf(stderr, "%s: %s\n", grym_last_error_code(), grym_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  grym_engine* engine = NULL;
  grym_workflow* workflow = NULL;
  grym_workflow_options options;
  grym_run* run = NULL;
  char* parameters = malloc(4096);
  if (!parameters) return 2;
  if (grym_engine_create(NULL, &engine) || grym_workflow_from_template("audio-enhancement", &workflow)) return fail();
  snprintf(parameters, 4096, "{\"audioFile\": \"%s\"}", argv[1]); /* test paths need no escapes */
  grym_workflow_options_init(&options, sizeof options);
  options.parameters_json = parameters;
  options.output_dir = argv[2];
  if (grym_engine_run_workflow(engine, workflow, &options, NULL, NULL, &run)) return fail();
  if (grym_run_error_status(run)) {
    fprintf(stderr, "%s: %s\n", grym_run_error_code(run), grym_run_error(run));
    return 1;
  }
  printf("%s\n", grym_run_state(run));
  grym_run_destroy(run);
  grym_workflow_destroy(workflow);
  grym_engine_destroy(engine);
  free(parameters);
  return 0;
}
