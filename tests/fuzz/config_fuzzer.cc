// Bytes as a config.json, read with every kind of field: what is wrong is told, what is not told is in range.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/config_reader.h"
#include "checkpoint/content.h"
#include "checkpoint/model_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = grym::ParseBounded({reinterpret_cast<const char*>(data), size}, "config.json", "bad_config");
  if (!json.ok()) return 0;
  (void)grym::FamilyOf(*json, "config.json");
  grym::ConfigReader reader(*json, "config.json");
  int64_t size_value = 4;
  double eps = 0.5;
  bool flag = false;
  std::string act = "gelu";
  std::vector<int64_t> list = {2}, heads = {2, 2};
  std::vector<std::vector<int64_t>> lists;
  std::vector<std::string> blocks;
  std::optional<int64_t> maybe;
  std::optional<double> scale;
  for (grym::ConfigReader* part : {&reader, &reader.Nested("text_config"), &reader.Nested("text_config").Nested("x")}) {
    part->Int("hidden_size", &size_value, {.minimum = 1, .maximum = 64});
    part->Number("eps", &eps, {.minimum = 0, .maximum = 1});
    part->Bool("flag", &flag);
    part->Text("hidden_act", &act, {.choices = {"gelu", "relu"}});
    part->IntList("kernel", &list, {.minimum = 1, .maximum = 9, .shortest = 1, .longest = 3});
    part->IntLists("dilation", &lists, {.minimum = 1, .maximum = 9, .longest = 3}, {.longest = 3});
    part->TextList("blocks", &blocks, {.choices = {"A", "B"}, .longest = 4});
    part->IntOrList("heads", &heads, 2, {.minimum = 1, .maximum = 16});
    part->OptionalInt("maybe", &maybe, {.minimum = 1, .maximum = 3});
    part->OptionalNumber("scale", &scale, {.minimum = 0, .maximum = 1});
  }
  const bool in_range = size_value >= 1 && size_value <= 64 && eps >= 0 && eps <= 1 && !act.empty() && !list.empty() &&
                        list.size() <= 3 && list[0] >= 1 && list[0] <= 9 && lists.size() <= 3 && blocks.size() <= 4 &&
                        heads.size() == 2 && heads[1] >= 1 && heads[1] <= 16 &&
                        (!maybe || (*maybe >= 1 && *maybe <= 3)) && (!scale || (*scale >= 0 && *scale <= 1));
  if (!in_range || reader.UnknownFields().size() > 1000) std::abort();
  if (reader.Finish().ok() != (reader.problem_count() == 0)) std::abort();
  if (!reader.Finish().ok() && grym::ErrorProblems(reader.Finish()).empty()) std::abort();
  return 0;
}
