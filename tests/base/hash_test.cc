#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/fs.h"
#include "support/scratch.h"

namespace grym {
namespace {

// FIPS 180-4 examples.
TEST(Sha256Test, AgreesWithPublishedDigests) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, FileAndPiecesAgreeWithTheWhole) {
  testing::Scratch scratch;
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += static_cast<char>(i * 31);
  ASSERT_TRUE(WriteFile(scratch / "x", bytes).ok());
  EXPECT_EQ(*Sha256OfFile(scratch / "x"), Sha256Hex(bytes));
  Sha256 digest;
  for (size_t i = 0; i < bytes.size(); i += 37) digest.Update(std::string_view(bytes).substr(i, 37));
  EXPECT_EQ(digest.Hex(), Sha256Hex(bytes));
}

TEST(Sha256Test, ACancelledFileIsNotReadToItsEnd) {
  testing::Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "x", "abc").ok());
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(Sha256OfFile(scratch / "x", cancel).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace grym
