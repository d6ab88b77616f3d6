#include "checkpoint/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "checkpoint/made_files.h"
#include "checkpoint/tensor_set.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::AllOf;
using testing::CodeOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PairsNamed;
using testing::Put;
using testing::Scratch;
using testing::WordsOf;

std::string SentencePieceBytes() { return std::string("\x0a\x0e\x0a\x05<pad>\x15\0\0\0\0\x18\x03\x0a", 17); }

void PutPipeline(const std::filesystem::path& folder) {
  Put(folder / "model_index.json", R"({"_class_name":"AudioLDMPipeline","_diffusers_version":"0.15.0",
      "scheduler":["diffusers","DDIMScheduler"],"text_encoder":["transformers","ClapTextModelWithProjection"],
      "tokenizer":["transformers","RobertaTokenizerFast"],"unet":["diffusers","UNet2DConditionModel"],
      "safety_checker":[null,null],"vae":["diffusers","AutoencoderKL"],"vocoder":["transformers","SpeechT5HifiGan"]})");
  Put(folder / "unet/config.json", R"({"_class_name":"UNet2DConditionModel"})");
  Put(folder / "vae/config.json", R"({"_class_name":"AutoencoderKL"})");
  Put(folder / "text_encoder/config.json", R"({"model_type":"clap_text_model"})");
  Put(folder / "vocoder/config.json", R"({"model_type":"hifigan","architectures":["SpeechT5HifiGan"]})");
  Put(folder / "scheduler/scheduler_config.json", "{}");
  Put(folder / "tokenizer/vocab.json", "{}");
}

TEST(ModelFolderTest, PathsAreToldByContent) {
  const Scratch scratch;
  const auto kind = [&](const std::string& bytes) {
    Put(scratch / "x", bytes);
    return TellKind(scratch / "x");
  };
  EXPECT_EQ(kind(PairsNamed({"a"})).value(), PathKind::kSafetensors);
  EXPECT_EQ(kind(R"({"metadata":{},"weight_map":{"a":"b"}})").value(), PathKind::kTensorIndex);
  EXPECT_EQ(kind(R"({"architectures":["ClapModel"],"text_config":{"weight_map":1}})").value(), PathKind::kConfig);
  EXPECT_EQ(kind(R"({"_class_name": "AutoencoderKL"})").value(), PathKind::kConfig);
  EXPECT_EQ(kind("\n {\"_class_name\" : \"AudioLDMPipeline\" }").value(), PathKind::kPipelineIndex);
  EXPECT_EQ(kind(R"({"version":"1.0","added_tokens":[],"model":{"type":"BPE"}})").value(), PathKind::kTokenizer);
  EXPECT_EQ(kind(SentencePieceBytes()).value(), PathKind::kSentencePiece);
  EXPECT_EQ(TellKind(scratch.path()).value(), PathKind::kFolder);
  EXPECT_EQ(CodeOf(kind("PK\x03\x04 and so on")), "pickle_refused");
  for (const std::string& other :
       {std::string(), std::string("hello"), std::string("{}"), std::string("[1]"),
        std::string(R"({"x":"weight_map"})"), std::string("{\"\\"), std::string("\x89HDF\r\n\x1a\n")})
    EXPECT_EQ(CodeOf(kind(other)), "unknown_content") << other;
  ASSERT_EQ(mkfifo((scratch / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(CodeOf(TellKind(scratch / "pipe")), "not_a_file");
  EXPECT_EQ(CodeOf(TellKind("/dev/null")), "not_a_file");
  EXPECT_EQ(CodeOf(TellKind(scratch / "nothing")), "file_not_found");
}

TEST(ModelFolderTest, EveryFamilyIsKnownByItsConfig) {
  const std::vector<std::pair<const char*, const char*>> configs = {
      {R"({"model_type":"wav2vec2"})", "wav2vec2"},
      {R"({"model_type":"clap","architectures":["ClapModel"]})", "clap"},
      {R"({"model_type":"clap_text_model"})", "clap_text_model"},
      {R"({"model_type":"musicgen"})", "musicgen"},
      {R"({"model_type":"musicgen_melody"})", "musicgen_melody"},
      {R"({"model_type":"encodec"})", "encodec"},
      {R"({"model_type":"t5"})", "t5"},
      {R"({"model_type":"hifigan"})", "hifigan"},
      {R"({"model_type":"speecht5_hifigan"})", "hifigan"},
      {R"({"architectures":["Other","SpeechT5HifiGan"]})", "hifigan"},
      {R"({"_class_name":"UNet2DConditionModel"})", "unet"},
      {R"({"_class_name":"AutoencoderKL"})", "vae"},
      {R"({"_class_name":"AudioLDMPipeline"})", "AudioLDMPipeline"}};
  for (const auto& [text, family] : configs) {
    EXPECT_EQ(FamilyOf(Json::Parse(text).value(), "c").value(), family) << text;
    EXPECT_THAT(KnownFamilies(), Contains(family));
  }
  EXPECT_EQ(KnownFamilies().size(), 11u);
}

TEST(ModelFolderTest, UnknownFamilyListsTheKnownOnes) {
  for (const char* text :
       {R"({"model_type":"llama\u001b","architectures":["ClapModel"]})", R"({"architectures":["X"]})",
        R"({"_class_name":"StableDiffusionPipeline"})", R"({"model_type":3})"}) {
    const auto family = FamilyOf(Json::Parse(text).value(), "config.json");
    EXPECT_EQ(CodeOf(family), "unknown_family") << text;
    EXPECT_THAT(WordsOf(family), AllOf(HasSubstr("wav2vec2"), HasSubstr("AudioLDMPipeline"), HasSubstr("vae")));
    EXPECT_EQ(WordsOf(family).find('\x1b'), std::string::npos);
  }
}

TEST(ModelFolderTest, SingleModelByFolderConfigAndWeights) {
  const Scratch scratch;
  Put(scratch / "config.json", R"({"model_type":"musicgen","architectures":["MusicgenForConditionalGeneration"]})");
  Put(scratch / "model.safetensors", PairsNamed({"a"}));
  Put(scratch / "preprocessor_config.json", "{}");
  Put(scratch / "generation_config.json", "{}");
  Put(scratch / "tokenizer.json", R"({"model":{},"added_tokens":[]})");
  Put(scratch / "spiece.model", SentencePieceBytes());
  for (const auto& path : {scratch.path(), scratch / "config.json", scratch / "model.safetensors"}) {
    const auto model = ModelFolder::Open(path);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->family(), "musicgen");
    EXPECT_EQ(model->folder(), scratch.path());
    EXPECT_THAT(model->architectures(), ElementsAre("MusicgenForConditionalGeneration"));
    EXPECT_EQ(model->preprocessor(), scratch / "preprocessor_config.json");
    EXPECT_EQ(model->generation(), scratch / "generation_config.json");
    EXPECT_EQ(model->tokenizer().tokenizer_json, scratch / "tokenizer.json");
    EXPECT_EQ(model->tokenizer().sentence_piece, scratch / "spiece.model");
    EXPECT_EQ(model->tokenizer().vocabulary, std::nullopt);
    EXPECT_TRUE(TensorSet::Open(model->weights()).ok());
    EXPECT_THAT(model->components(), IsEmpty());
    EXPECT_THAT(model->ignored(), IsEmpty());
  }
  EXPECT_EQ(CodeOf(ModelFolder::Open(scratch / "tokenizer.json")), "not_a_model");
  EXPECT_EQ(CodeOf(ModelFolder::Open(scratch / "spiece.model")), "not_a_model");
  std::filesystem::remove(scratch / "config.json");
  EXPECT_EQ(CodeOf(ModelFolder::Open(scratch.path())), "no_config");
  EXPECT_EQ(CodeOf(ModelFolder::Open(scratch / "model.safetensors")), "no_config");
}

TEST(ModelFolderTest, PipelineHasItsComponents) {
  const Scratch scratch;
  PutPipeline(scratch.path());
  for (const auto& path : {scratch.path(), scratch / "model_index.json"}) {
    const auto model = ModelFolder::Open(path);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->family(), "AudioLDMPipeline");
    EXPECT_TRUE(model->weights().empty());
    ASSERT_EQ(model->components().size(), 6u);
    EXPECT_EQ(model->Component("unet")->family, "unet");
    EXPECT_EQ(model->Component("unet")->class_name, "UNet2DConditionModel");
    EXPECT_EQ(model->Component("vae")->family, "vae");
    EXPECT_EQ(model->Component("vocoder")->family, "hifigan");
    EXPECT_EQ(model->Component("text_encoder")->family, "clap_text_model");
    EXPECT_EQ(model->Component("scheduler")->family, "");
    EXPECT_EQ(model->Component("safety_checker"), nullptr);
    EXPECT_TRUE(FindTokenizerFiles(model->Component("tokenizer")->folder).vocabulary.has_value());
  }
  EXPECT_EQ(ModelFolder::Open(scratch / "vae")->family(), "vae");
}

TEST(ModelFolderTest, BrokenPipelinesAreRefused) {
  const Scratch scratch;
  PutPipeline(scratch / "good");
  const auto open = [&](const std::string& component) {
    const auto folder = scratch / "bad";
    std::filesystem::remove_all(folder);
    PutPipeline(folder);
    std::filesystem::create_directory_symlink("../good/unet", folder / "link");
    Put(folder / "file", "x");
    Put(folder / "model_index.json", "{\"_class_name\":\"AudioLDMPipeline\"," + component + "}");
    return ModelFolder::Open(folder);
  };
  for (const char* component :
       {R"("gone":["diffusers","UNet2DConditionModel"])", R"("../good":["diffusers","DDIMScheduler"])",
        R"("link":["diffusers","UNet2DConditionModel"])", R"("file":["diffusers","UNet2DConditionModel"])",
        R"("unet":["diffusers"])", R"("unet":["diffusers",3])", R"("vae":["diffusers","UNet2DConditionModel"])"}) {
    const auto model = open(component);
    EXPECT_EQ(CodeOf(model), "bad_model_index") << component << model.status();
  }
  std::string many = "\"_a\":1";
  for (int i = 0; i < 65; ++i) {
    const std::string name = "s" + std::to_string(i);
    many += ",\"" + name + "\":[\"diffusers\",\"DDIMScheduler\"]";
  }
  EXPECT_EQ(CodeOf(open(many)), "bad_model_index");
}

TEST(ModelFolderTest, CustomCodeIsListedAndNeverOpened) {
  const Scratch scratch;
  Put(scratch / "config.json", R"({"model_type":"wav2vec2","auto_map":{"AutoModel":"evil.Model"}})");
  ASSERT_EQ(mkfifo((scratch / "evil.py").c_str(), 0600), 0);  // opening it would block for ever
  EXPECT_THAT(ModelFolder::Open(scratch.path())->ignored(), ElementsAre("config.json: auto_map", "evil.py"));
  PutPipeline(scratch / "p");
  Put(scratch / "p/model_index.json", R"({"_class_name":"AudioLDMPipeline","x":["pipeline_evil","Evil"],
                                          "unet":["diffusers","UNet2DConditionModel"]})");
  Put(scratch / "p/unet/config.json", R"({"_class_name":"UNet2DConditionModel","auto_map":{}})");
  EXPECT_THAT(ModelFolder::Open(scratch / "p")->ignored(),
              ElementsAre("model_index.json: x of \"pipeline_evil\"", "unet/config.json: auto_map"));
}

}  // namespace
}  // namespace grym
