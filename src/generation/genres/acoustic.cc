// Rooms, halls and clouds: jazz, classical, the waltz, ambient.
#include "generation/genre.h"

namespace grym {
namespace {

Genre Jazz() {
  Genre g;
  g.name = "jazz";
  g.words = {"swing", "bebop", "cool jazz", "bossa", "bossa nova", "big band"};
  g.tempo_low = 126, g.tempo_high = 152;
  g.swing = 0.64, g.swing_beats = 0.5;
  g.minor_chance = 0.3;
  g.major = {"Imaj7 vi7 ii7 V7", "Imaj7 ii7_V7 Imaj7 Imaj7 IVmaj7 IVmaj7 ii7 V7", "Imaj7 Imaj7 ii7 V7 Imaj7 vi7 ii7_V7 I6",
             "I6 vi7 ii7 V7"};
  g.minor = {"im7 iv7 V7 im7", "im6 im6 iio7 V7", "im7 VImaj7 iio7 V7"};
  g.cadence = "V7";
  g.form = FormFamily::kHead;
  g.phrase_bars = 8;
  g.kit = "kit_brush", g.drums_gain_db = -4, g.drums_reverb_db = -20;
  g.grooves = {{0.0, {{51, "x...x.o.x...x.o."}, {44, "....x.......x..."}}},
               {0.6, {{51, "X...x.x.X...x.x."}, {44, "....x.......x..."}, {36, "o...o...o...o..."}, {38, "......?...?....?"}}},
               {0.8, {{51, "X...x.x.X...x.x."}, {44, "....x.......x..."}, {36, "o...o...o..?o..."}, {38, "..?...o...?...o?"}}}};
  g.parts = {{Role::kBass, "bass", {"bass_upright"}, {"W---W---W---W---"}, 29, 50, 1, 1, 0, -28, -60, false, 0.0},
             {Role::kChords, "chords", {"piano"}, {"x-....x-........", "......x-....x-..", "..x-......x-....", "x---..x-....x-.."},
              53, 76, 4, -5, -0.2, -18, -60, false, 0.0},
             {Role::kLead, "lead", {"sax", "vibes", "brass", "guitar_clean"},
              {"x-x-x-x-x---....", "..x-x-x-x-x-x---", "x---x-x-..x-x-..", "x-x-..x-x-x-x-x-"}, 60, 82, 1, -2, 0.15, -16, -60, false,
              0.35}};
  g.timing_ms = 8, g.layback_ms = 5, g.velocity_spread = 0.14;
  g.reverb_seconds = 1.4, g.glue = 0.2f, g.warmth = 0.25f;
  return g;
}

Genre Classical() {
  Genre g;
  g.name = "classical";
  g.words = {"orchestral", "orchestra", "symphony", "chamber", "baroque", "cinematic", "film score", "sonata"};
  g.tempo_low = 100, g.tempo_high = 120;
  g.minor_chance = 0.35;
  g.major = {"I V7 I I IV I V7 I", "I IV V7 I ii V7 V7 I", "I I V7 I vi ii V7 I"};
  g.minor = {"i V7 i i iv i V7 i", "i iv V7 i VI iv V7 i", "i i V7 i iv i V i"};
  g.cadence = "V7";
  g.form = FormFamily::kFlow;
  g.phrase_bars = 8;
  g.parts = {{Role::kBass, "bass", {"strings"}, {"R-------F-------", "R---F---R---F---"}, 36, 52, 1, -6, 0.2, -14, -60, false, 0.3},
             {Role::kChords, "piano", {"piano", "harp"}, {"0-2-1-2-0-2-1-2-", "0-1-2-1-0-1-2-1-", "0-1-2-3-2-1-2-1-"}, 52, 74, 4, -2,
              -0.15, -16, -60, false, 0.0},
             {Role::kPad, "strings", {"strings"}, {"~"}, 55, 79, 4, -9, 0.1, -12, -60, false, 0.55},
             {Role::kLead, "lead", {"flute", "piano", "strings"},
              {"x---x-x-x---x---", "x-------x---x-x-", "x-x-x-x-x---x---", "x---x---x-------"}, 67, 88, 1, -1, -0.05, -14, -60, false,
              0.35}};
  g.timing_ms = 8, g.velocity_spread = 0.12;
  g.reverb_seconds = 2.4, g.glue = 0.1f, g.warmth = 0.05f, g.width = 1.1f;
  return g;
}

Genre Waltz() {
  Genre g = Classical();
  g.name = "waltz";
  g.words = {"viennese", "musette"};
  g.tempo_low = 132, g.tempo_high = 168;
  g.meter = 3;
  g.parts = {{Role::kBass, "bass", {"bass_upright", "strings"}, {"R---........", "R-----......"}, 33, 52, 1, 1, 0, -18, -60, false,
              0.0},
             {Role::kChords, "chords", {"piano", "guitar_nylon", "strings"}, {"....x-..x-..", "....x---x---"}, 52, 74, 3, -4, -0.2,
              -16, -60, false, 0.0},
             {Role::kPad, "strings", {"strings"}, {"~"}, 57, 81, 3, -13, 0.1, -10, -60, false, 0.7},
             {Role::kLead, "lead", {"flute", "whistle", "music_box"}, {"x-------x---", "x---x---x---", "x-------....", "x---x-x-x---"},
              69, 88, 1, 0, 0.1, -14, -60, false, 0.3}};
  g.timing_ms = 7;
  g.reverb_seconds = 1.9;
  return g;
}

Genre Ambient() {
  Genre g;
  g.name = "ambient";
  g.words = {"drone", "atmospheric", "meditation", "new age", "space", "soundscape", "sleep", "downtempo"};
  g.tempo_low = 80, g.tempo_high = 94;
  g.minor_chance = 0.45;
  g.major = {"Imaj7 Imaj7 IVmaj7 IVmaj7", "Iadd9 Iadd9 vi7 IVmaj7", "Iadd9 V Iadd9 IVmaj7"};
  g.minor = {"imadd9 imadd9 VImaj7 VImaj7", "im7 im7 iv7 iv7", "im im VI im"};
  g.cadence = "";
  g.form = FormFamily::kFlow;
  g.parts = {{Role::kPad, "pad", {"pad_warm", "pad_glass"}, {"~"}, 48, 72, 4, 0, -0.1, -6, -60, false, 0.0},
             {Role::kPad, "choir", {"choir", "strings"}, {"~"}, 60, 79, 3, -9, 0.15, -6, -60, false, 0.6},
             {Role::kBass, "bass", {"bass_sub"}, {"R---------------"}, 31, 43, 1, -5, 0, -60, -60, false, 0.35},
             {Role::kArp, "arp", {"harp", "pluck", "bell_fm"}, {"0...1...2...3...", "0...2...1...2...", "0...1...0...2..."}, 62,
              86, 4, -8, 0.25, -8, -12, false, 0.2},
             {Role::kLead, "lead", {"bell_fm", "lead_soft", "flute"}, {"x-------------..", "........x-------", "x-----x---------"},
              69, 86, 1, -8, -0.2, -6, -12, false, 0.6}};
  g.timing_ms = 9, g.velocity_spread = 0.1;
  g.delay_beats = 1.5, g.reverb_seconds = 4.5, g.glue = 0.1f, g.warmth = 0.15f, g.width = 1.2f;
  return g;
}

}  // namespace

const std::vector<Genre>& AcousticGenres() {
  static const std::vector<Genre> genres = {Jazz(), Classical(), Waltz(), Ambient()};
  return genres;
}

}  // namespace grym
