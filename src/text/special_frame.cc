#include "text/special_frame.h"

#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {
namespace {

absl::StatusOr<int32_t> TokenId(const Json& id, const std::string& where) {
  if (!id.is_integer() || id.integer() < 0 || id.integer() >= kTokenizerIds)
    return BadTokenizer(where, Formatted("want the id of a special token from 0 to %d", kTokenizerIds - 1));
  return static_cast<int32_t>(id.integer());
}

// {"single": [{"SpecialToken": {"id": NAME}} or {"Sequence": {"id": "A"}}, ...], "special_tokens": {NAME: {"ids": []}}}
absl::StatusOr<SpecialFrame> ReadTemplate(const Json& json, const std::string& where) {
  SpecialFrame frame;
  int texts = 0;
  for (const Json& item : json.at("single").items()) {
    if (item.contains("Sequence")) {
      ++texts;
      continue;
    }
    const std::string& name = item.at("SpecialToken").at("id").text();
    const Json& ids = json.at("special_tokens").at(name).at("ids");
    if (ids.size() == 0 || ids.size() > kTokenizerSteps)
      return BadTokenizer(where, Formatted("want ids for \"%s\" of the template", Printable(name, 60)));
    for (const Json& id : ids.items()) {
      GRYM_ASSIGN_OR_RETURN(const int32_t read, TokenId(id, where));
      (texts > 0 ? frame.after : frame.before).push_back(read);
    }
  }
  if (texts != 1) return BadTokenizer(where, Formatted("want one text in the template, got %d", texts));
  return frame;
}

}  // namespace

absl::StatusOr<SpecialFrame> ReadSpecialFrame(const Json& json, const std::string& where) {
  SpecialFrame frame;
  if (json.is_null()) return frame;
  const std::string& type = json.at("type").text();
  if (type == "ByteLevel") return frame;
  if (type == "TemplateProcessing") return ReadTemplate(json, where);
  if (type == "RobertaProcessing") {
    GRYM_ASSIGN_OR_RETURN(frame.before.emplace_back(), TokenId(json.at("cls").at(1), where));
    GRYM_ASSIGN_OR_RETURN(frame.after.emplace_back(), TokenId(json.at("sep").at(1), where));
    return frame;
  }
  if (type != "Sequence")
    return UnsupportedTokenizer(where, Formatted("the post-processor \"%s\"", Printable(type, 60)));
  for (const Json& item : json.at("processors").items()) {
    GRYM_ASSIGN_OR_RETURN(SpecialFrame inner, ReadSpecialFrame(item, where));
    frame.before.insert(frame.before.begin(), inner.before.begin(), inner.before.end());
    frame.after.insert(frame.after.end(), inner.after.begin(), inner.after.end());
    if (frame.before.size() + frame.after.size() > kTokenizerSteps * kTokenizerSteps)
      return TooLargeTokenizer(where, "want fewer special tokens around a text");
  }
  return frame;
}

}  // namespace grym
