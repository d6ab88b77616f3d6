// Ticks and seconds of a Standard MIDI File.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

namespace grym {

// Limits of both directions. Source: reliability table of limits.
inline constexpr int64_t kMaxMidiBytes = 16 << 20;
inline constexpr int kMaxMidiTracks = 1024;
inline constexpr int64_t kMaxMidiEvents = 4000000;
inline constexpr double kMaxMidiSeconds = 24 * 3600;
inline constexpr size_t kMaxMidiNameBytes = 1024;

class MidiTempoMap {
 public:
  explicit MidiTempoMap(int ticks_per_quarter) : ticks_per_quarter_(ticks_per_quarter) {
    pieces_.push_back({0, 0, 500000});
  }

  // Ticks must not fall from call to call; a later tempo on the same tick replaces the earlier.
  void Add(int64_t tick, int64_t us_per_quarter) {
    Piece& last = pieces_.back();
    if (last.tick == tick) {
      last.us_per_quarter = us_per_quarter;
    } else {
      pieces_.push_back({tick, Seconds(last, tick), us_per_quarter});
    }
  }
  double SecondsAt(int64_t tick) const {
    size_t low = 0, high = pieces_.size();
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      (pieces_[middle].tick <= tick ? low : high) = middle;
    }
    return Seconds(pieces_[low], tick);
  }
  // The nearest tick.
  int64_t TickAt(double seconds) const {
    size_t low = 0, high = pieces_.size();
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      (pieces_[middle].seconds <= seconds ? low : high) = middle;
    }
    const Piece& piece = pieces_[low];
    const double ticks =
        (seconds - piece.seconds) * 1e6 * ticks_per_quarter_ / static_cast<double>(piece.us_per_quarter);
    return piece.tick + std::llround(ticks);
  }

 private:
  struct Piece {
    int64_t tick;
    double seconds;
    int64_t us_per_quarter;
  };
  double Seconds(const Piece& piece, int64_t tick) const {
    return piece.seconds + static_cast<double>(tick - piece.tick) * static_cast<double>(piece.us_per_quarter) /
                               (1e6 * ticks_per_quarter_);
  }

  int ticks_per_quarter_;
  std::vector<Piece> pieces_;
};

}  // namespace grym
