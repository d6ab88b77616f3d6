// What a user waits for: from the start of a process to the first result of a native model, loading included.
//
//   first_result FOLDER STARTED [DTYPE]
//
// opens the checkpoint, embeds one second of sound, or makes one second in one step where the model generates, and prints
// one line of JSON: seconds since STARTED (CLOCK_MONOTONIC, as time.monotonic() has it) until main began, until the
// folder was open, and until the first result and a second one.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "grymsynth/torch_models.h"

namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

absl::Status Generate(grym::Generator& generator) {
  grym::GenerateAudioRequest request;
  request.prompt = "a dog barks twice in the distance while rain falls";
  request.duration_s = 1;
  request.seed = 1;
  request.steps = 1;
  return generator.Generate(request, {}).status();
}

absl::Status Embed(grym::Embedder& embedder) {
  auto audio = grym::AudioBuffer::Create(1, 16000, 16000);
  if (!audio.ok()) return audio.status();
  for (int i = 0; i < 16000; ++i) audio->mutable_channel(0)[static_cast<size_t>(i)] = 0.3F * std::sin(0.05F * i);
  return embedder.Embed(*audio, {}).status();
}

}  // namespace

int main(int count, char** values) {
  const double in_main = Now();
  if (count < 3) {
    std::fprintf(stderr, "usage: first_result FOLDER STARTED [DTYPE]\n");
    return 2;
  }
  const double started = std::strtod(values[2], nullptr);
  grym::OpenModelOptions options;
  options.device = "cpu";
  if (count > 3) options.dtype = values[3];
  const auto model = grym::TorchModelOpener()(values[1], options);
  if (!model.ok()) return Fail(model.status());
  const double open = Now();
  double done[2] = {};
  auto generator = (*model)->NewGenerator();
  auto embedder = (*model)->NewEmbedder();
  if (!generator.ok() && !embedder.ok()) return Fail(embedder.status());
  for (double& at : done) {
    const absl::Status status = generator.ok() ? Generate(**generator) : Embed(**embedder);
    if (!status.ok()) return Fail(status);
    at = Now();
  }
  std::printf("{\"main_s\": %.4f, \"open_s\": %.4f, \"first_result_s\": %.4f, \"second_result_s\": %.4f}\n",
              in_main - started, open - started, done[0] - started, done[1] - started);
  return 0;
}
