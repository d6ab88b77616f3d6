#include <cmath>

#include "base/utf8.h"
#include "text/file_errors.h"
#include "text/limits.h"
#include "text/pipeline.h"
#include "text/protobuf_reader.h"
#include "text/tokenizer_files.h"
#include "text/unigram.h"

namespace grym {
namespace {

// Field numbers and defaults are those of SentencePiece 0.2, sentencepiece_model.proto.
enum class PieceType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct SentencePieceModel {
  Vocabulary vocabulary;
  std::vector<double> scores;
  std::vector<std::pair<int32_t, bool>> added;  // control (true) and user-defined pieces
  int model_type = 1;                           // unigram
  int32_t unk_id = 0;
  bool byte_fallback = false, whitespace_suffix = false;
  bool add_dummy_prefix = true, remove_extra_spaces = true, escape_spaces = true;
  std::string_view char_map;
};

using FieldType = ProtobufReader::Field::Type;

absl::Status Truncated(const ProtobufReader& reader, std::string_view what, const std::string& where) {
  return DamagedTokenizer(where, Formatted("byte %d of %s: want a field of a SentencePiece model", reader.at(), what));
}

absl::Status ReadPiece(std::string_view bytes, const std::string& where, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  std::string_view piece;
  float score = 0;
  auto type = PieceType::kNormal;
  const size_t index = model.scores.size();
  while (const auto field = reader.Next()) {
    if (field->number == 1 && field->type == FieldType::kBytes) piece = field->bytes;
    if (field->number == 2 && field->type == FieldType::kFixed32) score = field->real();
    if (field->number == 3 && field->type == FieldType::kVarint) type = static_cast<PieceType>(field->integer());
  }
  if (reader.damaged()) return Truncated(reader, Formatted("piece %d", index), where);
  if (piece.empty() || !IsUtf8(piece)) return DamagedTokenizer(where, Formatted("piece %d: want UTF-8", index));
  if (!std::isfinite(score)) return DamagedTokenizer(where, Formatted("piece %d: want a finite score", index));
  if (type == PieceType::kControl || type == PieceType::kUserDefined)
    model.added.emplace_back(static_cast<int32_t>(index), type == PieceType::kControl);
  model.scores.push_back(score);
  return model.vocabulary.Add(piece, static_cast<int64_t>(index), where);
}

absl::Status ReadTrainer(std::string_view bytes, const std::string& where, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  while (const auto field = reader.Next()) {
    if (field->type != FieldType::kVarint) continue;
    if (field->number == 3) model.model_type = field->integer();
    if (field->number == 24) model.whitespace_suffix = field->boolean();
    if (field->number == 35) model.byte_fallback = field->boolean();
    if (field->number == 40) model.unk_id = field->integer();
  }
  return reader.damaged() ? Truncated(reader, "trainer_spec", where) : absl::OkStatus();
}

absl::Status ReadNormalizerSpec(std::string_view bytes, const std::string& where, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  while (const auto field = reader.Next()) {
    if (field->number == 2 && field->type == FieldType::kBytes) model.char_map = field->bytes;
    if (field->type != FieldType::kVarint) continue;
    if (field->number == 3) model.add_dummy_prefix = field->boolean();
    if (field->number == 4) model.remove_extra_spaces = field->boolean();
    if (field->number == 5) model.escape_spaces = field->boolean();
  }
  return reader.damaged() ? Truncated(reader, "normalizer_spec", where) : absl::OkStatus();
}

absl::StatusOr<SentencePieceModel> ReadModelProto(std::string_view bytes, const std::string& where) {
  ProtobufReader reader(bytes);
  SentencePieceModel model;
  while (const auto field = reader.Next()) {
    if (field->type != FieldType::kBytes) continue;
    if (field->number == 1) GRYM_RETURN_IF_ERROR(ReadPiece(field->bytes, where, model));
    if (field->number == 2) GRYM_RETURN_IF_ERROR(ReadTrainer(field->bytes, where, model));
    if (field->number == 3) GRYM_RETURN_IF_ERROR(ReadNormalizerSpec(field->bytes, where, model));
  }
  if (reader.damaged()) return Truncated(reader, "the file", where);
  if (model.scores.empty()) return DamagedTokenizer(where, "want pieces of a SentencePiece model, got none");
  return model;
}

absl::Status CheckSupported(const SentencePieceModel& model, const std::string& where) {
  if (model.model_type != 1) {
    return UnsupportedTokenizer(where,
                                Formatted("a SentencePiece model of type %d (want 1, unigram)", model.model_type));
  }
  // What T5 does not have would be ignored by transformers: other ids than those the model was trained with.
  if (model.byte_fallback) return UnsupportedTokenizer(where, "byte_fallback of a SentencePiece model");
  if (model.whitespace_suffix) return UnsupportedTokenizer(where, "treat_whitespace_as_suffix");
  if (!model.add_dummy_prefix) return UnsupportedTokenizer(where, "add_dummy_prefix = false");
  if (!model.remove_extra_spaces) return UnsupportedTokenizer(where, "remove_extra_whitespaces = false");
  if (!model.escape_spaces) return UnsupportedTokenizer(where, "escape_whitespaces = false");
  return absl::OkStatus();
}

// Sentinels <extra_id_N-1> ... <extra_id_0> behind the pieces, and all that is found in the text by itself: control and
// user-defined pieces, or in their place what the configuration lists as additional_special_tokens.
absl::Status AddT5Tokens(const TokenizerConfig& config, const std::string& where, SentencePieceModel& model,
                         AddedTokens& added) {
  const int64_t sentinels = config.at("extra_ids").is_integer() ? config.at("extra_ids").integer() : 100;
  if (sentinels < 0 || sentinels > 10000)
    return BadTokenizer("tokenizer_config.json", Formatted("extra_ids: want 0 to 10000, got %d", sentinels));
  const Json& listed = config.at("additional_special_tokens");
  if (listed.is_array()) model.added.clear();
  for (int64_t i = sentinels - 1; i >= 0; --i) {
    if (!listed.is_array()) model.added.emplace_back(static_cast<int32_t>(model.scores.size()), true);
    GRYM_RETURN_IF_ERROR(model.vocabulary.Add(Formatted("<extra_id_%d>", i), static_cast<int64_t>(model.scores.size()),
                                              where));
    model.scores.push_back(0);
  }
  GRYM_RETURN_IF_ERROR(model.vocabulary.Seal(where, false));
  std::vector<std::string> names{config.TokenOr("eos", "</s>"), config.TokenOr("unk", "<unk>"),
                                 config.TokenOr("pad", "<pad>")};
  for (const Json& item : listed.items()) names.push_back(item.is_object() ? item.at("content").text() : item.text());
  for (const std::string& name : names) {
    const std::optional<int32_t> id = model.vocabulary.Id(name);
    if (id) model.added.emplace_back(*id, true);
  }
  std::sort(model.added.begin(), model.added.end());
  for (size_t i = 0; i < model.added.size(); ++i) {
    // Of the same piece twice the special one stays.
    if (i + 1 < model.added.size() && model.added[i].first == model.added[i + 1].first) continue;
    AddedToken token;
    token.id = model.added[i].first;
    token.content = std::string(*model.vocabulary.Token(token.id));
    token.special = model.added[i].second;
    GRYM_RETURN_IF_ERROR(added.Add(std::move(token), where));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadSentencePiece(std::string_view bytes, const std::string& where,
                                                                   const TokenizerConfig& config) {
  GRYM_ASSIGN_OR_RETURN(SentencePieceModel model, ReadModelProto(bytes, where));
  GRYM_RETURN_IF_ERROR(CheckSupported(model, where));
  PipelineParts parts;
  GRYM_RETURN_IF_ERROR(AddT5Tokens(config, where, model, parts.added));
  const TokenNames names{config.Token("bos").content, config.TokenOr("eos", "</s>"), config.TokenOr("pad", "<pad>"),
                         config.TokenOr("unk", "<unk>")};
  const std::optional<int32_t> eos = model.vocabulary.Id(names.eos);
  if (!eos) return BadTokenizer(where, Formatted("want a piece \"%s\" that ends a text", Printable(names.eos, 60)));
  parts.frame.after = {*eos};
  if (!model.char_map.empty()) {
    GRYM_ASSIGN_OR_RETURN(CharMap map, CharMap::Parse(model.char_map, where + ", precompiled_charsmap"));
    parts.normalizers.push_back(CharMapNormalizer(std::move(map)));
  }
  parts.pre_tokenizers = T5PreTokenizers();
  parts.decoders->push_back(MetaspaceDecoder(Metaspace()));
  UnigramParts unigram;
  unigram.vocabulary = std::move(model.vocabulary);
  unigram.scores = std::move(model.scores);
  unigram.unk_id = model.unk_id;
  GRYM_ASSIGN_OR_RETURN(parts.model, MakeUnigram(std::move(unigram), where));
  return MakePipeline(std::move(parts), names, where);
}

}  // namespace grym
