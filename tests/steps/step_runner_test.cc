#include "steps/step_runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "analysis/enhance/limiter.h"
#include "analysis/true_peak.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/status.h"
#include "generation/composer.h"
#include "grymsynth/audio_file.h"
#include "steps/repair_model.h"
#include "steps/rules_model.h"
#include "steps/step_values.h"
#include "support/scratch.h"
#include "support/test_music.h"

namespace grym {
namespace {

class StepRunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    processor_ = AudioProcessor::Create();
    memory_ = PatternMemory::Open(scratch_ / "patterns.db").value();
    recognizer_ = PatternRecognizer::Create(memory_.get()).value();
    orchestrator_ = ModelOrchestrator::Create();
    ASSERT_TRUE(orchestrator_->Register(MakeComposer()).ok());
    ASSERT_TRUE(orchestrator_->Register(MakeRulesModel()).ok());
    ASSERT_TRUE(orchestrator_->Register(MakeRepairModel()).ok());
    files_ = std::make_unique<ContentStore>(scratch_ / "files");
    testing::TestMusicOptions music;
    music.noise_db = -45;
    music.seconds = 10;
    recording_ = (scratch_ / "worn.wav").string();
    ASSERT_TRUE(SaveAudio(recording_, testing::MakeTestMusic(music)).ok());
  }
  absl::StatusOr<Json> Run(const std::string& operation, std::vector<CallInput> inputs,
                           Json parameters = Json::Object(), Json previous = Json(), int visit = 1,
                           const RunOptions& run = {}) {
    StepServices services{processor_.get(),    memory_.get(),    recognizer_.get(),
                          orchestrator_.get(), scratch_ / "out", ""};
    StepRunner runner(services);
    OperationCall call;
    call.step = operation;
    call.operation = operation;
    call.visit = visit;
    call.visit_key = "run/" + operation + "/" + std::to_string(visit);
    call.inputs = std::move(inputs);
    call.parameters = std::move(parameters);
    call.previous_result = std::move(previous);
    call.seed = 11;
    call.files = files_.get();
    return runner.Run(call, run);
  }
  absl::StatusOr<Json> Take() {
    GRYM_ASSIGN_OR_RETURN(const Json patterns, Run("patterns", {{"audio", "audioFile", recording_}}));
    GRYM_ASSIGN_OR_RETURN(const Json features, Run("features", {{"audio", "audioFile", recording_}}));
    Json parameters = Json::Object();
    parameters["enhancementLevel"] = 0.5;
    return Run("generate", {{"patterns", "", patterns}, {"features", "", features}}, parameters);
  }

  // Half a second of noise: enough for what an export does with files.
  Json SmallTake(uint64_t seed, bool with_stem_and_midi) {
    AudioBuffer audio = AudioBuffer::Create(1, 22050, 44100).value();
    Random random(seed);
    for (float& sample : audio.mutable_planar()) sample = static_cast<float>(0.1 * random.Normal());
    Json take = Json::Object();
    take["audio"] = PutAudio(*files_, audio).value();
    take["facts"] = static_cast<int64_t>(seed);
    if (!with_stem_and_midi) return take;
    Json stem = Json::Object();
    stem["name"] = "lead";
    stem["audio"] = take["audio"];
    take["stems"] = Json::Array();
    take["stems"].push_back(stem);
    take["midi"] = files_->PutBytes("MThd").value();
    return take;
  }
  // Names below the output folder, with what the files hold.
  std::map<std::string, std::string> Exported() {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_ / "out")) {
      const std::string name = std::filesystem::relative(entry.path(), scratch_ / "out").string();
      found[name] = entry.is_directory() ? "a folder" : ReadFile(entry.path(), 1 << 24).value();
    }
    return found;
  }
  static Json Named(const std::string& name, const std::string& format = "wav") {
    Json parameters = Json::Object();
    parameters["name"] = name;
    parameters["format"] = format;
    return parameters;
  }

  testing::Scratch scratch_;
  std::unique_ptr<AudioProcessor> processor_;
  std::unique_ptr<PatternMemory> memory_;
  std::unique_ptr<PatternRecognizer> recognizer_;
  std::unique_ptr<ModelOrchestrator> orchestrator_;
  std::unique_ptr<ContentStore> files_;
  std::string recording_;
};

TEST_F(StepRunnerTest, PatternsAreLearnedOnceHoweverOftenTheFileIsHeard) {
  const auto first = Run("patterns", {{"audio", "audioFile", recording_}});
  ASSERT_TRUE(first.ok()) << first.status();
  const int64_t known = memory_->Stats()->patterns;
  EXPECT_GT(known, 0);
  const auto second = Run("patterns", {{"audio", "audioFile", recording_}});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(memory_->Stats()->patterns, known);
  EXPECT_EQ(first->Dump(), second->Dump());  // a second attempt answers the same bytes
}

TEST_F(StepRunnerTest, ATakeIsJudgedAndTheBestIsKept) {
  const auto take = Take();
  ASSERT_TRUE(take.ok()) << take.status();
  const auto judged = Run("compare", {{"original", "", recording_}, {"candidate", "", *take}});
  ASSERT_TRUE(judged.ok()) << judged.status();
  const double score = judged->at("qualityScore").number(-1);
  EXPECT_GT(score, 0.3);
  EXPECT_EQ(judged->at("bestScore").number(), score);
  EXPECT_EQ(judged->at("best").at("audio"), take->at("audio"));
  // A worse take (silence) leaves the best where it was.
  Json silent = *take;
  silent["audio"] = PutAudio(*files_, AudioBuffer::Create(2, 441000, 44100).value()).value();
  const auto again =
      Run("compare", {{"original", "", recording_}, {"candidate", "", silent}}, Json::Object(), *judged, 2);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_LT(again->at("qualityScore").number(), 0.3);
  EXPECT_EQ(again->at("bestVisit"), Json(1));
  EXPECT_EQ(again->at("best").at("audio"), take->at("audio"));
  EXPECT_GT(memory_->Stats()->outcomes, 0);
}

TEST_F(StepRunnerTest, ExportWritesTakeStemsMidiAndASidecarThatRendersItAgain) {
  const auto take = Take();
  ASSERT_TRUE(take.ok()) << take.status();
  Json parameters = Json::Object();
  parameters["format"] = "wav";
  parameters["sampleRate"] = 44100;
  parameters["bitDepth"] = 16;
  const auto exported = Run("export", {{"take", "", *take}}, parameters);
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "out/worn-enhanced.wav"));
  for (const Json& file : exported->at("files").items())
    EXPECT_TRUE(std::filesystem::exists(file.text())) << file.text();
  const auto info = ProbeAudioFile(scratch_ / "out/worn-enhanced.wav");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->rate_hz, 44100);
  EXPECT_EQ(info->encoding, "pcm_16");
  EXPECT_EQ(info->metadata.model, "composer");

  const Json sidecar =
      Json::Parse(ReadFile(scratch_ / "out/worn-enhanced.json", 1 << 24).value(), ResultLimits()).value();
  auto request = RequestFromJson(sidecar.at("request").Dump());
  ASSERT_TRUE(request.ok()) << request.status();
  const auto generator = orchestrator_->Find("composer").value()->NewGenerator().value();
  const auto rendered = generator->Generate(*request, {});
  ASSERT_TRUE(rendered.ok()) << rendered.status();
  EXPECT_EQ(PutAudio(*files_, rendered->audio)->at("$file"), take->at("audio").at("$file"));
}

TEST_F(StepRunnerTest, WhatIsExportedKeepsThePeakOfTheTake) {
  // A third harmonic takes 1.25 dB off the peaks of its tone, until a lower rate takes it away; and a coder's own noise
  // goes on top of peaks that stand at the ceiling everywhere.
  AudioBuffer tones = AudioBuffer::Create(2, 2 * 44100, 44100).value(), noise = tones;
  Random random(3);
  for (int64_t n = 0; n < tones.frames(); ++n) {
    const double phase = 2 * M_PI * 5000 * static_cast<double>(n) / 44100;
    const auto tone = static_cast<float>(1.2 * (std::sin(phase) + std::sin(3 * phase) / 6));
    const auto burst = static_cast<float>((n / 4410 % 2 == 0 ? 0.9 : 0.05) * random.Normal());
    for (int c = 0; c < 2; ++c) {
      tones.mutable_channel(c)[static_cast<size_t>(n)] = tone;
      noise.mutable_channel(c)[static_cast<size_t>(n)] = burst;
    }
  }
  const auto take_of = [&](AudioBuffer& audio) {
    EXPECT_TRUE(LimitTruePeak(audio, -1).ok());
    Json take = Json::Object();
    take["audio"] = PutAudio(*files_, audio).value();
    return take;
  };
  const Json of_tones = take_of(tones), of_noise = take_of(noise);
  const auto peak_db = [&](const Json& exported) {
    const AudioBuffer written = LoadAudio(exported.at("path").text()).value();
    return 20 * std::log10(MeasureTruePeak(written).value());
  };
  struct Way {
    const Json& take;
    const char* format;
    int rate_hz;
  };
  for (const Way& way : {Way{of_tones, "wav", 22050}, Way{of_tones, "flac", 22050}, Way{of_noise, "ogg", 44100}}) {
    Json parameters = Json::Object();
    parameters["format"] = way.format;
    parameters["sampleRate"] = way.rate_hz;
    const auto exported = Run("export", {{"take", "", way.take}}, parameters);
    ASSERT_TRUE(exported.ok()) << exported.status();
    EXPECT_LE(peak_db(*exported), -0.99) << way.format;
    EXPECT_GE(peak_db(*exported), -2) << way.format;  // a coder answers with other peaks to every level
    ASSERT_EQ(exported->at("take").at("warnings").size(), 1u) << way.format;
    EXPECT_NE(exported->at("take").at("warnings").items()[0].text().find("turned down by"), std::string::npos);
    EXPECT_LT(exported->at("take").at("stages").items()[0].at("changeDb").number(), 0);
  }
  Json parameters = Json::Object();
  parameters["format"] = "flac";
  const auto untouched = Run("export", {{"take", "", of_tones}}, parameters);
  ASSERT_TRUE(untouched.ok()) << untouched.status();
  EXPECT_FALSE(untouched->at("take").contains("warnings"));
  EXPECT_NEAR(peak_db(*untouched), -1, 0.01);
}

TEST_F(StepRunnerTest, AnExportThatEndsEarlyLeavesWhatStoodThere) {
  ASSERT_TRUE(Run("export", {{"take", "", SmallTake(1, true)}}, Named("x")).ok());
  const auto before = Exported();
  EXPECT_EQ(before.size(), 5u);  // the take, its sidecar, MIDI, the stems' folder, a stem
  const Json other = SmallTake(2, true);
  for (const char* name : {"x", "y"}) {
    // Stopped as late as can be: while what was written is heard.
    RunOptions run;
    int reports = 0;
    run.progress = [&](const Progress&) {
      ++reports;
      run.cancel.Cancel();
    };
    const auto stopped = Run("export", {{"take", "", other}}, Named(name), Json(), 1, run);
    EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled) << stopped.status();
    EXPECT_GT(reports, 0);
    EXPECT_TRUE(Exported() == before) << name;
    Json broken = other;
    broken["midi"]["$file"] = std::string(64, '0');
    EXPECT_FALSE(Run("export", {{"take", "", broken}}, Named(name)).ok());
    EXPECT_TRUE(Exported() == before) << name;
  }
  std::filesystem::create_directories(scratch_ / "out/z.json");
  const auto in_the_way = Run("export", {{"take", "", other}}, Named("z"));
  EXPECT_EQ(ErrorCode(in_the_way.status()), "not_a_file") << in_the_way.status();
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out/z.wav"));
}

TEST_F(StepRunnerTest, ATrialOfALevelIsNeverSeen) {
  // A coder's peaks ask for several passes; what anybody finds under the name is the last.
  AudioBuffer noise = AudioBuffer::Create(2, 44100, 44100).value();
  Random random(3);
  for (float& sample : noise.mutable_planar()) sample = static_cast<float>(0.9 * random.Normal());
  ASSERT_TRUE(LimitTruePeak(noise, -1).ok());
  Json take = Json::Object();
  take["audio"] = PutAudio(*files_, noise).value();
  const std::filesystem::path path = scratch_ / "out/x.ogg";
  std::atomic<bool> done{false};
  std::set<std::string> seen;
  const auto look = [&] {
    if (auto bytes = ReadFile(path, 1 << 24); bytes.ok()) seen.insert(*std::move(bytes));
  };
  std::thread watcher([&] {
    while (!done) look();
  });
  const auto exported = Run("export", {{"take", "", take}}, Named("x", "ogg"));
  done = true;
  watcher.join();
  look();
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_EQ(exported->at("take").at("stages").size(), 1u);  // it was turned down, so there was more than one pass
  EXPECT_EQ(seen.size(), 1u);
}

TEST_F(StepRunnerTest, ExportsOfOneNameAreNeverMixed) {
  const Json takes[] = {SmallTake(1, true), SmallTake(2, false)};
  for (int round = 0; round < 8; ++round) {
    std::vector<std::thread> exports;
    for (const int which : {round % 2, 1 - round % 2}) {
      const Json& take = takes[which];
      exports.emplace_back([this, &take] {
        const auto exported = Run("export", {{"take", "", take}}, Named("x"));
        EXPECT_TRUE(exported.ok()) << exported.status();
      });
    }
    for (std::thread& thread : exports) thread.join();
    const auto files = Exported();
    const Json sidecar = Json::Parse(files.at("x.json"), ResultLimits()).value();
    EXPECT_EQ(sidecar.at("sha256").text(), Sha256Hex(files.at("x.wav")));
    const bool first = sidecar.at("facts") == Json(1);
    EXPECT_EQ(files.size(), first ? 5u : 2u) << round;  // what only the other had is gone
  }
  for (const size_t expected : {5u, 2u}) {
    ASSERT_TRUE(Run("export", {{"take", "", takes[expected == 2]}}, Named("x")).ok());
    EXPECT_EQ(Exported().size(), expected);
  }
}

TEST_F(StepRunnerTest, AnExportWritesInItsFolderAloneAndChecksNamesFirst) {
  for (const char* name : {"../../evil", "..", "", "a\\b", "lead"}) {  // the last is there already
    Json take = SmallTake(1, true);
    Json stem = take.at("stems").at(size_t{0});
    stem["name"] = name;
    take["stems"].push_back(stem);
    EXPECT_EQ(ErrorCode(Run("export", {{"take", "", take}}, Named("x")).status()), "bad_input") << name;
  }
  const Json take = SmallTake(1, true);
  for (const size_t bytes : {250u, 300u}) {  // "-stems" is longer than ".json"
    EXPECT_EQ(ErrorCode(Run("export", {{"take", "", take}}, Named(std::string(bytes, 'n'))).status()), "bad_parameter");
  }
  Json empty = Json::Object();
  empty["audio"] = PutAudio(*files_, AudioBuffer::Create(1, 0, 44100).value()).value();
  EXPECT_EQ(ErrorCode(Run("export", {{"take", "", empty}}, Named("x")).status()), "bad_input");
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "evil.wav"));
  const std::string longest(249, 'n');
  const auto fits = Run("export", {{"take", "", take}}, Named(longest));
  EXPECT_TRUE(fits.ok()) << fits.status();
  // A name that nobody chose is made to fit.
  Json of_recording = take;
  of_recording["audioFile"] = "/music/" + std::string(120, 'n') + "\x1b" + std::string(60, 'n') + "\xc3\xa9" +
                              std::string(60, 'm') + ".wav";
  const auto cut = Run("export", {{"take", "", of_recording}});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(std::filesystem::path(cut->at("path").text()).filename().string(),
            std::string(120, 'n') + "_" + std::string(60, 'n') + "\xc3\xa9" + std::string(57, 'm') + "-enhanced.wav");
}

TEST_F(StepRunnerTest, TextThatNoTagCanHoldIsNoReasonToFail) {
  struct Case {
    const char* file;
    std::string prompt, negative;
    const char* tag;  // what the prompt's tag then says
  };
  const std::string most(65535, 'p');
  const Case cases[] = {{"vt", "warm\x0b pad\nslow", "", "warm  pad\nslow"},
                        {"caf\xe9", "caf\xe9 music", "", "caf\xef\xbf\xbd music"},
                        {"long", most + "\xc3\xa9", "", most.c_str()},
                        {"both", "two", std::string(66000, 'n'), "two"}};
  for (const Case& one : cases) {
    Json take = SmallTake(1, false), request = Json::Object();
    request["prompt"] = one.prompt;
    request["negativePrompt"] = one.negative;
    take["request"] = request;
    take["audioFile"] = std::string("/music/") + one.file + ".wav";
    const auto exported = Run("export", {{"take", "", take}});
    ASSERT_TRUE(exported.ok()) << one.file << ": " << exported.status();
    const auto info = ProbeAudioFile(exported->at("path").text());
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->metadata.prompt, one.tag) << one.file;
    // A part of a request renders nothing: it is there whole or not at all.
    EXPECT_EQ(info->metadata.parameters.empty(), one.prompt.size() + one.negative.size() > 60000) << one.file;
    EXPECT_TRUE(std::filesystem::exists(exported->at("sidecar").text()));
  }
}

TEST_F(StepRunnerTest, WhatPassesFullScaleIsTurnedDownForIntegersAlone) {
  AudioBuffer tone = AudioBuffer::Create(1, 22050, 44100).value();
  for (int64_t n = 0; n < tone.frames(); ++n)
    tone.mutable_channel(0)[static_cast<size_t>(n)] = static_cast<float>(1.6 * std::sin(0.05 * static_cast<double>(n)));
  Json take = Json::Object();
  take["audio"] = PutAudio(*files_, tone).value();
  struct Way {
    const char* format;
    int bits, rate_hz;
  };
  for (const Way& way : {Way{"wav", 16, 0}, Way{"flac", 24, 0}, Way{"wav", 16, 48000}, Way{"wav", 32, 0}}) {
    Json parameters = Named("x", way.format);
    parameters["bitDepth"] = way.bits;
    if (way.rate_hz > 0) parameters["sampleRate"] = way.rate_hz;
    const auto exported = Run("export", {{"take", "", take}}, parameters);
    ASSERT_TRUE(exported.ok()) << exported.status();
    const AudioBuffer written = LoadAudio(exported->at("path").text()).value();
    double peak = 0, squares = 0;
    for (const float sample : written.planar()) {
      peak = std::max(peak, static_cast<double>(std::abs(sample)));
      squares += static_cast<double>(sample) * sample;
    }
    // Still a sine: cut off at full scale its peak would be 1.2 times its RMS.
    EXPECT_NEAR(peak / std::sqrt(squares / static_cast<double>(written.frames())), std::sqrt(2), 0.02) << way.bits;
    EXPECT_NEAR(peak, way.bits == 32 ? 1.6 : 1.0, 0.01);
    const Json& warnings = exported->at("take").at("warnings");
    ASSERT_EQ(warnings.size(), way.bits == 32 ? 0u : 1u);
    if (way.bits != 32) {
      EXPECT_NE(warnings.at(size_t{0}).text().find("full scale"), std::string::npos) << warnings.Dump();
    }
  }
}

TEST_F(StepRunnerTest, GenerateWithoutInputsFollowsThePrompt) {
  Json parameters = Json::Object();
  parameters["prompt"] = "slow ambient in A minor";
  parameters["durationSeconds"] = 6;
  const auto take = Run("generate", {}, parameters);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_NEAR(take->at("durationSeconds").number(), 6, 0.1);
  EXPECT_EQ(take->at("audioFile").text(), "");
  const auto exported = Run("export", {{"take", "", *take}});
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_TRUE(std::filesystem::exists(exported->at("path").text())) << exported->Dump();
}

TEST_F(StepRunnerTest, BadInputsNameTheStep) {
  for (const char* operation : {"patterns", "features", "classify", "enhance", "compare", "export"}) {
    const auto answer = Run(operation, {{"audio", "", Json(5)}, {"original", "", Json(5)}, {"take", "", Json(5)}});
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument) << operation;
    EXPECT_EQ(std::string(answer.status().message()).rfind(operation, 0), 0u) << answer.status();
  }
  EXPECT_EQ(Run("features", {{"audio", "", (scratch_ / "none.wav").string()}}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Run("dance", {}).status().code(), absl::StatusCode::kUnimplemented);
  Json parameters = Json::Object();
  parameters["name"] = "../escape";
  const auto take = Take();
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_EQ(ErrorCode(Run("export", {{"take", "", *take}}, parameters).status()), "bad_parameter");
}

TEST_F(StepRunnerTest, EnhanceAnswersWhatTheProcessorMakes) {
  Json parameters = Json::Object();
  parameters["level"] = 0.7;
  parameters["dynamics"] = false;
  parameters["truePeakDbtp"] = -3;
  const auto enhanced = Run("enhance", {{"audio", "", recording_}}, parameters);
  ASSERT_TRUE(enhanced.ok()) << enhanced.status();
  EnhanceParams params;
  params.level = 0.7;
  params.dynamics = false;
  params.true_peak_dbtp = -3;
  const auto alone = processor_->Enhance(std::filesystem::path(recording_), params);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(PutAudio(*files_, alone->audio)->at("$file"), enhanced->at("audio").at("$file"));
  ASSERT_EQ(enhanced->at("stages").size(), alone->stages.size());
  int applied = 0;
  for (size_t i = 0; i < alone->stages.size(); ++i) {
    const Json& told = enhanced->at("stages").items()[i];
    EXPECT_EQ(told.at("name").text(), alone->stages[i].name);
    EXPECT_EQ(told.at("applied").boolean(false), alone->stages[i].applied);
    EXPECT_EQ(told.at("changeDb").number(), alone->stages[i].change_db);
    applied += alone->stages[i].applied;
  }
  EXPECT_GT(applied, 0);
}

}  // namespace
}  // namespace grym
