#include "models/audioldm/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <thread>

#include "grymsynth/error.h"
#include "tiny_audioldm.h"
#include "models/vae/log_mel.h"
#include "runtime/torch_guard.h"
#include "support/bfloat_units.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;

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

TEST(AudioLdmModelTest, TenStepsOfTheSolverAreCloserThanTwentyFiveOfTheFoldersOwn) {
  GRYM_NEED_PEER();
  const auto model = Tiny();
  GenerateAudioRequest request = Rain();
  request.steps = 200;
  const std::vector<float> fine = Samples(Made(*model, request));
  const auto distance = [&](int steps, const char* solver) {
    request.steps = steps;
    request.parameters["solver"] = solver;
    return std::sqrt(Energy(fine, Samples(Made(*model, request))) / Energy(fine, std::vector<float>(fine.size())));
  };
  const double few = distance(10, "dpmsolver++"), many = distance(25, "checkpoint");
  std::printf("audioldm-tiny: 10 steps of the solver %.4f, 25 of the folder's own %.4f from 200\n", few, many);
  EXPECT_LT(few, many);
}

TEST(AudioLdmModelTest, ThreeProductsOfBFloat16AreNearlyFloat32) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  const auto exact = Tiny(), ours = Tiny(kPlenty, "bfloat16x3");
  const std::vector<float> wanted = Samples(Made(*exact, Rain())), made = Samples(Made(*ours, Rain()));
  const double power = Energy(wanted, std::vector<float>(wanted.size()));
  const double snr_db = 10 * std::log10(power / Energy(made, wanted));
  std::printf("  bfloat16x3: %.1f dB to float32\n", snr_db);
  EXPECT_GT(snr_db, 60);
  EXPECT_TRUE(std::isfinite(snr_db));  // or it was not taken
  EXPECT_EQ(Samples(Made(*ours, Rain())), made);
}

// Of random weights, so a bound and no promise: what a tier costs on published sizes is in the README.
TEST(AudioLdmModelTest, FewerBitsAreTheSameSoundAtADistance) {
  GRYM_NEED_PEER();
  const auto exact = Tiny();
  const std::vector<float> wanted = Samples(Made(*exact, Rain()));
  const double power = Energy(wanted, std::vector<float>(wanted.size()));
  int64_t before = exact->info().weights_bytes;
  for (const auto& [dtype, least_db] : {std::pair("bfloat16", 20.0), {"int8", 15.0}, {"int4", 0.0}}) {
    SCOPED_TRACE(dtype);
    const auto model = Tiny(kPlenty, dtype);
    const std::vector<float> made = Samples(Made(*model, Rain()));
    ASSERT_EQ(made.size(), wanted.size());
    for (const float sample : made) ASSERT_TRUE(std::isfinite(sample));
    const double snr_db = 10 * std::log10(power / Energy(made, wanted));
    std::printf("  %s: %lld bytes of weights, %.1f dB to float32\n", dtype,
                static_cast<long long>(model->info().weights_bytes), snr_db);
    EXPECT_GT(snr_db, least_db);
    EXPECT_EQ(model->context().budget->used_bytes(), model->info().weights_bytes);
    EXPECT_LT(model->info().weights_bytes, before);
    before = model->info().weights_bytes;
    EXPECT_EQ(Samples(Made(*model, Rain())), made);
  }
  const std::string plan = Tiny(kPlenty, "int8")->Plan(Rain()).value();
  EXPECT_THAT(plan, HasSubstr("convolutions in float16"));
  EXPECT_THAT(plan, HasSubstr("int8 is for matrices"));
  const auto budget = std::make_shared<MemoryBudget>(kPlenty);
  EXPECT_EQ(ErrorCode(OpenAt(PeerCheckpoint("audioldm-tiny"), budget, "float12").status()), "bad_dtype");
}

}  // namespace
}  // namespace grym::testing
