#include "base/fs.h"

#include <gtest/gtest.h>

#ifndef _WIN32
#include <sys/stat.h>

#include "support/child.h"
#endif

#include "base/status.h"
#include "support/scratch.h"

namespace grym {
namespace {

TEST(FsTest, WriteWholeLeavesTheOldFileWhenTheWriterFails) {
  testing::Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "a/b/x.txt", "old").ok());
  const absl::Status status = WriteWhole(scratch / "a/b/x.txt", [](const std::filesystem::path& temporary) {
    EXPECT_TRUE(WriteFile(temporary, "half").ok());
    return absl::DataLossError("broken");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*ReadFile(scratch / "a/b/x.txt", 100), "old");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "a/b")) files += entry.is_regular_file();
  EXPECT_EQ(files, 1);
}

int EntriesOf(const std::filesystem::path& folder) {
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++entries;
  return entries;
}

TEST(FsTest, AFolderIsThereWholeOrNotAtAll) {
  testing::Scratch scratch;
  const auto fill = [](const std::filesystem::path& folder) { return WriteFile(folder / "x", "new"); };
  ASSERT_TRUE(WriteWholeFolder(scratch / "a/made/", fill).ok());  // the slash does not make it another folder
  EXPECT_EQ(*ReadFile(scratch / "a/made/x", 10), "new");
  ASSERT_TRUE(std::filesystem::create_directory(scratch / "a/empty"));
  ASSERT_TRUE(WriteWholeFolder(scratch / "a/empty", fill).ok());
  EXPECT_EQ(*ReadFile(scratch / "a/empty/x", 10), "new");
  const absl::Status failed = WriteWholeFolder(scratch / "a/not", [&](const std::filesystem::path& folder) {
    EXPECT_TRUE(fill(folder).ok());
    return absl::DataLossError("broken " + folder.string());
  });
  EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(failed.message().find("a/not"), std::string::npos) << failed;
  EXPECT_EQ(EntriesOf(scratch / "a"), 2) << "nothing is left of what failed";
}

TEST(FsTest, AFolderWithFilesIsLeftAsItIs) {
  testing::Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "mine/x", "old").ok());
  ASSERT_TRUE(WriteFile(scratch / "file", "old").ok());
  std::filesystem::create_directory(scratch / "empty");
  std::filesystem::create_directory_symlink(scratch / "empty", scratch / "link");
  const auto never = [](const std::filesystem::path&) {
    ADD_FAILURE() << "asked for";
    return absl::OkStatus();
  };
  for (const char* name : {"mine", "file", "link"}) {
    const absl::Status status = WriteWholeFolder(scratch / name, never);
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
    EXPECT_EQ(ErrorCode(status), "folder_exists");
  }
  const absl::Status late = WriteWholeFolder(scratch / "late", [&](const std::filesystem::path&) {
    return WriteFile(scratch / "late/x", "somebody's");
  });
  EXPECT_EQ(ErrorCode(late), "folder_exists") << late;
  EXPECT_EQ(*ReadFile(scratch / "mine/x", 10), "old");
  EXPECT_EQ(*ReadFile(scratch / "late/x", 20), "somebody's");
  EXPECT_EQ(EntriesOf(scratch.path()), 5);
}

TEST(FsTest, ReadFileNamesFileLimitAndSize) {
  testing::Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "x", "12345").ok());
  EXPECT_TRUE(ReadFile(scratch / "x", 5).ok());
  const absl::Status status = ReadFile(scratch / "x", 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(status.message()).find("at most 4 bytes, got 5"), std::string::npos);
  EXPECT_EQ(ErrorCode(ReadFile(scratch / "none", 4).status()), "file_not_found");
  EXPECT_EQ(ErrorCode(ReadFile(scratch.path(), 4).status()), "not_a_file");
  EXPECT_FALSE(WriteFile(scratch.path(), "x").ok());
}

#ifndef _WIN32
TEST(FsTest, APipeIsRefusedWithoutWaiting) {
  testing::Scratch scratch;
  ASSERT_EQ(mkfifo((scratch / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(ErrorCode(ReadFile(scratch / "pipe", 100).status()), "not_a_file");
}
#endif

TEST(FsTest, WhetherAFolderTakesFilesIsKnownWithoutMakingIt) {
  testing::Scratch scratch;
  EXPECT_TRUE(CheckWritable(scratch.path()).ok());
  EXPECT_TRUE(CheckWritable(scratch / "not/yet/there").ok());
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
  ASSERT_TRUE(WriteFile(scratch / "file", "x").ok());
  for (const char* name : {"file", "file/below"}) {
    const absl::Status status = CheckWritable(scratch / name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(ErrorCode(status), "write_failed");
  }
#ifdef __linux__
  EXPECT_FALSE(CheckWritable("/proc/no-folder").ok());  // takes no files, not even root's
#endif
}

TEST(FsTest, NamesAsLongAsTheyMayBeAreWrittenAndLongerOnesRefused) {
  testing::Scratch scratch;
  const std::string longest(255, 'n');
  EXPECT_TRUE(WriteFile(scratch / longest, "x").ok());
  EXPECT_EQ(*ReadFile(scratch / longest, 10), "x");
  EXPECT_EQ(WriteFile(scratch / (longest + "n"), "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(scratch / (longest + "n"), 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFile(scratch / (longest + "n") / "x", "x").code(), absl::StatusCode::kInvalidArgument);
}

#ifndef _WIN32
TEST(FsTest, AClosedFolderIsPermissionDenied) {
  testing::Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "closed/file", "x").ok());
  ASSERT_EQ(chmod((scratch / "closed").c_str(), 0), 0);
  const testing::ChildEnd end = testing::InChild([&] {
    if (geteuid() == 0 && setuid(65534) != 0) return 9;  // root may do anything
    const bool read = ReadFile(scratch / "closed/file", 10).status().code() == absl::StatusCode::kPermissionDenied;
    const bool write = WriteFile(scratch / "closed/new", "x").code() == absl::StatusCode::kPermissionDenied;
    const bool below = WriteFile(scratch / "closed/folder/new", "x").code() == absl::StatusCode::kPermissionDenied;
    return (read ? 0 : 1) + (write ? 0 : 2) + (below ? 0 : 4);
  });
  chmod((scratch / "closed").c_str(), 0700);
  EXPECT_EQ(end.code, 0);
  EXPECT_EQ(end.signal, 0);
}
#endif

}  // namespace
}  // namespace grym
