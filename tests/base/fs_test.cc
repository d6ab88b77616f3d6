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
