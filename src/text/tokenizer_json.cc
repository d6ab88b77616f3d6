#include "text/bpe.h"
#include "text/file_errors.h"
#include "text/json_scanner.h"
#include "text/limits.h"
#include "text/pipeline.h"
#include "text/tokenizer_files.h"
#include "text/unigram.h"

namespace grym {
namespace {

// The members of "model", whatever their order: which model it is may stand behind its vocabulary.
struct ModelSection {
  std::string type;
  Vocabulary vocabulary;
  std::vector<double> scores;  // of a list; empty for an object
  bool has_vocabulary = false;
  std::vector<std::pair<std::string, std::string>> merges;
  bool has_merges = false;
  Json rest = Json::Object();
};

// [["piece", score], ...]
absl::Status ReadPieceList(JsonScanner& scanner, ModelSection& model) {
  std::string piece;
  return scanner.Array([&]() -> absl::Status {
    int part = 0;
    const absl::Status pair = scanner.Array([&]() -> absl::Status {
      if (part == 0) {
        GRYM_RETURN_IF_ERROR(scanner.String(piece));
      } else if (part == 1) {
        GRYM_ASSIGN_OR_RETURN(model.scores.emplace_back(), scanner.Number());
      } else {
        return scanner.Fail("the end of a piece and its score");
      }
      ++part;
      return absl::OkStatus();
    });
    GRYM_RETURN_IF_ERROR(pair);
    if (part != 2) return scanner.Fail("a piece and its score before this");
    return model.vocabulary.Add(piece, static_cast<int64_t>(model.vocabulary.size()), scanner.where());
  });
}

absl::StatusOr<std::pair<std::string, std::string>> SplitMerge(const std::string& text, const JsonScanner& scanner) {
  const size_t space = text.find(' ');
  if (space == text.npos || text.find(' ', space + 1) != text.npos)
    return scanner.Fail("two parts of a merge before this");
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

// ["a b", ...] or [["a", "b"], ...]
absl::Status ReadMergeList(JsonScanner& scanner, ModelSection& model) {
  std::string text;
  return scanner.Array([&]() -> absl::Status {
    if (model.merges.size() >= kTokenizerPieces)
      return TooLargeTokenizer(scanner.where(), Formatted("want at most %d merges, got more", kTokenizerPieces));
    if (scanner.Next() == '"') {
      GRYM_RETURN_IF_ERROR(scanner.String(text));
      GRYM_ASSIGN_OR_RETURN(model.merges.emplace_back(), SplitMerge(text, scanner));
      return absl::OkStatus();
    }
    auto& merge = model.merges.emplace_back();
    int part = 0;
    GRYM_RETURN_IF_ERROR(scanner.Array([&]() -> absl::Status {
      if (part > 1) return scanner.Fail("the end of a merge");
      return scanner.String(part++ == 0 ? merge.first : merge.second);
    }));
    return part == 2 ? absl::OkStatus() : scanner.Fail("two parts of a merge before this");
  });
}

absl::Status ReadModel(JsonScanner& scanner, ModelSection& model) {
  return scanner.Object([&](const std::string& key) -> absl::Status {
    if (key == "vocab") {
      if (std::exchange(model.has_vocabulary, true)) return scanner.Fail("one vocabulary");
      return scanner.Next() == '[' ? ReadPieceList(scanner, model) : ReadVocabularyObject(scanner, model.vocabulary);
    }
    if (key == "merges") {
      if (std::exchange(model.has_merges, true)) return scanner.Fail("one list of merges");
      return ReadMergeList(scanner, model);
    }
    if (model.rest.contains(key)) return scanner.Fail("each member once");
    if (model.rest.size() >= kTokenizerSteps) return scanner.Fail("fewer members of the model");
    GRYM_ASSIGN_OR_RETURN(model.rest[key], scanner.Tree(size_t{1} << 16));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeUnigramModel(ModelSection model, const std::string& where) {
  const Json& unk = model.rest.at("unk_id");
  if (model.scores.empty()) return BadTokenizer(where, "vocab: want pieces with scores");
  if (!unk.is_null() && (!unk.is_integer() || unk.integer(-1) < 0 || unk.integer() >= kTokenizerIds))
    return BadTokenizer(where, "unk_id: want an index of the vocabulary");
  GRYM_RETURN_IF_ERROR(model.vocabulary.Seal(where, false));
  UnigramParts parts;
  parts.vocabulary = std::move(model.vocabulary);
  parts.scores = std::move(model.scores);
  if (!unk.is_null()) parts.unk_id = static_cast<int32_t>(unk.integer());
  parts.byte_fallback = model.rest.at("byte_fallback").boolean();
  return MakeUnigram(std::move(parts), where);
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeBpeModel(ModelSection model, const std::string& where) {
  if (!model.scores.empty()) return BadTokenizer(where, "vocab: want tokens with ids");
  if (model.rest.at("dropout").number() != 0) return UnsupportedTokenizer(where, "dropout other than 0");
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.rest.at(name).text().empty()) return UnsupportedTokenizer(where, name);
  }
  GRYM_RETURN_IF_ERROR(model.vocabulary.Seal(where, true));
  BpeParts parts;
  parts.vocabulary = std::move(model.vocabulary);
  parts.merges = std::move(model.merges);
  if (model.rest.at("unk_token").is_string()) parts.unk_token = model.rest.at("unk_token").text();
  parts.fuse_unk = model.rest.at("fuse_unk").boolean();
  parts.byte_fallback = model.rest.at("byte_fallback").boolean();
  parts.ignore_merges = model.rest.at("ignore_merges").boolean();
  return MakeBpe(std::move(parts), where);
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeModel(ModelSection model, const std::string& where) {
  // Old files do not say the type: a list of pieces is a unigram model, merges are BPE.
  std::string type = model.rest.at("type").text();
  if (!model.rest.contains("type")) type = !model.scores.empty() ? "Unigram" : model.has_merges ? "BPE" : "";
  if (type == "Unigram") return MakeUnigramModel(std::move(model), where + ", model");
  if (type == "BPE") return MakeBpeModel(std::move(model), where + ", model");
  return UnsupportedTokenizer(where, Formatted("the model \"%s\"", Printable(type, 60)));
}

absl::Status ReadAddedToken(JsonScanner& scanner, AddedTokens& added) {
  GRYM_ASSIGN_OR_RETURN(const Json json, scanner.Tree(size_t{1} << 13));
  AddedToken token;
  if (!json.at("id").is_integer() || !json.at("content").is_string())
    return BadTokenizer(scanner.where(), "added_tokens: want an id and content");
  const int64_t id = json.at("id").integer();
  token.id = id >= 0 && id < kTokenizerIds ? static_cast<int32_t>(id) : -1;
  token.content = json.at("content").text();
  token.single_word = json.at("single_word").boolean();
  token.lstrip = json.at("lstrip").boolean();
  token.rstrip = json.at("rstrip").boolean();
  token.special = json.at("special").boolean();
  token.normalized = json.at("normalized").boolean(!token.special);
  if (token.content.empty()) return absl::OkStatus();  // as the reference
  return added.Add(std::move(token), scanner.where());
}

// Everything but the model and the added tokens.
absl::Status ReadSteps(const Json& sections, const std::string& where, const TokenizerConfig& config,
                       PipelineParts& parts) {
  GRYM_ASSIGN_OR_RETURN(parts.normalizers, ReadNormalizers(sections.at("normalizer"), where + ", normalizer"));
  Json splitting = sections.at("pre_tokenizer");
  if (splitting.at("type").text() == "ByteLevel" && config.at("add_prefix_space").is_bool())
    splitting["add_prefix_space"] = config.at("add_prefix_space");
  GRYM_ASSIGN_OR_RETURN(parts.pre_tokenizers, ReadPreTokenizers(splitting, where + ", pre_tokenizer"));
  GRYM_ASSIGN_OR_RETURN(parts.frame, ReadSpecialFrame(sections.at("post_processor"), where + ", post_processor"));
  parts.decoders = ReadDecoders(sections.at("decoder"), where + ", decoder");
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadVocabularyObject(JsonScanner& scanner, Vocabulary& vocabulary) {
  return scanner.Object([&](const std::string& token) -> absl::Status {
    GRYM_ASSIGN_OR_RETURN(const int64_t id, scanner.Integer());
    return vocabulary.Add(token, id, scanner.where());
  });
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadTokenizerJson(std::string_view text, const std::string& where,
                                                                   const TokenizerConfig& config) {
  JsonScanner scanner(text, where);
  ModelSection model;
  PipelineParts parts;
  Json sections = Json::Object();
  const absl::Status read = scanner.Object([&](const std::string& key) -> absl::Status {
    if (sections.contains(key)) return scanner.Fail("each section once");
    if (sections.size() >= kTokenizerSteps) return scanner.Fail("fewer sections");
    sections[key] = Json(true);
    if (key == "model") return ReadModel(scanner, model);
    if (key == "added_tokens") return scanner.Array([&] { return ReadAddedToken(scanner, parts.added); });
    if (key != "normalizer" && key != "pre_tokenizer" && key != "post_processor" && key != "decoder")
      return scanner.Skip();
    GRYM_ASSIGN_OR_RETURN(sections[key], scanner.Tree(kTokenizerPartBytes));
    return absl::OkStatus();
  });
  GRYM_RETURN_IF_ERROR(read);
  GRYM_RETURN_IF_ERROR(scanner.End());
  if (!sections.contains("model")) return BadTokenizer(where, "want a model");
  GRYM_RETURN_IF_ERROR(ReadSteps(sections, where, config, parts));
  GRYM_ASSIGN_OR_RETURN(parts.model, MakeModel(std::move(model), where));
  const TokenNames names{config.Token("bos").content, config.Token("eos").content, config.Token("pad").content,
                         config.Token("unk").content};
  return MakePipeline(std::move(parts), names, where);
}

}  // namespace grym
