#include "text/tokenizer_config.h"

#include "base/fs.h"
#include "text/file_errors.h"
#include "text/json_scanner.h"
#include "text/limits.h"

namespace grym {
namespace {

absl::StatusOr<Json> ReadOptionalObject(const std::filesystem::path& path) {
  const absl::StatusOr<int64_t> size = RegularFileSize(path);
  if (absl::IsNotFound(size.status())) return Json::Object();
  GRYM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, int64_t{4} << 20));
  JsonScanner scanner(text, path.filename().string());
  GRYM_ASSIGN_OR_RETURN(Json json, scanner.Tree(size_t{4} << 20));
  GRYM_RETURN_IF_ERROR(scanner.End());
  if (!json.is_object()) return BadTokenizer(path.filename().string(), "want an object");
  return json;
}

}  // namespace

absl::StatusOr<TokenizerConfig> TokenizerConfig::Read(const std::filesystem::path& folder) {
  TokenizerConfig config;
  GRYM_ASSIGN_OR_RETURN(config.config_, ReadOptionalObject(folder / "tokenizer_config.json"));
  GRYM_ASSIGN_OR_RETURN(config.special_, ReadOptionalObject(folder / "special_tokens_map.json"));
  return config;
}

AddedToken TokenizerConfig::Token(const std::string& role) const {
  const std::string key = role + "_token";
  const Json& said = config_.contains(key) ? config_.at(key) : special_.at(key);
  AddedToken token;
  token.special = true;
  token.content = said.is_object() ? said.at("content").text() : said.text();
  token.lstrip = said.at("lstrip").boolean();
  token.rstrip = said.at("rstrip").boolean();
  token.single_word = said.at("single_word").boolean();
  token.normalized = said.at("normalized").boolean();
  return token;
}

std::string TokenizerConfig::TokenOr(const std::string& role, const std::string& usual) const {
  std::string said = Token(role).content;
  return said.empty() ? usual : said;
}

}  // namespace grym
