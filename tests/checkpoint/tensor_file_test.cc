#include "checkpoint/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <thread>

#include "checkpoint/made_files.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::BytesOf;
using testing::CodeOf;
using ::testing::HasSubstr;
using testing::PairsNamed;
using testing::Put;
using testing::SafetensorsOf;
using testing::Scratch;
using testing::WordsOf;

absl::StatusOr<TensorFile> OpenBytes(const Scratch& scratch, std::string_view bytes) {
  Put(scratch / "x.safetensors", bytes);
  return TensorFile::Open(scratch / "x.safetensors");
}

// One tensor "a" with this inner JSON, and `data` behind it.
absl::StatusOr<TensorFile> OpenOne(const Scratch& scratch, std::string_view inner, std::string_view data) {
  return OpenBytes(scratch, SafetensorsOf("{\"a\":{" + std::string(inner) + "}}", data));
}

TEST(TensorFileTest, ReadsNamesTypesShapesAndNumbers) {
  const Scratch scratch;
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"I64","shape":[],"data_offsets":[24,32]},)"
      R"("empty":{"dtype":"F16","shape":[0,7],"data_offsets":[32,32]}}   )";
  const auto file =
      OpenBytes(scratch, SafetensorsOf(header, BytesOf<float>({1, 2, 3, 4, 5, 6}) + BytesOf<int64_t>({-7})));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->entries().size(), 3u);
  EXPECT_EQ(file->entries()[0].name, "b");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  EXPECT_EQ(file->Find("nothing"), nullptr);
  const TensorEntry* w = file->Find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->type, ElementType::kF32);
  EXPECT_THAT(w->shape, ::testing::ElementsAre(2, 3));
  EXPECT_EQ(w->elements(), 6);
  const auto bytes = file->Bytes(*w);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()),
            BytesOf<float>({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file->Find("b")->elements(), 1);
  EXPECT_EQ(file->Find("empty")->elements(), 0);
  EXPECT_TRUE(file->Bytes(*file->Find("empty"))->empty());
}

TEST(TensorFileTest, ReadsEveryTypeAndRefusesOthersByName) {
  const Scratch scratch;
  const std::vector<std::pair<std::string, int64_t>> types = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
                                                              {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1},
                                                              {"U8", 1},  {"BOOL", 1}};
  for (const auto& [name, bytes] : types) {
    const auto file = OpenOne(
        scratch, "\"dtype\":\"" + name + "\",\"shape\":[3],\"data_offsets\":[0," + std::to_string(3 * bytes) + "]",
        std::string(static_cast<size_t>(3 * bytes), '\0'));
    ASSERT_TRUE(file.ok()) << name << file.status();
    EXPECT_EQ(ElementName(file->Find("a")->type), name);
    EXPECT_EQ(file->Find("a")->elements(), 3);
  }
  for (const char* name : {"F8_E4M3", "F8_E5M2", "U16", "C64"}) {
    const auto file =
        OpenOne(scratch, std::string("\"dtype\":\"") + name + "\",\"shape\":[3],\"data_offsets\":[0,3]", "abc");
    EXPECT_EQ(CodeOf(file), "unsupported_dtype");
    EXPECT_EQ(file.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(WordsOf(file), HasSubstr(name));
    EXPECT_THAT(WordsOf(file), HasSubstr("\"a\""));
  }
  EXPECT_EQ(CodeOf(OpenOne(scratch, R"("dtype":"F31","shape":[3],"data_offsets":[0,3])", "abc")), "bad_safetensors");
  EXPECT_EQ(CodeOf(OpenOne(scratch, R"("dtype":32,"shape":[3],"data_offsets":[0,3])", "abc")), "bad_safetensors");
}

TEST(TensorFileTest, CutAnywhereItIsRefused) {
  const Scratch scratch;
  const std::string whole = PairsNamed({"one", "two"});
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto file = OpenBytes(scratch, whole.substr(0, length));
    ASSERT_FALSE(file.ok()) << length;
    EXPECT_EQ(CodeOf(file), length <= 8 ? "not_safetensors" : "bad_safetensors") << length << file.status();
  }
  ASSERT_TRUE(OpenBytes(scratch, whole).ok());
  EXPECT_EQ(CodeOf(OpenBytes(scratch, whole + "x")), "bad_safetensors");
}

TEST(TensorFileTest, HeaderLengthThatLiesIsRefused) {
  const Scratch scratch;
  const std::string whole = PairsNamed({"one"});
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{whole.size() - 8}, uint64_t{whole.size() - 7},
                                uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}}) {
    const auto file = OpenBytes(scratch, testing::LengthBytes(length) + whole.substr(8));
    EXPECT_EQ(CodeOf(file), "bad_safetensors") << length << file.status();
    EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(TensorFileTest, LayoutMustBeWithoutGaps) {
  const Scratch scratch;
  const auto open = [&](const char* a, const char* b, size_t data) {
    return OpenBytes(scratch, SafetensorsOf(std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)") + a +
                                                R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                                            std::string(data, 'x')));
  };
  EXPECT_TRUE(open("[0,4]", "[4,8]", 8).ok());
  EXPECT_TRUE(open("[4,8]", "[0,4]", 8).ok());
  EXPECT_THAT(WordsOf(open("[0,4]", "[3,7]", 7)), HasSubstr("overlap"));
  EXPECT_THAT(WordsOf(open("[0,4]", "[0,4]", 4)), HasSubstr("\"a\" and \"b\" overlap"));
  EXPECT_THAT(WordsOf(open("[0,4]", "[5,9]", 9)), HasSubstr("1 bytes before tensor \"b\" belong to none"));
  EXPECT_THAT(WordsOf(open("[1,5]", "[5,9]", 9)), HasSubstr("before tensor \"a\""));
  EXPECT_THAT(WordsOf(open("[0,4]", "[4,8]", 9)), HasSubstr("after the last tensor"));
  EXPECT_EQ(CodeOf(open("[0,4]", "[4,8]", 7)), "bad_safetensors");
}

TEST(TensorFileTest, ImpossibleShapesAndOffsetsAreRefused) {
  const Scratch scratch;
  for (const char* inner :
       {R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])", R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])",
        R"("dtype":"U8","shape":["4"],"data_offsets":[0,4])", R"("dtype":"U8","shape":4,"data_offsets":[0,4])",
        R"("dtype":"U8","shape":[5],"data_offsets":[0,4])", R"("dtype":"U8","shape":[4],"data_offsets":[4,0])",
        R"("dtype":"U8","shape":[4],"data_offsets":[0,4,4])", R"("dtype":"U8","shape":[4],"data_offsets":[0])",
        R"("dtype":"U8","shape":[4],"data_offsets":[-4,0])", R"("dtype":"U8","shape":[4])",
        R"("shape":[4],"data_offsets":[0,4])", R"("dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551615])",
        R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4])",
        R"("dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0])",
        R"("dtype":"U8","shape":[9223372036854775807,2],"data_offsets":[0,4])",
        R"("dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,4])",
        R"("dtype":"U8","shape":[4],"data_offsets":[0,4],"more":1)"}) {
    EXPECT_EQ(CodeOf(OpenOne(scratch, inner, "abcd")), "bad_safetensors") << inner;
  }
  // A side of 0 makes nothing of sides that would overflow.
  const char* empty = R"("dtype":"F64","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0])";
  EXPECT_TRUE(OpenOne(scratch, empty, "").ok());
}

TEST(TensorFileTest, HeadersThatAreNoHeaders) {
  const Scratch scratch;
  const std::string tensor = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  for (const std::string& header :
       {std::string("{"), std::string("{\"a\":1}"), std::string("{\"a\":[]}"),
        "{\"a\":" + tensor + ",\"a\":" + tensor + "}", "{\"a\":" + tensor + "} x", "{\"a\xff\":" + tensor + "}",
        "{\"__metadata__\":[],\"a\":" + tensor + "}", "{\"__metadata__\":{\"k\":1},\"a\":" + tensor + "}",
        "{\"a\":" + std::string(100000, '[') + "}"}) {
    EXPECT_EQ(CodeOf(OpenBytes(scratch, SafetensorsOf(header, "x"))), "bad_safetensors") << header.substr(0, 100);
  }
  EXPECT_TRUE(OpenBytes(scratch, SafetensorsOf("{\"a\":" + tensor + "}", "x")).ok());
  EXPECT_TRUE(OpenBytes(scratch, SafetensorsOf("{}", "")).ok());
  EXPECT_THAT(WordsOf(OpenBytes(scratch, SafetensorsOf("{\"a\":" + tensor + ",\"a\":" + tensor + "}", "x"))),
              HasSubstr("duplicate member \"a\""));
}

TEST(TensorFileTest, NamesAreMadeSafeForMessages) {
  const Scratch scratch;
  const auto file = OpenBytes(
      scratch, SafetensorsOf("{\"w\\u001b[31m\\n\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,1]}}", "x"));
  EXPECT_THAT(WordsOf(file), HasSubstr("w?[31m?"));
  EXPECT_EQ(WordsOf(file).find('\x1b'), std::string::npos);
}

TEST(TensorFileTest, OtherFilesAreToldByTheirContent) {
  const Scratch scratch;
  EXPECT_THAT(WordsOf(OpenBytes(scratch, "PK\x03\x04" + std::string(100, 'x'))), HasSubstr("grymsynth.convert"));
  EXPECT_THAT(WordsOf(OpenBytes(scratch, "\x80\x02}" + std::string(100, 'x'))), HasSubstr("a PyTorch pickle"));
  EXPECT_THAT(WordsOf(OpenBytes(scratch, "{\"weight_map\": {}}")), HasSubstr("JSON"));
  EXPECT_EQ(CodeOf(OpenBytes(scratch, std::string(100, '\0'))), "not_safetensors");
}

TEST(TensorFileTest, OnlyRegularFilesAreOpened) {
  const Scratch scratch;
  ASSERT_EQ(mkfifo((scratch / "pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(scratch / "folder");
  std::filesystem::create_symlink("loop", scratch / "loop");
  for (const char* name : {"pipe", "folder", "loop"}) EXPECT_EQ(CodeOf(TensorFile::Open(scratch / name)), "not_a_file");
  EXPECT_EQ(CodeOf(TensorFile::Open("/dev/zero")), "not_a_file");
  EXPECT_EQ(CodeOf(TensorFile::Open(scratch / "nothing")), "file_not_found");
}

TEST(TensorFileTest, FileThatIsCutAfterwardsIsNoticed) {
  const Scratch scratch;
  const auto file = OpenBytes(scratch, PairsNamed({"one", "two"}));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->Bytes(*file->Find("two")).ok());
  std::filesystem::resize_file(scratch / "x.safetensors", 20);
  const auto bytes = file->Bytes(*file->Find("one"));
  EXPECT_EQ(CodeOf(bytes), "file_changed");
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kDataLoss);
}

TEST(TensorFileTest, EntriesOfOtherFilesAreRefused) {
  const Scratch scratch;
  const auto file = OpenBytes(scratch, PairsNamed({"one"}));
  ASSERT_TRUE(file.ok());
  TensorEntry foreign = *file->Find("one");
  for (const auto& [offset, bytes] : std::vector<std::pair<int64_t, int64_t>>{
           {-1, 8}, {0, -8}, {file->size(), 1}, {INT64_MAX, INT64_MAX}, {8, INT64_MAX}}) {
    foreign.offset = offset;
    foreign.bytes = bytes;
    EXPECT_EQ(CodeOf(file->Bytes(foreign)), "bad_entry") << offset;
    file->Forget(foreign);  // touches no memory of others
    file->Prefetch(foreign);
  }
}

TEST(TensorFileTest, UnalignedTensorsAreReadAndSaySo) {
  const Scratch scratch;
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  while (header.size() % 4 != 1) header += ' ';
  const auto file = OpenBytes(scratch, SafetensorsOf(header, BytesOf<float>({2.5f})));
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(file->Find("a")->aligned());
  float value = 0;
  std::memcpy(&value, file->Bytes(*file->Find("a"))->data(), 4);
  EXPECT_EQ(value, 2.5f);
  while (header.size() % 4 != 0) header += ' ';
  EXPECT_TRUE(OpenBytes(scratch, SafetensorsOf(header, BytesOf<float>({2.5f})))->Find("a")->aligned());
}

// Bytes of this mapping that are in this process's memory now, by /proc.
int64_t ResidentBytes(const std::filesystem::path& path) {
  std::ifstream maps("/proc/self/smaps");
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('/') != std::string::npos && line.find('-') < 20)
      ours = line.find(path.string()) != std::string::npos;
    if (ours && line.rfind("Rss:", 0) == 0) return std::stoll(line.substr(4)) * 1024;
  }
  return -1;
}

TEST(TensorFileTest, ForgottenPagesLeaveAndComeBack) {
  const Scratch scratch;
  constexpr size_t kBytes = 8 << 20;
  const std::string header = R"({"a":{"dtype":"U8","shape":[8388608],"data_offsets":[0,8388608]}})";
  const auto file = OpenBytes(scratch, SafetensorsOf(header, std::string(kBytes, 'x')));
  ASSERT_TRUE(file.ok());
  const TensorEntry& entry = *file->Find("a");
  const auto sum = [&] {
    const auto bytes = file->Bytes(entry).value();
    size_t total = 0;
    for (const std::byte byte : bytes) total += std::to_integer<size_t>(byte);
    return total;
  };
  file->Prefetch(entry);
  EXPECT_EQ(sum(), kBytes * 'x');
  const int64_t before = ResidentBytes(scratch / "x.safetensors");
  file->Forget(entry);
  const int64_t after = ResidentBytes(scratch / "x.safetensors");
  EXPECT_GE(before, static_cast<int64_t>(kBytes));
  EXPECT_LT(after, 1 << 20);
  EXPECT_EQ(sum(), kBytes * 'x');
}

TEST(TensorFileTest, MovedFileKeepsItsViews) {
  const Scratch scratch;
  auto file = OpenBytes(scratch, PairsNamed({"one"}));
  ASSERT_TRUE(file.ok());
  const TensorEntry* entry = file->Find("one");
  const auto view = file->Bytes(*entry).value();
  const TensorFile moved = *std::move(file);
  EXPECT_EQ(moved.Find("one"), entry);
  EXPECT_EQ(moved.Bytes(*entry)->data(), view.data());
}

}  // namespace
}  // namespace grym
