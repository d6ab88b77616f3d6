#include "workflow/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/fs.h"
#include "base/hash.h"
#include "base/status.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Scratch;

ExecutionRecord SomeExecution(const std::string& id) {
  ExecutionRecord execution;
  execution.id = id;
  execution.workflow_id = "w";
  execution.digest = std::string(64, 'a');
  execution.document = "{}";
  execution.parameters = "{}";
  execution.state = "running";
  return execution;
}
Transition FirstVisit(const std::string& id, const std::string& result) {
  Transition transition;
  transition.execution_id = id;
  VisitRecord visit;
  visit.ordinal = 1;
  visit.step = "s";
  visit.call = "{}";
  visit.result = result;
  transition.visits = {visit};
  transition.events = {{"started", "", 0, 0, ""}, {"visit_started", "s", 1, 1, ""}};
  return transition;
}

TEST(JournalTest, WhatIsCommittedIsThereAfterReopening) {
  Scratch scratch;
  const std::string large = "\"" + std::string(50000, 'x') + "\"";
  {
    auto journal = Journal::Open(scratch / "j").value();
    std::vector<WorkflowEvent> events;
    ASSERT_TRUE(journal->Create(SomeExecution("one"), FirstVisit("one", large), &events).ok());
    EXPECT_EQ(events.size(), 2u);
    EXPECT_EQ(journal->Create(SomeExecution("one"), FirstVisit("one", "1"), nullptr).code(),
              absl::StatusCode::kAlreadyExists);
    ASSERT_TRUE(journal->Create(SomeExecution("two"), FirstVisit("two", "2"), nullptr).ok());
  }
  const auto journal = Journal::Open(scratch / "j").value();
  const auto record = journal->Load("one");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->visits.at(0).result, large);
  EXPECT_EQ(record->revision, 1);
  EXPECT_EQ(record->last_event, 2);
  EXPECT_EQ(ErrorCode(journal->Load("three").status()), "unknown_execution");
  const auto list = journal->List();
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ(list->at(0).id, "two");
}

TEST(JournalTest, ASecondOwnerIsTurnedAwayAndLearnsWhoHasIt) {
  Scratch scratch;
  auto first = Journal::Open(scratch / "j").value();
  JournalOptions options;
  options.lock_wait_ms = 1;
  const absl::Status status = Journal::Open(scratch / "j", options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorCode(status), "store_locked");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("process"));
  first.reset();
  EXPECT_TRUE(Journal::Open(scratch / "j", options).ok());
}

TEST(JournalTest, FilesThatNoRowNamesAreCollected) {
  Scratch scratch;
  Json kept, lost;
  {
    auto journal = Journal::Open(scratch / "j").value();
    kept = journal->files().PutBytes("kept").value();
    lost = journal->files().PutBytes("lost").value();
    std::ofstream(journal->files().folder() / ".half.tmp-1") << "half";
    ASSERT_TRUE(journal->Create(SomeExecution("one"), FirstVisit("one", kept.Dump()), nullptr).ok());
  }
  const auto journal = Journal::Open(scratch / "j").value();
  EXPECT_EQ(*journal->files().Read(kept, 100), "kept");
  EXPECT_EQ(ErrorCode(journal->files().Find(lost).status()), "file_missing");
  EXPECT_FALSE(std::filesystem::exists(journal->files().folder() / ".half.tmp-1"));
}

TEST(JournalTest, AFileWithOtherBytesIsDataLoss) {
  Scratch scratch;
  const auto journal = Journal::Open(scratch / "j").value();
  const Json reference = journal->files().PutBytes("right").value();
  std::ofstream(*journal->files().Find(reference), std::ios::binary) << "wrong";
  EXPECT_EQ(journal->files().Read(reference, 100).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorCode(journal->files().Find(Json("../../etc/passwd")).status()), "bad_reference");
}

TEST(JournalTest, AFileIsWrittenIntoTheStoreAndNamedByWhatItHolds) {
  Scratch scratch;
  const auto journal = Journal::Open(scratch / "j").value();
  ContentStore& files = journal->files();
  const auto write = [](const std::filesystem::path& path) { return WriteFile(path, "abc"); };
  for (int i = 0; i < 2; ++i) EXPECT_EQ(files.PutWritten(write)->at("$file").text(), Sha256Hex("abc"));
  const auto fail = [](const std::filesystem::path& path) {
    EXPECT_TRUE(WriteFile(path, "half").ok());
    return absl::DataLossError("broken");
  };
  EXPECT_EQ(files.PutWritten(fail).status().code(), absl::StatusCode::kDataLoss);
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(files.PutWritten(write, cancel).status().code(), absl::StatusCode::kCancelled);
  int left = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(files.folder())) {
    left += entry.is_regular_file();
  }
  EXPECT_EQ(left, 1);
}

TEST(JournalTest, AnExecutionIsClaimedOnce) {
  Scratch scratch;
  const auto journal = Journal::Open(scratch / "j").value();
  {
    const auto claim = journal->Take("one");
    EXPECT_TRUE(claim.ok());
    EXPECT_EQ(ErrorCode(journal->Take("one").status()), "execution_running");
    EXPECT_TRUE(journal->Take("two").ok());
  }
  EXPECT_TRUE(journal->Take("one").ok());
}

}  // namespace
}  // namespace grym
