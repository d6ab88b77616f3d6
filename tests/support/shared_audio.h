// Real recordings with ground truth, outside the repository: ../shared/audio, or GRYM_SHARED.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace grym::testing {

inline std::filesystem::path SharedDir() {
  if (const char* set = std::getenv("GRYM_SHARED")) return set;
  return std::filesystem::path(GRYM_SOURCE_DIR).parent_path() / "shared";
}
inline std::filesystem::path SharedAudio(std::string_view name) { return SharedDir() / "audio" / name; }

}  // namespace grym::testing

// Put first into a test that needs the recordings.
#define GRYM_NEED_SHARED_AUDIO()                                                            \
  if (!std::filesystem::exists(grym::testing::SharedAudio("manifest.json"))) {              \
    GTEST_SKIP() << "needs the shared recordings: " << grym::testing::SharedDir().string() \
                 << " is absent (set GRYM_SHARED)";                                         \
  }
