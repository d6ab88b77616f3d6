// Music that lives from its beat.
#include "generation/genre.h"

namespace grym {
namespace {

Genre HipHop() {
  Genre g;
  g.name = "hip hop";
  g.words = {"hip-hop", "hiphop", "rap", "boom bap", "trap", "r&b", "rnb"};
  g.tempo_low = 86, g.tempo_high = 98;
  g.swing = 0.57, g.swing_beats = 0.25;
  g.minor_chance = 0.85;
  g.minor = {"i im7 iv7 V7", "i VI i V7", "im7 i VI VII", "i iv7 i iv7"};
  g.major = {"Imaj7 vi7 ii7 V7", "Imaj7 Imaj7 ii7 V7"};
  g.cadence = "V7";
  g.lead_scale = LeadScale::kPentatonic;
  g.kit = "kit_808", g.drums_gain_db = 2, g.drums_reverb_db = -28;
  g.grooves = {{0.0, {{42, "x.x.x.x.x.x.x.x."}}},
               {0.35, {{36, "X......x..X....."}, {38, "....X.......X..."}, {42, "x.x.x.x.x.x.x.x."}}},
               {0.65, {{36, "X..x...x..X....?"}, {38, "....X.......X..."}, {42, "x.x.x.xxx.x.x.xo"}, {46, "..............?."}}},
               {0.85, {{36, "X..x...x.xX....?"}, {38, "....X..?....X..o"}, {39, "....x.......x..."}, {42, "x.xxx.x.x.xxx.oo"},
                       {46, "......?.......x."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_sub"}, {"R------R..R---..", "R--r---R..R-..L-", "R-----....R--R--"}, 29, 45, 1, 1,
              0, -60, -60, false, 0.35},
             {Role::kChords, "chords", {"piano", "epiano", "vibes"},
              {"x---....x---....", "x-----x---......", "x---..x-..x-----"}, 55, 76, 4, -5, -0.1, -18, -60, false, 0.0, 2, 0.8},
             {Role::kPad, "pad", {"strings"}, {"~"}, 55, 79, 3, -13, 0.15, -14, -60, false, 0.75},
             {Role::kLead, "lead", {"pluck", "bell_fm", "flute"},
              {"x..x..x-....x...", "..x..x..x-......", "x-..x...x..x...."}, 67, 84, 1, -9, 0.25, -14, -18, false, 0.6}};
  g.timing_ms = 5, g.layback_ms = 9, g.velocity_spread = 0.1;
  g.reverb_seconds = 1.0, g.glue = 0.6f, g.warmth = 0.35f, g.tilt_db = -1;
  return g;
}

Genre LoFi() {
  Genre g;
  g.name = "lo-fi";
  g.words = {"lofi", "lo fi", "chillhop", "study beats", "chill beats", "chill", "lo-fi hip hop", "lo-fi hip-hop", "lofi hip hop", "lofi hip-hop",
             "lo fi hip hop"};
  g.tempo_low = 84, g.tempo_high = 92;
  g.swing = 0.6, g.swing_beats = 0.25;
  g.minor_chance = 0.35;
  g.major = {"Imaj9 vi7 ii9 V7", "IVmaj7 V7 Imaj7 vi7", "Imaj7 iii7 IVmaj7 V7", "Imaj7 IVmaj7 ii7 V7"};
  g.minor = {"i iv7 V7 im7", "i VImaj7 iv7 V7", "im9 i iv9 V7"};
  g.cadence = "V7";
  g.lead_scale = LeadScale::kPentatonic;
  g.kit = "kit_lofi", g.drums_gain_db = -2, g.drums_reverb_db = -24;
  g.grooves = {{0.0, {{42, "o...o...o...o..."}}},
               {0.35, {{36, "x.....?.x......."}, {37, "....x.......x..."}, {42, "x.o.x.o.x.o.x.o."}}},
               {0.65, {{36, "X.....x..x......"}, {38, "....x.......x..?"}, {42, "x.o.x.ox.?o.x.o."}}},
               {0.85, {{36, "X.....x..x....?."}, {38, "....x..?....x..o"}, {42, "x.oox.o.x.oox.o."}, {46, "..............?."},
                       {70, "o.o.o.o.o.o.o.o."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_upright", "bass_finger"}, {"R-----..R---F-..", "R---..r-....R-L-", "R-----R-..F---.."},
              31, 48, 1, -1, 0, -60, -60, false, 0.3, 2, 0.7},
             {Role::kChords, "chords", {"epiano", "guitar_nylon"},
              {"x-------..x-----", "x-----x-----x---", "..x---..x-------"}, 52, 74, 4, -3, -0.1, -16, -60, false, 0.0, 2, 0.55},
             {Role::kPad, "pad", {"pad_warm"}, {"~"}, 50, 70, 3, -16, 0, -12, -60, false, 0.6, 2, 0.6},
             {Role::kLead, "lead", {"vibes", "guitar_clean", "music_box"},
              {"x..x-...x-......", "....x..x-...x-..", "x-..x.x-........"}, 64, 81, 1, -9, 0.25, -14, -18, false, 0.5, 2, 0.7}};
  g.vinyl = true;
  g.timing_ms = 7, g.layback_ms = 14, g.velocity_spread = 0.12;
  g.reverb_seconds = 1.2, g.glue = 0.5f, g.warmth = 0.5f, g.tilt_db = -3, g.width = 0.9f;
  return g;
}

Genre Funk() {
  Genre g;
  g.name = "funk";
  g.words = {"funky", "soul", "groove", "afrobeat"};
  g.tempo_low = 102, g.tempo_high = 114;
  g.swing = 0.54, g.swing_beats = 0.25;
  g.minor_chance = 0.6;
  g.minor = {"im7 i im7 IV7", "i iv7 im7 V7", "im9 i iv9 i"};
  g.major = {"I9 I9 IV9 I9", "I I IV V", "I6 IV I6 V7"};
  g.cadence = "V7";
  g.lead_scale = LeadScale::kPentatonic;
  g.kit = "kit_acoustic", g.drums_gain_db = 0, g.drums_reverb_db = -28;
  g.grooves = {{0.0, {{42, "x.x.x.x.x.x.x.x."}, {37, "....x.......x..."}}},
               {0.4, {{36, "X..x......x..x.."}, {38, "....X..o.o..X..o"}, {42, "x.x.x.x.x.x.x.x."}}},
               {0.75, {{36, "X..x..x...x..x.."}, {38, "....X..o.o..X..o"}, {42, "xoxoxoxoxoxoxoxo"}, {46, "......?.......x."},
                       {54, "....x.......x..."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_finger"},
              {"R..R..O.R..FS.OL", "R.R..S.OR..R.FSL", "R-.OR..RS.O.R.FL"}, 31, 50, 1, 1, 0, -60, -60, false, 0.0},
             {Role::kChords, "chords", {"clav"}, {"x.xx.x.xx.x.xx.x", "..xx..x.x..x.xx.", "x..xx.x..x.xx..x"}, 55, 74, 3,
              -6, -0.3, -24, -60, false, 0.35},
             {Role::kArp, "guitar", {"guitar_clean"}, {"..x...x...x...x.", "....x..x....x..x"}, 60, 79, 3, -8, 0.35, -24, -60,
              false, 0.5},
             {Role::kLead, "lead", {"brass", "sax"}, {"X..x........X.x.", "........x-x-X-..", "X-..x.x.....X-.."}, 62, 80, 1,
              -6, 0.1, -18, -60, false, 0.65}};
  g.timing_ms = 4, g.velocity_spread = 0.12;
  g.reverb_seconds = 0.9, g.glue = 0.5f, g.warmth = 0.3f;
  return g;
}

Genre Reggae() {
  Genre g;
  g.name = "reggae";
  g.words = {"dub", "ska", "dancehall"};
  g.tempo_low = 86, g.tempo_high = 96;
  g.swing = 0.56, g.swing_beats = 0.25;
  g.minor_chance = 0.4;
  g.major = {"I IV I V", "I vi IV V", "I I IV I", "I ii IV I"};
  g.minor = {"i iv i v", "i VII i VII", "i i iv i"};
  g.cadence = "V";
  g.lead_scale = LeadScale::kPentatonic;
  g.kit = "kit_acoustic", g.drums_gain_db = -1, g.drums_reverb_db = -18;
  // One drop: kick and rim together on the third beat.
  g.grooves = {{0.0, {{37, "........x......."}, {42, "X.o.x.o.X.o.x.o."}}},
               {0.4, {{36, "?.......X......."}, {37, "........X......?"}, {42, "X.o?x.o.X.o?x.o."}}},
               {0.75, {{36, "x...x...X...x..."}, {37, "........X..?...."}, {42, "X.o?x.o.X.o?x.oo"}, {46, "..............?."},
                       {63, "...?..x....?..x."}}}};
  g.parts = {{Role::kBass, "bass", {"bass_finger", "bass_sub"},
              {"R-..R-T-F---....", "..R-R-..T-F-R-..", "R---..F-..T-R-.."}, 29, 46, 1, 2, 0, -60, -60, false, 0.0, 2, 0.7},
             {Role::kChords, "guitar", {"guitar_clean"}, {"....x.......x...", "....x.......x.x."}, 57, 76, 3, -4, -0.3, -18, -20,
              false, 0.0},
             {Role::kArp, "organ", {"organ"}, {"..o...o...o...o.", "..o...oo..o...oo"}, 55, 74, 3, -11, 0.3, -20, -60, false, 0.5},
             {Role::kLead, "lead", {"brass", "flute", "lead_soft"}, {"x---x-x-----....", "....x-x-x---....", "x-..x-..x-----.."},
              64, 81, 1, -7, 0.1, -14, -14, false, 0.6}};
  g.timing_ms = 5, g.layback_ms = 8, g.velocity_spread = 0.1;
  g.delay_beats = 0.75, g.reverb_seconds = 1.8, g.glue = 0.4f, g.warmth = 0.35f, g.tilt_db = -1;
  return g;
}

}  // namespace

const std::vector<Genre>& BeatGenres() {
  static const std::vector<Genre> genres = {HipHop(), LoFi(), Funk(), Reggae()};
  return genres;
}

}  // namespace grym
