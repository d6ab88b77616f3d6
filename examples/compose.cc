// compose "PROMPT" [-o DIR] [--seconds S] [--seed N] [--tempo BPM] [--key "A minor"] [--structure ABAB]
//         [--model DIR [--dtype D] [--steps N] [--guidance G] [--negative PROMPT] [--temperature T] [--top-k N]
//          [--reference FILE]]
// Text to music without any weights: a WAV, its stems and a MIDI file; or by a model from its checkpoint folder.
#include <cstdio>
#include <filesystem>
#include <string>

#include "arguments.h"
#include "grymsynth/engine.h"
#include "native_models.h"

namespace {

constexpr char kUsage[] =
    "compose \"PROMPT\" [-o DIR] [--seconds S] [--seed N] [--tempo BPM] [--key \"A minor\"] [--structure ABAB]\n"
    "        [--model DIR [--dtype D] [--steps N] [--guidance G] [--negative PROMPT] [--temperature T] [--top-k N]\n"
    "         [--reference FILE]]\n"
    "  --model DIR  a published checkpoint folder (MusicGen, AudioLDM) in place of the composer; needs LibTorch\n"
    "  --reference FILE  a recording to start from, or the melody of one (WAV or MIDI) for a melody model\n"
    "  -o DIR    where take.wav, take.mid and stems go (default: out/compose)\n"
    "  --seed N  same words and seed, same bytes (default -1: another piece each time)\n"
    "  compose \"slow lo-fi beat with electric piano in D minor\" -o out --seconds 30 --seed 7\n";

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "\n%s: %s\n", grym::ErrorCode(status).c_str(), std::string(status.message()).c_str());
  return 1;
}

// What a tag can carry: no control characters, 64 KiB at most.
std::string Tag(std::string text) {
  if (text.size() > size_t{64} << 10) return "";
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = ' ';
  }
  return text;
}

absl::Status SaveAll(const grym::GenerateAudioResult& made, const std::string& prompt,
                     const std::filesystem::path& folder) {
  grym::SaveOptions options;
  options.metadata = {"", Tag(prompt), std::to_string(made.provenance.seed), made.provenance.model,
                      "", Tag(made.provenance.request_json), ""};
  absl::Status status = grym::SaveAudio(folder / "take.wav", made.audio, options);
  grym::SaveOptions stem_options;
  stem_options.format = grym::SampleFormat::kFloat32;  // stems are not mastered and may pass full scale
  stem_options.metadata = options.metadata;
  for (const grym::Stem& stem : made.stems) {
    if (status.ok()) status = grym::SaveAudio(folder / "stems" / (stem.name + ".wav"), stem.audio, stem_options);
  }
  if (status.ok() && made.midi) status = grym::SaveMidi(folder / "take.mid", *made.midi);
  return status;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments(count, values, {"-o", "--seconds", "--seed", "--tempo", "--key", "--structure", "--model", "--dtype",
                                      "--steps", "--guidance", "--negative", "--temperature", "--top-k", "--reference"});
  grym::GenerateAudioRequest request;
  request.duration_s = arguments.Number("--seconds").value_or(20);
  request.seed = arguments.Integer<int64_t>("--seed", -1).value_or(-1);
  request.tempo_bpm = arguments.Number("--tempo");
  if (const std::string key = arguments.Text("--key"); !key.empty()) request.key = key;
  request.structure = arguments.Text("--structure");
  const std::string model = arguments.Text("--model");
  request.want_stems = model.empty();
  request.steps = arguments.Integer<int>("--steps", 1);
  request.guidance = arguments.Number("--guidance");
  request.negative_prompt = arguments.Text("--negative");
  request.temperature = arguments.Number("--temperature");
  request.top_k = arguments.Integer<int>("--top-k", 0);
  const std::filesystem::path reference = arguments.Text("--reference");
  const bool notes = reference.extension() == ".mid" || reference.extension() == ".midi";
  (notes ? request.reference_midi : request.reference_audio) = reference.string();
  if (arguments.error.empty() && arguments.positional.size() != 1) arguments.error = "want one prompt, in quotes";
  if (!arguments.error.empty()) {
    std::fprintf(stderr, "%s\n\n%s", arguments.error.c_str(), kUsage);
    return 2;
  }
  request.prompt = arguments.positional[0];

  auto engine = grym::Engine::Create();
  if (!engine.ok()) return Fail(engine.status());
  auto id = OpenModelFolder(**engine, model, arguments.Text("--dtype"));
  if (!id.ok()) return Fail(id.status());
  request.model = *id;
  grym::RunOptions run;
  run.progress = [](const grym::Progress& progress) {
    ShowProgress(progress.fraction, progress.eta_s, progress.stage);
  };
  auto made = (*engine)->Generate(request, run);
  if (!made.ok()) return Fail(made.status());
  const std::filesystem::path folder = arguments.Text("-o", "out/compose");
  if (const absl::Status status = SaveAll(*made, request.prompt, folder); !status.ok()) return Fail(status);

  std::fprintf(stderr, "\n");
  std::printf("%s\n", (folder / "take.wav").string().c_str());
  for (const auto& [name, value] : made->facts) std::printf("  %-12s %s\n", name.c_str(), value.c_str());
  if (made->peak_bytes > 0) {
    std::printf("  %-12s %.1f MiB\n", "peak memory", static_cast<double>(made->peak_bytes) / (1 << 20));
  }
  std::printf("  %-12s %lld\n", "seed", static_cast<long long>(made->provenance.seed));
  for (const std::string& warning : made->warnings) std::printf("  note: %s\n", warning.c_str());
  return 0;
}
