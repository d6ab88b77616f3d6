// The journal of executions: SQLite rows that say how far each got, and the files that their results name.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/workflow.h"
#include "workflow/content_store.h"

namespace grym {

// How a visit stands in the journal. A visit is a row; its attempts share it.
struct VisitRecord {
  int64_t ordinal = 0;  // 1, 2, ... in the order of the execution
  std::string step;
  int visit = 1;
  int attempt = 1;  // the last one started
  VisitState state = VisitState::kRunning;
  std::string call;     // JSON: resolved inputs and parameters
  std::string result;   // JSON as the operation answered it, once completed
  std::string outcome;  // "true", "false", "error" or ""
  std::string next;
  std::string error;        // JSON error object of a failed visit
  int64_t retry_at_ms = 0;  // wall clock before which the next attempt may not start; 0: at once
  double seconds = 0;
  int64_t started_ms = 0, ended_ms = 0;  // wall clock since 1970; 0 while it runs
};

struct ExecutionRecord {
  std::string id;
  std::string workflow_id;
  int64_t revision = 1;  // of the workflow, by digest
  std::string digest;
  std::string document;    // canonical JSON that the execution is pinned to
  std::string folder;      // of the document
  std::string parameters;  // JSON object, defaults filled in
  int64_t seed = 0;
  std::string state;   // "running", "completed", "failed", "cancelled", "needs_decision", "parked"
  std::string result;  // JSON once completed
  std::string error;   // JSON error object
  int recoveries = 0;  // since a visit was last completed
  int64_t created_ms = 0, changed_ms = 0;  // wall clock since 1970
  int64_t last_event = 0;
  std::vector<VisitRecord> visits;  // by ordinal; empty in List
};

struct JournalEvent {
  std::string kind;
  std::string step;
  int visit = 0;
  int attempt = 0;
  std::string text;
};

// Everything that one step of an execution changes: committed whole or not at all.
struct Transition {
  std::string execution_id;
  std::vector<VisitRecord> visits;   // inserted, or replaced by ordinal
  std::optional<std::string> state;  // of the execution
  std::string result, error;         // with `state`
  std::optional<int> recoveries;
  std::vector<JournalEvent> events;  // numbered in the same commit
  int64_t at_ms = 0;                 // wall clock since 1970
  bool durable = true;               // false: synchronous=NORMAL for this commit
};

// Told about the n-th commit (from 1, over all kinds) just before it is made and just after. Crash tests end the
// process there.
enum class CommitMoment { kBefore, kAfter };
using CommitObserver = std::function<void(CommitMoment moment, int64_t commit)>;

struct JournalOptions {
  int lock_wait_ms = 5000;
  std::string vfs;  // SQLite VFS by name, "" for the platform's
  CommitObserver on_commit;
};

// One process owns a journal at a time. Threads: any.
class Journal {
 public:
  // Waits for another owner up to lock_wait_ms, then Unavailable (code "store_locked", naming the owner). Collects
  // files that no row names. Errors of a damaged, foreign or newer file: those of Database::Open.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::filesystem::path& folder,
                                                       const JournalOptions& options = {});
  ~Journal();

  // Writes the execution, its definition and its first transition in one commit. AlreadyExists for an id in use.
  absl::Status Create(const ExecutionRecord& execution, const Transition& first, std::vector<WorkflowEvent>* events);
  absl::Status Commit(const Transition& transition, std::vector<WorkflowEvent>* events);
  // NotFound (code "unknown_execution"). Results in files are read back.
  absl::StatusOr<ExecutionRecord> Load(const std::string& execution_id) const;
  absl::StatusOr<bool> Contains(const std::string& execution_id) const;
  absl::StatusOr<std::vector<ExecutionRecord>> List() const;  // newest first, without visits
  // Forgets an execution and, unless others run meanwhile (then at the next Open), the files that only it named.
  // FailedPrecondition (code "execution_running") while it runs, NotFound (code "unknown_execution").
  absl::Status Delete(const std::string& execution_id);
  // Events after `sequence`, in order, without gaps.
  absl::StatusOr<std::vector<WorkflowEvent>> Events(const std::string& execution_id, int64_t after_sequence,
                                                    int64_t limit) const;

  // Held while an execution runs in this process. FailedPrecondition (code "execution_running") when it does already.
  class Claim {
   public:
    Claim(Journal* journal, std::string id) : journal_(journal), id_(std::move(id)) {}
    Claim(Claim&& other) noexcept : journal_(other.journal_), id_(std::move(other.id_)) { other.journal_ = nullptr; }
    Claim& operator=(Claim&&) = delete;
    ~Claim();

   private:
    Journal* journal_;
    std::string id_;
  };
  absl::StatusOr<Claim> Take(const std::string& execution_id);

  ContentStore& files() { return files_; }
  const ContentStore& files() const { return files_; }

 private:
  struct Impl;
  Journal(std::filesystem::path folder, std::unique_ptr<Impl> impl);
  ContentStore files_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace grym
