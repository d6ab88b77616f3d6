// Fits a genre's parts to the instruments that are asked for, and takes out those that are not wanted.
#pragma once
#include <vector>

#include "generation/genre.h"
#include "generation/instruments.h"

namespace grym {

// Adds `wanted` to the genre: a part that can play an instrument is given it, else one is added. With `only`, every
// other part goes; a single instrument that plays chords then also plays the melody.
void AddInstruments(const std::vector<const Instrument*>& wanted, bool only, Genre* genre);
void RemoveInstruments(const std::vector<const Instrument*>& unwanted, Genre* genre);

}  // namespace grym
