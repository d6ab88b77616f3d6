#include "text/pre_tokenizer.h"

#include "text/byte_level.h"
#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/limits.h"
#include "text/unicode_class.h"

namespace grym {
namespace {

class ByteLevelStep : public PreTokenizer {
 public:
  ByteLevelStep(bool add_prefix_space, bool use_words) : prefix_(add_prefix_space), words_(use_words) {}

  void Apply(TextPieces& text) const override {
    std::vector<std::string> out;
    for (std::string& piece : text.pieces) {
      if (prefix_ && piece[0] != ' ') piece.insert(piece.begin(), ' ');
      for (size_t at = 0; at < piece.size();) {
        const size_t end = words_ ? WordEnd(piece, at) : piece.size();
        AppendByteLevel(std::string_view(piece).substr(at, end - at), out.emplace_back());
        at = end;
      }
    }
    text.pieces = std::move(out);
  }

 private:
  bool prefix_, words_;
};

class WhitespaceSplitStep : public PreTokenizer {
 public:
  void Apply(TextPieces& text) const override {
    std::vector<std::string> out;
    for (const std::string& piece : text.pieces) {
      size_t begin = 0;
      const auto put = [&](size_t end) {
        if (end > begin) out.push_back(piece.substr(begin, end - begin));
      };
      for (size_t at = 0; at < piece.size();) {
        const CodePoint c = CodePointAt(piece, at);
        if (UnicodeClass::Of(c.value).is_space()) {
          put(at);
          begin = at + c.bytes;
        }
        at += c.bytes;
      }
      put(piece.size());
      if (&piece == &text.pieces.front() && !piece.empty() && StripSpace(piece, true, false).size() != piece.size())
        text.at_start = false;
    }
    text.pieces = std::move(out);
  }
};

class MetaspaceStep : public PreTokenizer {
 public:
  explicit MetaspaceStep(Metaspace space) : space_(std::move(space)) {}

  void Apply(TextPieces& text) const override {
    std::vector<std::string> out;
    for (size_t i = 0; i < text.pieces.size(); ++i) {
      const bool prepend = space_.prepend == Metaspace::Prepend::kAlways ||
                           (space_.prepend == Metaspace::Prepend::kFirst && i == 0 && text.at_start);
      const std::string piece = Marked(text.pieces[i], prepend);
      // Each mark begins a piece.
      for (size_t begin = 0; begin < piece.size();) {
        const size_t mark = space_.split ? piece.find(space_.replacement, begin + 1) : piece.npos;
        const size_t end = std::min(mark, piece.size());
        out.push_back(piece.substr(begin, end - begin));
        begin = end;
      }
    }
    text.pieces = std::move(out);
  }

 private:
  std::string Marked(const std::string& piece, bool prepend) const {
    std::string out;
    if (prepend && piece[0] != ' ' && !piece.starts_with(space_.replacement)) out = space_.replacement;
    for (const char c : piece) {
      if (c == ' ') {
        out += space_.replacement;
      } else {
        out += c;
      }
    }
    return out;
  }
  Metaspace space_;
};

}  // namespace

std::unique_ptr<const PreTokenizer> ByteLevelPreTokenizer(bool add_prefix_space) {
  return std::make_unique<ByteLevelStep>(add_prefix_space, true);
}

PreTokenizers T5PreTokenizers() {
  PreTokenizers steps;
  steps.push_back(std::make_unique<WhitespaceSplitStep>());
  steps.push_back(std::make_unique<MetaspaceStep>(Metaspace()));
  return steps;
}

absl::StatusOr<Metaspace> ReadMetaspace(const Json& json, const std::string& where) {
  Metaspace space;
  if (json.contains("replacement")) space.replacement = json.at("replacement").text();
  if (space.replacement.empty() || CodePointAt(space.replacement, 0).bytes != space.replacement.size())
    return BadTokenizer(where, "Metaspace: want one character as replacement");
  const std::string& scheme = json.at("prepend_scheme").text();
  if (scheme == "first") {
    space.prepend = Metaspace::Prepend::kFirst;
  } else if (scheme == "never" || (scheme.empty() && !json.at("add_prefix_space").boolean(true))) {
    space.prepend = Metaspace::Prepend::kNever;
  } else if (!scheme.empty() && scheme != "always") {
    return BadTokenizer(where, Formatted("Metaspace: want first, never or always, got \"%s\"", Printable(scheme, 60)));
  }
  space.split = json.at("split").boolean(true);
  return space;
}

absl::StatusOr<PreTokenizers> ReadPreTokenizers(const Json& json, const std::string& where) {
  PreTokenizers steps;
  if (json.is_null()) return steps;
  const std::string& type = json.at("type").text();
  if (type == "Sequence") {
    for (const Json& item : json.at("pretokenizers").items()) {
      GRYM_ASSIGN_OR_RETURN(PreTokenizers inner, ReadPreTokenizers(item, where));
      for (auto& step : inner) steps.push_back(std::move(step));
      if (steps.size() > kTokenizerSteps)
        return TooLargeTokenizer(where, Formatted("want at most %d pre-tokenizers", kTokenizerSteps));
    }
  } else if (type == "ByteLevel") {
    steps.push_back(std::make_unique<ByteLevelStep>(json.at("add_prefix_space").boolean(true),
                                                    json.at("use_regex").boolean(true)));
  } else if (type == "Metaspace") {
    GRYM_ASSIGN_OR_RETURN(Metaspace space, ReadMetaspace(json, where));
    steps.push_back(std::make_unique<MetaspaceStep>(std::move(space)));
  } else if (type == "WhitespaceSplit") {
    steps.push_back(std::make_unique<WhitespaceSplitStep>());
  } else {
    return UnsupportedTokenizer(where, Formatted("the pre-tokenizer \"%s\"", Printable(type, 60)));
  }
  return steps;
}

}  // namespace grym
