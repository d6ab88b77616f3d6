#include "base/status.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "base/json.h"
#include "base/utf8.h"

namespace grym {
namespace {

constexpr char kCodeUrl[] = "grymsynth/code";
constexpr char kProblemsUrl[] = "grymsynth/problems";
constexpr size_t kMaxMessage = 3900;
constexpr size_t kMaxProblems = 100;

}  // namespace

std::string Printable(std::string_view text, size_t limit) {
  std::string clean;
  clean.reserve(std::min(text.size(), limit));
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text, i);
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    // C1 controls are U+0080..U+009F, two bytes that start with C2.
    const bool control = lead < 0x20 || lead == 0x7F ||
                         (length == 2 && lead == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    if (clean.size() + std::max<size_t>(length, 1) > limit) return clean + "...";
    if (length == 0 || control) {
      clean += '?';
    } else {
      clean.append(text.substr(i, length));
    }
    i += std::max<size_t>(length, 1);
  }
  return clean;
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) joined.append(separator);
    joined += parts[i];
  }
  return joined;
}

absl::Status Error(absl::StatusCode status, std::string_view code, std::string_view message) {
  const std::string clean = Printable(message, kMaxMessage);
  absl::Status made(status, absl::string_view(clean.data(), clean.size()));
  made.SetPayload(kCodeUrl, absl::Cord(absl::string_view(code.data(), code.size())));
  return made;
}

absl::Status ProblemsError(std::string_view code, std::string_view what, const std::vector<Problem>& problems) {
  std::string message(what);
  Json list = Json::Array();
  for (size_t i = 0; i < problems.size() && i < kMaxProblems; ++i) {
    const Problem& problem = problems[i];
    if (i < 5) {
      message += (i == 0 ? ": " : "; ") + problem.pointer + (problem.pointer.empty() ? "" : ": ") + problem.message;
      if (!problem.hint.empty()) message += " (did you mean \"" + problem.hint + "\"?)";
    }
    Json item = Json::Object();
    item["pointer"] = problem.pointer;
    item["code"] = problem.code;
    item["message"] = problem.message;
    item["hint"] = problem.hint;
    list.push_back(std::move(item));
  }
  if (problems.size() > 5) message += "; and " + std::to_string(problems.size() - 5) + " more";
  absl::Status made = Error(absl::StatusCode::kInvalidArgument, code, message);
  made.SetPayload(kProblemsUrl, absl::Cord(list.Dump()));
  return made;
}

absl::Status Annotate(const absl::Status& status, std::string_view where) {
  if (status.ok()) return status;
  const std::string message = Printable(std::string(where) + ": " + std::string(status.message()), kMaxMessage);
  absl::Status made(status.code(), message);
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { made.SetPayload(url, payload); });
  return made;
}

std::string StatusName(absl::StatusCode code) {
  std::string name = absl::StatusCodeToString(code);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return name;
}

std::string ErrorCode(const absl::Status& status) {
  if (auto payload = status.GetPayload(kCodeUrl)) return std::string(*payload);
  return StatusName(status.code());
}

std::vector<Problem> ErrorProblems(const absl::Status& status) {
  std::vector<Problem> problems;
  auto payload = status.GetPayload(kProblemsUrl);
  if (!payload) return problems;
  absl::StatusOr<Json> list = Json::Parse(std::string(*payload));
  if (!list.ok()) return problems;
  for (const Json& item : list->items()) {
    problems.push_back(
        {item.at("pointer").text(), item.at("code").text(), item.at("message").text(), item.at("hint").text()});
  }
  return problems;
}

}  // namespace grym
