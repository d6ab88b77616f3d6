#include "base/temp_folder.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/fs.h"
#include "support/child.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Scratch;

TEST(TempFolderTest, GoesWithItsOwnerAndAllThatIsInIt) {
  std::filesystem::path path;
  {
    absl::StatusOr<TempFolder> folder = TempFolder::Make("test");
    ASSERT_TRUE(folder.ok()) << folder.status();
    path = folder->path();
    EXPECT_EQ(path.filename().string().rfind("grymsynth-test-", 0), 0u) << path;
    ASSERT_TRUE(WriteFile(path / "deep/file", "x").ok());
    const TempFolder moved = *std::move(folder);
    EXPECT_EQ(moved.path(), path);
    EXPECT_TRUE(std::filesystem::exists(path / "deep/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempFolderTest, OnlyFoldersOfOursWhoseOwnerIsGoneAreRemoved) {
  Scratch scratch;
  constexpr char kLock[] = ".grymsynth-owner";
  for (const char* file : {"grymsynth-dead/.grymsynth-owner", "grymsynth-dead/patterns.db", "grymsynth-unlocked/file",
                           "other-folder/.grymsynth-owner", "grymsynth-held/.grymsynth-owner"}) {
    ASSERT_TRUE(WriteFile(scratch / file, "x").ok());
  }
  ASSERT_TRUE(WriteFile(scratch / "kept/.grymsynth-owner", "x").ok());
  std::error_code error;
  std::filesystem::create_directory_symlink(scratch / "kept", scratch / "grymsynth-link", error);
  std::optional<OwnerLock> held = OwnerLock::TakeExisting(scratch / "grymsynth-held" / kLock);
  ASSERT_TRUE(held.has_value());

  EXPECT_EQ(RemoveStaleTempFolders(scratch.path()), 1);
  EXPECT_FALSE(std::filesystem::exists(scratch / "grymsynth-dead"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "grymsynth-unlocked/file"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "other-folder/.grymsynth-owner"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "grymsynth-held/.grymsynth-owner"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "kept/.grymsynth-owner"));

  held.reset();
  EXPECT_EQ(RemoveStaleTempFolders(scratch.path()), 1);
  EXPECT_FALSE(std::filesystem::exists(scratch / "grymsynth-held"));
  EXPECT_EQ(RemoveStaleTempFolders(scratch / "no such folder"), 0);
}

#ifndef _WIN32
TEST(TempFolderTest, AKilledOwnersFolderIsStaleAndALivingOnesIsNot) {
  Scratch scratch;
  // The child makes its folder where the parent may clean up, and dies without a word.
  const testing::ChildEnd end = testing::InChild([&] {
    setenv("TMPDIR", scratch.path().c_str(), 1);
    absl::StatusOr<TempFolder> folder = TempFolder::Make("test");
    if (!folder.ok() || RemoveStaleTempFolders(scratch.path()) != 0) return 1;  // it lives, so nothing is stale
    if (!WriteFile(folder->path() / "work", "half").ok()) return 2;
    raise(SIGKILL);
    return 3;
  });
  EXPECT_EQ(end.signal, SIGKILL) << end.code;
  EXPECT_EQ(RemoveStaleTempFolders(scratch.path()), 1);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(TempFolderTest, AForkedChildLeavesItsParentsFolder) {
  const TempFolder folder = TempFolder::Make("test").value();
  ASSERT_TRUE(WriteFile(folder.path() / "work", "half").ok());
  const testing::ChildEnd end = testing::InChild([&] {
    folder.~TempFolder();  // as when the child destroys what it inherited
    return 0;
  });
  EXPECT_EQ(end.code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "work"));
  EXPECT_FALSE(OwnerLock::TakeExisting(folder.path() / ".grymsynth-owner").has_value());
}

TEST(TempFolderTest, AFolderThatCannotBeReadKeepsItsLock) {
  Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "grymsynth-dead/.grymsynth-owner", "x").ok());
  ASSERT_TRUE(WriteFile(scratch / "grymsynth-dead/work", "x").ok());
  const testing::ChildEnd end = testing::InChild([&] {
    // Descriptors for the lock, none for reading the folder.
    struct rlimit limit {};
    getrlimit(RLIMIT_NOFILE, &limit);
    const int lowest_free = dup(0);
    close(lowest_free);
    limit.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;
    setrlimit(RLIMIT_NOFILE, &limit);
    return RemoveStaleTempFolders(scratch.path());
  });
  EXPECT_EQ(end.code, 0);
  EXPECT_TRUE(std::filesystem::exists(scratch / "grymsynth-dead/.grymsynth-owner"));
  EXPECT_EQ(RemoveStaleTempFolders(scratch.path()), 1);
}
#endif

}  // namespace
}  // namespace grym
