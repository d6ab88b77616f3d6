#include "text/bpe.h"
#include "text/file_errors.h"
#include "text/json_scanner.h"
#include "text/limits.h"
#include "text/pipeline.h"
#include "text/tokenizer_files.h"

namespace grym {
namespace {

// "left right" a line, those of "#version" left out.
absl::Status ReadMergeLines(std::string_view text, const std::string& where, BpeParts& parts) {
  for (size_t at = 0, number = 1; at < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("#version") || line.empty()) continue;
    const size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos)
      return DamagedTokenizer(where, Formatted("line %d: want two parts of a merge", number));
    if (parts.merges.size() >= kTokenizerPieces)
      return TooLargeTokenizer(where, Formatted("want at most %d merges, got more", kTokenizerPieces));
    parts.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return absl::OkStatus();
}

// The special tokens of RobertaTokenizer; ids of the vocabulary, or behind it.
absl::Status AddRobertaTokens(const TokenizerConfig& config, const Vocabulary& vocabulary, const std::string& where,
                              AddedTokens& added) {
  static constexpr std::pair<const char*, const char*> kRoles[] = {
      {"bos", "<s>"}, {"eos", "</s>"}, {"unk", "<unk>"}, {"sep", "</s>"}, {"pad", "<pad>"},
      {"cls", "<s>"}, {"mask", "<mask>"}};
  auto next = static_cast<int32_t>(vocabulary.size());
  for (const auto& [role, usual] : kRoles) {
    AddedToken token = config.Token(role);
    if (token.content.empty()) token.content = usual;
    if (added.WithContent(token.content)) continue;
    const std::optional<int32_t> known = vocabulary.Id(token.content);
    while (!known && vocabulary.Token(next)) ++next;
    token.id = known ? *known : next++;
    GRYM_RETURN_IF_ERROR(added.Add(std::move(token), where));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadRobertaFiles(std::string_view vocabulary, std::string_view merges,
                                                                  const std::string& where,
                                                                  const TokenizerConfig& config) {
  BpeParts bpe;
  JsonScanner scanner(vocabulary, where);
  GRYM_RETURN_IF_ERROR(ReadVocabularyObject(scanner, bpe.vocabulary));
  GRYM_RETURN_IF_ERROR(scanner.End());
  GRYM_RETURN_IF_ERROR(bpe.vocabulary.Seal(where, true));
  GRYM_RETURN_IF_ERROR(ReadMergeLines(merges, "merges.txt", bpe));
  PipelineParts parts;
  GRYM_RETURN_IF_ERROR(AddRobertaTokens(config, bpe.vocabulary, where, parts.added));
  const TokenNames names{config.TokenOr("bos", "<s>"), config.TokenOr("eos", "</s>"), config.TokenOr("pad", "<pad>"),
                         config.TokenOr("unk", "<unk>")};
  parts.frame.before = {parts.added.WithContent(config.TokenOr("cls", "<s>"))->id};
  parts.frame.after = {parts.added.WithContent(config.TokenOr("sep", "</s>"))->id};
  parts.pre_tokenizers.push_back(ByteLevelPreTokenizer(config.at("add_prefix_space").boolean(false)));
  parts.decoders->push_back(ByteLevelDecoder());
  GRYM_ASSIGN_OR_RETURN(parts.model, MakeBpe(std::move(bpe), where));
  return MakePipeline(std::move(parts), names, where);
}

}  // namespace grym
