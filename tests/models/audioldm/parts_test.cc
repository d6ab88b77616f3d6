#include "models/audioldm/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <regex>

#include "grymsynth/error.h"
#include "tiny_audioldm.h"
#include "support/scratch.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

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

TEST(AudioLdmPartsTest, NumbersThatAreNoneAreNamedInEveryComponent) {
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

TEST(AudioLdmPartsTest, DamagedFoldersAreErrors) {
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

TEST(AudioLdmPartsTest, AFolderThatVanishesWasReadOrIsAnError) {
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

TEST(AudioLdmPartsTest, PartsOfOtherModelsAreErrors) {
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

}  // namespace
}  // namespace grym::testing
