#include "base/file_set.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/fs.h"
#include "base/status.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Scratch;

absl::Status WriteText(FileSet& set, const std::string& name, const std::string& text) {
  return set.Write(name, [&](const std::filesystem::path& path) { return WriteFile(path, text); });
}

std::set<std::string> NamesIn(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

TEST(FileSetTest, AllFilesAppearTogetherAndOldOnesGo) {
  Scratch scratch;
  const auto folder = scratch / "out";
  ASSERT_TRUE(WriteFile(folder / "a", "old").ok());
  ASSERT_TRUE(WriteFile(folder / "parts/gone", "old").ok());
  {
    auto set = FileSet::Begin(folder);
    ASSERT_TRUE(set.ok()) << set.status();
    ASSERT_TRUE(WriteText(*set, "a", "first").ok());
    ASSERT_TRUE(WriteText(*set, "deep/b", "b").ok());
    ASSERT_TRUE(WriteText(*set, "a", "second").ok());
    EXPECT_EQ(set->names().size(), 2u);
    EXPECT_EQ(ReadFile(folder / "a", 100).value(), "old");
    EXPECT_EQ(ReadFile(set->staged("a"), 100).value(), "second");
    EXPECT_FALSE(std::filesystem::exists(folder / "deep"));
    const absl::Status status = set->Commit({"parts/gone"});
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(ReadFile(folder / "a", 100).value(), "second");
    EXPECT_EQ(ReadFile(folder / "deep/b", 100).value(), "b");
  }
  EXPECT_EQ(NamesIn(folder), (std::set<std::string>{"a", "deep"}));
}

TEST(FileSetTest, WithoutCommitNothingIsLeftAndErrorsNameThePlaceMeant) {
  Scratch scratch;
  {
    auto set = FileSet::Begin(scratch.path());
    ASSERT_TRUE(set.ok()) << set.status();
    const FileSet moved = *std::move(set);
    FileSet other = FileSet::Begin(scratch.path()).value();
    const absl::Status failed = other.Write("name", [](const std::filesystem::path& path) {
      return Error(absl::StatusCode::kUnavailable, "write_failed", path.string() + ": no");
    });
    EXPECT_EQ(failed.message(), (scratch / "name").string() + ": no");
    EXPECT_EQ(ErrorCode(failed), "write_failed");
    ASSERT_TRUE(WriteText(other, "folder", "x").ok());
    std::filesystem::create_directories(scratch / "folder");
    EXPECT_EQ(ErrorCode(other.Commit()), "not_a_file");
  }
  EXPECT_EQ(NamesIn(scratch.path()), std::set<std::string>{"folder"});
  ASSERT_TRUE(WriteFile(scratch / "file", "x").ok());
  EXPECT_EQ(ErrorCode(FileSet::Begin(scratch / "file/out").status()), "write_failed");
}

#ifndef _WIN32
TEST(FileSetTest, OnlyOldTemporariesOfDeadProcessesAreRemoved) {
  Scratch scratch;
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  ASSERT_EQ(waitpid(dead, nullptr, 0), dead);
  const auto of = [](int process) { return ".grym-tmp-" + std::to_string(process) + "-0123abcd"; };
  const std::string old_file = of(dead), living = of(getpid()), longer = of(dead) + "x";
  const std::string young = ".grym-tmp-" + std::to_string(dead) + "-89abcdef";
  ASSERT_TRUE(WriteFile(scratch / young, "x").ok());
  for (const std::string& name : {old_file, living, longer, std::string(".grym-tmp-notes")}) {
    ASSERT_TRUE(WriteFile(scratch / name, "x").ok());
    std::filesystem::last_write_time(scratch / name,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  }
  EXPECT_EQ(RemoveStaleTemporaries(scratch.path()), 1);
  EXPECT_EQ(NamesIn(scratch.path()), (std::set<std::string>{living, longer, young, ".grym-tmp-notes"}));
}
#endif

}  // namespace
}  // namespace grym
