// What the tokenizers' patterns ask of a code point, and where grapheme clusters end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace grym {

// Sorted ranges, `first code point << 11 | bits`: 0 letter, 1 number, 2 white space, 3 word character, 4 extended
// pictographic, 5-8 grapheme break, 9-10 Indic conjunct break. Made by make_unicode_ranges.py.
extern const size_t kUnicodeRangeCount;
extern const uint32_t kUnicodeRanges[];

enum class GraphemeBreak { kOther, kControl, kExtend, kZwj, kRegional, kPrepend, kSpacing, kL, kV, kT, kLv, kLvt };
enum class ConjunctBreak { kNone, kConsonant, kLinker, kExtend };

class UnicodeClass {
 public:
  // Any value; beyond U+10FFFF as unassigned.
  static UnicodeClass Of(uint32_t code_point);

  bool is_letter() const { return bits_ & 1; }   // general category L, Unicode 16.0
  bool is_number() const { return bits_ & 2; }   // general category N, Unicode 16.0
  bool is_space() const { return bits_ & 4; }    // White_Space
  bool is_word() const { return bits_ & 8; }     // \w of UTS 18, Unicode 17.0, as all below
  bool is_pictographic() const { return bits_ & 16; }
  GraphemeBreak grapheme_break() const { return break_; }  // CR and LF as kControl
  ConjunctBreak conjunct_break() const { return static_cast<ConjunctBreak>(bits_ >> 9 & 3); }

 private:
  UnicodeClass(uint32_t bits, GraphemeBreak grapheme_break) : bits_(bits), break_(grapheme_break) {}
  uint32_t bits_;
  GraphemeBreak break_;
};

// End of the extended grapheme cluster that begins at text[at], a boundary. Requires valid UTF-8, at < text.size().
// Source: UAX 29, revision 47 (Unicode 17.0), rules GB3 to GB13.
size_t GraphemeEnd(std::string_view text, size_t at);

// `text` without white space (White_Space) at its left or right end. Requires valid UTF-8.
std::string_view StripSpace(std::string_view text, bool left, bool right);

}  // namespace grym
