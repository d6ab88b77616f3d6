// The last error of each thread, status names, the version.
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

// Errors of ours are clean already; this is for those that come from Abseil or the standard library.
std::string CleanMessage(std::string message) {
  if (message.size() > kMessageBytes) {
    message.resize(kMessageBytes - 3);
    message += "...";
  }
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return message;
}

}  // namespace

ErrorTexts TextsOf(const absl::Status& status) {
  ErrorTexts texts;
  if (status.ok()) return texts;
  texts.message = CleanMessage(std::string(status.message().data(), status.message().size()));
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
