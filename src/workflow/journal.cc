#include "workflow/journal.h"

#include "base/json.h"
#include "base/owner_lock.h"
#include "base/status.h"
#include "store/database.h"
#include "workflow/journal_rows.h"

namespace grym {

// Members end in the order that lets the database close before the lock goes.
struct Journal::Impl {
  Impl(OwnerLock held, std::unique_ptr<Database> opened, CommitObserver observer)
      : lock(std::move(held)), database(std::move(opened)), on_commit(std::move(observer)) {}

  // Runs `write` in one transaction of its own.
  template <class Write>
  absl::Status InTransaction(bool durable, Write write) {
    if (durable != durable_now) {
      GRYM_RETURN_IF_ERROR(database->Execute(durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
      durable_now = durable;
    }
    GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database));
    GRYM_RETURN_IF_ERROR(write());
    ++commits;
    if (on_commit) on_commit(CommitMoment::kBefore, commits);
    GRYM_RETURN_IF_ERROR(transaction.Commit());
    if (on_commit) on_commit(CommitMoment::kAfter, commits);
    return absl::OkStatus();
  }

  OwnerLock lock;
  std::unique_ptr<Database> database;
  CommitObserver on_commit;
  std::mutex mutex;  // the database, and all below
  int64_t commits = 0;
  bool durable_now = true;
  std::set<std::string> running;
};

Journal::Journal(std::filesystem::path folder, std::unique_ptr<Impl> impl)
    : files_(folder / "files"), impl_(std::move(impl)) {}
Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::filesystem::path& folder,
                                                       const JournalOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(folder / "files", error);
  if (error) {
    return Error(absl::StatusCode::kUnavailable, "write_failed",
                 "journal \"" + Printable(folder.string()) + "\": cannot be made: " + error.message());
  }
  GRYM_ASSIGN_OR_RETURN(OwnerLock lock, OwnerLock::Take(folder / "journal.lock", options.lock_wait_ms));
  DatabaseOptions database_options;
  database_options.vfs = options.vfs;
  GRYM_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                        Database::Open(folder / "journal.db", JournalSchema(), database_options));
  auto impl = std::make_unique<Impl>(std::move(lock), std::move(database), options.on_commit);
  std::unique_ptr<Journal> journal(new Journal(folder, std::move(impl)));
  GRYM_ASSIGN_OR_RETURN(const std::set<std::string> named, NamedFiles(*journal->impl_->database));
  GRYM_RETURN_IF_ERROR(journal->files_.Collect(named).status());
  return journal;
}

absl::Status Journal::Create(const ExecutionRecord& execution, const Transition& first,
                             std::vector<WorkflowEvent>* events) {
  // Files before the rows that name them.
  GRYM_ASSIGN_OR_RETURN(const StoredTransition stored, StoreResults(first, files_));
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->InTransaction(first.durable, [&]() -> absl::Status {
    GRYM_RETURN_IF_ERROR(InsertExecution(*impl_->database, execution));
    return WriteTransition(*impl_->database, first, stored, events);
  });
}

absl::Status Journal::Commit(const Transition& transition, std::vector<WorkflowEvent>* events) {
  GRYM_ASSIGN_OR_RETURN(const StoredTransition stored, StoreResults(transition, files_));
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->InTransaction(transition.durable,
                              [&] { return WriteTransition(*impl_->database, transition, stored, events); });
}

absl::Status Journal::Delete(const std::string& execution_id) {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  if (impl_->running.count(execution_id)) {
    return Error(absl::StatusCode::kFailedPrecondition, "execution_running",
                 "execution \"" + Printable(execution_id) + "\" is running");
  }
  GRYM_RETURN_IF_ERROR(impl_->InTransaction(true, [&] { return DeleteExecution(*impl_->database, execution_id); }));
  // A run that is under way may have put files that its next row will name.
  if (!impl_->running.empty()) return absl::OkStatus();
  GRYM_ASSIGN_OR_RETURN(const std::set<std::string> named, NamedFiles(*impl_->database));
  return files_.Collect(named).status();
}

absl::StatusOr<ExecutionRecord> Journal::Load(const std::string& execution_id) const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return ReadExecution(*impl_->database, files_, execution_id);
}

absl::StatusOr<bool> Journal::Contains(const std::string& execution_id) const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return HasExecution(*impl_->database, execution_id);
}

absl::StatusOr<std::vector<ExecutionRecord>> Journal::List() const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return ReadExecutions(*impl_->database);
}

absl::StatusOr<std::vector<WorkflowEvent>> Journal::Events(const std::string& execution_id, int64_t after_sequence,
                                                           int64_t limit) const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return ReadEvents(*impl_->database, execution_id, after_sequence, limit);
}

absl::StatusOr<Journal::Claim> Journal::Take(const std::string& execution_id) {
  std::string id = execution_id;  // nothing may fail once it is claimed
  std::lock_guard<std::mutex> lock(impl_->mutex);
  if (impl_->running.insert(execution_id).second) return Claim(this, std::move(id));
  return Error(absl::StatusCode::kFailedPrecondition, "execution_running",
               "execution \"" + Printable(execution_id) + "\" is running already");
}

Journal::Claim::~Claim() {
  if (!journal_) return;
  std::lock_guard<std::mutex> lock(journal_->impl_->mutex);
  journal_->impl_->running.erase(id_);
}

}  // namespace grym
