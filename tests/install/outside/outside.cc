#include <cstdio>

#include "grymsynth/engine.h"
#include "grymsynth/version.h"

int main() {
  auto engine = grym::Engine::Create();
  if (!engine.ok()) return 1;
  grym::GenerateAudioRequest request;
  request.prompt = "house";
  request.duration_s = 2;
  request.seed = 1;
  const auto made = (*engine)->Generate(request);
  if (!made.ok() || made->audio.frames() == 0) return 2;
  std::printf("grymsynth %s made %.2f s\n", std::string(grym::Version()).c_str(), made->audio.duration_s());
  return 0;
}
