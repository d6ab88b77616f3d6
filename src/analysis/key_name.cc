#include <array>
#include <cctype>

#include "base/format.h"
#include "base/status.h"
#include "grymsynth/audio_features.h"

namespace grym {
namespace {
constexpr std::array<const char*, 12> kSharpNames = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};
constexpr std::array<int, 7> kLetterPitches = {9, 11, 0, 2, 4, 5, 7};  // A .. G

// The mode a suffix names: 0 major, 1 minor, -1 neither.
int ModeOf(std::string_view suffix) {
  std::string mode;
  for (const char c : suffix) {
    if (c != ' ' && c != '_' && c != '-') mode += c;
  }
  if (mode == "m") return 1;
  for (char& c : mode) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (mode.empty() || mode == "major" || mode == "maj") return 0;
  if (mode == "minor" || mode == "min") return 1;
  return -1;
}
}  // namespace

absl::StatusOr<int> ParseKey(std::string_view name) {
  const auto refuse = [&] {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_key",
        Formatted("key: want a name like \"F major\", \"C# minor\" or \"Am\", got \"%s\"", Printable(name, 40)));
  };
  if (name.empty()) return refuse();
  const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  if (letter < 'A' || letter > 'G') return refuse();
  int pitch = kLetterPitches[letter - 'A'];
  size_t at = 1;
  if (at < name.size() && (name[at] == '#' || name[at] == 'b')) pitch += name[at++] == '#' ? 1 : -1;
  const int mode = ModeOf(name.substr(at));
  if (mode < 0) return refuse();
  return (pitch + 12) % 12 + 12 * mode;
}

std::string KeyName(int key) {
  return std::string(kSharpNames[static_cast<size_t>(key) % 12]) + (key < 12 ? " major" : " minor");
}

}  // namespace grym
