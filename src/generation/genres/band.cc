// Songs played by a band.
#include "generation/genre.h"

namespace grym {
namespace {

Genre Pop() {
  Genre g;
  g.name = "pop";
  g.words = {"indie", "ballad", "singer songwriter", "country", "folk", "kpop", "k-pop"};
  g.tempo_low = 100, g.tempo_high = 118;
  g.minor_chance = 0.2;
  g.major = {"I V vi IV", "I vi IV V", "I IV vi V", "I IV I V"};
  g.minor = {"i VI iv VII", "i VI iv V", "i iv VI V"};
  g.cadence = "V";
  g.kit = "kit_acoustic", g.drums_gain_db = -1, g.drums_reverb_db = -22;
  g.grooves = {{0.0, {{42, "x...x...x...x..."}}},
               {0.4, {{36, "X.......X.x....."}, {38, "....X.......X..."}, {42, "x.x.x.x.x.x.x.x."}}},
               {0.8, {{36, "X.....x.X.x....."}, {38, "....X.......X..?"}, {46, "x...x...x...x..."}, {42, "..x...x...x...x."},
                      {54, "o.x.o.x.o.x.o.x."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_finger"}, {"R---..R-R---..L-", "R-----R-R-----R-", "R-R-R-R-R-R-R-F-"}, 31, 48, 1, 0,
              0, -60, -60, false, 0.4},
             {Role::kChords, "chords", {"piano", "guitar_steel"},
              {"x---x---x---x---", "x-----x-x---x---", "D---D-U--UD-D-U-"}, 52, 76, 4, -3, -0.2, -18, -60, false, 0.0},
             {Role::kArp, "arp", {"guitar_clean", "pluck", "harp"}, {"0-1-2-3-2-1-2-1-", "0-2-1-2-3-2-1-2-"}, 60, 82, 4, -10, 0.3,
              -16, -24, false, 0.55},
             {Role::kPad, "pad", {"strings", "pad_warm"}, {"~"}, 55, 79, 3, -13, 0.05, -12, -60, false, 0.7},
             {Role::kLead, "lead", {"lead_soft", "flute", "whistle"},
              {"x-x-x---x-x-x---", "..x-x-x-x---....", "x---x-x-x-----..", "x-x-x-x-x---x---"}, 67, 84, 1, -5, 0.05, -14, -22,
              false, 0.5}};
  g.timing_ms = 4, g.velocity_spread = 0.09;
  g.reverb_seconds = 1.5, g.glue = 0.5f;
  return g;
}

Genre Rock() {
  Genre g;
  g.name = "rock";
  g.words = {"punk", "grunge", "alternative", "garage", "hard rock", "rock ballad"};
  g.tempo_low = 122, g.tempo_high = 140;
  g.minor_chance = 0.4;
  g.major = {"I IV V IV", "I bVII IV I", "I V IV IV", "I I IV V"};
  g.minor = {"i VII VI i", "i VI i VII", "i i VI VII", "i VI VII i"};
  g.cadence = "V";
  g.lead_scale = LeadScale::kPentatonic;
  g.kit = "kit_acoustic", g.drums_gain_db = 1, g.drums_reverb_db = -20;
  g.grooves = {{0.0, {{42, "x...x...x...x..."}, {36, "x.......x......."}}},
               {0.4, {{36, "X.......X.x....."}, {38, "....X.......X..."}, {42, "X.x.X.x.X.x.X.x."}}},
               {0.8, {{36, "X..x....X.x....."}, {38, "....X.......X..?"}, {51, "X.x.X.x.X.x.X.x."}, {46, "?.......?......."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_finger"}, {"R-R-R-R-R-R-R-R-", "R-R-R-R-R-R-F-L-", "R---R-R-R---R-R-"}, 28, 45, 1, 0, 0,
              -60, -60, false, 0.3},
             {Role::kChords, "guitar", {"guitar_distorted"},
              {"D---D-D-D---D-U-", "D-D-D-D-D-D-D-D-", "D---..D-D---..D-"}, 45, 64, 3, -5, -0.45, -26, -60, false, 0.35},
             {Role::kArp, "guitar 2", {"guitar_clean", "guitar_steel"}, {"D-D-D-UD-UD-D-U-", "0-1-2-1-3-1-2-1-"}, 52, 74, 4, -8,
              0.45, -22, -60, false, 0.0},
             {Role::kLead, "lead", {"guitar_distorted", "lead_saw"},
              {"x---x-x-x-----..", "x-x-x---x-x-x---", "X-----x-x-x-x---"}, 64, 84, 1, -8, 0.1, -16, -18, false, 0.75}};
  g.timing_ms = 5, g.velocity_spread = 0.09;
  g.reverb_seconds = 1.3, g.glue = 0.6f, g.warmth = 0.35f;
  return g;
}

Genre Metal() {
  Genre g;
  g.name = "metal";
  g.words = {"heavy metal", "thrash", "djent", "metalcore", "doom"};
  g.tempo_low = 146, g.tempo_high = 164;
  g.minor_chance = 1;
  g.minor = {"i i VI VII", "i i i iv", "i VI iv i", "i i VI i"};
  g.major = {"I I IV V"};
  g.cadence = "V";
  g.kit = "kit_metal", g.drums_gain_db = 2, g.drums_reverb_db = -24;
  g.grooves = {{0.0, {{36, "X.......x......."}, {51, "x...x...x...x..."}}},
               {0.4, {{36, "X.xxX.xxX.xxX.xx"}, {38, "....X.......X..."}, {42, "X...x...X...x..."}}},
               {0.8, {{36, "XxxxXxxxXxxxXxxx"}, {38, "....X.......X..."}, {49, "X...x...X...x..."}}},
               {0.95, {{36, "XxXxXxXxXxXxXxXx"}, {38, "....X.......X..?"}, {51, "X...X...X...X..."}, {49, "X..............."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_saw", "bass_finger"}, {"R.RRR.RRR.RRR.RR", "RRRRRRRRRRRRRRRR", "R.RRR.RRR.RRO.RR"}, 28, 43,
              1, -1, 0, -60, -60, false, 0.3},
             {Role::kChords, "guitar", {"guitar_distorted"}, {"X.xxX.xxX.xxX.xx", "XxxxXxxxXxxxXxxx", "X-..x.xxX-..x.xx"}, 40, 57,
              2, -5, -0.6, -30, -60, false, 0.0},
             {Role::kArp, "guitar 2", {"guitar_distorted"}, {"X---x---X---x---", "X-------X-------"}, 55, 71, 3, -6, 0.6, -30, -60,
              false, 0.4},
             {Role::kLead, "lead", {"guitar_distorted"}, {"x-x-x-x-x---x-x-", "xxxxx-x-xxxxx---", "X-----x-x-----x-"}, 64, 86, 1,
              -7, 0.0, -16, -16, false, 0.6}};
  g.timing_ms = 3, g.velocity_spread = 0.06;
  g.reverb_seconds = 1.0, g.glue = 0.7f, g.warmth = 0.45f, g.tilt_db = 1;
  return g;
}

Genre Blues() {
  Genre g;
  g.name = "blues";
  g.words = {"shuffle", "rhythm and blues", "boogie"};
  g.tempo_low = 88, g.tempo_high = 108;
  g.swing = 0.655, g.swing_beats = 0.5;
  g.minor_chance = 0.1;
  g.major = {"I I I I7 IV7 IV7 I I V7 IV I V7", "I IV7 I I7 IV7 IV7 I I V7 IV I V7"};
  g.minor = {"i i i i iv7 iv7 i i VI V7 i V7"};
  g.cadence = "V7";
  g.lead_scale = LeadScale::kBlues;
  g.form = FormFamily::kHead;
  g.phrase_bars = 12;
  g.kit = "kit_acoustic", g.drums_gain_db = -2, g.drums_reverb_db = -22;
  g.grooves = {{0.0, {{36, "x.......x......."}, {38, "....x.......x..."}, {42, "x.x.x.x.x.x.x.x."}}},
               {0.65, {{36, "X.....o.x.....o."}, {38, "....X.......X..."}, {51, "X.x.X.x.X.x.X.x."}, {44, "....x.......x..."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_upright", "bass_finger"}, {"W---W---W---W---", "R---T---F---L---"}, 29, 48, 1, 0, 0, -60,
              -60, false, 0.0},
             {Role::kChords, "guitar", {"guitar_steel", "guitar_clean"}, {"D-U-D-U-D-U-D-U-", "..D-..D-..D-..D-"}, 48, 69, 4, -5,
              -0.3, -22, -60, false, 0.0},
             {Role::kArp, "organ", {"organ", "piano"}, {"....x-......x-..", "..x-....x---...."}, 55, 74, 3, -9, 0.3, -18, -60, false,
              0.55},
             {Role::kLead, "lead", {"guitar_clean", "sax"}, {"..x-x-x---......", "x-x-x---........", "....x-x-x-x-x---"}, 60, 81, 1,
              -3, 0.1, -16, -24, false, 0.4}};
  g.timing_ms = 7, g.layback_ms = 5, g.velocity_spread = 0.13;
  g.reverb_seconds = 1.2, g.glue = 0.4f, g.warmth = 0.4f;
  return g;
}

}  // namespace

const std::vector<Genre>& BandGenres() {
  static const std::vector<Genre> genres = {Pop(), Rock(), Metal(), Blues()};
  return genres;
}

}  // namespace grym
