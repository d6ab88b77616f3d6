// What an absl::Status of ours carries beside its code and message: a stable code string and a list of problems.
#pragma once
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grymsynth/export.h"

namespace grym {

// One finding of a validation. `pointer` is a JSON Pointer (RFC 6901) into the document, "" for the whole.
struct Problem {
  std::string pointer;
  std::string code;     // stable, for instance "unknown_operation"
  std::string message;  // where, what was wanted, what came
  std::string hint;     // nearest legal value, or empty
};

// The stable code of an error ("file_not_found", "loop_limit_exceeded", ...). An error that was given none answers its
// canonical name in snake case ("invalid_argument"). "ok" for an OK status. Codes never change; messages may.
GRYM_EXPORT std::string ErrorCode(const absl::Status& status);

// All problems behind an error, at most 100; empty for an error that is not about a document.
GRYM_EXPORT std::vector<Problem> ErrorProblems(const absl::Status& status);

// Lower-case name of a canonical code: "invalid_argument", "data_loss", ...
GRYM_EXPORT std::string StatusName(absl::StatusCode code);

}  // namespace grym
