// Music for dancing, driven by machines.
#include "generation/genre.h"

namespace grym {
namespace {

Genre House() {
  Genre g;
  g.name = "house";
  g.words = {"deep house", "tech house", "disco", "dance", "edm", "club"};
  g.tempo_low = 120, g.tempo_high = 127;
  g.swing = 0.53, g.swing_beats = 0.25;
  g.minor_chance = 0.75;
  g.minor = {"i iv7 i v7", "i VImaj7 iv i", "im7 i iv7 i", "i VI VII i"};
  g.major = {"Imaj7 vi7 IVmaj7 V", "Imaj7 IVmaj7 Imaj7 ii7", "I IVmaj7 vi7 V"};
  g.cadence = "";
  g.form = FormFamily::kDance;
  g.kit = "kit_909", g.drums_gain_db = 0, g.drums_reverb_db = -26;
  g.grooves = {{0.0, {{42, "..x...x...x...x."}, {70, "o.oxo.oxo.oxo.ox"}}},
               {0.4, {{36, "X...X...X...X..."}, {42, "..o...o...o...o."}, {70, "o.oxo.oxo.oxo.ox"}}},
               {0.6, {{36, "X...X...X...X..."}, {39, "....x.......x..."}, {46, "..x...x...x...x."},
                      {70, "o.oxo.oxo.oxo.ox"}}},
               {0.85, {{36, "X...X...X...X..?"}, {39, "....X.......X..?"}, {46, "..X...X...X...X."},
                       {42, "x.oox.oox.oox.oo"}, {63, "...x..?...x..x.?"}, {54, "?...?...?...?..."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_finger", "bass_saw"},
              {"..R-..R-..r-..O-", "R..R..R-..R-..OL", "..R...R-..F-..R-"}, 33, 50, 1, -1, 0, -60, -60, true, 0.4},
             {Role::kChords, "chords", {"epiano", "piano", "organ"},
              {"x--x--x-..x--...", "..x-..x-..x-..x-", "x--...x-...x--..", "X..x..x...x..x.."}, 55, 77, 4, -5, -0.15,
              -16, -24, true, 0.25},
             {Role::kPad, "pad", {"strings", "pad_warm"}, {"~"}, 50, 74, 4, -12, 0.1, -12, -60, true, 0.55},
             {Role::kLead, "lead", {"lead_soft", "pluck", "vibes"},
              {"x..x..x.....x...", "..x..x..x-......", "x...x..x-......."}, 67, 86, 1, -8, 0.2, -14, -16, false, 0.8}};
  g.risers = true;
  g.timing_ms = 1.8, g.layback_ms = 1;
  g.delay_beats = 0.75, g.reverb_seconds = 1.5, g.glue = 0.6f, g.warmth = 0.25f;
  return g;
}

Genre Techno() {
  Genre g;
  g.name = "techno";
  g.words = {"trance", "rave", "industrial", "acid", "minimal techno", "warehouse"};
  g.tempo_low = 128, g.tempo_high = 138;
  g.minor_chance = 1;
  g.minor = {"i i i i", "i i i VI", "i i iv i", "i i i VII"};
  g.major = {"I I I I", "I I IV I"};
  g.cadence = "";
  g.form = FormFamily::kDance;
  g.kit = "kit_909", g.drums_gain_db = 1.5, g.drums_reverb_db = -24;
  g.grooves = {{0.0, {{36, "X...X...X...X..."}}},
               {0.45, {{36, "X...X...X...X..."}, {42, "..x...x...x...x."}, {37, "...?..?....?..?."}}},
               {0.65, {{36, "X...X...X...X..."}, {46, "..x...x...x...x."}, {39, "....x.......x..."},
                       {75, "...x..x....x..?."}}},
               {0.85, {{36, "X...X...X...X..."}, {46, "..X...X...X...X."}, {39, "....X.......X..."},
                       {42, "xoooxoooxoooxooo"}, {75, "...x..x...x..x.?"}, {51, "....o.......o..."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_acid", "bass_sub"},
              {".RR-.RR-.RR-.RO-", "..RR..RR..RR..OR", ".R.R.R.R.R.R.R.O"}, 31, 48, 1, -1, 0, -60, -60, true, 0.3},
             {Role::kArp, "arp", {"bass_acid", "lead_saw", "pluck"},
              {"0.20.10.2.01.02.", "01.20.1.02.10.2.", "0..0..1.0..2..1."}, 52, 76, 3, -8, 0.15, -18, -14, false, 0.55},
             {Role::kChords, "chords", {"supersaw", "lead_saw"}, {"...x......x.....", "..x.....x.....x.", "......x..x......"},
              52, 72, 3, -7, -0.2, -12, -12, true, 0.45},
             {Role::kPad, "pad", {"pad_warm", "strings"}, {"~"}, 48, 70, 3, -8, 0, -8, -60, true, 0.0, 2}};
  g.risers = true;
  g.timing_ms = 0.8, g.velocity_spread = 0.06;
  g.delay_beats = 0.75, g.reverb_seconds = 2.2, g.glue = 0.7f, g.warmth = 0.4f, g.tilt_db = 0.5f;
  return g;
}

Genre DrumAndBass() {
  Genre g;
  g.name = "drum and bass";
  g.words = {"drum & bass", "drum n bass", "drum'n'bass", "dnb", "d&b", "jungle", "breakbeat", "liquid"};
  g.tempo_low = 162, g.tempo_high = 168;
  g.minor_chance = 0.85;
  g.minor = {"i i VI VII", "i im7 iv7 i", "i VI i VII", "im9 i VImaj7 i"};
  g.major = {"I I vi IV", "Imaj7 Imaj7 IVmaj7 V"};
  g.cadence = "";
  g.form = FormFamily::kDance;
  g.phrase_bars = 8;
  g.kit = "kit_acoustic", g.drums_gain_db = 2, g.drums_reverb_db = -24;
  g.grooves = {{0.0, {{42, "x.o.x.o.x.o.x.o."}, {37, "....o.......o..."}}},
               {0.4, {{36, "X.......x.x....."}, {38, "....X.......X..."}, {42, "X.o.X.o.X.o.X.o."}}},
               {0.7, {{36, "X.......x.X....."}, {38, "....X..o.o..X..?"}, {42, "Xoo.XoooXoooXooo"}, {51, "X...X...X...X..."}}},
               {0.9, {{36, "X.x.....x.X....?"}, {38, "....X..o.o..X.?o"}, {42, "X.ooX.ooX.ooX.oo"}, {46, "..............x."},
                      {51, "X...X...X...X..."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_reese", "bass_sub"},
              {"R-----------R-O-", "R-----R---------", "R---..R-----..O-"}, 29, 45, 1, 0, 0, -60, -60, true, 0.45},
             {Role::kPad, "pad", {"pad_warm", "strings", "pad_glass"}, {"~"}, 53, 77, 4, -9, 0, -10, -60, false, 0.0},
             {Role::kArp, "arp", {"pluck", "bell_fm", "epiano"},
              {"0...2...1...3...", "0..1..2...3..1..", "..0...1...2...1."}, 60, 84, 4, -10, -0.25, -12, -12, false, 0.3},
             {Role::kLead, "lead", {"lead_soft", "lead_square", "epiano"},
              {"x-----x-----x---", "....x---..x-----", "x---........x-x-"}, 65, 84, 1, -8, 0.2, -14, -14, false, 0.8}};
  g.risers = true;
  g.timing_ms = 2, g.delay_beats = 1.5, g.reverb_seconds = 2.4, g.glue = 0.6f, g.warmth = 0.25f;
  return g;
}

Genre Synthwave() {
  Genre g;
  g.name = "synthwave";
  g.words = {"retrowave", "80s", "eighties", "outrun", "synthpop", "synth pop", "electro", "vaporwave"};
  g.tempo_low = 96, g.tempo_high = 112;
  g.minor_chance = 0.8;
  g.minor = {"i VI i VII", "i VII VI i", "i i VI VII", "i iv VI V"};
  g.major = {"I V vi IV", "I IV vi V", "I I IV V"};
  g.cadence = "V";
  g.form = FormFamily::kSong;
  g.kit = "kit_808", g.drums_gain_db = 0, g.drums_reverb_db = -14;
  g.grooves = {{0.0, {{42, "x...x...x...x..."}}},
               {0.45, {{36, "X...X...X...X..."}, {38, "....X.......X..."}, {42, "x.x.x.x.x.x.x.x."}}},
               {0.8, {{36, "X...X...X..xX..."}, {38, "....X.......X..?"}, {39, "....x.......x..."}, {42, "x.x.x.x.x.x.x.x."},
                      {46, "..............?."}, {45, ".............?.?"}}}};
  g.parts = {{Role::kBass, "bass", {"bass_saw"},
              {"R.R.R.R.R.R.R.R.", "RrRrRrRrRrRrRrRr", "R.ROR.ROR.ROR.RO"}, 33, 50, 1, -1, 0, -60, -60, true, 0.3},
             {Role::kArp, "arp", {"lead_square", "pluck", "lead_saw"},
              {"0.1.2.3.2.1.0.1.", "0123210301232103", "0.2.1.3.0.2.1.3."}, 60, 84, 4, -10, 0.25, -16, -14, false, 0.5},
             {Role::kPad, "pad", {"supersaw", "pad_warm"}, {"~"}, 50, 76, 4, -9, -0.1, -12, -60, true, 0.0},
             {Role::kLead, "lead", {"lead_saw", "lead_square"},
              {"x-----x-x---x---", "x---x---x-----..", "x-x-x-----x-x---"}, 67, 86, 1, -6, 0.05, -12, -12, false, 0.7}};
  g.risers = true;
  g.timing_ms = 1.5, g.delay_beats = 0.75, g.reverb_seconds = 2.2, g.glue = 0.5f, g.warmth = 0.35f, g.width = 1.15f;
  return g;
}

}  // namespace

const std::vector<Genre>& DanceGenres() {
  static const std::vector<Genre> genres = {House(), Techno(), DrumAndBass(), Synthwave()};
  return genres;
}

}  // namespace grym
