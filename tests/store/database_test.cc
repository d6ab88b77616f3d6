#include "store/database.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/fs.h"
#include "base/random.h"
#include "base/status.h"
#include "store/fault_vfs.h"
#include "support/child.h"
#include "support/scratch.h"
#include "support/small_disk.h"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace grym {
namespace {

using testing::FaultVfs;
using testing::Scratch;

const Schema kNotes{"notebook", 0x4e4f5445, {"CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL);"}};

Schema NotesNextVersion() {
  Schema schema = kNotes;
  schema.migrations.push_back(
      "ALTER TABLE note ADD COLUMN stars INTEGER NOT NULL DEFAULT 0; CREATE INDEX stars ON note (stars);");
  return schema;
}

std::unique_ptr<Database> OpenNotes(const std::filesystem::path& path, const DatabaseOptions& options = {}) {
  auto db = Database::Open(path, kNotes, options);
  EXPECT_TRUE(db.ok()) << db.status();
  return db.ok() ? std::move(*db) : nullptr;
}

absl::Status AddNote(Database& db, std::string_view text) {
  GRYM_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  GRYM_ASSIGN_OR_RETURN(Statement * insert, db.Cached("INSERT INTO note (text) VALUES (?1)"));
  GRYM_RETURN_IF_ERROR(insert->BindText(1, text).Run());
  return transaction.Commit();
}

int64_t CountNotes(Database& db) {
  auto count = db.Prepare("SELECT count(*) FROM note");
  EXPECT_TRUE(count.ok()) << count.status();
  if (!count.ok()) return -1;
  auto row = count->Step();
  EXPECT_TRUE(row.ok() && *row) << row.status();
  return row.ok() && *row ? count->Int(0) : -1;
}

std::string Bytes(const std::filesystem::path& path) { return ReadFile(path, int64_t{1} << 30).value(); }

// A closed store with a few pages of notes.
std::filesystem::path FilledStore(const Scratch& scratch) {
  const auto path = scratch / "notes.db";
  auto db = OpenNotes(path);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(AddNote(*db, std::string(1500, 'n')).ok());
  EXPECT_TRUE(db->Close().ok());
  return path;
}

void ExpectRefusedUntouched(const std::filesystem::path& path, absl::StatusCode status, const std::string& code) {
  const std::string before = Bytes(path);
  auto db = Database::Open(path, kNotes);
  ASSERT_FALSE(db.ok());
  EXPECT_EQ(db.status().code(), status) << db.status();
  EXPECT_EQ(ErrorCode(db.status()), code) << db.status();
  EXPECT_NE(std::string(db.status().message()).find(path.filename().string()), std::string::npos) << db.status();
  EXPECT_EQ(Bytes(path), before);
}

TEST(DatabaseTest, KeepsWhatWasCommitted) {
  Scratch scratch;
  const auto path = scratch / "deep" / "er" / "notes.db";  // folders are made
  {
    auto db = OpenNotes(path);
    ASSERT_TRUE(AddNote(*db, "first").ok());
    EXPECT_EQ(db->last_insert_id(), 1);
  }
  auto db = OpenNotes(path);
  EXPECT_FALSE(db->was_unclean());
  EXPECT_EQ(db->schema_version(), 1);
  EXPECT_EQ(CountNotes(*db), 1);
}

TEST(DatabaseTest, ATransactionThatIsDroppedLeavesNothing) {
  Scratch scratch;
  auto db = OpenNotes(scratch / "notes.db");
  {
    auto transaction = Transaction::Begin(*db);
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE(db->Execute("INSERT INTO note (text) VALUES ('lost')").ok());
  }
  EXPECT_EQ(CountNotes(*db), 0);
  EXPECT_TRUE(AddNote(*db, "kept").ok());
}

TEST(DatabaseTest, MigratesAnOlderFileAndRefusesANewerOneUntouched) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  {
    auto db = Database::Open(path, NotesNextVersion());
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ((*db)->schema_version(), 2);
    EXPECT_TRUE((*db)->Execute("UPDATE note SET stars = 3").ok());
    EXPECT_EQ(CountNotes(**db), 20);
  }
  ExpectRefusedUntouched(path, absl::StatusCode::kFailedPrecondition, "store_newer");
}

TEST(DatabaseTest, RefusesANewerVersionThatIsStillInTheJournal) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  const auto copy = scratch / "copy.db";
  {
    auto db = Database::Open(path, NotesNextVersion());
    ASSERT_TRUE(db.ok());
    // As a kill would leave it: the version's page only in the journal.
    std::filesystem::copy_file(path, copy);
    std::filesystem::copy_file(scratch / "notes.db-wal", scratch / "copy.db-wal");
  }
  const std::string journal = Bytes(scratch / "copy.db-wal");
  ExpectRefusedUntouched(copy, absl::StatusCode::kFailedPrecondition, "store_newer");
  EXPECT_EQ(Bytes(scratch / "copy.db-wal"), journal);
}

TEST(DatabaseTest, RefusesForeignFilesUntouched) {
  Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "text",
                        "this is no store, but it is longer than one hundred bytes, which is what "
                        "the header of a SQLite file takes, so it is read as one")
                  .ok());
  ExpectRefusedUntouched(scratch / "text", absl::StatusCode::kDataLoss, "store_foreign");
  ASSERT_TRUE(WriteFile(scratch / "tiny", "x").ok());
  ExpectRefusedUntouched(scratch / "tiny", absl::StatusCode::kDataLoss, "store_foreign");
  Schema other{"other program", 0x01020304, {"CREATE TABLE thing (id INTEGER PRIMARY KEY);"}};
  ASSERT_TRUE(Database::Open(scratch / "other.db", other).ok());
  ExpectRefusedUntouched(scratch / "other.db", absl::StatusCode::kDataLoss, "store_foreign");
}

TEST(DatabaseTest, AnEmptyFileBecomesAStoreUnlessAJournalSaysItWasOne) {
  Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "new.db", "").ok());
  EXPECT_NE(OpenNotes(scratch / "new.db"), nullptr);
  ASSERT_TRUE(WriteFile(scratch / "cut.db", "").ok());
  ASSERT_TRUE(WriteFile(scratch / "cut.db-wal", "frames").ok());
  ExpectRefusedUntouched(scratch / "cut.db", absl::StatusCode::kDataLoss, "store_damaged");
  EXPECT_EQ(Bytes(scratch / "cut.db-wal"), "frames");
}

TEST(DatabaseTest, RefusesFoldersAndPipesWithoutBlocking) {
  Scratch scratch;
  auto folder = Database::Open(scratch.path(), kNotes);
  EXPECT_EQ(ErrorCode(folder.status()), "not_a_file");
}

TEST(DatabaseTest, APathIsAFileWhateverItIsCalledAndNoPathIsNone) {
  const auto none = Database::Open("", kNotes);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(none.status()), "not_a_file");
  Scratch scratch;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(scratch.path());
  for (const char* name : {":memory:", "file:notes.db?mode=memory"}) {
    auto db = Database::Open(name, kNotes);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_TRUE(std::filesystem::is_regular_file(scratch / name)) << name;
    EXPECT_GT((*db)->file_bytes(), 0);
  }
  std::filesystem::current_path(before);
}

TEST(DatabaseTest, RefusesACutFileUntouched) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  const std::string whole = Bytes(path);
  for (const size_t keep : {size_t{100}, size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    ASSERT_TRUE(WriteFile(path, whole.substr(0, keep)).ok());
    ExpectRefusedUntouched(path, absl::StatusCode::kDataLoss, "store_damaged");
  }
}

// Any single flipped byte: an error that names the file, or a store that still works. Never a crash.
TEST(DatabaseTest, FlippedBytesAreFoundOrHarmless) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  const std::string whole = Bytes(path);
  Random random(7);
  int refused = 0, found = 0;
  for (int round = 0; round < 150; ++round) {
    std::string damaged = whole;
    const auto at = static_cast<size_t>(round < 100 ? round : random.Below(static_cast<int64_t>(whole.size())));
    damaged[at] = static_cast<char>(damaged[at] ^ (1 + random.Below(255)));
    ASSERT_TRUE(WriteFile(path, damaged).ok());
    auto db = Database::Open(path, kNotes, {.full_check = true});
    if (!db.ok()) {
      ++refused;
      EXPECT_EQ(Bytes(path), damaged);
      continue;
    }
    auto read = (*db)->Prepare("SELECT id, text FROM note ORDER BY id");
    absl::StatusOr<bool> row = read.ok() ? read->Step() : absl::StatusOr<bool>(read.status());
    while (row.ok() && *row) row = read->Step();
    if (!row.ok()) ++found;
  }
  EXPECT_GT(refused, 20);  // magic, sizes, owner, version
}

TEST(DatabaseTest, ChecksItselfAfterAnUncleanEnd) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  const auto copy = scratch / "copy.db";
  {
    auto db = OpenNotes(path);
    ASSERT_TRUE(AddNote(*db, "in the journal").ok());
    std::filesystem::copy_file(path, copy);
    std::filesystem::copy_file(scratch / "notes.db-wal", scratch / "copy.db-wal");
    // Beside a living owner the journal is no sign of an unclean end.
    auto second = OpenNotes(path);
    EXPECT_FALSE(second->was_unclean());
  }
  std::string damaged = Bytes(copy);
  damaged[4096 + 5] ^= 0x55;  // the note table's root page
  {
    auto db = OpenNotes(copy);
    EXPECT_TRUE(db->was_unclean());
    EXPECT_EQ(CountNotes(*db), 21);
  }
  EXPECT_FALSE(OpenNotes(copy)->was_unclean());
}

TEST(DatabaseTest, AnUncleanAndDamagedStoreIsRefusedUntouched) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  const auto copy = scratch / "copy.db";
  {
    auto db = OpenNotes(path);
    ASSERT_TRUE(AddNote(*db, "in the journal").ok());
    std::string damaged = Bytes(path);
    for (size_t at = 4096 * 3; at < 4096 * 4; ++at) damaged[at] = static_cast<char>(at);
    ASSERT_TRUE(WriteFile(copy, damaged).ok());
    std::filesystem::copy_file(scratch / "notes.db-wal", scratch / "copy.db-wal");
  }
  const std::string journal = Bytes(scratch / "copy.db-wal");
  ExpectRefusedUntouched(copy, absl::StatusCode::kDataLoss, "store_damaged");
  EXPECT_EQ(Bytes(scratch / "copy.db-wal"), journal);
}

TEST(DatabaseTest, ClosedStoresSaySo) {
  Scratch scratch;
  auto db = OpenNotes(scratch / "notes.db");
  EXPECT_TRUE(db->Close().ok());
  EXPECT_TRUE(db->Close().ok());
  EXPECT_EQ(ErrorCode(AddNote(*db, "late")), "store_closed");
  EXPECT_EQ(ErrorCode(db->Prepare("SELECT 1").status()), "store_closed");
}

TEST(DatabaseTest, ASecondWriterWaitsThenIsToldToRetry) {
  Scratch scratch;
  auto first = OpenNotes(scratch / "notes.db");
  auto second = OpenNotes(scratch / "notes.db", {.busy_timeout_ms = 30});
  auto holding = Transaction::Begin(*first);
  ASSERT_TRUE(holding.ok());
  const absl::Status refused = AddNote(*second, "second");
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ(ErrorCode(refused), "store_busy");
  EXPECT_EQ(CountNotes(*second), 0);  // readers never wait
  ASSERT_TRUE(holding->Commit().ok());
  EXPECT_TRUE(AddNote(*second, "second").ok());
}

#ifndef _WIN32
TEST(DatabaseTest, TwoProcessesLoseNothing) {
  Scratch scratch;
  const auto path = scratch / "notes.db";
  constexpr int kEach = 200;
  std::vector<pid_t> children;
  for (int child = 0; child < 2; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {  // both create the file, too
      auto db = Database::Open(path, kNotes, {.durability = Durability::kNormal});
      bool good = db.ok();
      for (int i = 0; good && i < kEach; ++i) good = AddNote(**db, "from a child").ok();
      if (good) good = (*db)->Close().ok();
      _exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int state = 0;
    waitpid(pid, &state, 0);
    EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0);
  }
  auto db = OpenNotes(path, {.full_check = true});
  EXPECT_EQ(CountNotes(*db), 2 * kEach);
}

TEST(DatabaseTest, AReadOnlyFileIsRefusedUntouched) {
  Scratch scratch;
  const auto path = FilledStore(scratch);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  const std::string before = Bytes(path);
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {  // root may write every file, so as nobody
    if (geteuid() == 0 && setuid(65534) != 0) _exit(3);
    auto db = Database::Open(path, kNotes);
    _exit(db.ok() ? 1
          : db.status().code() == absl::StatusCode::kPermissionDenied && ErrorCode(db.status()) == "store_read_only"
              ? 0
              : 2);
  }
  int state = 0;
  waitpid(pid, &state, 0);
  ASSERT_TRUE(WIFEXITED(state));
  EXPECT_EQ(WEXITSTATUS(state), 0);
  EXPECT_EQ(Bytes(path), before);
}
#endif

// Every write, truncate and sync fails once, then every one from there on: the call says so, reading goes on, and the
// next write works once the cause is gone.
TEST(DatabaseTest, SurvivesAFailureAtEveryDiskOperation) {
  for (const bool for_good : {false, true}) {
    for (const int result : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
      Scratch scratch;
      FaultVfs faults;
      auto db = OpenNotes(scratch / "notes.db", {.vfs = FaultVfs::kName});
      ASSERT_NE(db, nullptr);
      int64_t acknowledged = 0, attempts = 0;
      int refused = 0;
      bool reached = true;
      for (int n = 1; reached; ++n) {
        faults.FailAt(n, for_good, result);
        // Notes of three pages, so that one commit takes several writes.
        const absl::Status status = AddNote(*db, std::string(12000, 'x'));
        ++attempts;
        reached = faults.failed() > 0;
        if (reached && !status.ok()) {
          ++refused;
          EXPECT_TRUE(status.code() == absl::StatusCode::kResourceExhausted ||
                      status.code() == absl::StatusCode::kUnavailable)
              << status;
        }
        acknowledged += status.ok();
        EXPECT_GE(CountNotes(*db), acknowledged);  // open for reading while the disk is full
        faults.Heal();
        ASSERT_TRUE(AddNote(*db, "after").ok()) << n;
        ++attempts;
        ++acknowledged;
      }
      EXPECT_GT(refused, 3);
      const int64_t rows = CountNotes(*db);
      EXPECT_GE(rows, acknowledged);
      EXPECT_LE(rows, attempts);
      ASSERT_TRUE(db->Close().ok());
      EXPECT_EQ(CountNotes(*OpenNotes(scratch / "notes.db", {.full_check = true})), rows);
    }
  }
}

TEST(DatabaseTest, CreationSurvivesAFailureAtEveryDiskOperation) {
  FaultVfs faults;
  int refused = 0;
  bool reached = true;
  for (int n = 1; reached; ++n) {
    Scratch scratch;
    faults.FailAt(n, true);
    {
      auto db = Database::Open(scratch / "notes.db", kNotes, {.vfs = FaultVfs::kName});
      refused += !db.ok();
    }
    reached = faults.failed() > 0;
    faults.Heal();
    auto again = Database::Open(scratch / "notes.db", kNotes, {.vfs = FaultVfs::kName});
    ASSERT_TRUE(again.ok()) << n << ": " << again.status();
    EXPECT_TRUE(AddNote(**again, "kept").ok());
  }
  EXPECT_GT(refused, 5);
}

// Every read fails once, then every one from there on, while a store is opened and all of it read: an error, never
// other notes; and the file is as it was.
TEST(DatabaseTest, SurvivesAFailureAtEveryRead) {
  for (const bool for_good : {false, true}) {
    Scratch scratch;
    const auto path = FilledStore(scratch);
    FaultVfs faults;
    int refused = 0;
    bool reached = true;
    for (int n = 1; reached; ++n) {
      faults.FailReadAt(n, for_good);
      absl::Status status;
      {
        auto db = Database::Open(path, kNotes, {.full_check = true, .vfs = FaultVfs::kName});
        status = db.status();
        if (db.ok()) {
          auto read = (*db)->Prepare("SELECT text FROM note");
          status = read.status();
          int rows = 0;
          while (status.ok()) {
            const auto row = read->Step();
            status = row.status();
            if (!row.ok() || !*row) break;
            EXPECT_EQ(read->Text(0), std::string(1500, 'n'));
            ++rows;
          }
          EXPECT_TRUE(!status.ok() || rows == 20) << n;
        }
        reached = faults.failed() > 0;
      }
      faults.Heal();
      if (!status.ok()) {
        ++refused;
        EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << n << ": " << status;
      }
      EXPECT_EQ(CountNotes(*OpenNotes(path, {.full_check = true})), 20) << n;
    }
    EXPECT_GT(refused, 5);
  }
}

#ifndef _WIN32
// What a store does where there is no more room, in a child: told, still readable, all that was acknowledged is there,
// and it writes again once there is room. 0 is good, 77: this system does not let us try.
template <class TakeRoom, class GiveRoom>
int FillUntilRefused(const std::filesystem::path& path, TakeRoom take, GiveRoom give) {
  if (!take()) return 77;
  auto db = Database::Open(path, kNotes);
  if (!db.ok()) return 1;
  int acknowledged = 0;
  absl::Status status;
  while (acknowledged < 2000 && (status = AddNote(**db, std::string(3000, 'x'))).ok()) ++acknowledged;
  if (status.code() != absl::StatusCode::kResourceExhausted || ErrorCode(status) != "disk_full") {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 2;
  }
  if (acknowledged < 5 || CountNotes(**db) < acknowledged) return 3;
  const auto refused = AddNote(**db, std::string(200000, 'y'));  // and again
  if (refused.code() != absl::StatusCode::kResourceExhausted) return 4;
  if (!give()) return 77;
  if (!AddNote(**db, "after").ok()) return 5;
  if (!(*db)->Close().ok()) return 6;
  auto again = Database::Open(path, kNotes, {.full_check = true});
  return again.ok() && CountNotes(**again) > acknowledged ? 0 : 7;
}

TEST(DatabaseTest, AFileSizeLimitIsAFullDisk) {
  Scratch scratch;
  const testing::ChildEnd end = testing::InChild([&] {
    return FillUntilRefused(
        scratch / "notes.db", [] { return testing::LimitFileSize(300000); },
        [] { return testing::LimitFileSize(RLIM_INFINITY); });
  });
  EXPECT_EQ(end.code, 0);
}

TEST(DatabaseTest, ADiskOfAMegabyteFillsUp) {
  Scratch scratch;
  const auto ballast = scratch / "ballast";
  const testing::ChildEnd end = testing::InChild([&] {
    return FillUntilRefused(
        scratch / "notes.db",
        [&] {
          return testing::MountSmallDisk(scratch.path(), 1 << 20) && WriteFile(ballast, std::string(400000, 'b')).ok();
        },
        [&] { return std::filesystem::remove(ballast); });
  });
  if (end.code == 77) GTEST_SKIP() << "no file system of one's own can be mounted here";
  EXPECT_EQ(end.code, 0);
}
#endif

}  // namespace
}  // namespace grym
