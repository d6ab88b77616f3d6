// A packed copy opened: the same bits as the folder it was made from, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <utility>

#include "base/fs.h"
#include "base/hash.h"
#include "checkpoint/bytes_sum.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/tensor_writer.h"
#include "grymsynth/error.h"
#include "models/musicgen/decoder.h"
#include "models/musicgen/native_nets.h"
#include "quant/layout.h"
#include "runtime/torch_guard.h"
#include "support/bfloat_units.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::HasSubstr;
using Path = std::filesystem::path;

absl::StatusOr<std::shared_ptr<const Model>> TryOpen(const Path& path, OpenModelOptions options) {
  options.device = "cpu";
  GRYM_ASSIGN_OR_RETURN(const ModelFolder folder, ModelFolder::Open(path));
  GRYM_ASSIGN_OR_RETURN(const ModelContext context,
                        ModelContext::Make(options, std::make_shared<MemoryBudget>(int64_t{2} << 30)));
  return OpenMusicgen(folder, context);
}

OpenModelOptions In(const std::string& dtype) {
  OpenModelOptions options;
  options.dtype = dtype;
  return options;
}

std::shared_ptr<const Model> Opened(const Path& path, const OpenModelOptions& options = {}) {
  auto model = TryOpen(path, options);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

Path CopyOf(const Path& folder, const OpenModelOptions& options, const Path& out) {
  const absl::Status saved = Opened(folder, options)->SaveCopy(out, {});
  EXPECT_TRUE(saved.ok()) << saved;
  return out;
}

GenerateAudioRequest Reel(double seconds = 1) {
  GenerateAudioRequest request;
  request.prompt = "a reel for two fiddles and a drum";
  request.duration_s = seconds;
  request.seed = 5;
  return request;
}

std::vector<float> Played(const Model& model, const GenerateAudioRequest& request = Reel()) {
  const auto made = model.NewGenerator().value()->Generate(request, {});
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return {};
  }
  return {made->audio.planar().begin(), made->audio.planar().end()};
}

// The plan without what says how it is stored.
Json PlanOf(const Model& model) {
  Json plan = *Json::Parse(model.Plan(Reel()).value());
  for (Json& phase : plan["phases"].mutable_items()) phase.erase("note");
  return plan;
}

TEST(MusicgenCopyTest, MakesTheSameSamplesFromTheSameBytes) {
  GRYM_NEED_PEER();
  for (const char* preset : {"musicgen-tiny", "musicgen-stereo-tiny", "musicgen-melody-tiny"}) {
    const Path folder = testing::PeerCheckpoint(preset);
    for (const char* dtype : {"int8", "int4", "float16", "bfloat16"}) {
      SCOPED_TRACE(std::string(preset) + " " + dtype);
      const testing::Scratch scratch;
      const auto original = Opened(folder, In(dtype));
      const Path out = CopyOf(folder, In(dtype), scratch / "copy");
      const auto copy = Opened(out), named = Opened(out, In(dtype));
      ASSERT_TRUE(copy && named);
      const std::vector<float> wanted = Played(*original);
      EXPECT_FALSE(wanted.empty());
      EXPECT_EQ(Played(*copy), wanted);
      EXPECT_EQ(Played(*named), wanted);
      EXPECT_EQ(PlanOf(*copy), PlanOf(*original));
      EXPECT_THAT(copy->Plan(Reel()).value(), HasSubstr("packed copy"));
      EXPECT_EQ(copy->info().weights_bytes, original->info().weights_bytes);
    }
  }
}

TEST(MusicgenCopyTest, AMelodyIsHeardAlike) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path folder = testing::PeerCheckpoint("musicgen-melody-tiny");
  GenerateAudioRequest request = Reel();
  request.reference_buffer = AudioBuffer::Create(1, 64000, 32000).value();
  for (size_t i = 0; i < 64000; ++i)
    request.reference_buffer->mutable_channel(0)[i] = 0.4f * std::sin(0.05f * static_cast<float>(i));
  const Path out = CopyOf(folder, In("int8"), scratch / "copy");
  EXPECT_EQ(Played(*Opened(out), request), Played(*Opened(folder, In("int8")), request));
}

TEST(MusicgenCopyTest, ComponentsKeepTheirOwnNumbers) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path folder = testing::PeerCheckpoint("musicgen-tiny");
  OpenModelOptions mixed = In("int4");
  mixed.component_dtypes = {{"text_encoder", "float32"}};
  const Path out = CopyOf(folder, mixed, scratch / "copy");
  EXPECT_EQ(Played(*Opened(out)), Played(*Opened(folder, mixed)));
  EXPECT_NE(Played(*Opened(out)), Played(*Opened(folder, In("int4"))));
  OpenModelOptions wrong;
  wrong.component_dtypes = {{"text_encoder", "int4"}};
  const absl::Status refused = TryOpen(out, wrong).status();
  EXPECT_EQ(ErrorCode(refused), "other_precision");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("text_encoder"));
}

// What a decoder in int4 keeps in 8 bits all the same, and that each is where the others look for it.
TEST(MusicgenCopyTest, MatricesLieInTheBitsThatTheirKindHas) {
  GRYM_NEED_PEER();
  for (const char* preset : {"musicgen-tiny", "musicgen-stereo-tiny", "musicgen-melody-tiny"}) {
    const testing::Scratch scratch;
    const Path folder = testing::PeerCheckpoint(preset);
    const std::string layer = "decoder.model.decoder.layers.1.", self = layer + "self_attn.",
                      cross = layer + "encoder_attn.";
    const auto formats = [&](const std::string& dtype) {
      const TensorFile file = TensorFile::Open(CopyOf(folder, In(dtype), scratch / dtype) / "model.safetensors").value();
      std::map<std::string, WeightFormat> found;
      for (const TensorEntry& entry : file.entries()) {
        if (!entry.name.ends_with(".packed")) continue;
        const auto bytes = file.Bytes(entry).value();
        const auto view = PackedView::Open({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}).value();
        found[entry.name.substr(0, entry.name.size() - std::string(".packed").size())] = view.layout().format;
      }
      return found;
    };
    const auto mixed = formats("int4");
    const auto in = [&](const std::string& name) {
      const auto at = mixed.find(name);
      return at == mixed.end() ? "absent" : WeightFormatName(at->second);
    };
    EXPECT_STREQ(in(self + "q_proj+k_proj"), "int4") << preset;
    EXPECT_STREQ(in(self + "v_proj"), "int8") << preset;
    EXPECT_STREQ(in(self + "out_proj"), "int8") << preset;
    EXPECT_STREQ(in(layer + "fc1"), "int4") << preset;
    EXPECT_STREQ(in(layer + "fc2"), "int4") << preset;
    const bool melody = std::string(preset) == "musicgen-melody-tiny";
    for (const char* name : {"q_proj", "k_proj"}) EXPECT_STREQ(in(cross + name), melody ? "absent" : "int4") << preset;
    for (const char* name : {"v_proj", "out_proj"}) EXPECT_STREQ(in(cross + name), melody ? "absent" : "int8") << preset;
    int heads = 0;
    for (const auto& [name, format] : mixed) {
      if (!name.starts_with("decoder.lm_heads")) continue;
      EXPECT_EQ(format, WeightFormat::kInt8) << name;
      ++heads;
    }
    EXPECT_EQ(heads, 1) << preset;
    const auto whole = formats("int8");
    EXPECT_EQ(whole.count(self + "q_proj+k_proj+v_proj"), 1u) << preset;
    for (const auto& [name, format] : whole) EXPECT_EQ(format, WeightFormat::kInt8) << name;
  }
}

TEST(MusicgenCopyTest, TheTextEncoderHasTwiceTheBitsUnlessItIsNamed) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path folder = testing::PeerCheckpoint("musicgen-tiny");
  OpenModelOptions whole = In("int8"), half = In("int8"), eight = In("int4"), four = In("int4");
  half.component_dtypes = {{"text_encoder", "bfloat16"}};
  whole.component_dtypes = {{"text_encoder", "int8"}};
  EXPECT_EQ(Played(*Opened(folder, In("int8"))), Played(*Opened(folder, half)));
  EXPECT_NE(Played(*Opened(folder, In("int8"))), Played(*Opened(folder, whole)));
  eight.component_dtypes = {{"text_encoder", "int8"}};
  four.component_dtypes = {{"text_encoder", "int4"}};
  const std::vector<float> made = Played(*Opened(folder, In("int4")));
  EXPECT_EQ(made, Played(*Opened(folder, eight)));
  EXPECT_NE(made, Played(*Opened(folder, four)));
  const Path out = CopyOf(folder, four, scratch / "copy");
  EXPECT_EQ(Played(*Opened(out)), Played(*Opened(folder, four)));
  // The dtype of all is the decoder's; what else the copy holds is as it holds it, unless it is named.
  EXPECT_EQ(Played(*Opened(out, In("int4"))), Played(*Opened(folder, four)));
  EXPECT_EQ(ErrorCode(TryOpen(out, eight).status()), "other_precision");
  EXPECT_EQ(ErrorCode(TryOpen(out, In("int8")).status()), "other_precision");
}

// Up to version 1 the text encoder of int8 had 8 bits like all.
TEST(MusicgenCopyTest, AnInt8CopyFromBeforeIsReadAsItLies) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  OpenModelOptions before = In("int8");
  before.component_dtypes = {{"text_encoder", "int8"}};
  const Path folder = testing::PeerCheckpoint("musicgen-tiny");
  const Path out = CopyOf(folder, before, scratch / "copy");
  Json config = ReadConfig(out / "config.json").value();
  config[kPackedCopyMember]["version"] = 1;
  ASSERT_TRUE(WriteFile(out / "config.json", config.Dump()).ok());
  const std::vector<float> wanted = Played(*Opened(folder, before));
  for (const char* dtype : {"", "int8"}) EXPECT_EQ(Played(*Opened(out, In(dtype))), wanted) << dtype;
}

// Up to version 1 all matrices of int4 had 4 bits, and lay under other names.
TEST(MusicgenCopyTest, AnInt4CopyFromBeforeTheMixIsRefusedWithAdvice) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path out = CopyOf(testing::PeerCheckpoint("musicgen-tiny"), In("int4"), scratch / "copy");
  Json config = ReadConfig(out / "config.json").value();
  config[kPackedCopyMember]["version"] = 1;
  ASSERT_TRUE(WriteFile(out / "config.json", config.Dump()).ok());
  for (const char* dtype : {"", "int4"}) {
    const absl::Status refused = TryOpen(out, In(dtype)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ErrorCode(refused), "other_packed_version");
    EXPECT_THAT(std::string(refused.message()), HasSubstr("make it again from the published folder"));
  }
}

// What stays is what the plan says, and no matrix is held twice meanwhile.
TEST(MusicgenCopyTest, TakesTheBytesOfThePlanAndNoMore) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  OpenModelOptions eight = In("int8");
  eight.component_dtypes = {{"text_encoder", "int8"}};
  const Path out = CopyOf(testing::PeerCheckpoint("musicgen-tiny"), eight, scratch / "copy");
  const ModelFolder folder = ModelFolder::Open(out).value();
  const auto config = ReadMusicgenConfig(folder.config(), "config.json").value();
  const TensorSet set = TensorSet::Open(out).value();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const BudgetScope scope(budget);
  const WeightOptions options{.precision = Precision::kInt8, .from_copy = true};
  const auto text = TorchGuard("test", [&] { return T5Encoder::Load(set, config.text, options, "text_encoder."); });
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_LE(budget->used_bytes(), T5Encoder::WeightBytes(config.text, Precision::kInt8));
  EXPECT_EQ(budget->peak_bytes(), budget->used_bytes()) << "nothing is held twice";
  const int64_t before = budget->used_bytes();
  std::vector<std::string> unread;
  const auto net = TorchGuard("test", [&] { return MusicgenDecoder::Load(set, config, options, "decoder.", &unread); });
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_TRUE(unread.empty()) << unread[0];
  EXPECT_EQ(budget->used_bytes() - before, MusicgenDecoder::WeightBytes(config, Precision::kInt8));
  // A table of embeddings is read in float32, as it is of the folder itself.
  EXPECT_LE(budget->peak_bytes(), budget->used_bytes() + AllocatedBytes((config.vocab_size + 1) * config.hidden * 4));
}

TEST(MusicgenCopyTest, WhatTheOneSavedTheOtherGoesOnWith) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto original = Opened(folder, In("int8"));
  const auto copy = Opened(CopyOf(folder, In("int8"), scratch / "copy"));
  const std::vector<float> wanted = Played(*original, Reel(3));
  auto first = original->NewGenerator().value();
  auto stream = first->Stream(Reel(3)).value();
  const auto block = stream->Next({});
  ASSERT_TRUE(block.ok() && block->channels() == 1) << block.status();
  std::vector<float> all(block->planar().begin(), block->planar().end());
  ASSERT_TRUE(stream->Save(scratch / "state").ok());
  auto second = copy->NewGenerator().value();
  auto resumed = second->Resume(scratch / "state");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  for (auto next = (*resumed)->Next({}); next.ok() && !next->empty(); next = (*resumed)->Next({}))
    all.insert(all.end(), next->planar().begin(), next->planar().end());
  EXPECT_EQ(all, wanted);
  EXPECT_EQ(ErrorCode(Opened(folder, In("int4"))->NewGenerator().value()->Resume(scratch / "state").status()),
            "other_model");
}

TEST(MusicgenCopyTest, IsAFolderOfItsOwnAndLeavesTheOtherAsItIs) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path folder = scratch / "model";
  std::filesystem::copy(testing::PeerCheckpoint("musicgen-tiny"), folder, std::filesystem::copy_options::recursive);
  ASSERT_TRUE(WriteFile(folder / "modeling_x.py", "code").ok());
  ASSERT_TRUE(WriteFile(folder / "LICENSE", "terms").ok());
  const auto listing = [](const Path& where) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(where))
      files[entry.path().filename().string()] = Sha256OfFile(entry.path()).value();
    return files;
  };
  const auto before = listing(folder);
  const Path out = CopyOf(folder, In("int8"), scratch / "new/place/copy/");
  EXPECT_EQ(listing(folder), before);
  auto made = listing(out);
  for (const auto& [name, digest] : before) {
    if (name == "modeling_x.py" || name == "config.json" || name == "model.safetensors") continue;
    EXPECT_EQ(made[name], digest) << name;
  }
  EXPECT_EQ(made.count("modeling_x.py"), 0u);
  Json config = ReadConfig(out / "config.json").value();
  const Json entry = config.at(kPackedCopyMember);
  EXPECT_EQ(entry.at("dtypes").at("decoder").text(), "int8");
  EXPECT_EQ(entry.at("version").integer(), 2);
  config.erase(kPackedCopyMember);
  EXPECT_EQ(config, ReadConfig(folder / "config.json").value());
  EXPECT_LT(std::filesystem::file_size(out / "model.safetensors"),
            std::filesystem::file_size(folder / "model.safetensors"));
  const TensorFile file = TensorFile::Open(out / "model.safetensors").value();
  for (const TensorEntry& each : file.entries()) {
    EXPECT_TRUE(each.aligned()) << each.name;
    EXPECT_TRUE(!each.name.ends_with(".packed") || each.offset % kTensorAlignment == 0) << each.name;
  }
}

TEST(MusicgenCopyTest, WhatCannotBeCopiedIsRefusedAndLeavesNothing) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto code = [](const absl::Status& status) { return ErrorCode(status); };
  const auto model = Opened(folder, In("int8"));
  EXPECT_EQ(code(Opened(folder)->SaveCopy(scratch / "a", {})), "nothing_to_pack");
  EXPECT_EQ(code(model->SaveCopy(folder, {})), "folder_exists");
  ASSERT_TRUE(WriteFile(scratch / "full/x", "mine").ok());
  EXPECT_EQ(code(model->SaveCopy(scratch / "full", {})), "folder_exists");
  RunOptions cancelled;
  cancelled.cancel.Cancel();
  EXPECT_EQ(model->SaveCopy(scratch / "a", cancelled).code(), absl::StatusCode::kCancelled);
  for (int stop = 1; stop <= 4; ++stop) {  // at each stage
    RunOptions run;
    int told = 0;
    double last = 0;
    run.progress = [&](const Progress& now) {
      EXPECT_GE(now.fraction, last);
      last = now.fraction;
      if (++told == stop) run.cancel.Cancel();
    };
    const absl::Status status = model->SaveCopy(scratch / "a", run);
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << stop;
  }
  const Path out = CopyOf(folder, In("int8"), scratch / "copy");
  EXPECT_EQ(code(Opened(out)->SaveCopy(scratch / "a", {})), "nothing_to_pack");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path()))
    names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("full", "copy"));
}

TEST(MusicgenCopyTest, ThreeProductsOfBFloat16AreForTheTextEncoderAndNotForACopy) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  const testing::Scratch scratch;
  const Path folder = testing::PeerCheckpoint("musicgen-tiny");
  OpenModelOptions codec = In("int8"), text = In("int8");
  codec.component_dtypes = {{"audio_encoder", "bfloat16x3"}};
  text.component_dtypes = {{"text_encoder", "bfloat16x3"}};
  for (const auto& [options, component] : {std::pair(In("bfloat16x3"), "decoder"), {codec, "audio_encoder"}}) {
    const absl::Status refused = TryOpen(folder, options).status();
    EXPECT_EQ(ErrorCode(refused), "unsupported_dtype");
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::string("musicgen/") + component + ": want float32"));
  }
  // The codec is in float32 whatever is asked for; that, by name, is what all have.
  codec.component_dtypes = {{"audio_encoder", "int8"}};
  EXPECT_EQ(ErrorCode(TryOpen(folder, codec).status()), "unsupported_dtype");
  codec.component_dtypes = {{"audio_encoder", "float32"}};
  EXPECT_EQ(Played(*Opened(folder, codec)), Played(*Opened(folder, In("int8"))));
  EXPECT_FALSE(Played(*Opened(CopyOf(folder, In("int8"), scratch / "eight"), codec)).empty());
  const auto model = Opened(folder, text);
  EXPECT_FALSE(Played(*model).empty());
  const absl::Status refused = model->SaveCopy(scratch / "copy", {});
  EXPECT_EQ(ErrorCode(refused), "nothing_to_pack");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("weights are float32"));
}

TEST(MusicgenCopyTest, OtherNumbersThanItHoldsAreRefusedWithAdvice) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const Path out = CopyOf(testing::PeerCheckpoint("musicgen-tiny"), In("int8"), scratch / "copy");
  for (const char* dtype : {"float32", "int4", "bfloat16"}) {
    const absl::Status refused = TryOpen(out, In(dtype)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ErrorCode(refused), "other_precision");
    EXPECT_THAT(std::string(refused.message()), HasSubstr("leave its dtype out"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::string("want ") + dtype));
  }
}

// Opened, or else made sound with: what goes wrong.
absl::Status Trouble(const Path& folder) {
  const auto model = TryOpen(folder, {});
  if (!model.ok()) return model.status();
  return (*model)->NewGenerator().value()->Generate(Reel(0.2), {}).status();
}

class DamagedCopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    GRYM_NEED_PEER();
    OpenModelOptions eight = In("int8");
    eight.component_dtypes = {{"text_encoder", "int8"}};
    whole_ = CopyOf(testing::PeerCheckpoint("musicgen-tiny"), eight, scratch_ / "whole");
  }
  // Anew each time.
  Path Fresh() {
    std::filesystem::remove_all(scratch_ / "copy");
    std::filesystem::copy(whole_, scratch_ / "copy");
    return scratch_ / "copy";
  }
  absl::Status WithEntry(const std::function<void(Json& entry)>& change) {
    const Path copy = Fresh();
    Json config = ReadConfig(copy / "config.json").value();
    change(config[kPackedCopyMember]);
    EXPECT_TRUE(WriteFile(copy / "config.json", config.Dump()).ok());
    return Trouble(copy);
  }
  using Tensors = std::map<std::string, std::pair<TensorEntry, std::string>>;
  // The file written anew with other tensors; their sums are right, or left out.
  absl::Status WithTensors(const std::function<void(Tensors& tensors)>& change, bool sums = true) {
    const Path copy = Fresh();
    Tensors tensors;
    {
      const TensorFile file = TensorFile::Open(copy / "model.safetensors").value();
      for (const TensorEntry& entry : file.entries()) {
        const auto bytes = file.Bytes(entry).value();
        tensors[entry.name] = {entry, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
      }
    }
    change(tensors);
    std::vector<TensorToWrite> list;
    std::map<std::string, std::string> metadata;
    for (const auto& [name, tensor] : tensors) {
      const auto bytes = std::as_bytes(std::span<const char>(tensor.second));
      list.push_back({name, tensor.first.type, tensor.first.shape,
                      [bytes](const TensorSink& sink) { return sink(bytes); }});
      if (sums) metadata[kSumOfTensor + name] = SumText(SumOfBytes(bytes));
    }
    EXPECT_TRUE(WriteTensorFile(copy / "model.safetensors", list, metadata).ok());
    return Trouble(copy);
  }

  const testing::Scratch scratch_;
  Path whole_;
  const std::string qkv_ = "decoder.model.decoder.layers.1.self_attn.q_proj+k_proj+v_proj.packed";
  const std::string codes_ = "text_encoder.encoder.block.0.layer.0.SelfAttention.q+k+v.codes";
  const std::string scales_ = "text_encoder.encoder.block.0.layer.0.SelfAttention.q+k+v.scales";
};

TEST_F(DamagedCopyTest, AnEntryThatIsNoneOfOurs) {
  EXPECT_TRUE(WithEntry([](Json&) {}).ok());
  const auto code = [this](const std::function<void(Json&)>& change) { return ErrorCode(WithEntry(change)); };
  EXPECT_EQ(code([](Json& entry) { entry["version"] = 3; }), "other_packed_version");
  EXPECT_EQ(code([](Json& entry) { entry["version"] = 0; }), "other_packed_version");
  EXPECT_EQ(code([](Json& entry) { entry["version"] = 1; }), "ok") << "int8 lies as it did then";
  EXPECT_EQ(code([](Json& entry) { entry["version"] = "1"; }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry.erase("version"); }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry["group"] = 32; }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry["source"] = "../../etc"; }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry["dtypes"].erase("decoder"); }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry["dtypes"]["decoder"] = "int2"; }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry = 3; }), "bad_packed_copy");
  EXPECT_EQ(code([](Json& entry) { entry["dtypes"]["decoder"] = "int4"; }), "bad_weights") << "int8 lies there";
  EXPECT_EQ(code([](Json& entry) { entry["dtypes"]["text_encoder"] = "int4"; }), "bad_weights");
  EXPECT_EQ(code([](Json& entry) { entry["dtypes"]["text_encoder"] = "float32"; }), "bad_weights");
}

TEST_F(DamagedCopyTest, ACutFileAndAnyDamagedByte) {
  const auto size = static_cast<int64_t>(std::filesystem::file_size(whole_ / "model.safetensors"));
  for (const int64_t cut : {int64_t{0}, int64_t{7}, int64_t{500}, size / 2, size - 1}) {
    const Path copy = Fresh();
    std::filesystem::resize_file(copy / "model.safetensors", static_cast<uint64_t>(cut));
    EXPECT_FALSE(Trouble(copy).ok()) << cut;
  }
  const TensorFile file = TensorFile::Open(whole_ / "model.safetensors").value();
  for (const std::string& name :
       {qkv_, codes_, scales_, std::string("text_encoder.shared.weight"), std::string("decoder.lm_heads.0+1+2+3.packed"),
        std::string("decoder.model.decoder.embed_tokens.2.weight")}) {
    const TensorEntry* const entry = file.Find(name);
    ASSERT_NE(entry, nullptr) << name;
    for (const int64_t at : {entry->offset, entry->offset + entry->bytes / 2, entry->offset + entry->bytes - 1}) {
      const Path copy = Fresh();
      std::fstream stream(copy / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(at);
      const auto byte = static_cast<char>(stream.get() ^ 4);
      stream.seekp(at);
      stream.put(byte);
      stream.close();
      const absl::Status status = Trouble(copy);
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name << " " << status;
      EXPECT_EQ(ErrorCode(status), "damaged_weights");
      EXPECT_THAT(std::string(status.message()), HasSubstr(name));
    }
  }
}

// Somebody who can make sums can make anything that the layout allows, and nothing else.
TEST_F(DamagedCopyTest, WhatLiesWithRightSums) {
  const auto code = [this](const std::function<void(Tensors&)>& change) { return ErrorCode(WithTensors(change)); };
  EXPECT_EQ(ErrorCode(WithTensors([](Tensors&) {}, /*sums=*/false)), "bad_weights");
  for (const std::string& name : {qkv_, codes_, scales_}) {
    ASSERT_NE(TensorFile::Open(whole_ / "model.safetensors").value().Find(name), nullptr) << name;
  }
  const auto put = [](std::string& bytes, size_t at, uint16_t word) { std::memcpy(bytes.data() + at, &word, 2); };
  PackedLayout layout;
  EXPECT_EQ(code([&](Tensors& t) {
    const std::string& bytes = t[qkv_].second;
    layout = PackedView::Open({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}).value().layout();
  }), "ok");
  const auto meta = static_cast<size_t>(kPackedHeaderBytes + layout.meta_begin(0));
  EXPECT_EQ(code([&](Tensors& t) { put(t[qkv_].second, meta, 0x7fc0); }), "non_finite_weights");
  EXPECT_EQ(code([&](Tensors& t) { put(t[qkv_].second, 8, 9); }), "bad_packed_weights") << "a version to come";
  EXPECT_EQ(code([&](Tensors& t) { put(t[qkv_].second, 12, 5); }), "bad_packed_weights") << "another format";
  EXPECT_EQ(code([&](Tensors& t) { t.erase(qkv_); }), "bad_weights");
  EXPECT_EQ(code([&](Tensors& t) {
    PackedLayout turned = layout;  // as many bytes, other sides
    turned.out = layout.in;
    turned.in = layout.out;
    if (turned.bytes() != layout.bytes()) turned = PackedLayout{layout.format, layout.out, layout.in, 32};
    std::string& bytes = t[qkv_].second;
    bytes.resize(static_cast<size_t>(turned.bytes()));
    WritePackedHeader(turned, reinterpret_cast<uint8_t*>(bytes.data()));
    t[qkv_].first.shape = {turned.bytes()};
  }), "bad_weights");
  EXPECT_EQ(code([&](Tensors& t) {
    t[qkv_].second.resize(t[qkv_].second.size() - 64);
    t[qkv_].first.shape[0] -= 64;
  }), "bad_weights");
  EXPECT_EQ(code([&](Tensors& t) { t[qkv_].first.type = ElementType::kI8; }), "bad_weights");
  EXPECT_EQ(code([&](Tensors& t) { put(t[scales_].second, 2, 0x7f80); }), "non_finite_weights");
  EXPECT_EQ(code([&](Tensors& t) { t[codes_].first.type = ElementType::kU8; }), "bad_weights");
  EXPECT_EQ(code([&](Tensors& t) { std::swap(t[codes_].first.shape[0], t[codes_].first.shape[1]); }), "bad_weights");
  EXPECT_EQ(code([&](Tensors& t) { t.erase(scales_); }), "bad_weights");
}

}  // namespace
}  // namespace grym
