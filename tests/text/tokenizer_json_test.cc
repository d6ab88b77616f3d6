#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/format.h"
#include "base/status.h"
#include "text/limits.h"
#include "text/tokenizer_files.h"
#include "text/small_files.h"

namespace grym {
namespace {

using Ids = std::vector<int32_t>;
using ::testing::HasSubstr;

absl::StatusOr<std::shared_ptr<const Tokenizer>> Read(std::string_view json) {
  return ReadTokenizerJson(json, "tokenizer.json", TokenizerConfig());
}

std::string With(std::string_view what, std::string_view with) {
  std::string json = testing::kBpeJson;
  const size_t at = json.find(what);
  EXPECT_NE(at, json.npos) << what;
  return json.replace(at, what.size(), with);
}

// Unigram: "ab" costs -2.5 in one, -3 as two; "c" is unknown.
std::string UnigramJson(std::string_view normalizer = "null", std::string_view scheme = "always") {
  return R"({"added_tokens": [{"id": 0, "content": "</s>", "special": true}], "normalizer": )" + std::string(normalizer) +
         R"(, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": ")" + std::string(scheme) +
         R"("}, "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}},
      {"SpecialToken": {"id": "</s>", "type_id": 0}}], "special_tokens": {"</s>": {"id": "</s>", "ids": [0]}}},
    "model": {"type": "Unigram", "unk_id": 1, "vocab": [["</s>", 0], ["<unk>", 0], ["▁", -1], ["a", -1.5], ["b", -1.5],
      ["ab", -2.5], ["▁a", -2.25], ["é", -2]]}})";
}

TEST(TokenizerJsonTest, MergesInTheOrderTheyWereLearnt) {
  const auto tokenizer = Read(testing::kBpeJson);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("low low")), (Ids{0, 8, 10, 1}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("lowe we")), (Ids{0, 8, 5, 6, 11, 1}));  // "lo w" before "w e"
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("")), (Ids{0, 1}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("lo", {.special_tokens = false})), (Ids{7}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("lxo")), (Ids{0, 7, 1}));  // without an unknown, "x" is left out
  EXPECT_EQ((*tokenizer)->kind(), "bpe");
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 13);
  EXPECT_EQ((*tokenizer)->special_ids().bos, 0);
  EXPECT_EQ((*tokenizer)->special_ids().pad, std::nullopt);
  EXPECT_EQ((*tokenizer)->TokenId("<mask>"), 12);
}

TEST(TokenizerJsonTest, TruncationIsNotApplied) {
  EXPECT_EQ((*Read(testing::kBpeJson))->Encode("l l l l")->size(), 6u);
}

TEST(TokenizerJsonTest, AddedTokensTakeSpaceAlong) {
  const auto tokenizer = *Read(testing::kBpeJson);
  EXPECT_EQ(testing::Value(tokenizer->Encode("lo \n <mask> lo</s>")), (Ids{0, 7, 12, 6, 7, 1, 1}));
  EXPECT_EQ(testing::Value(tokenizer->Encode("<mask")), (Ids{0, 1}));
  const auto right = *Read(With("\"lstrip\": true", "\"rstrip\": true"));
  EXPECT_EQ(testing::Value(right->Encode("lo <mask>  lo")), (Ids{0, 7, 6, 12, 7, 1}));
  const auto single = *Read(With("\"lstrip\": true", "\"single_word\": true"));
  EXPECT_EQ(testing::Value(single->Encode("<mask>")), (Ids{0, 12, 1}));
  EXPECT_EQ(testing::Value(single->Encode("o<mask>")), (Ids{0, 3, 1}));
}

TEST(TokenizerJsonTest, DecodesBytesAndLeavesOutSpecialTokens) {
  const auto tokenizer = *Read(testing::kBpeJson);
  EXPECT_EQ(testing::Value(tokenizer->Decode(Ids{0, 8, 10, 1})), "<s>low low</s>");
  EXPECT_EQ(testing::Value(tokenizer->Decode(Ids{0, 8, 10, 1}, {.skip_special_tokens = true})), "low low");
  EXPECT_EQ(tokenizer->Decode(Ids{13}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tokenizer->Decode(Ids{-1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(testing::Value(tokenizer->Decode(Ids{})), "");
}

TEST(TokenizerJsonTest, ConfigurationDecidesOnThePrefixSpace) {
  testing::Scratch folder;
  testing::Write(folder / "tokenizer_config.json", R"({"add_prefix_space": true, "eos_token": {"content": "low"}})");
  const auto config = TokenizerConfig::Read(folder.path());
  const auto tokenizer = ReadTokenizerJson(testing::kBpeJson, "tokenizer.json", *config);
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("low low")), (Ids{0, 10, 10, 1}));
  EXPECT_EQ((*tokenizer)->special_ids().eos, 8);
}

TEST(TokenizerJsonTest, UnigramTakesTheBestSum) {
  const auto tokenizer = Read(UnigramJson());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("ab")), (Ids{2, 5, 0}));       // -1 - 2.5 against -2.25 - 1.5
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("a ab")), (Ids{6, 2, 5, 0}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("xyz")), (Ids{2, 1, 0}));      // unknown characters in a row are one
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("xay")), (Ids{2, 1, 3, 1, 0}));
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("")), (Ids{0}));
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{6, 2, 5, 0})), "a ab</s>");
  EXPECT_EQ((*tokenizer)->kind(), "unigram");
  EXPECT_EQ((*tokenizer)->special_ids().unk, 1);
}

TEST(TokenizerJsonTest, PrependSchemes) {
  EXPECT_EQ(testing::Value((*Read(UnigramJson("null", "never")))->Encode("b b")), (Ids{4, 2, 4, 0}));
  EXPECT_EQ(testing::Value((*Read(UnigramJson("null", "first")))->Encode("b</s>b")), (Ids{2, 4, 0, 4, 0}));
  EXPECT_EQ(testing::Value((*Read(UnigramJson("null", "always")))->Encode("b</s>b")), (Ids{2, 4, 0, 2, 4, 0}));
}

TEST(TokenizerJsonTest, Normalisers) {
  EXPECT_EQ(testing::Value((*Read(UnigramJson(R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"})")))->Encode("b   b b")),
            (Ids{2, 4, 2, 4, 2, 4, 0}));
  EXPECT_EQ(testing::Value((*Read(UnigramJson(R"({"type": "Replace", "pattern": {"String": "b"}, "content": "ab"})")))->Encode("b")),
            (Ids{2, 5, 0}));
  EXPECT_EQ(testing::Value((*Read(UnigramJson(R"({"type": "Strip", "strip_left": false, "strip_right": true})")))->Encode(" b  ")),
            (Ids{2, 4, 0}));
  EXPECT_EQ(testing::Value((*Read(UnigramJson(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "a"}]})")))->Encode("b")),
            (Ids{2, 5, 0}));
  const auto growing = Read(UnigramJson(R"({"type": "Replace", "pattern": {"String": "b"}, "content": "0123456789"})"));
  EXPECT_TRUE((*growing)->Encode("bbbbbb").ok());
  EXPECT_EQ(ErrorCode((*growing)->Encode(std::string(100, 'b')).status()), "text_grows");
}

TEST(TokenizerJsonTest, WhatWeDoNotHaveIsNamed) {
  for (const auto& [what, with] : std::vector<std::pair<std::string, std::string>>{
           {R"("normalizer": null)", R"("normalizer": {"type": "NFKC"})"},
           {R"("type": "ByteLevel", "add)", R"("type": "BertPreTokenizer", "add)"},
           {"RobertaProcessing", "BertProcessing"},
           {R"("type": "BPE")", R"("type": "WordPiece")"},
           {R"("dropout": null)", R"("dropout": 0.1)"},
           {R"("dropout": null)", R"("end_of_word_suffix": "</w>")"}}) {
    const absl::Status status = Read(With(what, with)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << with << status;
    EXPECT_EQ(ErrorCode(status), "unsupported_tokenizer");
  }
  // A decoder is missed by Decode alone.
  const auto tokenizer = Read(With(R"("decoder": {"type": "ByteLevel"})", R"("decoder": {"type": "WordPiece"})"));
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("lo")), (Ids{0, 7, 1}));
  EXPECT_EQ((*tokenizer)->Decode(Ids{7}).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(TokenizerJsonTest, WrongContentIsRefusedWithItsPlace) {
  for (const auto& [what, with, message] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {R"("we": 11)", R"("we": 10)", "id of its own"},
           {R"("we": 11)", R"("we": -1)", "got -1"},
           {R"("we": 11)", R"("we": 16777216)", "got 16777216"},
           {R"("we": 11)", R"("we": 11, "we": 13)", "duplicate token"},
           {R"("l o")", R"("l x")", "merge 0"},
           {R"("l o")", R"("l w")", "\"lw\""},
           {R"("id": 12)", R"("id": 11)", "is that of \"we\""},
           {R"("id": 0, "content": "<s>")", R"("id": 5, "content": "<s>")", "vocabulary's id 0"},
           {R"("cls": ["<s>", 0])", R"("cls": ["<s>", 99])", "got 99"},
           {R"("unk_token": null)", R"("unk_token": "none")", "unk_token"}}) {
    const absl::Status status = Read(With(what, with)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << with << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), HasSubstr("tokenizer.json"));
  }
  EXPECT_TRUE(Read(With(R"("we": 11)", R"("we": 16777215)")).ok());
  EXPECT_EQ(Read("{}").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read(With("l o\"", "l  o\"")).status().code(), absl::StatusCode::kDataLoss);
}

TEST(TokenizerJsonTest, CutAnywhereItIsDamaged) {
  const std::string json = testing::kBpeJson;
  for (size_t bytes = 0; bytes < json.size(); ++bytes)
    ASSERT_EQ(Read(json.substr(0, bytes)).status().code(), absl::StatusCode::kDataLoss) << bytes;
}

TEST(TokenizerJsonTest, TextsHaveLimits) {
  const auto tokenizer = *Read(testing::kBpeJson);
  EXPECT_TRUE(tokenizer->Encode(std::string(kTokenizerTextBytes, 'l')).ok());
  EXPECT_EQ(ErrorCode(tokenizer->Encode(std::string(kTokenizerTextBytes + 1, 'l')).status()), "text_too_long");
  const absl::Status status = tokenizer->Encode("ab\xFF").status();
  EXPECT_EQ(ErrorCode(status), "bad_utf8");
  EXPECT_THAT(std::string(status.message()), HasSubstr("byte 2"));
}

TEST(TokenizerJsonTest, UnigramPiecesHaveALimit) {
  const auto with_piece = [](size_t bytes) {
    return Read(R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], [")" + std::string(bytes, 'x') + R"(", -1]]}})");
  };
  EXPECT_TRUE(with_piece(kPieceBytes).ok());
  EXPECT_EQ(with_piece(kPieceBytes + 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TokenizerJsonTest, BytesStandForTheUnknown) {
  std::string vocab = R"(["<unk>", 0], ["a", -1])";
  for (int byte = 0; byte < 256; ++byte) vocab += Formatted(R"(, ["<0x%02X>", -5])", byte);
  const auto tokenizer = Read(R"({"model": {"type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": [)" + vocab +
                              R"(]}, "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}})");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(testing::Value((*tokenizer)->Encode("a\u00E9")), (Ids{1, 2 + 0xC3, 2 + 0xA9}));
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{1, 2 + 0xC3, 2 + 0xA9})), "a\u00E9");
  EXPECT_EQ(testing::Value((*tokenizer)->Decode(Ids{1, 2 + 0xC3, 1})), "a\uFFFDa");
}

TEST(TokenizerJsonTest, WithoutAnUnknownTheCharacterIsNamed) {
  const auto tokenizer = *Read(R"({"model": {"type": "Unigram", "unk_id": null, "vocab": [["a", -1]]}})");
  EXPECT_EQ(testing::Value(tokenizer->Encode("aa")), (Ids{0, 0}));
  EXPECT_EQ(ErrorCode(tokenizer->Encode("ab").status()), "unknown_character");
}

}  // namespace
}  // namespace grym
