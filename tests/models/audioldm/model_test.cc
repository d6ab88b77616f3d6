#include "models/audioldm/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <regex>
#include <thread>

#include "grymsynth/error.h"
#include "models/vae/log_mel.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int64_t kPlenty = int64_t{1} << 30;

absl::StatusOr<std::shared_ptr<const AudioLdmModel>> OpenAt(const fs::path& path,
                                                            const std::shared_ptr<MemoryBudget>& budget,
                                                            const std::string& dtype = "float32") {
  OpenModelOptions options;
  options.device = "cpu";
  options.dtype = dtype;
  const auto context = ModelContext::Make(options, budget);
  if (!context.ok()) return context.status();
  const auto folder = ModelFolder::Open(path);
  if (!folder.ok()) return folder.status();
  return AudioLdmModel::Open(*folder, *context);
}

std::shared_ptr<const AudioLdmModel> Tiny(int64_t budget_bytes = kPlenty) {
  return OpenAt(PeerCheckpoint("audioldm-tiny"), std::make_shared<MemoryBudget>(budget_bytes)).value();
}

GenerateAudioRequest Rain() {
  GenerateAudioRequest request;
  request.prompt = "rain on a tin roof";
  request.negative_prompt = "noise";
  request.duration_s = 0.4;
  request.steps = 2;
  request.seed = 11;
  return request;
}

absl::StatusOr<GenerateAudioResult> Made(const AudioLdmModel& model, const GenerateAudioRequest& request,
                                         const RunOptions& run = {}) {
  return model.NewGenerator().value()->Generate(request, run);
}

std::vector<float> Samples(const absl::StatusOr<GenerateAudioResult>& made) {
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return {};
  }
  return {made->audio.planar().begin(), made->audio.planar().end()};
}

AudioBuffer Chirp(double seconds, int rate_hz = 16000) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / rate_hz;
    samples[i] = static_cast<float>(0.4 * std::sin(2 * M_PI * (200 + 900 * t) * t));
  }
  return *AudioBuffer::FromPlanar(std::move(samples), 1, rate_hz);
}

GenerateAudioRequest FromChirp(double strength) {
  GenerateAudioRequest request = Rain();
  request.reference_buffer = Chirp(0.64);
  request.reference_strength = strength;
  return request;
}

double Energy(const std::vector<float>& a, const std::vector<float>& b, size_t from = 0, size_t to = SIZE_MAX) {
  double sum = 0;
  for (size_t i = from; i < std::min({a.size(), b.size(), to}); ++i) sum += std::pow(double{a[i]} - b[i], 2);
  return sum / static_cast<double>(std::min({a.size(), b.size(), to}) - from);
}

// The smallest budget that a plan keeps to.
int64_t SmallestPlan(const AudioLdmModel& model, const AudioLdmWork& work) {
  int64_t refused = 0, fits = kPlenty;
  while (fits - refused > 1) {
    const int64_t middle = refused + (fits - refused) / 2;
    (model.PlanFor(work, middle).ok() ? fits : refused) = middle;
  }
  return fits;
}

// The checkpoint again, for tests that damage it.
fs::path Copied(const Scratch& scratch) {
  fs::copy(PeerCheckpoint("audioldm-tiny"), scratch / "audioldm", fs::copy_options::recursive);
  return scratch / "audioldm";
}

fs::path WeightsOf(const fs::path& component) {
  for (const auto& file : fs::directory_iterator(component)) {
    if (file.path().extension() == ".safetensors") return file.path();
  }
  ADD_FAILURE() << "no weights in " << component;
  return {};
}

// Makes the last number of the first tensor whose name ends so a NaN; answers its name.
std::string Spoil(const fs::path& component, const std::string& ending) {
  const fs::path path = WeightsOf(component);
  std::string name;
  int64_t place = 0;
  {
    const TensorFile file = TensorFile::Open(path).value();
    for (const TensorEntry& entry : file.entries()) {
      if (!name.empty() || entry.type != ElementType::kF32 || !entry.name.ends_with(ending)) continue;
      name = entry.name;
      place = entry.offset + entry.bytes - 4;
    }
  }
  EXPECT_FALSE(name.empty()) << "no tensor *" << ending << " in " << path;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(place);
  stream.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  return name;
}

void Replace(const fs::path& path, const std::string& pattern, const std::string& with) {
  std::ifstream in(path);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const std::string changed = std::regex_replace(text, std::regex(pattern), with);
  EXPECT_NE(changed, text) << path << " has no " << pattern;
  std::ofstream(path, std::ios::trunc) << changed;
}

TEST(AudioLdmModelTest, MakesWhatWasAskedFor) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  const auto made = Made(*model, Rain());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->audio.frames(), 6400);
  EXPECT_EQ(made->audio.channels(), 1);
  EXPECT_EQ(made->audio.rate_hz(), 16000);
  EXPECT_EQ(made->provenance.model, model->info().id);
  EXPECT_TRUE(made->warnings.empty());
  EXPECT_GT(Energy(Samples(made), std::vector<float>(6400)), 0);
  EXPECT_EQ(Samples(Made(*model, Rain())), Samples(made));
  GenerateAudioRequest other = Rain();
  other.seed = 12;
  EXPECT_NE(Samples(Made(*model, other)), Samples(made));
}

TEST(AudioLdmModelTest, RefusesDurationsAndStepsThatAreNone) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  for (const double duration_s : {0.0, -1.0, std::nan(""), 36000.0, HUGE_VAL}) {
    GenerateAudioRequest request = Rain();
    request.duration_s = duration_s;
    EXPECT_EQ(ErrorCode(Made(*model, request).status()), "bad_duration") << duration_s;
    EXPECT_EQ(ErrorCode(model->Plan(request).status()), "bad_duration") << duration_s;
    EXPECT_EQ(model->Need(request).peak_bytes, 0) << duration_s;
  }
  for (const int steps : {0, -3}) {
    GenerateAudioRequest request = Rain();
    request.steps = steps;
    EXPECT_EQ(ErrorCode(Made(*model, request).status()), "bad_steps") << steps;
    EXPECT_EQ(ErrorCode(model->Plan(request).status()), "bad_steps") << steps;
  }
  EXPECT_EQ(model->context().budget->peak_bytes(), 0);
  GenerateAudioRequest long_sound = Rain();
  long_sound.reference_buffer = Chirp(61);
  EXPECT_EQ(ErrorCode(Made(*model, long_sound).status()), "bad_duration");
  long_sound.reference_buffer = *AudioBuffer::Create(1, 0, 16000);
  EXPECT_EQ(ErrorCode(Made(*model, long_sound).status()), "no_frames");
}

TEST(AudioLdmModelTest, TakesAnyPromptAndTellsWhatItCut) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  std::string controls;
  for (char letter = 0; letter < 32; ++letter) controls += letter;
  controls += '\x7f';
  std::string wall;
  while (wall.size() < 100'000) wall += "rain\x01 on\n tin ";
  for (const std::string& prompt : {std::string(), controls, wall}) {
    GenerateAudioRequest request = Rain();
    request.prompt = prompt;
    const auto made = Made(*model, request);
    ASSERT_TRUE(made.ok()) << made.status();
    for (const float sample : made->audio.planar()) ASSERT_TRUE(std::isfinite(sample));
    const size_t tokens = model->parts().tokenizer->Encode(prompt)->size();
    const auto most = static_cast<size_t>(model->parts().text.most_tokens());
    ASSERT_EQ(made->warnings.size(), tokens > most ? 1u : 0u) << prompt.size();
    if (tokens <= most) continue;
    EXPECT_EQ(made->warnings[0], "prompt: cut to " + std::to_string(most) + " tokens, " +
                                     std::to_string(tokens - most) + " were dropped");
    request.prompt = Rain().prompt;
    request.negative_prompt = prompt;
    EXPECT_THAT(Made(*model, request)->warnings, ::testing::ElementsAre(HasSubstr("negative_prompt: cut to")));
  }
  GenerateAudioRequest broken = Rain();
  broken.prompt = "rain\xff\xfe";
  const auto made = Made(*model, broken);
  EXPECT_TRUE(made.ok() || made.status().code() == absl::StatusCode::kInvalidArgument) << made.status();
}

void ExpectKeepsToItsSmallestPlan(const GenerateAudioRequest& request) {
  const auto roomy = Tiny();
  const double sound_s = request.reference_buffer ? request.reference_buffer->duration_s() : 0;
  const int64_t least = SmallestPlan(*roomy, roomy->WorkOf(request, sound_s).value());
  const auto tight = Tiny(least);
  const auto made = Made(*tight, request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_LE(made->peak_bytes, least);
  EXPECT_GE(static_cast<double>(made->peak_bytes), static_cast<double>(least) / 1.1);
  EXPECT_EQ(tight->context().budget->used_bytes(), 0);  // every component was dropped after its phase
  EXPECT_EQ(Samples(Made(*tight, request)), Samples(made));

  const auto less = Tiny(least - 1);
  const absl::Status refused = Made(*less, request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("want " + std::to_string(least) + " bytes"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("budget is " + std::to_string(least - 1)));
  EXPECT_EQ(less->context().budget->peak_bytes(), 0);
  EXPECT_EQ(ErrorCode(less->Plan(request).status()), "over_budget");
}

TEST(AudioLdmModelTest, KeepsToItsSmallestPlanByteForByte) {
  GRYM_NEED_PEER();
  for (const double duration_s : {0.4, 3.0}) {
    SCOPED_TRACE(duration_s);
    GenerateAudioRequest request = Rain();
    request.duration_s = duration_s;
    ExpectKeepsToItsSmallestPlan(request);
  }
  SCOPED_TRACE("from sound");
  ExpectKeepsToItsSmallestPlan(FromChirp(0.5));
}

TEST(AudioLdmModelTest, KeepsItsPartsWhereThereIsRoomAndLetsThemGoWhereThereIsNot) {
  GRYM_NEED_PEER();
  const auto roomy = Tiny();
  ASSERT_TRUE(Made(*roomy, Rain()).ok());
  EXPECT_EQ(roomy->context().budget->used_bytes(), roomy->info().weights_bytes);
  roomy->DropAll();
  EXPECT_EQ(roomy->context().budget->used_bytes(), 0);

  // The smallest budget that lets a short request keep everything, and the first longer one that may not.
  const AudioLdmWork small = roomy->WorkOf(Rain(), 0).value();
  const int64_t budget = roomy->PlanFor(small, kPlenty)->memory.peak_bytes();
  GenerateAudioRequest longer = Rain();
  const auto keeps = [&] {
    const auto plan = roomy->PlanFor(roomy->WorkOf(longer, 0).value(), budget);
    return !plan.ok() || plan->memory.keep_weights;
  };
  while (keeps() && longer.duration_s < 20) longer.duration_s += 0.04;
  ASSERT_FALSE(keeps()) << longer.duration_s;
  const std::vector<float> wanted = Samples(Made(*Tiny(budget), longer));
  const auto model = Tiny(budget);
  ASSERT_TRUE(Made(*model, Rain()).ok());
  EXPECT_EQ(model->context().budget->used_bytes(), model->info().weights_bytes);
  EXPECT_EQ(Samples(Made(*model, longer)), wanted);  // what the short one kept is in nobody's way
  EXPECT_EQ(model->context().budget->used_bytes(), 0);
}

// Cancels when `stage` is first told of; `told` are all stages of the run.
absl::Status CancelledIn(Generator& generator, const GenerateAudioRequest& request, const std::string& stage,
                         std::vector<std::string>* told) {
  RunOptions run;
  run.progress = [&](const Progress& now) {
    if (told->empty() || told->back() != now.stage) told->push_back(now.stage);
    if (now.stage == stage) run.cancel.Cancel();
  };
  return generator.Generate(request, run).status();
}

TEST(AudioLdmModelTest, IsCancelledWithinEachPhaseAndGoesOnToTheSameBytes) {
  GRYM_NEED_PEER();
  GenerateAudioRequest request = Rain();
  request.steps = 4;
  const int64_t least = SmallestPlan(*Tiny(), Tiny()->WorkOf(request, 0).value());
  const std::vector<float> whole = Samples(Made(*Tiny(), request)), tiled = Samples(Made(*Tiny(least), request));
  for (const int64_t budget : {kPlenty, least}) {
    const auto model = Tiny(budget);
    for (const char* stage : {"text", "denoise", "vae decode", "vocoder"}) {
      const auto generator = model->NewGenerator().value();
      std::vector<std::string> told;
      EXPECT_EQ(CancelledIn(*generator, request, stage, &told).code(), absl::StatusCode::kCancelled) << stage;
      ASSERT_FALSE(told.empty());
      EXPECT_EQ(told.back(), stage);  // nothing began after it
      EXPECT_EQ(Samples(generator->Generate(request, {})), budget == kPlenty ? whole : tiled) << stage;
      EXPECT_EQ(Samples(generator->Generate(request, {})), budget == kPlenty ? whole : tiled) << stage;
    }
    // What was kept of one request is nothing to another.
    const auto generator = model->NewGenerator().value();
    std::vector<std::string> told;
    GenerateAudioRequest other = request;
    other.seed = 99;
    EXPECT_EQ(CancelledIn(*generator, other, "vae decode", &told).code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(Samples(generator->Generate(request, {})), budget == kPlenty ? whole : tiled);
  }
}

TEST(AudioLdmModelTest, GivesEverythingBackWhenItIsClosed) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(kPlenty);
  int64_t peak = 0;
  for (int i = 0; i < 20; ++i) {
    budget->ResetPeak();
    const auto model = OpenAt(PeerCheckpoint("audioldm-tiny"), budget);
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_TRUE(Made(**model, Rain()).ok());
    if (i == 0) peak = budget->peak_bytes();
    EXPECT_EQ(budget->peak_bytes(), peak) << i;
  }
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(AudioLdmModelTest, NumbersThatAreNoneAreNamedInEveryComponent) {
  GRYM_NEED_PEER();
  const std::pair<const char*, const char*> places[] = {{"text_encoder", "query.weight"},
                                                        {"unet", "conv_in.weight"},
                                                        {"vae", "decoder.conv_in.weight"},
                                                        {"vae", "encoder.conv_in.weight"},
                                                        {"vocoder", "conv_post.bias"}};
  for (const auto& [component, ending] : places) {
    SCOPED_TRACE(ending);
    const Scratch scratch;
    const fs::path folder = Copied(scratch);
    const std::string name = Spoil(folder / component, ending);
    const auto budget = std::make_shared<MemoryBudget>(kPlenty);
    {
      const auto model = OpenAt(folder, budget);
      ASSERT_TRUE(model.ok()) << model.status();
      const absl::Status status = Made(**model, FromChirp(0.5)).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_EQ(ErrorCode(status), "non_finite_weights");
      EXPECT_THAT(std::string(status.message()), HasSubstr(name));
    }
    EXPECT_EQ(budget->used_bytes(), 0);
  }
}

TEST(AudioLdmModelTest, DamagedFoldersAreErrors) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(kPlenty);
  for (const char* component : {"text_encoder", "unet", "vae", "vocoder"}) {
    const Scratch scratch;
    const fs::path folder = Copied(scratch), weights = WeightsOf(folder / component);
    const auto whole = OpenAt(folder, budget);
    ASSERT_TRUE(whole.ok()) << whole.status();
    fs::resize_file(weights, fs::file_size(weights) / 2);
    EXPECT_EQ(ErrorCode(OpenAt(folder, budget).status()), "bad_safetensors") << component;
    EXPECT_EQ(ErrorCode(Made(**whole, Rain()).status()), "file_changed") << component;
    fs::remove(weights);
    EXPECT_EQ(ErrorCode(OpenAt(folder, budget).status()), "no_weights") << component;
    fs::remove_all(folder / component);
    EXPECT_FALSE(OpenAt(folder, budget).ok()) << component;
  }
  EXPECT_EQ(budget->used_bytes(), 0);
}

TEST(AudioLdmModelTest, AFolderThatVanishesWasReadOrIsAnError) {
  GRYM_NEED_PEER();
  const Scratch scratch;
  const auto model = OpenAt(Copied(scratch), std::make_shared<MemoryBudget>(kPlenty));
  ASSERT_TRUE(model.ok()) << model.status();
  fs::remove_all(scratch / "audioldm");
  const auto made = Made(**model, Rain());  // where the system keeps mapped files, nothing is missing
  if (made.ok()) {
    EXPECT_EQ(Samples(made), Samples(Made(*Tiny(), Rain())));
  } else {
    EXPECT_EQ(made.status().code(), absl::StatusCode::kDataLoss) << made.status();
  }
}

TEST(AudioLdmModelTest, PartsOfOtherModelsAreErrors) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(kPlenty);
  {
    const Scratch scratch;
    const fs::path folder = Copied(scratch);
    Replace(folder / "text_encoder" / "config.json", R"("vocab_size": *\d+)", "\"vocab_size\": 7");
    const absl::Status status = OpenAt(folder, budget).status();
    EXPECT_EQ(ErrorCode(status), "bad_config");
    EXPECT_THAT(std::string(status.message()), HasSubstr("vocab_size"));
  }
  {
    const Scratch scratch;
    const fs::path folder = Copied(scratch);
    Replace(folder / "unet" / "config.json", R"("projection_class_embeddings_input_dim": *\d+)",
            "\"projection_class_embeddings_input_dim\": 48");
    const absl::Status status = OpenAt(folder, budget).status();
    EXPECT_EQ(ErrorCode(status), "bad_config");
    EXPECT_THAT(std::string(status.message()), HasSubstr("got 32 and 48"));
  }
  const Scratch scratch;
  const fs::path folder = Copied(scratch);
  Replace(folder / "vocoder" / "config.json", R"("upsample_initial_channel": *\d+)",
          "\"upsample_initial_channel\": 128");
  const auto model = OpenAt(folder, budget);
  const absl::Status status = model.ok() ? Made(**model, Rain()).status() : model.status();
  EXPECT_EQ(ErrorCode(status), "bad_weights") << status;
}

// What the autoencoder and the vocoder alone make of a recording.
std::vector<float> ThereAndBack(const AudioLdmModel& model, const AudioBuffer& sound) {
  const LatentGeometry& geometry = model.parts().geometry;
  const absl::StatusOr<at::Tensor> wave = TorchGuard("test", [&]() -> absl::StatusOr<at::Tensor> {
    LogMelOptions options;
    options.rate_hz = static_cast<int>(geometry.rate_hz);
    options.hop = static_cast<int>(geometry.hop_frames);
    options.bands = static_cast<int>(geometry.bins);
    const std::vector<float> samples(sound.channel(0).begin(), sound.channel(0).end());
    const at::Tensor mel = LogMel(CentredAtHalfScale(samples), options).value();
    const int64_t frames = geometry.LatentFrames(sound.duration_s()) * geometry.scale;
    const at::Tensor latents = model.encoder().Get().value()->Encode(mel.narrow(2, 0, frames).contiguous(), {})->mean;
    const at::Tensor back = model.decoder().Get().value()->Decode(latents, 0).value();
    return model.vocoder().Get().value()->Synthesize(back.select(1, 0), 0);
  });
  if (!wave.ok()) {
    ADD_FAILURE() << wave.status();
    return {};
  }
  const at::Tensor flat = wave->flatten().contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

TEST(AudioLdmModelTest, AtStrengthZeroARecordingStaysItself) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  const std::vector<float> own = ThereAndBack(*model, Chirp(0.64));
  const double power = Energy(own, std::vector<float>(own.size()));
  const std::vector<float> none = Samples(Made(*model, FromChirp(0))), all = Samples(Made(*model, FromChirp(1)));
  ASSERT_EQ(none.size(), 10240u);
  EXPECT_LT(Energy(none, own), 1e-8 * power);
  EXPECT_GT(Energy(all, own), 1e-2 * power);
  // At another rate and in stereo it is the same recording, but for what resampling leaves.
  GenerateAudioRequest stereo = FromChirp(0);
  std::vector<float> twice;
  for (int channel = 0; channel < 2; ++channel) {
    const AudioBuffer one = Chirp(0.64, 48000);
    twice.insert(twice.end(), one.planar().begin(), one.planar().end());
  }
  stereo.reference_buffer = *AudioBuffer::FromPlanar(twice, 2, 48000);
  EXPECT_LT(Energy(Samples(Made(*model, stereo)), own), 0.1 * Energy(all, own));
}

TEST(AudioLdmModelTest, AMaskNamesASpanOfTheRecording) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  GenerateAudioRequest request = FromChirp(1);
  request.reference_buffer = Chirp(2.56);
  request.parameters = {{"mask_start_s", "1"}, {"mask_end_s", "1.5"}};
  const std::vector<float> own = ThereAndBack(*model, Chirp(2.56)), made = Samples(Made(*model, request));
  GenerateAudioRequest unmasked = request;
  unmasked.parameters.clear();
  const std::vector<float> all = Samples(Made(*model, unmasked));
  // How exactly the latents outside stay is denoise_test's to tell: random norms of the decoder mix all of the time.
  EXPECT_GT(Energy(made, own, 16000, 24000), 0.5 * Energy(all, own, 16000, 24000));
  EXPECT_GT(Energy(made, all), 1e-2 * Energy(all, own));
  // A span of everything is no mask.
  request.parameters = {{"mask_start_s", "0"}, {"mask_end_s", "2.56"}};
  EXPECT_LT(Energy(Samples(Made(*model, request)), all), 1e-6 * Energy(all, own));
  request.parameters = {{"mask_end_s", "1.5"}};
  request.parameters["mask_start_s"] = "2";
  EXPECT_EQ(ErrorCode(Made(*model, request).status()), "bad_request");
  request.parameters = {{"mask_start_s", "3"}, {"mask_end_s", "4"}};
  EXPECT_EQ(ErrorCode(Made(*model, request).status()), "bad_request");
}

TEST(AudioLdmModelTest, SessionsOnTwoThreadsMakeTheBytesOfOne) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  GenerateAudioRequest requests[2] = {Rain(), Rain()};
  requests[1].seed = 12;
  requests[1].prompt = "a dog barks";
  std::vector<float> alone[2], together[2];
  for (int i = 0; i < 2; ++i) alone[i] = Samples(Made(*Tiny(), requests[i]));
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (int again = 0; again < 3; ++again) together[i] = Samples(Made(*model, requests[i]));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(together[i], alone[i]) << i;
  EXPECT_NE(alone[0], alone[1]);
  EXPECT_EQ(model->context().budget->used_bytes(), model->info().weights_bytes);
}

TEST(AudioLdmModelTest, TheSolverOnRequestIsAnotherOne) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  GenerateAudioRequest request = Rain();
  request.steps = 4;
  const std::vector<float> ddim = Samples(Made(*model, request));
  request.parameters["solver"] = "dpmsolver++";
  const std::vector<float> dpm = Samples(Made(*model, request));
  ASSERT_EQ(dpm.size(), ddim.size());
  for (const float sample : dpm) ASSERT_TRUE(std::isfinite(sample));
  EXPECT_NE(dpm, ddim);
  EXPECT_EQ(Samples(Made(*model, request)), dpm);
}

TEST(AudioLdmModelTest, NumbersThatItCannotComputeInAreRefusedWithWords) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(kPlenty);
  for (const char* dtype : {"int8", "int4"}) {
    const absl::Status status = OpenAt(PeerCheckpoint("audioldm-tiny"), budget, dtype).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(ErrorCode(status), "unsupported_dtype");
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("got ") + dtype));
    EXPECT_THAT(std::string(status.message()), HasSubstr("bfloat16"));
  }
  EXPECT_EQ(ErrorCode(OpenAt(PeerCheckpoint("audioldm-tiny"), budget, "float12").status()), "bad_dtype");
}

}  // namespace
}  // namespace grym::testing
