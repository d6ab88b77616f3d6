#include "store/statement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/status.h"
#include "store/database.h"
#include "support/scratch.h"

namespace grym {
namespace {

const Schema kValues{"values", 0x56414c55, {"CREATE TABLE v (i INTEGER, d REAL, t TEXT, b BLOB, n);"}};

TEST(StatementTest, ValuesComeBackAsTheyWent) {
  testing::Scratch scratch;
  auto db = Database::Open(scratch / "v.db", kValues).value();
  const std::string text("zero\0inside \xc3\xa9", 13);
  const std::byte blob[3] = {std::byte{0}, std::byte{255}, std::byte{7}};
  Statement insert = db->Prepare("INSERT INTO v VALUES (?1, ?2, ?3, ?4, ?5)").value();
  ASSERT_TRUE(insert.BindInt(1, std::numeric_limits<int64_t>::min())
                  .BindDouble(2, 0.1)
                  .BindText(3, text)
                  .BindBlob(4, blob)
                  .BindNull(5)
                  .Run()
                  .ok());
  insert.Reset();
  ASSERT_TRUE(insert.BindText(3, {}).BindBlob(4, {}).BindDouble(2, std::nan("")).Run().ok());
  Statement read = db->Prepare("SELECT * FROM v ORDER BY rowid").value();
  ASSERT_TRUE(read.Step().value());
  EXPECT_EQ(read.Int(0), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(read.Double(1), 0.1);
  EXPECT_EQ(read.Text(2), text);
  ASSERT_EQ(read.Blob(3).size(), 3u);
  EXPECT_EQ(std::memcmp(read.Blob(3).data(), blob, 3), 0);
  EXPECT_TRUE(read.IsNull(4));
  ASSERT_TRUE(read.Step().value());
  EXPECT_TRUE(read.IsNull(0));
  EXPECT_TRUE(read.IsNull(1));
  EXPECT_FALSE(read.IsNull(2));  // empty is not absent
  EXPECT_FALSE(read.IsNull(3));
  EXPECT_FALSE(read.Step().value());
}

TEST(StatementTest, WrongParametersAndBrokenConstraintsAreErrors) {
  testing::Scratch scratch;
  auto db = Database::Open(scratch / "v.db", kValues).value();
  Statement insert = db->Prepare("INSERT INTO v (i) VALUES (?1)").value();
  EXPECT_EQ(insert.BindInt(2, 1).Run().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(insert.BindInt(1, 1).Run().ok());  // the failed binding is forgotten
  EXPECT_FALSE(db->Prepare("SELECT nothing FROM nowhere").ok());
  ASSERT_TRUE(db->Execute("CREATE UNIQUE INDEX one ON v (i)").ok());
  EXPECT_EQ(ErrorCode(insert.BindInt(1, 1).Run()), "store_constraint");
  Statement none;
  EXPECT_EQ(ErrorCode(none.Step().status()), "store_closed");
}

}  // namespace
}  // namespace grym
