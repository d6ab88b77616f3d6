#include "checkpoint/tensor_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "checkpoint/made_files.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::AllOf;
using testing::CodeOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::PairsNamed;
using testing::Put;
using testing::Scratch;
using testing::WordsOf;

constexpr const char* kIndex = "model.safetensors.index.json";

// Two shards: a, c in the first, b in the second.
void PutSharded(const std::filesystem::path& folder) {
  Put(folder / "m-1.safetensors", PairsNamed({"a", "c"}));
  Put(folder / "m-2.safetensors", PairsNamed({"b"}));
  Put(folder / kIndex, R"({"metadata":{"total_size":24},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors",)"
                       R"("c":"m-1.safetensors"}})");
}

void PutIndex(const Scratch& scratch, const std::string& map) { Put(scratch / kIndex, "{\"weight_map\":" + map + "}"); }

TEST(TensorSetTest, OneFileIsASet) {
  const Scratch scratch;
  Put(scratch / "weights", PairsNamed({"b", "a"}));
  const auto set = TensorSet::Open(scratch / "weights");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->names(), ElementsAre("a", "b"));
  EXPECT_EQ(set->bytes(), 16);
  EXPECT_EQ(set->files().size(), 1u);
  EXPECT_FALSE(set->contains("c"));
  EXPECT_EQ(set->Find("b")->entry->name, "b");
}

TEST(TensorSetTest, ShardsAreOneSetByIndexAndByFolder) {
  const Scratch scratch;
  PutSharded(scratch.path());
  for (const auto& path : {scratch.path(), scratch / kIndex}) {
    auto opened = TensorSet::Open(path);
    ASSERT_TRUE(opened.ok()) << opened.status();
    const TensorSet set = *std::move(opened);  // places stay right when the set moves
    EXPECT_THAT(set.names(), ElementsAre("a", "b", "c"));
    for (size_t i = 0; i < set.size(); ++i) {
      EXPECT_EQ(set.place(i).file->Find(set.names()[i]), set.place(i).entry);
      EXPECT_EQ(set.place(i).file->Bytes(*set.place(i).entry)->size(), 8u);
    }
    EXPECT_THAT(set.Find("b")->file->name(), HasSubstr("m-2"));
  }
}

TEST(TensorSetTest, FolderPrefersTheWholeFile) {
  const Scratch scratch;
  PutSharded(scratch.path());
  Put(scratch / "diffusion_pytorch_model.safetensors", PairsNamed({"unet"}));
  EXPECT_THAT(TensorSet::Open(scratch.path())->names(), ElementsAre("unet"));
  Put(scratch / "model.safetensors", PairsNamed({"whole"}));
  EXPECT_THAT(TensorSet::Open(scratch.path())->names(), ElementsAre("whole"));
}

TEST(TensorSetTest, FolderWithAnotherNameOrMany) {
  const Scratch scratch;
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "no_weights");
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch / "nothing")), "file_not_found");
  Put(scratch / "model.fp16.safetensors", PairsNamed({"half"}));
  EXPECT_THAT(TensorSet::Open(scratch.path())->names(), ElementsAre("half"));
  Put(scratch / "model.ema.safetensors", PairsNamed({"half"}));
  const auto two = TensorSet::Open(scratch.path());
  EXPECT_EQ(CodeOf(two), "ambiguous_weights");
  EXPECT_THAT(WordsOf(two), AllOf(HasSubstr("model.ema"), HasSubstr("model.fp16")));
}

TEST(TensorSetTest, PicklesAreRefusedWithTheCommand) {
  for (const char* name : {"pytorch_model.bin", "model.ckpt", "model.pt", "tf_model.h5", "flax_model.msgpack"}) {
    const Scratch scratch;
    Put(scratch / name, "PK\x03\x04");
    const auto set = TensorSet::Open(scratch.path());
    EXPECT_EQ(CodeOf(set), "pickle_refused") << name;
    EXPECT_EQ(set.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(WordsOf(set),
                AllOf(HasSubstr("python -m grymsynth.convert \"" + scratch.path().string() + "\""), HasSubstr(name)));
  }
  const Scratch scratch;
  Put(scratch / "pytorch_model.bin", "PK\x03\x04 and more");
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch / "pytorch_model.bin")), "pickle_refused");
  Put(scratch / "model.safetensors", PairsNamed({"a"}));
  EXPECT_TRUE(TensorSet::Open(scratch.path()).ok());
}

TEST(TensorSetTest, IndexAndShardsMustAgree) {
  const Scratch scratch;
  PutSharded(scratch.path());
  PutIndex(scratch, R"({"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors","d":"m-2.safetensors"})");
  EXPECT_THAT(WordsOf(TensorSet::Open(scratch.path())), AllOf(HasSubstr("m-2.safetensors\" lacks \"d\"")));
  PutIndex(scratch, R"({"a":"m-1.safetensors","b":"m-2.safetensors"})");
  EXPECT_THAT(WordsOf(TensorSet::Open(scratch.path())), HasSubstr("m-1.safetensors\" holds \"c\""));
  PutIndex(scratch, R"({"a":"m-2.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"})");
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "bad_index");
  Put(scratch / "m-2.safetensors", PairsNamed({"a", "b"}));
  PutIndex(scratch, R"({"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"})");
  const auto both = TensorSet::Open(scratch.path());
  EXPECT_EQ(CodeOf(both), "bad_index");
  EXPECT_THAT(WordsOf(both), AllOf(HasSubstr("\"a\" lies in"), HasSubstr("m-1"), HasSubstr("m-2")));
}

TEST(TensorSetTest, BrokenIndexesAreRefused) {
  const Scratch scratch;
  Put(scratch / "m-1.safetensors", PairsNamed({"a"}));
  for (const char* map : {"[]", "{}", "{\"a\":1}", "null"}) {
    PutIndex(scratch, map);
    EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "bad_index") << map;
  }
  for (const std::string& text :
       {std::string("{"), std::string("{}x"), std::string("{\"weight_map\":") + std::string(100000, '['),
        std::string(R"({"weight_map":{"a":"m-1.safetensors","a":"m-1.safetensors"}})")}) {
    Put(scratch / kIndex, text);
    EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "bad_index") << text.substr(0, 60);
  }
  PutIndex(scratch, R"({"a":"gone.safetensors"})");
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "file_not_found");
  PutIndex(scratch, R"({"a":"model.safetensors.index.json"})");
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "not_safetensors");
}

TEST(TensorSetTest, IndexCannotLeaveItsFolder) {
  const Scratch scratch;
  const auto inner = scratch / "model";
  Put(scratch / "secret.safetensors", PairsNamed({"a"}));
  std::filesystem::create_directories(inner / "sub");
  Put(inner / "sub" / "m.safetensors", PairsNamed({"a"}));
  std::filesystem::create_symlink("../secret.safetensors", inner / "link.safetensors");
  std::filesystem::create_symlink("/dev/zero", inner / "device.safetensors");
  const std::string absolute = (scratch / "secret.safetensors").string();
  for (const std::string& name :
       {std::string("../secret.safetensors"), absolute, std::string("sub/m.safetensors"),
        std::string("link.safetensors"), std::string("device.safetensors"), std::string(".."), std::string(""),
        std::string("a\\\\b"), std::string("x\\u0000y"), std::string(300, 'n')}) {
    Put(inner / kIndex, "{\"weight_map\":{\"a\":\"" + name + "\"}}");
    const auto set = TensorSet::Open(inner);
    EXPECT_EQ(CodeOf(set), "outside_folder") << name << set.status();
  }
  ASSERT_EQ(mkfifo((inner / "pipe").c_str(), 0600), 0);
  for (const char* name : {"pipe", "sub"}) {
    Put(inner / kIndex, std::string("{\"weight_map\":{\"a\":\"") + name + "\"}}");
    EXPECT_EQ(CodeOf(TensorSet::Open(inner)), "not_a_file") << name;
  }
}

TEST(TensorSetTest, LinksWithinTheFolderAndItsStoreAreFollowed) {
  const Scratch scratch;
  const auto snapshot = scratch / "models--x--y/snapshots/0123abc";
  const auto blobs = scratch / "models--x--y/blobs";
  Put(blobs / "b1", PairsNamed({"a"}));
  Put(blobs / "b2", R"({"weight_map":{"a":"m-1.safetensors"}})");
  std::filesystem::create_directories(snapshot / "unet");
  std::filesystem::create_symlink("../../blobs/b1", snapshot / "m-1.safetensors");
  std::filesystem::create_symlink("../../blobs/b2", snapshot / kIndex);
  std::filesystem::create_symlink("../../../blobs/b1", snapshot / "unet/m-1.safetensors");
  std::filesystem::create_symlink("../../../blobs/b2", snapshot / "unet" / kIndex);
  EXPECT_THAT(TensorSet::Open(snapshot)->names(), ElementsAre("a"));
  EXPECT_THAT(TensorSet::Open(snapshot / kIndex)->names(), ElementsAre("a"));
  EXPECT_THAT(TensorSet::Open(snapshot / "unet")->names(), ElementsAre("a"));
  // Another model's store is not this one's.
  Put(scratch / "models--other/blobs/b1", PairsNamed({"a"}));
  std::filesystem::remove(snapshot / "m-1.safetensors");
  std::filesystem::create_symlink("../../../models--other/blobs/b1", snapshot / "m-1.safetensors");
  EXPECT_EQ(CodeOf(TensorSet::Open(snapshot)), "outside_folder");
  // Beside it in the same folder.
  Put(scratch / "plain/real", PairsNamed({"a"}));
  std::filesystem::create_symlink("real", scratch / "plain/m-1.safetensors");
  Put(scratch / "plain" / kIndex, R"({"weight_map":{"a":"m-1.safetensors"}})");
  EXPECT_TRUE(TensorSet::Open(scratch / "plain").ok());
  std::filesystem::create_symlink("plain", scratch / "linked");  // the folder itself may be reached by a link
  EXPECT_TRUE(TensorSet::Open(scratch / "linked").ok());
}

TEST(TensorSetTest, NumberOfShards) {
  const Scratch scratch;
  std::string map;
  for (size_t i = 0; i <= kMostShards; ++i) {
    const std::string name = "t" + std::to_string(i);
    Put(scratch / name, PairsNamed({name}));
    if (i == kMostShards) {
      PutIndex(scratch, "{" + map + "}");
      EXPECT_EQ(TensorSet::Open(scratch.path())->size(), kMostShards);
    }
    map += std::string(i > 0 ? "," : "") + "\"" + name + "\":\"" + name + "\"";
  }
  PutIndex(scratch, "{" + map + "}");
  EXPECT_EQ(CodeOf(TensorSet::Open(scratch.path())), "checkpoint_limit");
}

}  // namespace
}  // namespace grym
