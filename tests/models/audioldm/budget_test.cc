#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "grymsynth/audio_file.h"
#include "grymsynth/error.h"
#include "support/bfloat_units.h"
#include "support/scratch.h"
#include "tiny_audioldm.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;

void ExpectKeepsToItsSmallestPlan(const GenerateAudioRequest& request, const std::string& dtype = "float32") {
  const auto roomy = Tiny(kPlenty, dtype);
  const double sound_s = request.reference_buffer ? request.reference_buffer->duration_s() : 0;
  const int64_t least = SmallestPlan(*roomy, roomy->WorkOf(request, sound_s).value());
  const auto tight = Tiny(least, dtype);
  const auto made = Made(*tight, request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_LE(made->peak_bytes, least);
  EXPECT_EQ(tight->context().budget->used_bytes(), 0);  // every component was dropped after its phase
  EXPECT_EQ(Samples(Made(*tight, request)), Samples(made));
  // Of a network that is streamed, a unit may be done before the next one is read.
  const auto near = [&] { return tight->context().budget->peak_bytes() * 11 >= least * 10; };
  for (int again = 0; again < 20 && !near(); ++again) EXPECT_TRUE(Made(*tight, request).ok());
  EXPECT_TRUE(near()) << tight->context().budget->peak_bytes() << " of " << least;
  EXPECT_LE(tight->context().budget->peak_bytes(), least);

  const auto less = Tiny(least - 1, dtype);
  const absl::Status refused = Made(*less, request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("want " + std::to_string(least) + " bytes"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("budget is " + std::to_string(least - 1)));
  EXPECT_EQ(less->context().budget->peak_bytes(), 0);
  EXPECT_EQ(ErrorCode(less->Plan(request).status()), "over_budget");
}

TEST(AudioLdmBudgetTest, KeepsToItsSmallestPlanByteForByte) {
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

TEST(AudioLdmBudgetTest, ARecordingWhoseLengthOnlyDecodingTellsIsPlannedForAsWhatItIs) {
  GRYM_NEED_PEER();
  Scratch scratch;
  const GenerateAudioRequest held = FromChirp(0.5);
  GenerateAudioRequest lying = held;
  lying.reference_audio = (scratch / "sound.flac").string();
  lying.reference_buffer.reset();
  ASSERT_TRUE(SaveAudio(lying.reference_audio, *held.reference_buffer).ok());
  // The number of frames, 36 bits: 0 is "not known", as where an encoder writes to a pipe.
  std::fstream file(lying.reference_audio, std::ios::in | std::ios::out | std::ios::binary);
  const int high = file.seekg(21).get();
  file.seekp(21).put(static_cast<char>(high & 0xf0)).write("\0\0\0\0", 4);
  file.close();
  ASSERT_EQ(ProbeAudioFile(lying.reference_audio)->frames, -1);
  const auto model = Tiny(kPlenty);
  EXPECT_THAT(model->Plan(lying).value(), HasSubstr("vae_encoder"));
  EXPECT_EQ(model->Plan(lying).value(), model->Plan(held).value());
  EXPECT_EQ(model->Need(lying).peak_bytes, model->Need(held).peak_bytes);
}

TEST(AudioLdmBudgetTest, KeepsToItsSmallestPlanInEveryPrecision) {
  GRYM_NEED_PEER();
  for (const char* dtype : {"float16", "bfloat16", "int8", "int4"}) {
    SCOPED_TRACE(dtype);
    for (const double duration_s : {0.06, 0.4, 3.0}) {
      SCOPED_TRACE(duration_s);
      GenerateAudioRequest request = Rain();
      request.duration_s = duration_s;
      ExpectKeepsToItsSmallestPlan(request, dtype);
    }
    SCOPED_TRACE("from sound");
    ExpectKeepsToItsSmallestPlan(FromChirp(0.5), dtype);
  }
}

TEST(AudioLdmBudgetTest, KeepsToItsSmallestPlanInBFloat16x3) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  for (const double duration_s : {0.06, 0.4, 3.0}) {
    SCOPED_TRACE(duration_s);
    GenerateAudioRequest request = Rain();
    request.duration_s = duration_s;
    ExpectKeepsToItsSmallestPlan(request, "bfloat16x3");
  }
  SCOPED_TRACE("from sound");
  ExpectKeepsToItsSmallestPlan(FromChirp(0.5), "bfloat16x3");
}

TEST(AudioLdmBudgetTest, LowersItsPrecisionWhereItMayAndMust) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("audioldm-tiny");
  const auto exact = Tiny();
  const int64_t least = SmallestPlan(*exact, {.duration_s = 0.05, .steps = 1, .tokens = 2});
  const auto opened = [&](int64_t bytes, bool may) {
    return OpenAt(folder, std::make_shared<MemoryBudget>(bytes), "float32", may).value();
  };
  GenerateAudioRequest request = Rain();
  request.duration_s = 0.06;
  request.prompt = request.negative_prompt = "";
  EXPECT_THAT(opened(kPlenty, true)->Plan(request).value(), ::testing::Not(HasSubstr("lowered")));
  EXPECT_EQ(ErrorCode(opened(least - 1, false)->Plan(request).status()), "over_budget");
  const auto lowered = opened(least * 3 / 4, true);
  EXPECT_THAT(lowered->Plan(request).value(), HasSubstr("lowered precision to "));
  EXPECT_TRUE(Made(*lowered, request).ok()) << Made(*lowered, request).status();
}

TEST(AudioLdmBudgetTest, KeepsItsPartsWhereThereIsRoomAndLetsThemGoWhereThereIsNot) {
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

TEST(AudioLdmBudgetTest, IsCancelledWithinEachPhaseAndGoesOnToTheSameBytes) {
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

TEST(AudioLdmBudgetTest, AnotherSessionGoesOnWhereTheLastOneStopped) {
  GRYM_NEED_PEER();
  for (const char* solver : {"checkpoint", "dpmsolver++"}) {
    for (const bool from_sound : {false, true}) {
      SCOPED_TRACE(solver);
      GenerateAudioRequest request = from_sound ? FromChirp(1) : Rain();
      request.steps = 6;
      request.parameters["solver"] = solver;
      const std::vector<float> whole = Samples(Made(*Tiny(), request));
      const auto model = Tiny();
      RunOptions stopped;
      stopped.progress = [&](const Progress& now) {
        if (now.stage == "vae decode") stopped.cancel.Interrupt();  // halfway: denoise_test.cc
      };
      ASSERT_EQ(Made(*model, request, stopped).status().code(), absl::StatusCode::kCancelled);
      GenerateAudioRequest other = request;
      other.seed = 99;
      EXPECT_EQ(Made(*model, other)->facts.count("resumed_from_step"), 0u);
      const auto rest = Made(*model, request);
      EXPECT_EQ(Samples(rest), whole);
      ASSERT_EQ(rest->facts.count("resumed_from_step"), 1u);
      EXPECT_EQ(rest->facts.at("resumed_from_step"), "6");
      const auto again = Made(*model, request);  // what was kept is gone with its use
      EXPECT_EQ(Samples(again), whole);
      EXPECT_EQ(again->facts.count("resumed_from_step"), 0u);
    }
  }
}

TEST(AudioLdmBudgetTest, GivesEverythingBackWhenItIsClosed) {
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

}  // namespace
}  // namespace grym::testing
