// The rows of the journal: schema, and each reading and writing of it.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "store/database.h"
#include "workflow/journal.h"

namespace grym {

// Results above this go to the content store.
inline constexpr size_t kMaxInlineResult = size_t{16} << 10;
// A result that a file may hold.
inline constexpr int64_t kMaxStoredResult = int64_t{64} << 20;

const Schema& JournalSchema();

// What a transition's results became: the text, or the SHA-256 of a file that holds it; and the files each names.
struct StoredResult {
  std::string text;
  std::string file;
  std::set<std::string> named;
};
struct StoredTransition {
  std::vector<StoredResult> visits;  // as Transition::visits
  std::vector<StoredResult> calls;   // likewise: a call holds its inputs, which may be as large as results
  StoredResult result;
};
absl::StatusOr<StoredTransition> StoreResults(const Transition& transition, ContentStore& files);

// Inside a transaction.
absl::Status InsertExecution(Database& database, const ExecutionRecord& execution);
absl::Status WriteTransition(Database& database, const Transition& transition, const StoredTransition& stored,
                             std::vector<WorkflowEvent>* events);

// The execution with all its rows; its definition stays while others share it. NotFound (code "unknown_execution").
absl::Status DeleteExecution(Database& database, const std::string& id);
absl::StatusOr<bool> HasExecution(Database& database, const std::string& id);
absl::StatusOr<ExecutionRecord> ReadExecution(Database& database, const ContentStore& files, const std::string& id);
absl::StatusOr<std::vector<ExecutionRecord>> ReadExecutions(Database& database);
absl::StatusOr<std::vector<WorkflowEvent>> ReadEvents(Database& database, const std::string& id, int64_t after_sequence,
                                                      int64_t limit);
// Every file that a row names.
absl::StatusOr<std::set<std::string>> NamedFiles(Database& database);

}  // namespace grym
