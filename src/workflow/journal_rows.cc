#include "workflow/journal_rows.h"

#include "base/json.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int32_t kJournalApplicationId = 0x47724a6c;  // "GrJl"

constexpr char kJournalVersion1[] = R"sql(
CREATE TABLE definition (
  digest TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, revision INTEGER NOT NULL,
  document TEXT NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX definition_revision ON definition (workflow_id, revision);
CREATE TABLE execution (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL REFERENCES definition (digest),
  folder TEXT NOT NULL,
  parameters TEXT NOT NULL, seed INTEGER NOT NULL, state TEXT NOT NULL, result TEXT NOT NULL,
  result_file TEXT NOT NULL,
  error TEXT NOT NULL, recoveries INTEGER NOT NULL, last_event INTEGER NOT NULL,
  created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL);
CREATE TABLE visit (
  execution INTEGER NOT NULL REFERENCES execution (number), ordinal INTEGER NOT NULL, step TEXT NOT NULL,
  visit INTEGER NOT NULL,
  attempt INTEGER NOT NULL, state INTEGER NOT NULL, call TEXT NOT NULL, call_file TEXT NOT NULL,
  result TEXT NOT NULL,
  result_file TEXT NOT NULL, outcome TEXT NOT NULL, next TEXT NOT NULL, error TEXT NOT NULL,
  retry_at_ms INTEGER NOT NULL, seconds REAL NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
  PRIMARY KEY (execution, ordinal)) WITHOUT ROWID;
CREATE TABLE event (
  execution INTEGER NOT NULL REFERENCES execution (number), sequence INTEGER NOT NULL, kind TEXT NOT NULL,
  step TEXT NOT NULL,
  visit INTEGER NOT NULL, attempt INTEGER NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (execution,
  sequence)) WITHOUT ROWID;
CREATE TABLE named_file (
  sha256 TEXT NOT NULL, execution INTEGER NOT NULL REFERENCES execution (number), PRIMARY KEY (sha256,
  execution)) WITHOUT ROWID;
)sql";

absl::StatusOr<int64_t> NumberOf(Database& database, const std::string& id) {
  GRYM_ASSIGN_OR_RETURN(Statement * find, database.Cached("SELECT number FROM execution WHERE id = ?1"));
  GRYM_ASSIGN_OR_RETURN(const bool found, find->BindText(1, id).Step());
  if (!found)
    return Error(absl::StatusCode::kNotFound, "unknown_execution",
                 "execution \"" + Printable(id) + "\" is not in the journal");
  const int64_t number = find->Int(0);
  find->Reset();
  return number;
}

absl::StatusOr<StoredResult> StoreText(const std::string& text, ContentStore& files) {
  StoredResult stored;
  if (text.empty()) return stored;
  JsonLimits limits;
  limits.bytes = static_cast<size_t>(kMaxStoredResult);
  limits.string_bytes = limits.bytes;
  limits.depth = 512;
  GRYM_ASSIGN_OR_RETURN(const Json json, Json::Parse(text, limits));
  FileReferences(json, stored.named);
  if (text.size() <= kMaxInlineResult) {
    stored.text = text;
    return stored;
  }
  GRYM_ASSIGN_OR_RETURN(const Json reference, files.PutBytes(text));
  stored.file = reference.at("$file").text();
  stored.named.insert(stored.file);
  return stored;
}

absl::Status WriteNames(Database& database, int64_t number, const std::set<std::string>& named) {
  for (const std::string& sha256 : named) {
    GRYM_ASSIGN_OR_RETURN(Statement * insert, database.Cached("INSERT OR IGNORE INTO named_file VALUES (?1, ?2)"));
    GRYM_RETURN_IF_ERROR(insert->BindText(1, sha256).BindInt(2, number).Run());
  }
  return absl::OkStatus();
}

absl::Status WriteVisit(Database& database, int64_t number, const VisitRecord& visit, const StoredResult& call,
                        const StoredResult& stored) {
  GRYM_ASSIGN_OR_RETURN(
      Statement * insert,
      database.Cached("INSERT OR REPLACE INTO visit VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,"
                      "?16,?17)"));
  insert->BindInt(1, number)
      .BindInt(2, visit.ordinal)
      .BindText(3, visit.step)
      .BindInt(4, visit.visit)
      .BindInt(5, visit.attempt);
  insert->BindInt(6, static_cast<int64_t>(visit.state)).BindText(7, call.text).BindText(8, call.file);
  insert->BindText(9, stored.text).BindText(10, stored.file).BindText(11, visit.outcome).BindText(12, visit.next);
  insert->BindText(13, visit.error).BindInt(14, visit.retry_at_ms).BindDouble(15, visit.seconds);
  GRYM_RETURN_IF_ERROR(insert->BindInt(16, visit.started_ms).BindInt(17, visit.ended_ms).Run());
  GRYM_RETURN_IF_ERROR(WriteNames(database, number, call.named));
  return WriteNames(database, number, stored.named);
}

absl::StatusOr<std::string> ReadText(const ContentStore& files, const std::string& text, const std::string& file) {
  if (file.empty()) return text;
  return files.Read(Json(file), kMaxStoredResult);
}

absl::StatusOr<std::vector<VisitRecord>> ReadVisits(Database& database, const ContentStore& files, int64_t number) {
  GRYM_ASSIGN_OR_RETURN(Statement * rows, database.Cached("SELECT * FROM visit WHERE execution = ?1 ORDER BY ordinal"));
  rows->BindInt(1, number);
  std::vector<VisitRecord> visits;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return visits;
    VisitRecord visit;
    visit.ordinal = rows->Int(1);
    visit.step = rows->Text(2);
    visit.visit = static_cast<int>(rows->Int(3));
    visit.attempt = static_cast<int>(rows->Int(4));
    visit.state = static_cast<VisitState>(rows->Int(5));
    absl::StatusOr<std::string> call = ReadText(files, rows->Text(6), rows->Text(7));
    absl::StatusOr<std::string> result = ReadText(files, rows->Text(8), rows->Text(9));
    if (!call.ok() || !result.ok()) {
      rows->Reset();
      return Annotate(call.ok() ? result.status() : call.status(),
                      "visit " + std::to_string(visit.visit) + " of \"" + visit.step + "\"");
    }
    visit.call = *std::move(call);
    visit.result = *std::move(result);
    visit.outcome = rows->Text(10);
    visit.next = rows->Text(11);
    visit.error = rows->Text(12);
    visit.retry_at_ms = rows->Int(13);
    visit.seconds = rows->Double(14);
    visit.started_ms = rows->Int(15);
    visit.ended_ms = rows->Int(16);
    visits.push_back(std::move(visit));
  }
}

constexpr char kSelectExecution[] =
    "SELECT e.id, d.workflow_id, d.revision, e.digest, d.document, e.folder, e.parameters, e.seed, e.state, e.result, "
    "e.result_file, "
    "e.error, e.recoveries, e.last_event, e.number, e.created_ms, e.changed_ms FROM execution e JOIN definition d ON "
    "d.digest = e.digest ";

ExecutionRecord ExecutionOf(const Statement& row) {
  ExecutionRecord execution;
  execution.id = row.Text(0);
  execution.workflow_id = row.Text(1);
  execution.revision = row.Int(2);
  execution.digest = row.Text(3);
  execution.document = row.Text(4);
  execution.folder = row.Text(5);
  execution.parameters = row.Text(6);
  execution.seed = row.Int(7);
  execution.state = row.Text(8);
  execution.result = row.Text(9);
  execution.error = row.Text(11);
  execution.recoveries = static_cast<int>(row.Int(12));
  execution.last_event = row.Int(13);
  execution.created_ms = row.Int(15);
  execution.changed_ms = row.Int(16);
  return execution;
}

}  // namespace

const Schema& JournalSchema() {
  static const auto* const schema = new Schema{"workflow journal", kJournalApplicationId, {kJournalVersion1}};
  return *schema;
}

absl::StatusOr<StoredTransition> StoreResults(const Transition& transition, ContentStore& files) {
  StoredTransition stored;
  for (const VisitRecord& visit : transition.visits) {
    GRYM_ASSIGN_OR_RETURN(StoredResult result, StoreText(visit.result, files));
    stored.visits.push_back(std::move(result));
    GRYM_ASSIGN_OR_RETURN(StoredResult call, StoreText(visit.call, files));
    stored.calls.push_back(std::move(call));
  }
  GRYM_ASSIGN_OR_RETURN(stored.result, StoreText(transition.result, files));
  return stored;
}

absl::Status InsertExecution(Database& database, const ExecutionRecord& execution) {
  GRYM_ASSIGN_OR_RETURN(const bool taken, HasExecution(database, execution.id));
  if (taken)
    return Error(absl::StatusCode::kAlreadyExists, "execution_exists",
                 "execution \"" + Printable(execution.id) + "\" is in the journal already");
  GRYM_ASSIGN_OR_RETURN(
      Statement * definition,
      database.Cached("INSERT OR IGNORE INTO definition VALUES (?1, ?2, "
                      "(SELECT coalesce(max(revision), 0) + 1 FROM definition WHERE workflow_id = ?2), ?3)"));
  definition->BindText(1, execution.digest).BindText(2, execution.workflow_id);
  GRYM_RETURN_IF_ERROR(definition->BindText(3, execution.document).Run());
  GRYM_ASSIGN_OR_RETURN(Statement * insert,
                        database.Cached("INSERT INTO execution VALUES (NULL,?1,?2,?3,?4,?5,?6,'','','',0,0,?7,?7)"));
  insert->BindText(1, execution.id)
      .BindText(2, execution.digest)
      .BindText(3, execution.folder)
      .BindText(4, execution.parameters);
  return insert->BindInt(5, execution.seed).BindText(6, execution.state).BindInt(7, execution.created_ms).Run();
}

absl::Status WriteTransition(Database& database, const Transition& transition, const StoredTransition& stored,
                             std::vector<WorkflowEvent>* events) {
  GRYM_ASSIGN_OR_RETURN(const int64_t number, NumberOf(database, transition.execution_id));
  for (size_t i = 0; i < transition.visits.size(); ++i) {
    GRYM_RETURN_IF_ERROR(WriteVisit(database, number, transition.visits[i], stored.calls[i], stored.visits[i]));
  }
  if (transition.state) {
    GRYM_ASSIGN_OR_RETURN(
        Statement * update,
        database.Cached(
            "UPDATE execution SET state = ?2, result = ?3, result_file = ?4, error = ?5 WHERE number = ?1"));
    update->BindInt(1, number)
        .BindText(2, *transition.state)
        .BindText(3, stored.result.text)
        .BindText(4, stored.result.file);
    GRYM_RETURN_IF_ERROR(update->BindText(5, transition.error).Run());
    GRYM_RETURN_IF_ERROR(WriteNames(database, number, stored.result.named));
  }
  if (transition.recoveries) {
    GRYM_ASSIGN_OR_RETURN(Statement * update,
                          database.Cached("UPDATE execution SET recoveries = ?2 WHERE number = ?1"));
    GRYM_RETURN_IF_ERROR(update->BindInt(1, number).BindInt(2, *transition.recoveries).Run());
  }
  GRYM_ASSIGN_OR_RETURN(Statement * last, database.Cached("SELECT last_event FROM execution WHERE number = ?1"));
  GRYM_RETURN_IF_ERROR(last->BindInt(1, number).Step().status());
  int64_t sequence = last->Int(0);
  last->Reset();
  for (const JournalEvent& event : transition.events) {
    ++sequence;
    GRYM_ASSIGN_OR_RETURN(Statement * insert, database.Cached("INSERT INTO event VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"));
    insert->BindInt(1, number)
        .BindInt(2, sequence)
        .BindText(3, event.kind)
        .BindText(4, event.step)
        .BindInt(5, event.visit);
    GRYM_RETURN_IF_ERROR(
        insert->BindInt(6, event.attempt).BindText(7, event.text).BindInt(8, transition.at_ms).Run());
    if (events) events->push_back({sequence, event.kind, event.step, event.visit, event.text, transition.at_ms});
  }
  GRYM_ASSIGN_OR_RETURN(Statement * count,
                        database.Cached("UPDATE execution SET last_event = ?2, changed_ms = ?3 WHERE number = ?1"));
  return count->BindInt(1, number).BindInt(2, sequence).BindInt(3, transition.at_ms).Run();
}

absl::Status DeleteExecution(Database& database, const std::string& id) {
  GRYM_ASSIGN_OR_RETURN(const int64_t number, NumberOf(database, id));
  for (const char* sql : {"DELETE FROM event WHERE execution = ?1", "DELETE FROM visit WHERE execution = ?1",
                          "DELETE FROM named_file WHERE execution = ?1", "DELETE FROM execution WHERE number = ?1"}) {
    GRYM_ASSIGN_OR_RETURN(Statement * statement, database.Cached(sql));
    GRYM_RETURN_IF_ERROR(statement->BindInt(1, number).Run());
  }
  return database.Execute("DELETE FROM definition WHERE digest NOT IN (SELECT digest FROM execution)");
}

absl::StatusOr<bool> HasExecution(Database& database, const std::string& id) {
  const absl::StatusOr<int64_t> number = NumberOf(database, id);
  if (number.ok()) return true;
  if (absl::IsNotFound(number.status())) return false;
  return number.status();
}

absl::StatusOr<ExecutionRecord> ReadExecution(Database& database, const ContentStore& files, const std::string& id) {
  GRYM_RETURN_IF_ERROR(NumberOf(database, id).status());
  GRYM_ASSIGN_OR_RETURN(Statement * row, database.Cached(std::string(kSelectExecution) + "WHERE e.id = ?1"));
  GRYM_RETURN_IF_ERROR(row->BindText(1, id).Step().status());
  ExecutionRecord execution = ExecutionOf(*row);
  const std::string result_file = row->Text(10);
  const int64_t number = row->Int(14);
  row->Reset();
  GRYM_ASSIGN_OR_RETURN(execution.result, ReadText(files, execution.result, result_file));
  GRYM_ASSIGN_OR_RETURN(execution.visits, ReadVisits(database, files, number));
  return execution;
}

absl::StatusOr<std::vector<ExecutionRecord>> ReadExecutions(Database& database) {
  GRYM_ASSIGN_OR_RETURN(Statement * rows, database.Cached(std::string(kSelectExecution) + "ORDER BY e.number DESC"));
  std::vector<ExecutionRecord> executions;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return executions;
    executions.push_back(ExecutionOf(*rows));
  }
}

absl::StatusOr<std::vector<WorkflowEvent>> ReadEvents(Database& database, const std::string& id, int64_t after_sequence,
                                                      int64_t limit) {
  GRYM_ASSIGN_OR_RETURN(const int64_t number, NumberOf(database, id));
  GRYM_ASSIGN_OR_RETURN(Statement * rows,
                        database.Cached("SELECT sequence, kind, step, visit, text, at_ms FROM event "
                                        "WHERE execution = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"));
  rows->BindInt(1, number).BindInt(2, after_sequence).BindInt(3, limit);
  std::vector<WorkflowEvent> events;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool more, rows->Step());
    if (!more) return events;
    events.push_back({rows->Int(0), rows->Text(1), rows->Text(2), static_cast<int>(rows->Int(3)), rows->Text(4),
                      rows->Int(5)});
  }
}

absl::StatusOr<std::set<std::string>> NamedFiles(Database& database) {
  GRYM_ASSIGN_OR_RETURN(Statement rows, database.Prepare("SELECT sha256 FROM named_file"));
  std::set<std::string> named;
  while (true) {
    GRYM_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return named;
    named.insert(rows.Text(0));
  }
}

}  // namespace grym
