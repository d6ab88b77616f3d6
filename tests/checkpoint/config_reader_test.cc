#include "checkpoint/config_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "checkpoint/content.h"
#include "checkpoint/made_files.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::AllOf;
using testing::CodeOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Put;
using testing::Scratch;

Json Config(std::string_view text) { return Json::Parse(text).value(); }

// "pointer: message" of each problem.
std::vector<std::string> ProblemsOf(const ConfigReader& reader) {
  std::vector<std::string> told;
  for (const Problem& problem : ErrorProblems(reader.Finish()))
    told.push_back(problem.pointer + ": " + problem.message);
  return told;
}

TEST(ConfigReaderTest, ReadsEveryTypeAndKeepsDefaults) {
  const Json json = Config(R"({"i":5,"f":4.0,"n":1e-5,"b":true,"t":"gelu","l":[1,2],"ll":[[1,3],[5]],"tl":["a","b"],
                               "one":8,"many":[1,2,3],"null":null})");
  ConfigReader reader(json, "config.json");
  int64_t i = 1, four = 0, absent = 77, null = 78;
  int narrow = 0;
  double n = 0;
  bool b = false;
  std::string t;
  std::vector<int64_t> l, one, many, kept = {9};
  std::vector<std::vector<int64_t>> ll;
  std::vector<std::string> tl;
  reader.Int("i", &i);
  reader.Int("i", &narrow);
  reader.Int("f", &four);
  reader.Int("absent", &absent);
  reader.Int("null", &null);
  reader.Number("n", &n);
  reader.Bool("b", &b);
  reader.Text("t", &t, {.choices = {"relu", "gelu"}});
  reader.IntList("l", &l, {.shortest = 2, .longest = 2});
  reader.IntList("absent", &kept);
  reader.IntLists("ll", &ll, {.shortest = 1, .longest = 2});
  reader.TextList("tl", &tl, {.choices = {"a", "b"}});
  reader.IntOrList("one", &one, 3);
  reader.IntOrList("many", &many, 3);
  EXPECT_TRUE(reader.Finish().ok()) << reader.Finish();
  EXPECT_EQ(i, 5);
  EXPECT_EQ(narrow, 5);
  EXPECT_EQ(four, 4);
  EXPECT_EQ(absent, 77);
  EXPECT_EQ(null, 78);
  EXPECT_EQ(n, 1e-5);
  EXPECT_TRUE(b);
  EXPECT_EQ(t, "gelu");
  EXPECT_THAT(l, ElementsAre(1, 2));
  EXPECT_THAT(kept, ElementsAre(9));
  EXPECT_THAT(ll, ElementsAre(ElementsAre(1, 3), ElementsAre(5)));
  EXPECT_THAT(tl, ElementsAre("a", "b"));
  EXPECT_THAT(one, ElementsAre(8, 8, 8));
  EXPECT_THAT(many, ElementsAre(1, 2, 3));
  EXPECT_THAT(reader.UnknownFields(), IsEmpty());
  EXPECT_TRUE(reader.Has("i"));
  EXPECT_FALSE(reader.Has("null"));
}

TEST(ConfigReaderTest, OptionalFieldsTellNullFromAbsent) {
  const Json json = Config(R"({"null_i":null,"null_n":null,"null_t":null,"i":3,"n":0.5,"t":"x","wrong":"y"})");
  ConfigReader reader(json, "config.json");
  std::optional<int64_t> i, null_i = 1, absent = 2, wrong = 4;
  std::optional<double> n, null_n = 1, absent_n = 2;
  std::optional<std::string> t, null_t = "a";
  reader.OptionalInt("i", &i);
  reader.OptionalInt("null_i", &null_i);
  reader.OptionalInt("absent", &absent);
  reader.OptionalNumber("n", &n);
  reader.OptionalNumber("null_n", &null_n);
  reader.OptionalNumber("absent", &absent_n);
  reader.OptionalText("t", &t);
  reader.OptionalText("null_t", &null_t);
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_EQ(i, 3);
  EXPECT_EQ(null_i, std::nullopt);
  EXPECT_EQ(absent, 2);
  EXPECT_EQ(n, 0.5);
  EXPECT_EQ(null_n, std::nullopt);
  EXPECT_EQ(absent_n, 2);
  EXPECT_EQ(t, "x");
  EXPECT_EQ(null_t, std::nullopt);
  reader.OptionalInt("wrong", &wrong);
  reader.OptionalNumber("wrong", &n);
  reader.OptionalNumber("absent", &n, {.required = true});
  EXPECT_EQ(wrong, 4);
  EXPECT_EQ(n, 0.5);
  EXPECT_EQ(reader.problem_count(), 3u);
}

TEST(ConfigReaderTest, EverythingWrongIsToldAtOnce) {
  const Json json = Config(R"({"small":0,"large":65537,"text":"5","half":1.5,"huge":1e300,"big":18446744073709551615,
                               "number":true,"act":"swish\n","list":[1,"2"],"short":[1],"lists":[[1],[2,3,4]],
                               "names":["DownBlock2D","EvilBlock2D"],"heads":[1,2],"inner":7})");
  ConfigReader reader(json, "unet/config.json");
  int64_t value = 12;
  double number = 0.5;
  bool flag = true;
  std::string act = "gelu";
  std::vector<int64_t> list = {3};
  std::vector<std::vector<int64_t>> lists;
  std::vector<std::string> names;
  const IntRule rule = {.minimum = 1, .maximum = 65536};
  for (const char* name : {"small", "large", "text", "half", "huge", "big"}) reader.Int(name, &value, rule);
  reader.Int("missing", &value, {.required = true});
  reader.Number("number", &number, {.minimum = 0, .maximum = 1});
  reader.Number("large", &number, {.minimum = 0, .maximum = 1});
  reader.Bool("small", &flag);
  reader.Text("act", &act, {.choices = {"gelu", "relu"}});
  reader.IntList("list", &list);
  reader.IntList("short", &list, {.shortest = 2, .longest = 4});
  reader.IntLists("lists", &lists, {.longest = 2});
  reader.TextList("names", &names, {.choices = {"DownBlock2D"}});
  reader.IntOrList("heads", &list, 3);
  reader.Nested("inner").Int("x", &value);
  EXPECT_THAT(
      ProblemsOf(reader),
      ElementsAre("/small: want a whole number from 1 to 65536, got 0",
                  "/large: want a whole number from 1 to 65536, got 65537",
                  "/text: want a whole number from 1 to 65536, got \"5\"",
                  "/half: want a whole number from 1 to 65536, got 1.5",
                  "/huge: want a whole number from 1 to 65536, got 1e+300",
                  "/big: want a whole number from 1 to 65536, got 18446744073709551615",
                  "/missing: want a value, got none", "/number: want a number from 0 to 1, got true",
                  "/large: want a number from 0 to 1, got 65537", "/small: want true or false, got 0",
                  "/act: want \"gelu\" or \"relu\", got \"swish?\"",
                  "/list/1: want a whole number from 0 to 2147483647, got \"2\"",
                  "/short: want a list of 2 to 4, got a list of 1", "/lists/1: want a list of 0 to 2, got a list of 3",
                  "/names/1: want \"DownBlock2D\", got \"EvilBlock2D\"", "/heads: want a list of 3, got a list of 2",
                  "/inner: want an object, got 7"));
  const absl::Status status = reader.Finish();
  EXPECT_EQ(ErrorCode(status), "bad_config");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("unet/config.json: /small"), HasSubstr("and 12 more")));
  // What was wrong changed nothing.
  EXPECT_EQ(value, 12);
  EXPECT_EQ(number, 0.5);
  EXPECT_TRUE(flag);
  EXPECT_EQ(act, "gelu");
  EXPECT_THAT(list, ElementsAre(3));
  EXPECT_THAT(lists, IsEmpty());
}

TEST(ConfigReaderTest, BoundsAreInclusive) {
  const Json json = Config(R"({"low":1,"high":8})");
  ConfigReader reader(json, "c");
  int64_t value = 0;
  reader.Int("low", &value, {.minimum = 1, .maximum = 8});
  reader.Int("high", &value, {.minimum = 1, .maximum = 8});
  EXPECT_TRUE(reader.Finish().ok());
  double number = 0;
  reader.Number("low", &number, {.minimum = 1, .maximum = 8});
  reader.Number("high", &number, {.minimum = 1, .maximum = 8});
  EXPECT_TRUE(reader.Finish().ok());
  int narrow = 0;
  const Json wide = Config(R"({"x":4294967296})");
  ConfigReader second(wide, "c");
  second.Int("x", &narrow, {.maximum = int64_t{1} << 40});
  EXPECT_EQ(second.problem_count(), 1u);
}

TEST(ConfigReaderTest, NestedObjectsShareProblemsAndUnknownFields) {
  const Json json = Config(R"({"text_config":{"hidden_size":770,"heads":12,"strange":1},"torch_dtype":"float32",
                               "other":{"x":1},"zebra":2})");
  ConfigReader reader(json, "config.json");
  reader.Ignore({"torch_dtype"});
  ConfigReader& text = reader.Nested("text_config");
  EXPECT_EQ(&text, &reader.Nested("text_config"));
  int64_t size = 0, heads = 0;
  text.Int("hidden_size", &size);
  text.Int("heads", &heads);
  if (size % heads != 0) text.Contradiction("hidden_size", "want a multiple of heads 12, got 770");
  EXPECT_THAT(ProblemsOf(reader), ElementsAre("/text_config/hidden_size: want a multiple of heads 12, got 770"));
  EXPECT_THAT(reader.UnknownFields(), ElementsAre("other", "text_config/strange", "zebra"));
}

TEST(ConfigReaderTest, AbsentObjectIsDefaultsAllThrough) {
  const Json json = Config("{}");
  ConfigReader reader(json, "config.json");
  int64_t size = 64;
  reader.Nested("text_config").Nested("deeper").Int("hidden_size", &size, {.required = true});
  EXPECT_EQ(size, 64);
  EXPECT_TRUE(reader.Finish().ok());
  reader.Nested("audio_config", {.required = true}).Int("hidden_size", &size, {.required = true});
  EXPECT_THAT(ProblemsOf(reader), ElementsAre("/audio_config: want a value, got none"));
}

TEST(ConfigReaderTest, WhatIsNoObjectIsOneProblem) {
  const Json json = Config("[1]");
  ConfigReader reader(json, "config.json");
  int64_t size = 64;
  reader.Int("hidden_size", &size, {.required = true});
  EXPECT_THAT(ProblemsOf(reader), ElementsAre(": want an object, got a list of 1"));
}

TEST(ConfigReaderTest, HostileFilesAreRefused) {
  const Scratch scratch;
  const auto code = [&](const std::string& text) {
    Put(scratch / "config.json", text);
    return CodeOf(ReadConfig(scratch / "config.json"));
  };
  EXPECT_EQ(code("{\"a\":1}"), "ok");
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("3"), std::string("{\"a\":NaN}"),
        std::string("{\"a\":1,\"a\":2}"), std::string("{\"a\":") + std::string(64, '[') + std::string(64, ']') + "}",
        std::string(1000000, '{'), std::string("{\"a\":1e999}"), std::string("{\"a\":\"\xff\"}")})
    EXPECT_EQ(code(text), "bad_config") << text.substr(0, 40);
  EXPECT_EQ(code("{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}"), "ok");
  std::string padded = "{}";
  padded.resize(kMostConfigBytes, ' ');
  EXPECT_EQ(code(padded), "ok");
  EXPECT_EQ(code(padded + " "), "file_too_large");
  ASSERT_EQ(mkfifo((scratch / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(CodeOf(ReadConfig(scratch / "pipe")), "not_a_file");
  EXPECT_EQ(CodeOf(ReadConfig(scratch.path())), "not_a_file");
  EXPECT_EQ(CodeOf(ReadConfig(scratch / "nothing")), "file_not_found");
}

TEST(ConfigReaderTest, TellsWhatIsUsedGivenOrDefault) {
  const Json json = *Json::Parse(
      R"({"width": 4, "rate": 0.5, "name": "x", "heads": 8, "inner": {"deep": [1, 2]}, "nothing": null, "other": 1})");
  ConfigReader reader(json, "config.json");
  int64_t width = 1, depth = 7;
  double rate = 0;
  bool tied = true;
  std::string name;
  std::vector<int64_t> heads, deep;
  std::optional<int64_t> nothing = 3;
  reader.Int("width", &width);
  reader.Int("depth", &depth);
  reader.Number("rate", &rate);
  reader.Bool("tied", &tied);
  reader.Text("name", &name);
  reader.IntOrList("heads", &heads, 2);
  reader.Nested("inner").IntList("deep", &deep);
  reader.OptionalInt("nothing", &nothing);
  EXPECT_EQ(reader.Resolved().Dump(),
            R"({"depth":7,"heads":[8,8],"inner":{"deep":[1,2]},"name":"x","nothing":null,"rate":0.5,"tied":true,"width":4})");
}

}  // namespace
}  // namespace grym
