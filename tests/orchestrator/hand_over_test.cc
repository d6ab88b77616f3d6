#include "orchestrator/hand_over.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace grym {
namespace {

TEST(HandOverTest, StemsHavePlainNamesOfTheirOwn) {
  ChainLink link;
  link.model = "maker";
  const auto check = [&](const std::vector<std::string>& names) {
    GenerateAudioResult made;
    made.audio = AudioBuffer::Create(1, 100, 44100).value();
    for (const std::string& name : names) made.stems.push_back({name, made.audio});
    return CheckMadeAudio(link, made, std::nullopt);
  };
  const absl::Status plain = check({"drums", "lead 2", "пение", "a.b", "..."});
  EXPECT_TRUE(plain.ok()) << plain;
  for (const char* name : {"", ".", "..", "../../evil", "a\\b", "a/b", "a\nb", "a\x7f"}) {
    const absl::Status bad = check({"drums", name});
    EXPECT_EQ(ErrorCode(bad), "bad_hand_over") << name;
  }
  EXPECT_EQ(ErrorCode(check({"drums", "drums"})), "bad_hand_over");
}

}  // namespace
}  // namespace grym
