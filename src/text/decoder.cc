#include "text/decoder.h"

#include <charconv>

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {
namespace {

std::string ReplacedAll(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t found = std::min(text.find(what, at), text.size());
    out.append(text.substr(at, found - at));
    if (found == text.size()) break;
    out.append(with);
    at = found + what.size();
  }
  return out;
}

class ByteLevelDecode : public Decoder {
 public:
  void Apply(std::vector<std::string>& tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes += FromByteLevel(token).value_or(token);
    tokens = {LossyUtf8(bytes)};
  }
};

class MetaspaceDecode : public Decoder {
 public:
  explicit MetaspaceDecode(Metaspace space) : space_(std::move(space)) {}
  void Apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool begins = i == 0 && space_.prepend != Metaspace::Prepend::kNever;
      tokens[i] = ReplacedAll(tokens[i], space_.replacement, begins ? "" : " ");
    }
  }

 private:
  Metaspace space_;
};

// <0x41> to its byte; bytes in a row that are no UTF-8 become U+FFFD, each. Source: tokenizers 0.23, byte_fallback.rs.
class ByteFallbackDecode : public Decoder {
 public:
  void Apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (IsUtf8(bytes)) {
        out.push_back(bytes);
      } else {
        for (size_t i = 0; i < bytes.size(); ++i) out.emplace_back("\xEF\xBF\xBD");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      unsigned byte = 0;
      if (token.size() == 6 && token.starts_with("<0x") && token[5] == '>' &&
          std::from_chars(token.data() + 3, token.data() + 5, byte, 16).ptr == token.data() + 5) {
        bytes += static_cast<char>(byte);
        continue;
      }
      flush();
      out.push_back(std::move(token));
    }
    flush();
    tokens = std::move(out);
  }
};

class FuseDecode : public Decoder {
 public:
  void Apply(std::vector<std::string>& tokens) const override {
    std::string all;
    for (const std::string& token : tokens) all += token;
    tokens = {std::move(all)};
  }
};

class ReplaceDecode : public Decoder {
 public:
  ReplaceDecode(std::string what, std::string with) : what_(std::move(what)), with_(std::move(with)) {}
  void Apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) token = ReplacedAll(token, what_, with_);
  }

 private:
  std::string what_, with_;
};

// Up to `start` and `stop` times `content` from the ends of each token.
class StripDecode : public Decoder {
 public:
  StripDecode(std::string content, int64_t start, int64_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}
  void Apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      size_t begin = 0, end = token.size();
      for (int64_t i = 0; i < start_ && token.compare(begin, content_.size(), content_) == 0; ++i)
        begin += content_.size();
      for (int64_t i = 0; i < stop_ && end >= begin + content_.size() &&
                          token.compare(end - content_.size(), content_.size(), content_) == 0; ++i)
        end -= content_.size();
      token = token.substr(begin, end - begin);
    }
  }

 private:
  std::string content_;
  int64_t start_, stop_;
};

absl::StatusOr<std::unique_ptr<const Decoder>> ReadDecoder(const Json& json, const std::string& where) {
  const std::string& type = json.at("type").text();
  if (type == "ByteLevel") return ByteLevelDecoder();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecode>();
  if (type == "Fuse") return std::make_unique<FuseDecode>();
  if (type == "Metaspace") {
    GRYM_ASSIGN_OR_RETURN(Metaspace space, ReadMetaspace(json, where));
    return MetaspaceDecoder(std::move(space));
  }
  if (type == "Replace" && !json.at("pattern").at("String").text().empty())
    return std::make_unique<ReplaceDecode>(json.at("pattern").at("String").text(), json.at("content").text());
  if (type == "Strip" && !json.at("content").text().empty()) {
    return std::make_unique<StripDecode>(json.at("content").text(), json.at("start").integer(),
                                         json.at("stop").integer());
  }
  return UnsupportedTokenizer(where, Formatted("the decoder \"%s\"", Printable(type, 60)));
}

}  // namespace

std::unique_ptr<const Decoder> ByteLevelDecoder() { return std::make_unique<ByteLevelDecode>(); }
std::unique_ptr<const Decoder> MetaspaceDecoder(Metaspace space) {
  return std::make_unique<MetaspaceDecode>(std::move(space));
}

absl::StatusOr<Decoders> ReadDecoders(const Json& json, const std::string& where) {
  Decoders steps;
  if (json.is_null()) return steps;
  if (json.at("type").text() != "Sequence") {
    GRYM_ASSIGN_OR_RETURN(steps.emplace_back(), ReadDecoder(json, where));
    return steps;
  }
  for (const Json& item : json.at("decoders").items()) {
    GRYM_ASSIGN_OR_RETURN(Decoders inner, ReadDecoders(item, where));
    for (auto& step : inner) steps.push_back(std::move(step));
    if (steps.size() > kTokenizerSteps)
      return TooLargeTokenizer(where, Formatted("want at most %d decoders", kTokenizerSteps));
  }
  return steps;
}

}  // namespace grym
