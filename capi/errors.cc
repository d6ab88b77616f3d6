// The last error of each thread, status names, the version.
#include <algorithm>
#include <cstring>

#include "grymsynth.h"
#include "grymsynth/error.h"
#include "grymsynth/version.h"
#include "guard.h"
#include "json_text.h"

// A status number of C is the canonical code.
#define GRYM_C_SAME(c, cxx) static_assert(static_cast<int>(absl::StatusCode::cxx) == (c), "status numbers differ")
GRYM_C_SAME(GRYM_STATUS_OK, kOk);
GRYM_C_SAME(GRYM_STATUS_CANCELLED, kCancelled);
GRYM_C_SAME(GRYM_STATUS_UNKNOWN, kUnknown);
GRYM_C_SAME(GRYM_STATUS_INVALID_ARGUMENT, kInvalidArgument);
GRYM_C_SAME(GRYM_STATUS_DEADLINE_EXCEEDED, kDeadlineExceeded);
GRYM_C_SAME(GRYM_STATUS_NOT_FOUND, kNotFound);
GRYM_C_SAME(GRYM_STATUS_ALREADY_EXISTS, kAlreadyExists);
GRYM_C_SAME(GRYM_STATUS_PERMISSION_DENIED, kPermissionDenied);
GRYM_C_SAME(GRYM_STATUS_RESOURCE_EXHAUSTED, kResourceExhausted);
GRYM_C_SAME(GRYM_STATUS_FAILED_PRECONDITION, kFailedPrecondition);
GRYM_C_SAME(GRYM_STATUS_ABORTED, kAborted);
GRYM_C_SAME(GRYM_STATUS_OUT_OF_RANGE, kOutOfRange);
GRYM_C_SAME(GRYM_STATUS_UNIMPLEMENTED, kUnimplemented);
GRYM_C_SAME(GRYM_STATUS_INTERNAL, kInternal);
GRYM_C_SAME(GRYM_STATUS_UNAVAILABLE, kUnavailable);
GRYM_C_SAME(GRYM_STATUS_DATA_LOSS, kDataLoss);
GRYM_C_SAME(GRYM_STATUS_UNAUTHENTICATED, kUnauthenticated);

namespace grym::capi {
namespace {

constexpr size_t kMessageBytes = 3999;
constexpr char kNoMemory[] = "out of memory";
constexpr char kNoMemoryCode[] = "out_of_memory";

struct LastError {
  ErrorTexts texts;
  std::string warnings;
  bool no_memory = false;  // then `texts` says nothing
};

LastError& ThisThread() {
  thread_local LastError last;
  return last;
}

// Bytes of the character at text[at] in UTF-8 by RFC 3629, 0 where there is none.
size_t CharacterBytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(at), second = byte(at + 1);
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (bytes == 0 || (bytes == 4 && first < 0xf0)) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if (byte(at + i) < 0x80 || byte(at + i) >= 0xc0) return 0;
  }
  const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool no_character = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return too_long || no_character ? 0 : bytes;
}

// At most `most` bytes of whole characters; '?' for each control character, and for each byte that belongs to none.
// Most errors of ours are clean already: this is for those of Abseil and the standard library, and for what C handed
// in.
std::string CleanText(std::string_view text, size_t most) {
  std::string clean;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = CharacterBytes(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    const std::string_view shown = bytes == 0 || first < 0x20 || first == 0x7f ? "?" : text.substr(at, bytes);
    const size_t room = text.size() <= most ? most : most - 3;
    if (clean.size() + shown.size() > room) return clean + "...";
    clean += shown;
    at += std::max<size_t>(bytes, 1);
  }
  return clean;
}

std::string CleanMessage(std::string_view message) { return CleanText(message, kMessageBytes); }

}  // namespace

std::string Shown(std::string_view text) { return "\"" + CleanText(text, 100) + "\""; }

ErrorTexts TextsOf(const absl::Status& status) {
  ErrorTexts texts;
  if (status.ok()) return texts;
  texts.message = CleanMessage({status.message().data(), status.message().size()});
  if (texts.message.empty()) texts.message = StatusName(status.code());
  texts.code = ErrorCode(status);
  texts.problems = ProblemsJson(ErrorProblems(status));
  return texts;
}

void ClearLastError() noexcept {
  LastError& last = ThisThread();
  last.no_memory = false;
  last.texts.message.clear();
  last.warnings.clear();
  // Short enough for the small-string buffer, so nothing is allocated.
  last.texts.code = "ok";
  last.texts.problems = "[]";
}

void SetLastWarnings(const std::vector<std::string>& warnings) {
  std::string lines;
  for (const std::string& warning : warnings) lines += (lines.empty() ? "" : "\n") + CleanMessage(warning);
  ThisThread().warnings = std::move(lines);
}

grym_status SetLastError(const absl::Status& status) noexcept {
  try {
    ThisThread().texts = TextsOf(status);
  } catch (...) {
    ThisThread().no_memory = true;
  }
  return static_cast<grym_status>(status.code());
}

absl::Status StatusFromException() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(kNoMemory);
  } catch (const std::system_error& error) {  // a thread that could not start, a file system that refused
    return absl::ResourceExhaustedError(std::string("system: ") + error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(std::string("unexpected exception: ") + error.what());
  } catch (...) {
    return absl::InternalError("unexpected exception of an unknown type");
  }
}

grym_status SetLastErrorFromException() noexcept {
  try {
    return SetLastError(StatusFromException());
  } catch (...) {
    ThisThread().no_memory = true;
    return GRYM_STATUS_RESOURCE_EXHAUSTED;
  }
}

}  // namespace grym::capi

using grym::capi::ThisThread;

const char* grym_last_error(void) {
  return ThisThread().no_memory ? grym::capi::kNoMemory : ThisThread().texts.message.c_str();
}
const char* grym_last_error_code(void) {
  return ThisThread().no_memory ? grym::capi::kNoMemoryCode : ThisThread().texts.code.c_str();
}
const char* grym_last_warnings(void) { return ThisThread().warnings.c_str(); }
const char* grym_last_error_problems_json(void) {
  return ThisThread().no_memory ? "[]" : ThisThread().texts.problems.c_str();
}

const char* grym_status_name(grym_status status) {
  static constexpr const char* kNames[] = {
      "ok", "cancelled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
      "permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented",
      "internal", "unavailable", "data_loss", "unauthenticated"};
  return status >= 0 && status <= GRYM_STATUS_UNAUTHENTICATED ? kNames[status] : "unknown";
}

const char* grym_version(void) { return grym::Version().data(); }  // a literal, ended by NUL
