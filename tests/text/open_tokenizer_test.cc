#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/status.h"
#include "text/small_files.h"
#include "grymsynth/tokenizer.h"

namespace grym {
namespace {

using Ids = std::vector<int32_t>;
using testing::Scratch;
using testing::Write;

constexpr char kVocabulary[] = R"({"<s>": 0, "<pad>": 1, "</s>": 2, "l": 3, "o": 4, "lo": 5, "Ġ": 6, "Ġlo": 7})";
constexpr char kMerges[] = "#version: 0.2\nl o\r\nĠ lo\n";
constexpr char kLetters[] = R"({"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "T": 6, "AB": 7})";

std::string T5Model(std::string_view normalizer = "") {
  return testing::T5Pieces() + testing::T5Trainer() + testing::BytesField(3, normalizer);
}

TEST(OpenTokenizerTest, FolderPrefersTokenizerJsonThenMergesThenSentencePiece) {
  Scratch folder;
  EXPECT_EQ(ErrorCode(OpenTokenizer(folder.path()).status()), "no_tokenizer");
  Write(folder / "spiece.model", T5Model());
  EXPECT_EQ((*OpenTokenizer(folder.path()))->kind(), "unigram");
  Write(folder / "vocab.json", kVocabulary);
  EXPECT_EQ((*OpenTokenizer(folder.path()))->kind(), "unigram");
  Write(folder / "merges.txt", kMerges);
  EXPECT_EQ((*OpenTokenizer(folder.path()))->vocabulary_size(), 10);  // <unk> and <mask> stand behind the vocabulary
  Write(folder / "tokenizer.json", testing::kBpeJson);
  EXPECT_EQ((*OpenTokenizer(folder.path()))->vocabulary_size(), 13);
  // A file is what its content says.
  EXPECT_EQ((*OpenTokenizer(folder / "spiece.model"))->kind(), "unigram");
  EXPECT_EQ((*OpenTokenizer(folder / "vocab.json"))->vocabulary_size(), 10);
}

TEST(OpenTokenizerTest, VocabularyAndMergesMakeRoberta) {
  Scratch folder;
  Write(folder / "vocab.json", kVocabulary);
  Write(folder / "merges.txt", kMerges);
  auto tokenizer = OpenTokenizer(folder.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("lo lol<mask>")), (Ids{0, 5, 7, 3, 9, 2}));
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{0, 5, 7, 2}, {.skip_special_tokens = true})), "lo lo");
  EXPECT_EQ((*tokenizer)->special_ids().pad, 1);
  EXPECT_EQ((*tokenizer)->special_ids().unk, 8);
  Write(folder / "tokenizer_config.json", R"({"add_prefix_space": true, "mask_token": {"content": "[M]", "lstrip": true}})");
  tokenizer = OpenTokenizer(folder.path());
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("lo [M]")), (Ids{0, 7, 9, 2}));
  Write(folder / "merges.txt", "l o\nl o o\n");
  EXPECT_EQ(OpenTokenizer(folder.path()).status().code(), absl::StatusCode::kDataLoss);
}

TEST(OpenTokenizerTest, SentencePieceIsT5) {
  Scratch folder;
  Write(folder / "m", T5Model(testing::BytesField(2, testing::CharMapBytes({{"A", "a"}}))));
  const auto tokenizer = OpenTokenizer(folder / "m");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  // "▁a" and "bc" cost 5, "▁a", "b" and "c" 7, "▁ab" and "c" 9.
  EXPECT_EQ(testing::Value((*tokenizer)->Encode(" Abc  b\n")), (Ids{4, 7, 3, 5, 1}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("<extra_id_0>a<extra_id_99></s>")), (Ids{108, 4, 9, 1, 1}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("xy")), (Ids{3, 2, 1}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("")), (Ids{1}));
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{4, 7, 3, 5, 1}, {.skip_special_tokens = true})), "abc b");
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 109);
  EXPECT_EQ((*tokenizer)->special_ids().pad, 0);
  EXPECT_EQ((*tokenizer)->special_ids().bos, std::nullopt);
  Write(folder / "m", T5Model() + testing::Piece("[D]", 0, 4));
  EXPECT_EQ(testing::Value((*OpenTokenizer(folder / "m"))->Encode("a [D]b")), (Ids{4, 9, 3, 5, 1}));
  Write(folder / "tokenizer_config.json", R"({"additional_special_tokens": ["<extra_id_0>"]})");
  EXPECT_EQ(testing::Value((*OpenTokenizer(folder / "m"))->Encode("a [D]b<extra_id_0>")), (Ids{4, 3, 9, 5, 109, 1}));
  Write(folder / "m", T5Model());
  Write(folder / "tokenizer_config.json", R"({"extra_ids": 0})");
  EXPECT_EQ((*OpenTokenizer(folder / "m"))->vocabulary_size(), 9);
}

TEST(OpenTokenizerTest, SentencePieceThatT5DoesNotHaveIsNamed) {
  Scratch folder;
  for (const std::string& flags : {testing::BytesField(2, testing::NumberField(3, 2)),
                                   testing::BytesField(2, testing::NumberField(35, 1)),
                                   testing::BytesField(3, testing::NumberField(3, 0)),
                                   testing::BytesField(3, testing::NumberField(4, 0)),
                                   testing::BytesField(3, testing::NumberField(5, 0))}) {
    Write(folder / "m", T5Model() + flags);
    EXPECT_EQ(OpenTokenizer(folder / "m").status().code(), absl::StatusCode::kUnimplemented);
  }
}

TEST(OpenTokenizerTest, DamagedSentencePieceIsRefused) {
  Scratch folder;
  const std::string model = T5Model(testing::BytesField(2, testing::CharMapBytes({{"A", "a"}})));
  int refused = 0;
  for (size_t bytes = 0; bytes < model.size(); bytes += bytes < 300 ? 1 : 97) {
    Write(folder / "m", model.substr(0, bytes));
    refused += !OpenTokenizer(folder / "m").ok();
  }
  EXPECT_GT(refused, 250);  // a cut between two pieces can leave a whole, smaller model
  for (const std::string& bad : {std::string("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), std::string("\x0B"),
                                 testing::Piece("", 0), testing::Piece("\xFF", 0), testing::Piece("a", NAN)}) {
    Write(folder / "m", T5Model() + bad);
    EXPECT_EQ(OpenTokenizer(folder / "m").status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(OpenTokenizerTest, LettersOfCtc) {
  Scratch folder;
  Write(folder / "vocab.json", kLetters);
  const auto tokenizer = OpenTokenizer(folder.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->kind(), "ctc_letters");
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("TE |Tx")), (Ids{6, 5, 4, 4, 6, 3}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("T <s> \x1C" "E AB E")), (Ids{6, 1, 5, 7, 5}));
  // T T _ T _ E | | _ | E -> "TTE", and delimiters that a blank parts are two.
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{6, 6, 0, 6, 0, 5, 4, 4, 0, 4, 5})), "TTE  E");
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{0, 4, 6, 4, 0})), "T");
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{1, 6, 3, 2})), "<s>T<unk></s>");
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{1, 6, 0, 6, 3, 2}, {.skip_special_tokens = true})), "TT");
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{})), "");
  EXPECT_EQ((*tokenizer)->Decode(Ids{8}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*tokenizer)->special_ids().pad, 0);
}

TEST(OpenTokenizerTest, LettersThatWeDoNotHaveAreNamed) {
  Scratch folder;
  Write(folder / "vocab.json", R"({"deu": {"a": 0}})");
  EXPECT_EQ(OpenTokenizer(folder.path()).status().code(), absl::StatusCode::kUnimplemented);
  Write(folder / "vocab.json", kLetters);
  Write(folder / "tokenizer_config.json", R"({"do_lower_case": true})");
  EXPECT_EQ(OpenTokenizer(folder.path()).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(OpenTokenizerTest, WhatIsNoTokenizerIsRefused) {
  Scratch folder;
  EXPECT_EQ(OpenTokenizer(folder / "absent").status().code(), absl::StatusCode::kNotFound);
  for (const std::string& bytes : {std::string(), std::string("{"), std::string("[]"), std::string("text"), std::string(10, '\0')}) {
    Write(folder / "f", bytes);
    EXPECT_EQ(OpenTokenizer(folder / "f").status().code(), absl::StatusCode::kDataLoss) << bytes;
  }
  Write(folder / "f", testing::kBpeJson);
  Write(folder / "tokenizer_config.json", "[]");
  EXPECT_EQ(OpenTokenizer(folder / "f").status().code(), absl::StatusCode::kInvalidArgument);
  Write(folder / "tokenizer_config.json", "{");
  EXPECT_EQ(OpenTokenizer(folder / "f").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace grym
