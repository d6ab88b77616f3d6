// Decibels and pitch as plain functions.
#pragma once
#include <cmath>
#include <limits>

namespace grym {

inline constexpr double kMinusInfinityDb = -std::numeric_limits<double>::infinity();

// Amplitude ratio to dB; -infinity for 0 and below.
inline double DbOfGain(double gain) { return gain > 0 ? 20 * std::log10(gain) : kMinusInfinityDb; }
inline double DbOfPower(double power) { return power > 0 ? 10 * std::log10(power) : kMinusInfinityDb; }
inline double GainOfDb(double db) { return std::pow(10.0, db / 20); }
inline double PowerOfDb(double db) { return std::pow(10.0, db / 10); }

// MIDI note numbers, 69 = A4.
inline double MidiOfHz(double hz, double a4_hz = 440) { return 69 + 12 * std::log2(hz / a4_hz); }
inline double HzOfMidi(double midi, double a4_hz = 440) { return a4_hz * std::exp2((midi - 69) / 12); }

}  // namespace grym
