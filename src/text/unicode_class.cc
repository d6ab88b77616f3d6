#include "text/unicode_class.h"

#include <algorithm>

#include "text/code_point.h"

namespace grym {
namespace {

// What the rules need to know of the cluster so far.
struct ClusterState {
  GraphemeBreak last;
  int regionals;     // in a row up to here
  bool pictograph;   // ExtPict Extend*, and after `joined` ExtPict Extend* ZWJ
  bool joined;
  bool consonant;    // InCB: Consonant (Extend | Linker)*
  bool linked;       // ... with at least one Linker
};

ClusterState Advance(const ClusterState& before, const UnicodeClass& next) {
  ClusterState state = before;
  const GraphemeBreak kind = next.grapheme_break();
  state.last = kind;
  state.regionals = kind == GraphemeBreak::kRegional ? before.regionals + 1 : 0;
  state.joined = before.pictograph && kind == GraphemeBreak::kZwj;
  state.pictograph = next.is_pictographic() || (before.pictograph && kind == GraphemeBreak::kExtend);
  switch (next.conjunct_break()) {
    case ConjunctBreak::kConsonant:
      state.consonant = true;
      state.linked = false;
      break;
    case ConjunctBreak::kLinker: state.linked = before.consonant; break;
    case ConjunctBreak::kExtend: break;
    case ConjunctBreak::kNone: state.consonant = state.linked = false; break;
  }
  return state;
}

bool HangulJoins(GraphemeBreak left, GraphemeBreak right) {
  using enum GraphemeBreak;
  if (left == kL) return right == kL || right == kV || right == kLv || right == kLvt;  // GB6
  if (left == kLv || left == kV) return right == kV || right == kT;                    // GB7
  return (left == kLvt || left == kT) && right == kT;                                  // GB8
}

// Whether the cluster goes on with `next`. GB3 to GB5 (controls) are the caller's.
bool Joins(const ClusterState& state, const UnicodeClass& next) {
  const GraphemeBreak kind = next.grapheme_break();
  if (HangulJoins(state.last, kind)) return true;
  if (kind == GraphemeBreak::kExtend || kind == GraphemeBreak::kZwj) return true;                     // GB9
  if (kind == GraphemeBreak::kSpacing || state.last == GraphemeBreak::kPrepend) return true;          // GB9a, GB9b
  if (state.linked && next.conjunct_break() == ConjunctBreak::kConsonant) return true;                // GB9c
  if (state.joined && next.is_pictographic()) return true;                                            // GB11
  return kind == GraphemeBreak::kRegional && state.regionals % 2 == 1;                                // GB12, GB13
}

}  // namespace

UnicodeClass UnicodeClass::Of(uint32_t code_point) {
  if (code_point > 0x10FFFF) return UnicodeClass(0, GraphemeBreak::kOther);
  const uint32_t* const end = kUnicodeRanges + kUnicodeRangeCount;
  const uint32_t* const after = std::upper_bound(kUnicodeRanges, end, code_point << 11 | 0x7FF);
  const uint32_t bits = after[-1] & 0x7FF;
  auto kind = static_cast<GraphemeBreak>(bits >> 5 & 15);
  // The table says kLv for all syllables of Hangul: every 28th has no final consonant.
  if (kind == GraphemeBreak::kLv && (code_point - 0xAC00) % 28 != 0) kind = GraphemeBreak::kLvt;
  return UnicodeClass(bits, kind);
}

size_t GraphemeEnd(std::string_view text, size_t at) {
  const CodePoint first = CodePointAt(text, at);
  at += first.bytes;
  if (first.value == '\r') return at < text.size() && text[at] == '\n' ? at + 1 : at;
  // Between two ASCII characters there is always a boundary: most of most texts.
  if (at == text.size() || (first.value < 0x80 && static_cast<unsigned char>(text[at]) < 0x80)) return at;
  const UnicodeClass begin = UnicodeClass::Of(first.value);
  if (begin.grapheme_break() == GraphemeBreak::kControl) return at;
  ClusterState state = Advance({GraphemeBreak::kOther, 0, false, false, false, false}, begin);
  while (at < text.size()) {
    const CodePoint next = CodePointAt(text, at);
    const UnicodeClass kind = UnicodeClass::Of(next.value);
    if (kind.grapheme_break() == GraphemeBreak::kControl || !Joins(state, kind)) break;
    state = Advance(state, kind);
    at += next.bytes;
  }
  return at;
}

std::string_view StripSpace(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const CodePoint first = CodePointAt(text, 0);
    if (!UnicodeClass::Of(first.value).is_space()) break;
    text.remove_prefix(first.bytes);
  }
  while (right && !text.empty()) {
    const size_t last = PreviousCodePoint(text, text.size());
    if (!UnicodeClass::Of(CodePointAt(text, last).value).is_space()) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

}  // namespace grym
