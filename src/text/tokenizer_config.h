// What tokenizer_config.json and special_tokens_map.json say beside a tokenizer's own files.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "text/added_tokens.h"

namespace grym {

class TokenizerConfig {
 public:
  // Both files are optional. DataLoss and InvalidArgument as of OpenTokenizer.
  static absl::StatusOr<TokenizerConfig> Read(const std::filesystem::path& folder);

  // "bos", "eos", "unk", "sep", "pad", "cls" or "mask": what is said of it, its content "" where nothing is.
  AddedToken Token(const std::string& role) const;
  std::string TokenOr(const std::string& role, const std::string& usual) const;
  const std::string& class_name() const { return config_.at("tokenizer_class").text(); }
  const Json& at(std::string_view name) const { return config_.at(name); }

 private:
  Json config_ = Json::Object();
  Json special_ = Json::Object();
};

}  // namespace grym
