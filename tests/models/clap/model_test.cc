#include "models/clap/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <regex>
#include <set>
#include <tuple>

#include "clap_peer.h"
#include "grymsynth/error.h"
#include "models/clap/style_prompts.h"
#include "support/bfloat_units.h"
#include "support/host_callback.h"
#include "support/scratch.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::shared_ptr<const ClapModel>> OpenTiny(int64_t budget_bytes = 0,
                                                          const std::string& dtype = "float32",
                                                          bool may_lower_precision = false) {
  OpenModelOptions options;
  options.may_lower_precision = may_lower_precision;
  options.device = "cpu";
  options.dtype = dtype;
  options.budget_bytes = budget_bytes;
  const auto context = ModelContext::Make(options, nullptr);
  if (!context.ok()) return context.status();
  const auto folder = ModelFolder::Open(PeerCheckpoint("clap-tiny"));
  if (!folder.ok()) return folder.status();
  return ClapModel::Open(*folder, *context);
}

AudioBuffer Tone(double seconds, int rate_hz = 48000, double hz = 440) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(0.4 * std::sin(2 * M_PI * hz * static_cast<double>(i) / rate_hz));
  }
  return *AudioBuffer::FromPlanar(std::move(samples), 1, rate_hz);
}

double LengthOf(const std::vector<float>& vector) {
  double square = 0;
  for (const float value : vector) square += static_cast<double>(value) * value;
  return std::sqrt(square);
}

TEST(ClapModel, OtherWeightsAreAnotherVersion) {
  GRYM_NEED_PEER();
  Scratch scratch;
  const auto copy = scratch / "copy";
  std::filesystem::copy(PeerCheckpoint("clap-tiny"), copy, std::filesystem::copy_options::recursive);
  const auto version = [&] {
    const auto context = ModelContext::Make({.device = "cpu"}, nullptr);
    const auto model = ClapModel::Open(ModelFolder::Open(copy).value(), *context);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? (*model)->info().version : "";
  };
  const std::string first = version();
  EXPECT_EQ(first, OpenTiny().value()->info().version);
  // The last bit of the first number.
  std::fstream weights(copy / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  uint64_t header = 0;
  ASSERT_TRUE(weights.read(reinterpret_cast<char*>(&header), 8).seekg(static_cast<std::streamoff>(8 + header)));
  const int byte = weights.get();
  weights.seekp(static_cast<std::streamoff>(8 + header)).put(static_cast<char>(byte ^ 1));
  weights.close();
  EXPECT_NE(version(), first);
}

TEST(ClapModel, EmbedsAsTheReferenceFromTheWordsOn) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const std::filesystem::path run = PeerRun(PeerCheckpoint("clap-tiny"), "short", {});
  const auto kept = TensorSet::Open(run);
  ASSERT_TRUE(kept.ok()) << kept.status();
  const auto embedder = (*model)->NewEmbedder();
  ASSERT_TRUE(embedder.ok());
  const auto text = (*embedder)->EmbedText("a dog barks twice in the distance while rain falls", {});
  ASSERT_TRUE(text.ok()) << text.status();
  ExpectSameStage("text", at::tensor(*text), PeerTensor(*kept, "text_embeds"));
  const at::Tensor sound = PeerTensor(*kept, "input.audio");
  std::vector<float> samples(sound.const_data_ptr<float>(), sound.const_data_ptr<float>() + sound.numel());
  const auto audio = (*embedder)->Embed(*AudioBuffer::FromPlanar(samples, 1, 48000), {});
  ASSERT_TRUE(audio.ok()) << audio.status();
  ExpectSameStage("audio", at::tensor(*audio), PeerTensor(*kept, "audio_embeds"));
  const double logit = (*model)->logit_scale() * at::tensor(*text).dot(at::tensor(*audio)).item<double>();
  EXPECT_NEAR(logit, PeerTensor(*kept, "logits_per_audio").item<double>(), 1e-3 * (*model)->logit_scale());
}

TEST(ClapModel, LongRecordingsOfAnyRateAreUnitVectorsAndReportProgress) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto embedder = (*model)->NewEmbedder();
  double told = 0;
  RunOptions run;
  run.progress = [&](const Progress& progress) {
    told = progress.fraction;
    EXPECT_TRUE(testing::IsTheHostsOwn());
  };
  const auto made = (*embedder)->Embed(Tone(23, 22050), run);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->size(), static_cast<size_t>((*embedder)->dims()));
  EXPECT_NEAR(LengthOf(*made), 1, 1e-5);
  EXPECT_GT(told, 0);
  const auto again = (*embedder)->Embed(Tone(23, 22050), {});
  EXPECT_EQ(*made, *again);
}

TEST(ClapModel, NamesStylesInTheVocabularyOfTheRules) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto analyzer = (*model)->NewAnalyzer();
  const AudioBuffer audio = Tone(3), silence = *AudioBuffer::Create(2, 48000, 48000);
  const std::vector<AudioInput> inputs = {audio};
  const auto text = (*analyzer)->Hear(Capability::kClassifyStyle, inputs, {});
  ASSERT_TRUE(text.ok()) << text.status();
  const auto json = Json::Parse(*text);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->at("schema").text(), "grymsynth.style/1");
  EXPECT_EQ(json->at("method").text(), "clap");
  double sum = 0, before = 1;
  for (const Json& genre : json->at("genres").items()) {
    sum += genre.at("score").number();
    EXPECT_LE(genre.at("score").number(), before);
    before = genre.at("score").number();
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  const std::vector<AudioInput> nothing = {silence};
  const auto quiet = (*analyzer)->Hear(Capability::kClassifyStyle, nothing, {});
  ASSERT_TRUE(quiet.ok()) << quiet.status();
  EXPECT_TRUE(Json::Parse(*quiet)->at("unsure").boolean());
  EXPECT_EQ(Json::Parse(*quiet)->at("genres").at(0).at("score").number(1), 0);
  EXPECT_EQ((*analyzer)->Hear(Capability::kAnalyze, inputs, {}).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ErrorCode((*analyzer)->Hear(Capability::kClassifyStyle, {}, {}).status()), "wrong_inputs");
}

// The rules stand in a room that this one does not see, so their source is read.
TEST(ClapStyle, PromptsAreOfTheRulesLabels) {
  std::ifstream file(std::string(GRYM_SOURCE_DIR) + "/src/analysis/style.cc");
  const std::string source(std::istreambuf_iterator<char>(file), {});
  const std::regex rule("\\{\"([a-z -]+)\", \\{\\{Facet::");
  std::set<std::string> wanted, got;
  for (std::sregex_iterator it(source.begin(), source.end(), rule), end; it != end; ++it) wanted.insert((*it)[1]);
  for (const auto& group : {GenrePrompts(), MoodPrompts(), TexturePrompts()}) {
    for (const StylePrompt& prompt : group) got.insert(prompt.label);
  }
  EXPECT_GT(wanted.size(), 30u);
  EXPECT_EQ(got, wanted);
}

TEST(ClapModel, BadInputsAreErrors) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto embedder = (*model)->NewEmbedder();
  EXPECT_EQ(ErrorCode((*embedder)->Embed(*AudioBuffer::Create(1, 0, 48000), {}).status()), "no_frames");
  EXPECT_TRUE((*embedder)->EmbedText("", {}).ok());
  RunOptions stopped;
  stopped.cancel.Cancel();
  EXPECT_EQ((*embedder)->Embed(Tone(1), stopped).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((*embedder)->EmbedText("rain", stopped).status().code(), absl::StatusCode::kCancelled);
  std::string words;
  for (int i = 0; i < 2000; ++i) words += " rain";
  const auto cut = (*model)->Tokens(words);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->ids.size(), 512u);
  EXPECT_EQ(cut->ids.back(), 2);
  EXPECT_GT(cut->dropped, 0);
  EXPECT_TRUE((*embedder)->EmbedText(words, {}).ok());
  EXPECT_THAT((*embedder)->warnings(),
              ::testing::ElementsAre("text: cut to 512 tokens, " + std::to_string(cut->dropped) + " were dropped"));
  std::string controls = "\x01\x02";
  while (controls.size() < 100'000) controls += "\x7f\x1b\n rain";
  EXPECT_TRUE((*embedder)->EmbedText(controls, {}).ok());
  EXPECT_EQ((*embedder)->warnings().size(), 1u);
  EXPECT_TRUE((*embedder)->EmbedText("rain", {}).ok());
  EXPECT_TRUE((*embedder)->warnings().empty());
  EXPECT_EQ(ErrorCode(OpenTiny(0, "float12").status()), "bad_dtype");
}

// By all levers: a budget of one byte holds nothing.
MemoryPlan SmallestPlan(const ClapModel& model, const ClapWork& work) {
  MemoryBudget& budget = *model.context().budget;
  const int64_t limit = budget.limit_bytes();
  budget.SetLimit(1);
  const MemoryPlan least = model.PlanFor(work);
  budget.SetLimit(limit);
  return least;
}

std::string LongText() {
  std::string text = "rain";
  for (int i = 0; i < 300; ++i) text += " and rain";
  return text;
}

void ExpectKeepsToItsSmallestPlan(const std::string& dtype) {
  SCOPED_TRACE(dtype);
  const auto measure = OpenTiny(0, dtype);
  ASSERT_TRUE(measure.ok()) << measure.status();
  std::vector<ClapWork> works = {{.audio_s = 2}, {.audio_s = 23}, {.tokens = 0}};
  const std::string text = LongText();
  works[2].tokens = static_cast<int64_t>((*measure)->Tokens(text)->ids.size());
  for (const ClapWork& work : works) {
    const auto embed = [&](const ClapModel& model) {
      const auto embedder = model.NewEmbedder().value();
      return work.tokens > 0 ? embedder->EmbedText(text, {}) : embedder->Embed(Tone(work.audio_s), {});
    };
    const MemoryPlan smallest = SmallestPlan(**measure, work);
    const int64_t least = smallest.peak_bytes();
    const bool packed = dtype == "int8" || dtype == "int4";
    ASSERT_EQ(smallest.phases[0].streamed, work.tokens > 0 && !packed);
    const auto enough = OpenTiny(least, dtype), less = OpenTiny(least - 1, dtype);
    ASSERT_TRUE(enough.ok() && less.ok());
    const auto fits = embed(**enough);
    ASSERT_TRUE(fits.ok()) << fits.status();
    EXPECT_EQ(*fits, *embed(**measure));
    EXPECT_EQ(*fits, *embed(**enough));
    const PhasePlan& phase = smallest.phases[0];
    const c10::Device cpu(c10::DeviceType::CPU);
    EXPECT_EQ((*enough)->context().budget->used_bytes(),
              phase.streamed ? ClapTextNet::StreamedWeightBytes((*enough)->config().text, phase.precision, cpu)
                             : phase.weights_bytes);
    EXPECT_LE((*enough)->context().budget->peak_bytes(), least);
    // Of a tower that is streamed, a layer may be done before the next one is read.
    const auto near = [&] { return (*enough)->context().budget->peak_bytes() * 11 >= least * 10; };
    for (int again = 0; again < 50 && !near(); ++again) EXPECT_TRUE(embed(**enough).ok());
    EXPECT_TRUE(near()) << (*enough)->context().budget->peak_bytes() << " of " << least;
    const auto status = embed(**less).status();
    EXPECT_EQ(ErrorCode(status), "over_budget");
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(least - 1)));
    EXPECT_EQ((*less)->context().budget->peak_bytes(), 0);
  }
}

TEST(ClapModel, KeepsToItsSmallestPlanByteForByteInEveryTier) {
  GRYM_NEED_PEER();
  for (const char* dtype : {"float32", "bfloat16", "float16", "int8", "int4"}) ExpectKeepsToItsSmallestPlan(dtype);
}

TEST(ClapModel, ThreeProductsOfBFloat16AreNearlyFloat32) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  ExpectKeepsToItsSmallestPlan("bfloat16x3");
  const auto exact = OpenTiny().value()->NewEmbedder().value();
  const auto ours = OpenTiny(0, "bfloat16x3").value()->NewEmbedder().value();
  const auto noise_db = [](const std::vector<float>& wanted, const std::vector<float>& got) {
    double noise = 0, power = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      noise += std::pow(double{wanted[i]} - got[i], 2);
      power += std::pow(double{wanted[i]}, 2);
    }
    return 10 * std::log10(power / noise);
  };
  const double sound_db = noise_db(exact->Embed(Tone(2), {}).value(), ours->Embed(Tone(2), {}).value());
  const double text_db = noise_db(exact->EmbedText("a dog", {}).value(), ours->EmbedText("a dog", {}).value());
  std::printf("  bfloat16x3 to float32: sound %.1f dB, text %.1f dB\n", sound_db, text_db);
  for (const double db : {sound_db, text_db}) {
    EXPECT_GT(db, 80);
    EXPECT_TRUE(std::isfinite(db));  // or it was not taken
  }
}

// Of random weights, so a bound and no promise: what a tier costs on published sizes is in the README.
TEST(ClapModel, FewerBitsStayNear) {
  GRYM_NEED_PEER();
  const auto embedded = [](const std::string& dtype) {
    const auto model = OpenTiny(0, dtype).value();
    const auto embedder = model->NewEmbedder().value();
    return std::tuple(embedder->Embed(Tone(2), {}).value(), embedder->EmbedText("a dog barks", {}).value(),
                      model->info().weights_bytes);
  };
  const auto [sound, text, bytes] = embedded("float32");
  int64_t before = bytes;
  for (const auto& [dtype, least] : {std::pair("bfloat16", 0.999), {"int8", 0.995}, {"int4", 0.9}}) {
    const auto [heard, read, kept] = embedded(dtype);
    double of_sound = 0, of_text = 0;
    for (size_t i = 0; i < sound.size(); ++i) {
      of_sound += double{sound[i]} * heard[i];
      of_text += double{text[i]} * read[i];
    }
    std::printf("  %s: %lld bytes of weights, cosine to float32: sound %.5f, text %.5f\n", dtype,
                static_cast<long long>(kept), of_sound, of_text);
    EXPECT_GT(of_sound, least) << dtype;
    EXPECT_GT(of_text, least) << dtype;
    EXPECT_LT(kept, before) << dtype;
    before = kept;
  }
}

TEST(ClapModel, StreamsItsTextTowerAsTheLastLever) {
  GRYM_NEED_PEER();
  const auto roomy = OpenTiny().value();
  const ClapWork work{.tokens = static_cast<int64_t>(roomy->Tokens("rain").value().ids.size())};
  const MemoryPlan whole = roomy->PlanFor(work), least = SmallestPlan(*roomy, work);
  EXPECT_LT(least.peak_bytes(), whole.peak_bytes());
  EXPECT_TRUE(OpenTiny(whole.peak_bytes()).value()->PlanFor(work).levers.empty());
  const auto tight = OpenTiny(whole.peak_bytes() - 1).value();
  EXPECT_EQ(tight->PlanFor(work).levers, std::vector<std::string>{"streamed weights by layer"});
  const auto embedder = tight->NewEmbedder().value();
  EXPECT_EQ(embedder->EmbedText("rain", {}).value(), roomy->NewEmbedder().value()->EmbedText("rain", {}).value());
  const int64_t resting = tight->context().budget->used_bytes();
  EXPECT_LT(resting, whole.weights_bytes());
  RunOptions stopped;
  stopped.cancel.Cancel();
  EXPECT_EQ(embedder->EmbedText("rain", stopped).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(tight->context().budget->used_bytes(), resting);
  // Both towers: one goes for the other, and the text's layers are streamed.
  const MemoryPlan both = SmallestPlan(*roomy, {.audio_s = 2, .tokens = 3});
  EXPECT_THAT(both.levers,
              ::testing::ElementsAre("dropped components after their phase", "streamed weights by layer"));
}

TEST(ClapModel, AStreamedTextTowerEndsOnADamagedFile) {
  GRYM_NEED_PEER();
  Scratch scratch;
  const auto copy = scratch / "copy";
  std::filesystem::copy(PeerCheckpoint("clap-tiny"), copy, std::filesystem::copy_options::recursive);
  const auto context = ModelContext::Make({.device = "cpu"}, std::make_shared<MemoryBudget>(1 << 30));
  const auto model = ClapModel::Open(ModelFolder::Open(copy).value(), *context).value();
  const int64_t tokens = static_cast<int64_t>(model->Tokens(LongText()).value().ids.size());
  context->budget->SetLimit(SmallestPlan(*model, {.tokens = tokens}).peak_bytes());
  const auto embedder = model->NewEmbedder().value();
  ASSERT_TRUE(embedder->EmbedText(LongText(), {}).ok());
  const int64_t resting = context->budget->used_bytes();
  const auto weights = copy / "model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) / 8);
  EXPECT_EQ(ErrorCode(embedder->EmbedText(LongText(), {}).status()), "file_changed");
  EXPECT_EQ(context->budget->used_bytes(), resting);
}

TEST(ClapModel, LowersItsPrecisionWhereItMayAndMust) {
  GRYM_NEED_PEER();
  const auto exact = OpenTiny().value();
  const int64_t sound = exact->PlanFor({.audio_s = 0.1}).peak_bytes();
  const int64_t tight = std::max(sound, exact->PlanFor({.tokens = 2}).peak_bytes()) - 1;
  const auto refused = OpenTiny(tight).value(), lowered = OpenTiny(tight, "float32", true).value();
  EXPECT_TRUE(refused->PlanFor({.audio_s = 0.1}).levers.empty());
  EXPECT_EQ(lowered->PlanFor({.audio_s = 0.1}).levers, std::vector<std::string>{"lowered precision to bfloat16"});
  const auto embedder = lowered->NewEmbedder().value();
  EXPECT_TRUE(embedder->Embed(Tone(0.1), {}).ok());
  EXPECT_TRUE(embedder->EmbedText("", {}).ok());
  EXPECT_TRUE(OpenTiny(tight + 1, "float32", true).value()->PlanFor({.audio_s = 0.1}).levers.empty());
}

TEST(ClapModel, DropsATowerForTheOther) {
  GRYM_NEED_PEER();
  const auto measure = OpenTiny();
  ASSERT_TRUE(measure.ok()) << measure.status();
  const int64_t one = std::max((*measure)->PlanFor({.audio_s = 2}).peak_bytes(),
                               (*measure)->PlanFor({.tokens = 512}).peak_bytes());
  const auto model = OpenTiny(one);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto embedder = (*model)->NewEmbedder();
  for (int i = 0; i < 3; ++i) {
    const auto text = (*embedder)->EmbedText("rain falls", {});
    EXPECT_TRUE(text.ok()) << text.status();
    const auto audio = (*embedder)->Embed(Tone(2), {});
    EXPECT_TRUE(audio.ok()) << audio.status();
  }
}

TEST(ClapModel, PlansWhatItTakes) {
  GRYM_NEED_PEER();
  for (const char* dtype : {"float32", "bfloat16"}) {
    const auto model = OpenTiny(0, dtype);
    ASSERT_TRUE(model.ok()) << model.status();
    const auto embedder = (*model)->NewEmbedder();
    const std::shared_ptr<MemoryBudget> budget = (*model)->context().budget;
    ASSERT_TRUE((*embedder)->Embed(Tone(2), {}).ok());
    const MemoryPlan audio = (*model)->PlanFor({.audio_s = 2});
    EXPECT_EQ(budget->used_bytes(), audio.weights_bytes()) << dtype;
    budget->ResetPeak();
    ASSERT_TRUE((*embedder)->Embed(Tone(2), {}).ok());
    const double working = static_cast<double>(budget->peak_bytes() - budget->used_bytes());
    const auto told = static_cast<double>(audio.phases[0].working_bytes);
    EXPECT_LE(working, told) << dtype;
    EXPECT_GE(working, 0.9 * told) << dtype;
    ASSERT_TRUE((*embedder)->EmbedText("rain", {}).ok());
    EXPECT_EQ(budget->used_bytes(), (*model)->info().weights_bytes) << dtype;
  }
}

TEST(ClapConfig, NamesEveryFieldThatIsWrong) {
  const auto parse = [](const char* text) { return ParseClapConfig(*Json::Parse(text), "config.json").status(); };
  EXPECT_TRUE(parse("{}").ok());
  const absl::Status several = parse(R"({"text_config": {"hidden_size": "wide", "num_hidden_layers": 0},
                                         "audio_config": {"depths": 3}})");
  EXPECT_EQ(several.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorProblems(several).size(), 3u);
  for (const char* clash :
       {R"({"text_config": {"num_attention_heads": 7}})", R"({"audio_config": {"depths": [2, 2]}})",
        R"({"audio_config": {"num_mel_bins": 60}})", R"({"audio_config": {"hidden_size": 760}})",
        R"({"audio_config": {"window_size": 16}})", R"({"audio_config": {"patch_size": 5}})"}) {
    EXPECT_EQ(parse(clash).code(), absl::StatusCode::kInvalidArgument) << clash;
  }
  EXPECT_EQ(ErrorCode(parse(R"({"audio_config": {"fusion_type": "channel_map"}})")), "unsupported_config");
  const auto known = ParseClapConfig(*Json::Parse(R"({"audio_config": {"alpha": 1}, "beta": 2})"), "config.json");
  EXPECT_THAT(known->ignored, ::testing::UnorderedElementsAre("audio_config/alpha", "beta"));
}

}  // namespace
}  // namespace grym::testing
