// What the fine envelope says about one onset.
#pragma once
#include <cstdint>

namespace grym {

// A stretch of OnsetSeries::attack_rms and level_rms: values [first, end) of the recording, the first at attack[0].
struct Envelope {
  const float* attack = nullptr;
  const float* level = nullptr;
  int64_t first = 0, end = 0;
  double rate_hz = 0;
};

// The steepest rise of the envelope around `time_s` decides within 25 ms where one stands out; else `time_s` stays.
double RefineByAttack(const Envelope& envelope, double time_s);
// The abrupt end of a sound splashes over the spectrum as a beginning does, but leaves less than it found, brings
// nothing bright and is no louder than what was there just before.
bool IsAnEnd(const Envelope& envelope, double time_s);
// What begins there is less than 40 dB below what is `loud` in the recording. A file's own beginning is a beginning
// only of what can be heard well: most begin with noise.
bool IsHeard(const Envelope& envelope, double time_s, double loud);
// The flux's own peak between frames, from three values.
double PeakShift(double before, double peak, double after);

}  // namespace grym
