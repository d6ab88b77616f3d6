#include "text/normalizer.h"

#include "text/base64.h"
#include "text/file_errors.h"
#include "text/limits.h"
#include "text/unicode_class.h"

namespace grym {
namespace {

class PrecompiledStep : public Normalizer {
 public:
  explicit PrecompiledStep(CharMap map) : map_(std::move(map)) {}
  std::string Apply(std::string_view text) const override { return map_.Normalize(text); }

 private:
  CharMap map_;
};

// Every occurrence from the left; `runs` takes two or more of a character as one occurrence.
class ReplaceStep : public Normalizer {
 public:
  ReplaceStep(std::string what, std::string with, bool runs)
      : what_(std::move(what)), with_(std::move(with)), runs_(runs) {}
  std::string Apply(std::string_view text) const override {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t found = std::min(text.find(what_, at), text.size());
      out.append(text.substr(at, found - at));
      if (found == text.size()) break;
      at = found + what_.size();
      if (runs_) at = std::min(text.find_first_not_of(what_[0], found), text.size());
      out += with_;
      // What grows beyond all bounds is refused by the caller; there is no need to make all of it.
      if (out.size() > kTextGrowth * kTokenizerTextBytes * kTextGrowth) break;
    }
    return out;
  }

 private:
  std::string what_, with_;
  bool runs_;
};

class StripStep : public Normalizer {
 public:
  StripStep(bool left, bool right) : left_(left), right_(right) {}
  std::string Apply(std::string_view text) const override { return std::string(StripSpace(text, left_, right_)); }

 private:
  bool left_, right_;
};

class PrependStep : public Normalizer {
 public:
  explicit PrependStep(std::string what) : what_(std::move(what)) {}
  std::string Apply(std::string_view text) const override {
    return text.empty() ? std::string() : what_ + std::string(text);
  }

 private:
  std::string what_;
};

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadReplace(const Json& json, const std::string& where) {
  const Json& pattern = json.at("pattern");
  if (!json.at("content").is_string()) return BadTokenizer(where, "Replace: want a string as content");
  const std::string& content = json.at("content").text();
  if (pattern.at("String").is_string()) {
    if (pattern.at("String").text().empty()) return BadTokenizer(where, "Replace: want a pattern, got an empty one");
    return std::make_unique<ReplaceStep>(pattern.at("String").text(), content, false);
  }
  if (!pattern.at("Regex").is_string()) return BadTokenizer(where, "Replace: want a pattern");
  const std::string& regex = pattern.at("Regex").text();
  if (regex == " {2,}") return std::make_unique<ReplaceStep>("  ", content, true);
  if (regex.empty() || regex.find_first_of("\\^$.|?*+()[]{}") != regex.npos)
    return UnsupportedTokenizer(where, Formatted("the pattern \"%s\" of Replace", Printable(regex, 80)));
  return std::make_unique<ReplaceStep>(regex, content, false);
}

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadStep(const Json& json, const std::string& where) {
  const std::string& type = json.at("type").text();
  if (type == "Precompiled") {
    const std::optional<std::string> bytes = FromBase64(json.at("precompiled_charsmap").text());
    if (!bytes) return DamagedTokenizer(where, "precompiled_charsmap: want base64");
    GRYM_ASSIGN_OR_RETURN(CharMap map, CharMap::Parse(*bytes, where + ", precompiled_charsmap"));
    return CharMapNormalizer(std::move(map));
  }
  if (type == "Replace") return ReadReplace(json, where);
  if (type == "Strip") {
    if (!json.at("strip_left").is_bool() || !json.at("strip_right").is_bool())
      return BadTokenizer(where, "Strip: want strip_left and strip_right");
    return std::make_unique<StripStep>(json.at("strip_left").boolean(), json.at("strip_right").boolean());
  }
  if (type == "Prepend") {
    if (!json.at("prepend").is_string()) return BadTokenizer(where, "Prepend: want a string to prepend");
    return std::make_unique<PrependStep>(json.at("prepend").text());
  }
  return UnsupportedTokenizer(where, Formatted("the normalizer \"%s\"", Printable(type, 60)));
}

}  // namespace

std::unique_ptr<const Normalizer> CharMapNormalizer(CharMap map) {
  return std::make_unique<PrecompiledStep>(std::move(map));
}

absl::StatusOr<Normalizers> ReadNormalizers(const Json& json, const std::string& where) {
  Normalizers steps;
  if (json.is_null()) return steps;
  if (json.at("type").text() != "Sequence") {
    GRYM_ASSIGN_OR_RETURN(steps.emplace_back(), ReadStep(json, where));
    return steps;
  }
  for (const Json& item : json.at("normalizers").items()) {
    GRYM_ASSIGN_OR_RETURN(Normalizers inner, ReadNormalizers(item, where));
    for (auto& step : inner) steps.push_back(std::move(step));
    if (steps.size() > kTokenizerSteps)
      return TooLargeTokenizer(where, Formatted("want at most %d normalizers", kTokenizerSteps));
  }
  return steps;
}

absl::Status CheckGrowth(size_t bytes, size_t original_bytes) {
  if (bytes <= kTextGrowth * original_bytes + 64) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "text_grows",
               Formatted("text: want at most %d times its %d bytes after normalising, got %d", kTextGrowth,
                         original_bytes, bytes));
}

absl::StatusOr<std::string> Normalize(const Normalizers& steps, std::string_view text) {
  std::string now(text);
  for (const auto& step : steps) {
    now = step->Apply(now);
    GRYM_RETURN_IF_ERROR(CheckGrowth(now.size(), text.size()));
  }
  return now;
}

}  // namespace grym
