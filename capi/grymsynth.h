/* grymsynth in C: hear a recording, find and remember its patterns, make an enhanced take, judge it, run workflows.
 *
 * One header, however long: it is the whole ABI, which other languages read, and one file per version is kept and
 * compiled against later libraries.
 *
 * Conventions
 *  1. A function that can fail returns a grym_status; GRYM_STATUS_OK is 0. What went wrong, in words, is in
 *     grym_last_error() of the same thread. Getters that return their value directly answer 0, NULL, "" or NAN for a
 *     bad handle or index, and set the last error in the same way.
 *  2. Handles are opaque. What a function hands out through an `out` parameter belongs to the caller and is released
 *     by its own _destroy function, which takes NULL. *out is NULL after a failure. Never free() anything of ours.
 *  3. A NULL, destroyed, foreign or wrong handle is answered with GRYM_STATUS_INVALID_ARGUMENT, never with a crash: a
 *     handle is a number that is looked up, not an address. A result stays valid when the engine is destroyed.
 *  4. A borrowed pointer (const char*, const float*, ...) lives until the handle that it came from is destroyed.
 *  5. Text is UTF-8 and ends with NUL. Sizes and indices are size_t, booleans int32_t.
 *  6. Option structs start with struct_size, which their _init function sets; pass NULL for all defaults. They grow
 *     only at the end: an older, smaller struct leaves later fields at their defaults, a larger one is accepted
 *     while what this library does not know is zero.
 *  7. Where a call takes both `audio` and `path_utf8`, exactly one of them is set. A path is read in blocks.
 *  8. Every function may be called from any thread, several threads may share a handle, and destroying a handle while
 *     another thread works with it lets that call end first; pointers borrowed from it are gone all the same.
 *  9. A progress callback runs on the thread that works (a blocking call's own, or a job's). It may call any function
 *     but grym_job_wait, grym_job_take_* and grym_job_destroy on its own job, which answer FAILED_PRECONDITION.
 */
#ifndef GRYMSYNTH_H
#define GRYMSYNTH_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(GRYM_C_BUILDING)
#define GRYM_C_API __declspec(dllexport)
#else
#define GRYM_C_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define GRYM_C_API __attribute__((visibility("default")))
#else
#define GRYM_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GRYM_VERSION_MAJOR 0
#define GRYM_VERSION_MINOR 1
#define GRYM_VERSION_PATCH 0

/* ------------------------------------------------------------------------------------------------ errors, version */

/* The canonical codes. The code says what the caller can do, grym_last_error_code() what exactly happened. */
typedef int32_t grym_status;
enum {
  GRYM_STATUS_OK = 0,
  GRYM_STATUS_CANCELLED = 1,
  GRYM_STATUS_UNKNOWN = 2,
  GRYM_STATUS_INVALID_ARGUMENT = 3, /* fix the call */
  GRYM_STATUS_DEADLINE_EXCEEDED = 4,
  GRYM_STATUS_NOT_FOUND = 5,
  GRYM_STATUS_ALREADY_EXISTS = 6,
  GRYM_STATUS_PERMISSION_DENIED = 7,
  GRYM_STATUS_RESOURCE_EXHAUSTED = 8, /* memory, disk or a limit; the message has both numbers */
  GRYM_STATUS_FAILED_PRECONDITION = 9, /* wrong state */
  GRYM_STATUS_ABORTED = 10,
  GRYM_STATUS_OUT_OF_RANGE = 11,
  GRYM_STATUS_UNIMPLEMENTED = 12,
  GRYM_STATUS_INTERNAL = 13,    /* our bug */
  GRYM_STATUS_UNAVAILABLE = 14, /* retry later */
  GRYM_STATUS_DATA_LOSS = 15,   /* damaged file */
  GRYM_STATUS_UNAUTHENTICATED = 16
};

/* Words for this thread's last failed call: where, what was wanted, what came. Under 4,000 characters, without control
 * characters. "" when the last call succeeded; valid until this thread's next grym_ call. Never NULL. Since 0.1. */
GRYM_C_API const char* grym_last_error(void);
/* The stable code of that error ("file_not_found", "unsupported_field", ...); "ok" when there was none. Since 0.1. */
GRYM_C_API const char* grym_last_error_code(void);
/* All problems of a document that was refused: a JSON array of {"pointer", "code", "message", "hint"}; "[]" for an
 * error that is not about a document. Since 0.1. */
GRYM_C_API const char* grym_last_error_problems_json(void);
/* What this thread's last call did otherwise than asked, one line for each ("text: cut to 512 tokens, 3 were dropped");
 * "" when nothing; results have their warnings in their JSON. Valid until the next grym_ call. Never NULL.
 * Since 0.1. */
GRYM_C_API const char* grym_last_warnings(void);
/* Lower-case name of a status ("invalid_argument"); "unknown" for a number that is none. Since 0.1. */
GRYM_C_API const char* grym_status_name(grym_status status);
/* Version of the linked library, "0.1.0". Since 0.1. */
GRYM_C_API const char* grym_version(void);

/* -------------------------------------------------------------------------------------------------------- handles */

typedef struct grym_engine grym_engine;         /* everything that has state: memory, journal, models           */
typedef struct grym_audio grym_audio;           /* immutable planar float32 audio                               */
typedef struct grym_features grym_features;     /* what was heard                                               */
typedef struct grym_patterns grym_patterns;     /* what returns in the music                                    */
typedef struct grym_style grym_style;           /* genres, moods, textures                                      */
typedef struct grym_enhanced grym_enhanced;     /* cleaned audio and what each stage did                        */
typedef struct grym_processed grym_processed;   /* cleaned audio and all that was heard in it                   */
typedef struct grym_result grym_result;         /* generated audio, stems, MIDI, provenance                     */
typedef struct grym_comparison grym_comparison; /* how good a take is                                           */
typedef struct grym_memory grym_memory;         /* patterns kept in a file                                      */
typedef struct grym_matches grym_matches;       /* the answer to a query                                        */
typedef struct grym_models grym_models;         /* what was registered when it was asked for                    */
typedef struct grym_workflow grym_workflow;     /* a valid workflow document                                    */
typedef struct grym_run grym_run;               /* a workflow's execution                                       */
typedef struct grym_job grym_job;               /* a call that runs on a thread of its own                      */
typedef struct grym_generation grym_generation; /* audio that is being made, given block after block            */
typedef struct grym_codes grym_codes;           /* audio as the whole numbers of a neural codec                 */
typedef struct grym_analysis_stream grym_analysis_stream; /* hears while audio runs                             */
typedef struct grym_text grym_text;             /* text that a function made                                    */

/* The text, ended by NUL, and its length without it. Since 0.1. */
GRYM_C_API const char* grym_text_data(const grym_text* text);
GRYM_C_API size_t grym_text_size(const grym_text* text); /* Since 0.1. */
GRYM_C_API grym_status grym_text_destroy(grym_text* text); /* Since 0.1. */

/* fraction in [0, 1] never falls; eta_s is the estimated time left in seconds, -1 while unknown. Called at most about
 * ten times a second. Return 0 to go on, anything else to cancel the call, which then answers CANCELLED. */
typedef int32_t (*grym_progress_fn)(double fraction, double eta_s, const char* stage, void* user_data);

/* --------------------------------------------------------------------------------------------------------- engine */

typedef struct grym_engine_options {
  uint32_t struct_size;
  int32_t cores;              /* 0, the default: as many as the machine has                                         */
  const char* data_dir;       /* memory, journal and files live here; NULL: a temporary folder, gone with the engine */
  int64_t budget_bytes;       /* memory for models per device, default 6 GiB                                        */
  int64_t exact_search_limit; /* up to this many patterns the search is exact, default 100,000                      */
  const char* taxonomy_path;  /* pattern taxonomy (JSON); NULL: the built-in one                                    */
  int32_t full_check;         /* 1: check the store's integrity at open even after a clean end; default 0           */
  int32_t reserved;           /* 0 */
} grym_engine_options;
/* Writes the defaults. `size` is sizeof(grym_engine_options) as the caller compiled it. Since 0.1. */
GRYM_C_API grym_status grym_engine_options_init(grym_engine_options* options, uint32_t size);
/* Since 0.1. */
GRYM_C_API grym_status grym_engine_create(const grym_engine_options* options, grym_engine** out);
/* Asks all that runs to stop and waits for it (workflow runs can be resumed), closes the memory and lets go of the data
 * folder, whoever still keeps the engine; later calls that need these answer FAILED_PRECONDITION. So does this one from
 * a callback of a call of the engine's (code "closed_from_callback"): close again once that has ended. Since 0.1. */
GRYM_C_API grym_status grym_engine_close(grym_engine* engine);
/* Jobs and generations keep the engine open until they end; a memory of its own does not. Since 0.1. */
GRYM_C_API grym_status grym_engine_destroy(grym_engine* engine);

/* ---------------------------------------------------------------------------------------------------------- audio */

/* Reads a file whole: WAV, RF64, AIFF, FLAC, OGG (Vorbis, Opus) or MP3, told apart by content. Errors: NOT_FOUND,
 * DATA_LOSS for a damaged one, RESOURCE_EXHAUSTED beyond 1 GiB decoded, INVALID_ARGUMENT for what is no audio file.
 * Since 0.1. */
GRYM_C_API grym_status grym_audio_load(const char* path_utf8, grym_audio** out);
/* Copies `planar`: channel after channel, shape [channels, frames]; NULL makes silence. channels in [1, 32], rate_hz
 * in [1000, 768000]. Since 0.1. */
GRYM_C_API grym_status grym_audio_create(const float* planar, int32_t channels, int64_t frames, int32_t rate_hz,
                                         grym_audio** out);
enum { GRYM_CONTAINER_BY_NAME = 0, GRYM_CONTAINER_WAV = 1, GRYM_CONTAINER_FLAC = 2, GRYM_CONTAINER_OGG = 3 };
enum { GRYM_SAMPLE_FORMAT_PCM16 = 0, GRYM_SAMPLE_FORMAT_PCM24 = 1, GRYM_SAMPLE_FORMAT_FLOAT32 = 2 };
typedef struct grym_audio_save_options {
  uint32_t struct_size;
  int32_t container;     /* GRYM_CONTAINER_...; default by the path's extension  */
  int32_t sample_format; /* GRYM_SAMPLE_FORMAT_...; default 16 bit               */
  int32_t dither;        /* 1, the default: triangular, for 16 and 24 bit        */
  uint64_t dither_seed;  /* same seed, same bytes; default 0                     */
  double ogg_quality;    /* [0, 1], default 0.6                                  */
  const char* title;     /* metadata; NULL leaves a field out                    */
  const char* prompt;
  const char* seed;
  const char* model;
  const char* licence;
  const char* parameters; /* JSON */
  const char* software;   /* NULL: this library's name and version */
} grym_audio_save_options;
GRYM_C_API grym_status grym_audio_save_options_init(grym_audio_save_options* options, uint32_t size); /* Since 0.1. */
/* Writes the file whole or not at all. Since 0.1. */
GRYM_C_API grym_status grym_audio_save(const grym_audio* audio, const char* path_utf8,
                                       const grym_audio_save_options* options);
enum { GRYM_RESAMPLE_BEST = 0, GRYM_RESAMPLE_MEDIUM = 1, GRYM_RESAMPLE_FAST = 2, GRYM_RESAMPLE_LIBSAMPLERATE = 3 };
/* frames out = round(frames * rate_hz / rate). Since 0.1. */
GRYM_C_API grym_status grym_audio_resample(const grym_audio* audio, int32_t rate_hz, int32_t quality, grym_audio** out);
/* Mono to stereo copies, stereo to mono is the mean. Since 0.1. */
GRYM_C_API grym_status grym_audio_mix_channels(const grym_audio* audio, int32_t channels, grym_audio** out);
GRYM_C_API int32_t grym_audio_channels(const grym_audio* audio); /* Since 0.1. */
GRYM_C_API int32_t grym_audio_rate_hz(const grym_audio* audio);  /* Since 0.1. */
GRYM_C_API int64_t grym_audio_frames(const grym_audio* audio);   /* Per channel. Since 0.1. */
/* Borrowed: all samples, channel after channel, channels * frames of them. NULL for a bad handle. Since 0.1. */
GRYM_C_API const float* grym_audio_planar(const grym_audio* audio);
GRYM_C_API grym_status grym_audio_destroy(grym_audio* audio); /* Since 0.1. */

/* -------------------------------------------------------------------------------------------------------- hearing */

/* Blocks until everything is heard: level, loudness, spectrum, onsets, tempo, beats, key, pitch, chords, sections,
 * condition. Since 0.1. */
GRYM_C_API grym_status grym_engine_analyze(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                           grym_progress_fn progress, void* user_data, grym_features** out);
/* The same for some parts alone, in less time: names between spaces, of level loudness spectrum onsets rhythm pitch key
 * chords sections. What these rest on is heard too; the rest of the features is at its default: 0, empty, levels
 * -INFINITY. NULL is everything. Since 0.1. */
GRYM_C_API grym_status grym_engine_analyze_parts(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                                 const char* parts, grym_progress_fn progress, void* user_data,
                                                 grym_features** out);
/* One number by name; NOT_FOUND lists the names. Times in seconds, levels in dB, -INFINITY for silence:
 * duration_s rate_hz channels frames peak_dbfs rms_dbfs crest_db integrated_lufs range_lu max_momentary_lufs
 * max_short_term_lufs true_peak_dbtp mean_centroid_hz mean_bandwidth_hz mean_rolloff_hz mean_flatness noise_floor_dbfs
 * clipped_ratio dc_offset leading_silence_s trailing_silence_s hum_hz hum_db replaced_samples stereo_width
 * stereo_correlation tempo_bpm (0 when unsure) tempo_confidence meter (0 when unsure) meter_confidence key_confidence
 * tuning_hz. Since 0.1. */
GRYM_C_API grym_status grym_features_number(const grym_features* features, const char* name, double* value);
/* Borrowed "F major", "C# minor"; "" when unsure. Since 0.1. */
GRYM_C_API const char* grym_features_key(const grym_features* features);
/* Borrowed times by name: onsets_s beats_s downbeats_s pitch_times_s. Since 0.1. */
GRYM_C_API grym_status grym_features_times(const grym_features* features, const char* name, const double** values,
                                           size_t* count);
/* Borrowed vectors at a fixed rate by name: frame i, dimension d is values[i * dim + d], centred at
 * start_s + i / rate_hz. momentary short_term centroid_hz bandwidth_hz rolloff_hz flatness contrast_db mfcc chroma
 * onset_strength; pitch_f0_hz (0 where unvoiced) and pitch_confidence, whose rate is 0: their times are pitch_times_s.
 * Since 0.1. */
GRYM_C_API grym_status grym_features_series(const grym_features* features, const char* name, const float** values,
                                            size_t* frames, size_t* dim, double* rate_hz, double* start_s);
enum { GRYM_SPANS_CHORDS = 0, GRYM_SPANS_SECTIONS = 1 };
GRYM_C_API size_t grym_features_span_count(const grym_features* features, int32_t kind); /* Since 0.1. */
/* A chord ("Am", "N" for none) or section ("A", "B", ...). Any out parameter may be NULL. Since 0.1. */
GRYM_C_API grym_status grym_features_span(const grym_features* features, int32_t kind, size_t index, double* start_s,
                                          double* end_s, const char** label, double* confidence);
/* Schema "grymsynth.features/1"; the series only if with_series is not 0. Since 0.1. */
GRYM_C_API grym_status grym_features_to_json(const grym_features* features, int32_t with_series, grym_text** out);
GRYM_C_API grym_status grym_features_destroy(grym_features* features); /* Since 0.1. */

/* ---------------------------------------------------------------------------------- hearing while the audio runs */

typedef struct grym_analysis_stream_options {
  uint32_t struct_size;
  int32_t rate_hz;     /* [1000, 768000], default 44100                                                          */
  int32_t channels;    /* [1, 32], default 1                                                                     */
  int32_t most_events; /* told and not yet taken, [16, 1048576], default 1024; what finds no room is dropped     */
  double longest_s;    /* what the report can cover, [0, 86400], default 600; 20 KB a second; 0: live values only */
} grym_analysis_stream_options;
GRYM_C_API grym_status grym_analysis_stream_options_init(grym_analysis_stream_options* options,
                                                         uint32_t size); /* Since 0.1. */
/* Nothing depends on how the audio is cut into blocks. Neither push nor live nor events allocates, locks or waits: they
 * may be called from an audio callback, apart from a thread's very first call of this library, which makes room for its
 * last error, and from a push beyond the 256th stream that is alive. Push from one thread, live and events from one
 * other at the same time: a third is answered FAILED_PRECONDITION ("busy"). Since 0.1. */
GRYM_C_API grym_status grym_analysis_stream_create(const grym_analysis_stream_options* options,
                                                   grym_analysis_stream** out);
/* One pointer per channel, to `frames` samples; 0 and many are fine. What is no number, or beyond +-1e9, is heard as 0
 * and counted. Since 0.1. */
GRYM_C_API grym_status grym_analysis_stream_push(grym_analysis_stream* stream, const float* const* channels,
                                                 int64_t frames);
/* The same with frame after frame. Since 0.1. */
GRYM_C_API grym_status grym_analysis_stream_push_interleaved(grym_analysis_stream* stream, const float* samples,
                                                             int64_t frames);
/* What is known now; times in seconds from the first frame, levels -INFINITY before the first window is full. */
typedef struct grym_analysis_live {
  uint32_t struct_size;       /* set by the caller: sizeof(grym_analysis_live); no more is written                 */
  int32_t reserved;           /* 0                                                                                 */
  double time_s;              /* of audio pushed                                                                   */
  double momentary_lufs;      /* last 400 ms                                                                       */
  double short_term_lufs;     /* last 3 s                                                                          */
  double integrated_lufs;     /* so far                                                                            */
  double true_peak_dbtp;      /* so far                                                                            */
  double pitch_time_s;        /* what the next two speak of                                                        */
  double f0_hz;               /* 0 where unvoiced                                                                  */
  double voicing;             /* [0, 1]                                                                            */
  double tempo_bpm;           /* 0 while unsure                                                                    */
  double tempo_confidence;    /* [0, 1]                                                                            */
  double chroma_time_s;       /* what the chroma speaks of                                                         */
  float chroma[12];           /* C first, the largest is 1; zeros where nothing is pitched                         */
  int64_t replaced_samples;
  int64_t dropped_events;
} grym_analysis_live;
GRYM_C_API grym_status grym_analysis_stream_live(grym_analysis_stream* stream,
                                                 grym_analysis_live* live); /* Since 0.1. */
enum { GRYM_EVENT_ONSET = 0, GRYM_EVENT_BEAT = 1 };
/* The oldest events that wait, `most` at most: of each its kind, where it lies, and how much audio after it was needed
 * to tell it. Any array may be NULL; *count says how many were taken. Since 0.1. */
GRYM_C_API grym_status grym_analysis_stream_events(grym_analysis_stream* stream, size_t most, int32_t* kinds,
                                                   double* times_s, double* late_s, size_t* count);
/* At most: of onsets and beats their late_s, of pitch and chroma time_s - pitch_time_s and time_s - chroma_time_s. Any
 * out parameter may be NULL. Since 0.1. */
GRYM_C_API grym_status grym_analysis_stream_latencies(grym_analysis_stream* stream, double* onset_s, double* beat_s,
                                                      double* pitch_s, double* chroma_s);
/* Hears the end, tells the last events, and reports; once. *gaps_json (or NULL) receives where the report is not what
 * grym_engine_analyze says of the same audio, [{"field", "reason"}, ...]: "[]" when all is equal, to the last bit.
 * Blocks. Since 0.1. */
GRYM_C_API grym_status grym_analysis_stream_finish(grym_analysis_stream* stream, grym_progress_fn progress,
                                                   void* user_data, grym_features** out, grym_text** gaps_json);
GRYM_C_API grym_status grym_analysis_stream_destroy(grym_analysis_stream* stream); /* Since 0.1. */

/* Genres, moods and textures with scores, and what decided. Since 0.1. */
GRYM_C_API grym_status grym_engine_classify_style(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                                  grym_progress_fn progress, void* user_data, grym_style** out);
enum { GRYM_STYLE_GENRES = 0, GRYM_STYLE_MOODS = 1, GRYM_STYLE_TEXTURES = 2 };
GRYM_C_API size_t grym_style_count(const grym_style* style, int32_t kind); /* Since 0.1. */
/* Best first. *label is borrowed, score in [0, 1]. Since 0.1. */
GRYM_C_API grym_status grym_style_label(const grym_style* style, int32_t kind, size_t index, const char** label,
                                        double* score);
GRYM_C_API grym_status grym_style_to_json(const grym_style* style, grym_text** out); /* Since 0.1. */
GRYM_C_API grym_status grym_style_destroy(grym_style* style);                        /* Since 0.1. */

typedef struct grym_enhance_options {
  uint32_t struct_size;
  int32_t denoise, declip, dehum, balance, dynamics, stereo; /* which repairs run; default 1 each                  */
  int32_t reserved;                                          /* 0                                                  */
  double level;              /* [0, 1], default 0.5; 0 is the identity, bit for bit                                */
  double tilt_db_per_octave; /* target slope of the long-term spectrum above 100 Hz, default -4.5                  */
  double target_lufs;        /* NAN, the default, keeps the loudness                                               */
  double true_peak_dbtp;     /* ceiling of the limiter, [-20, 0], default -1                                       */
  const double* match_band_energy_db; /* 10 octave bands of a reference, or NULL                                   */
} grym_enhance_options;
GRYM_C_API grym_status grym_enhance_options_init(grym_enhance_options* options, uint32_t size); /* Since 0.1. */
/* Denoise, de-clip, de-hum, balance, dynamics, stereo, loudness, limiter. Since 0.1. */
GRYM_C_API grym_status grym_engine_enhance(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                           const grym_enhance_options* options, grym_progress_fn progress,
                                           void* user_data, grym_enhanced** out);
GRYM_C_API grym_status grym_enhanced_audio(const grym_enhanced* enhanced, grym_audio** out); /* Since 0.1. */
GRYM_C_API size_t grym_enhanced_stage_count(const grym_enhanced* enhanced);                  /* Since 0.1. */
/* What a stage did. Any out parameter may be NULL; name and text are borrowed. Since 0.1. */
GRYM_C_API grym_status grym_enhanced_stage(const grym_enhanced* enhanced, size_t index, const char** name,
                                           int32_t* applied, double* change_db, const char** text);
GRYM_C_API grym_status grym_enhanced_destroy(grym_enhanced* enhanced); /* Since 0.1. */

typedef struct grym_process_options {
  uint32_t struct_size;
  int32_t rate_hz;                     /* resample to this; 0, the default, keeps the input's */
  const grym_enhance_options* enhance; /* NULL: its defaults                                  */
} grym_process_options;
GRYM_C_API grym_status grym_process_options_init(grym_process_options* options, uint32_t size); /* Since 0.1. */
/* The whole: resample, clean, then features, patterns and style of what came out. Since 0.1. */
GRYM_C_API grym_status grym_engine_process(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                           const grym_process_options* options, grym_progress_fn progress,
                                           void* user_data, grym_processed** out);
/* The parts; each is a handle of its own, and nothing is copied. Since 0.1. */
GRYM_C_API grym_status grym_processed_enhanced(const grym_processed* processed, grym_enhanced** out);
GRYM_C_API grym_status grym_processed_features(const grym_processed* processed, grym_features** out); /* Since 0.1. */
GRYM_C_API grym_status grym_processed_patterns(const grym_processed* processed, grym_patterns** out); /* Since 0.1. */
GRYM_C_API grym_status grym_processed_style(const grym_processed* processed, grym_style** out);       /* Since 0.1. */
GRYM_C_API grym_status grym_processed_destroy(grym_processed* processed); /* Since 0.1. */

/* ------------------------------------------------------------------------------------------- patterns and memory */

enum {
  GRYM_PATTERN_KIND_ANY = -1, /* in queries only */
  GRYM_PATTERN_KIND_RHYTHMIC = 0,
  GRYM_PATTERN_KIND_HARMONIC = 1,
  GRYM_PATTERN_KIND_MELODIC = 2,
  GRYM_PATTERN_KIND_TIMBRAL = 3,
  GRYM_PATTERN_KIND_STRUCTURAL = 4
};
#define GRYM_PATTERN_DIMS 128 /* of an embedding, unit length */

/* Strongest first. Since 0.1. */
GRYM_C_API grym_status grym_engine_detect_patterns(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                                   grym_progress_fn progress, void* user_data, grym_patterns** out);
/* From what was heard already. Since 0.1. */
GRYM_C_API grym_status grym_engine_patterns_of_features(grym_engine* engine, const grym_features* features,
                                                        grym_patterns** out);
/* Schema "grymsynth.patterns/1". Since 0.1. */
GRYM_C_API grym_status grym_patterns_from_json(const char* json_utf8, grym_patterns** out);
GRYM_C_API grym_status grym_patterns_to_json(const grym_patterns* patterns, grym_text** out); /* Since 0.1. */
GRYM_C_API size_t grym_patterns_count(const grym_patterns* patterns);                         /* Since 0.1. */
/* Any out parameter may be NULL; description is borrowed, strength in [0, 1], id 0 before it is stored. Since 0.1. */
GRYM_C_API grym_status grym_patterns_get(const grym_patterns* patterns, size_t index, int64_t* id, int32_t* kind,
                                         double* strength, const char** description);
/* Borrowed, GRYM_PATTERN_DIMS values; NULL for a bad handle or index. Since 0.1. */
GRYM_C_API const float* grym_patterns_embedding(const grym_patterns* patterns, size_t index);
GRYM_C_API size_t grym_patterns_span_count(const grym_patterns* patterns, size_t index); /* Since 0.1. */
/* One occurrence. Since 0.1. */
GRYM_C_API grym_status grym_patterns_span(const grym_patterns* patterns, size_t index, size_t span, double* start_s,
                                          double* end_s);
GRYM_C_API grym_status grym_patterns_destroy(grym_patterns* patterns); /* Since 0.1. */

/* The recogniser. It learns by grym_memory_store on the engine's memory (grym_engine_memory) and answers from it.
 * Place of a pattern in the taxonomy: {"classes": [{"path": "harmonic/loop/four-chord", "score", "reason"}],
 * "taxonomy_version"}, best first, never empty. Since 0.1. */
GRYM_C_API grym_status grym_engine_classify_pattern(grym_engine* engine, const grym_patterns* patterns, size_t index,
                                                    grym_text** out);
/* The built-in taxonomy as JSON text, what to start an edited one (grym_engine_options.taxonomy_path) from.
 * Since 0.1. */
GRYM_C_API grym_status grym_default_taxonomy_json(grym_text** out);
/* Known patterns that belong with this one, best first, at most 20; why stands in grym_matches_relation. Since 0.1. */
GRYM_C_API grym_status grym_engine_related_patterns(grym_engine* engine, const grym_patterns* patterns, size_t index,
                                                    grym_matches** out);
/* Known patterns of the same kind with a cosine similarity of at least `threshold` in [-1, 1], best first; limit in
 * [1, 1000]. Since 0.1. */
GRYM_C_API grym_status grym_engine_similar_patterns(grym_engine* engine, const grym_patterns* patterns, size_t index,
                                                    double threshold, int32_t limit, grym_matches** out);

/* One SQLite file, made if absent. FAILED_PRECONDITION, file untouched, for a newer schema; DATA_LOSS for a damaged or
 * foreign one. full_check not 0 checks its integrity first. Since 0.1. */
GRYM_C_API grym_status grym_memory_open(const char* path_utf8, int32_t full_check, grym_memory** out);
/* The engine's own memory. Since 0.1. */
GRYM_C_API grym_status grym_engine_memory(grym_engine* engine, grym_memory** out);
/* All or none; on disk when it returns. `ids`, unless NULL, takes the new ids: grym_patterns_count of them.
 * Since 0.1. */
GRYM_C_API grym_status grym_memory_store(grym_memory* memory, const grym_patterns* patterns, int64_t* ids,
                                         size_t ids_capacity);
/* One stored pattern, as a list of one. Since 0.1. */
GRYM_C_API grym_status grym_memory_get(grym_memory* memory, int64_t id, grym_patterns** out);
GRYM_C_API grym_status grym_memory_remove(grym_memory* memory, int64_t id); /* Since 0.1. */
/* The most similar first; `embedding` has GRYM_PATTERN_DIMS values, limit in [1, 1000], similarity in [-1, 1].
 * Since 0.1. */
GRYM_C_API grym_status grym_memory_query(grym_memory* memory, const float* embedding, int32_t limit, int32_t kind,
                                         double min_similarity, grym_matches** out);
/* Lets an open model that embeds hear stored patterns, each where it first occurs in the recording, so that
 * grym_engine_search_memory finds them. Of audio and path_utf8 exactly one is set. Since 0.1. */
GRYM_C_API grym_status grym_engine_hear_patterns(grym_engine* engine, const grym_patterns* patterns,
                                                 const grym_audio* audio, const char* path_utf8, const char* model,
                                                 grym_progress_fn progress, void* user_data);
/* The patterns that sound most like some words, by a model that hears and reads (CLAP). limit in [1, 1000].
 * Since 0.1. */
GRYM_C_API grym_status grym_engine_search_memory(grym_engine* engine, const char* words_utf8, const char* model,
                                                 int32_t limit, grym_progress_fn progress, void* user_data,
                                                 grym_matches** out);
/* Reads the index, which the first query does otherwise: seconds for a million patterns. What was read by the time of a
 * cancel is kept. Since 0.1. */
GRYM_C_API grym_status grym_memory_load_index(grym_memory* memory, grym_progress_fn progress, void* user_data);
/* A take that used the pattern scored `score` in [0, 1]; `note` may be NULL. Since 0.1. */
GRYM_C_API grym_status grym_memory_record_outcome(grym_memory* memory, int64_t id, double score, const char* note);
/* {"patterns", "outcomes", "file_bytes", "schema_version", "index_loaded", "index_approximate"}. Since 0.1. */
GRYM_C_API grym_status grym_memory_stats_json(grym_memory* memory, grym_text** out);
/* The full integrity check; DATA_LOSS says what is wrong. Since 0.1. */
GRYM_C_API grym_status grym_memory_check(grym_memory* memory);
/* Flushes and closes; later calls answer FAILED_PRECONDITION. An engine's own memory closes with the engine, so this
 * answers FAILED_PRECONDITION for it, and every other call does once the engine is closed or gone. Since 0.1. */
GRYM_C_API grym_status grym_memory_close(grym_memory* memory);
GRYM_C_API grym_status grym_memory_destroy(grym_memory* memory); /* Since 0.1. */
GRYM_C_API size_t grym_matches_count(const grym_matches* matches); /* Since 0.1. */
/* Any out parameter may be NULL; description is borrowed, mean_score that of the recorded outcomes. Since 0.1. */
GRYM_C_API grym_status grym_matches_get(const grym_matches* matches, size_t index, int64_t* id, int32_t* kind,
                                        double* similarity, double* mean_score, const char** description);
/* Borrowed: why a related pattern belongs ("same kind", "same harmony", "goes with", "worked well"); "" for the matches
 * of a query, a bad handle or index. Since 0.1. */
GRYM_C_API const char* grym_matches_relation(const grym_matches* matches, size_t index);
/* The patterns of all matches, in their order. Since 0.1. */
GRYM_C_API grym_status grym_matches_patterns(const grym_matches* matches, grym_patterns** out);
GRYM_C_API grym_status grym_matches_destroy(grym_matches* matches); /* Since 0.1. */

/* ----------------------------------------------------------------------------------------------- making, judging */

enum { GRYM_QUALITY_DRAFT = 0, GRYM_QUALITY_STANDARD = 1, GRYM_QUALITY_BEST = 2 };
/* What C programs ask for most. Every other field of a request goes by JSON, see grym_engine_generate_json. */
typedef struct grym_generate_options {
  uint32_t struct_size;
  int32_t want_stems;          /* default 0                                                                      */
  const char* prompt;          /* at most 1 MiB; what a model reads less of it cuts, with a warning              */
  const char* negative_prompt; /* NULL for none                                                                  */
  double duration_s;           /* (0, 600], default 8                                                            */
  int64_t seed;                /* -1, the default: the engine picks one; the result says which                   */
  const char* model;           /* id as listed by grym_models; NULL: the engine chooses                          */
  double tempo_bpm;            /* [30, 300]; NAN, the default: the model's choice                                */
  const char* key;             /* "F major"; NULL: the model's choice                                            */
  const char* structure;       /* "ABAB", "intro verse chorus"; NULL: the model's choice                         */
  const char* mood;            /* NULL for none                                                                  */
  const grym_audio* reference; /* a recording to start from, or NULL                                             */
  const char* reference_path;  /* the same as a file, or NULL                                                    */
  double reference_strength;   /* [0, 1], default 0.5                                                            */
  double enhancement_level;    /* [0, 1], default 0.5; for a reference recording                                 */
  double target_lufs;          /* NAN, the default: the model's choice                                           */
  const grym_patterns* patterns; /* what to build from, or NULL                                                  */
  int32_t meter;               /* 3 or 4 beats a bar; 0, the default: the model's choice                         */
  int32_t quality;             /* GRYM_QUALITY_..., default standard                                             */
  int32_t preserve_original;   /* 1, the default: keep the reference's tempo, key and spectral balance           */
  int32_t allow_unsupported;   /* 1: a field that the model cannot honour is a warning, not an error; default 0  */
} grym_generate_options;
GRYM_C_API grym_status grym_generate_options_init(grym_generate_options* options, uint32_t size); /* Since 0.1. */
/* Blocks. Routes, runs, and gates the take (one retry on another seed). Since 0.1. */
GRYM_C_API grym_status grym_engine_generate(grym_engine* engine, const grym_generate_options* options,
                                            grym_progress_fn progress, void* user_data, grym_result** out);
/* The whole request as JSON, schema "grymsynth.request/1"; `reference` may be NULL. Since 0.1. */
GRYM_C_API grym_status grym_engine_generate_json(grym_engine* engine, const char* request_json,
                                                 const grym_audio* reference, grym_progress_fn progress,
                                                 void* user_data, grym_result** out);
GRYM_C_API grym_status grym_result_audio(const grym_result* result, grym_audio** out); /* Since 0.1. */
GRYM_C_API size_t grym_result_stem_count(const grym_result* result);                   /* Since 0.1. */
/* Borrowed ("drums", "bass", ...); "" for a bad handle or index. Since 0.1. */
GRYM_C_API const char* grym_result_stem_name(const grym_result* result, size_t index);
/* Since 0.1. */
GRYM_C_API grym_status grym_result_stem_audio(const grym_result* result, size_t index, grym_audio** out);
/* Of several takes ("takes" of a request in JSON) those beside the result, which is the best of them. Since 0.1. */
GRYM_C_API size_t grym_result_other_take_count(const grym_result* result);
/* The best first: its seed, its score in [-1, 1] (how near sound and prompt are), its sound. Each out but `audio` may
 * be NULL. Since 0.1. */
GRYM_C_API grym_status grym_result_other_take(const grym_result* result, size_t index, int64_t* seed, double* score,
                                              grym_audio** audio);
GRYM_C_API int32_t grym_result_has_midi(const grym_result* result); /* Since 0.1. */
/* FAILED_PRECONDITION when the result has none. Since 0.1. */
GRYM_C_API grym_status grym_result_save_midi(const grym_result* result, const char* path_utf8);
GRYM_C_API int64_t grym_result_seed(const grym_result* result); /* The one used. Since 0.1. */
/* Provenance (enough to render it again), warnings, attempts, timings, facts: "grymsynth.result/1". Since 0.1. */
GRYM_C_API grym_status grym_result_to_json(const grym_result* result, grym_text** out);
GRYM_C_API grym_status grym_result_destroy(grym_result* result); /* Since 0.1. */

/* As grym_engine_generate_json, block after block, with neither gate nor second try. The work is done inside
 * grym_generation_next, so to pause is not to call it; one thread at a time, another is answered FAILED_PRECONDITION
 * (code "busy"). Since 0.1. */
GRYM_C_API grym_status grym_engine_open_generation(grym_engine* engine, const char* request_json,
                                                   const grym_audio* reference, grym_generation** out);
/* Goes on with what grym_generation_save wrote, in this process or another; the engine has opened the same checkpoint
 * by the id `model`. Since 0.1. */
GRYM_C_API grym_status grym_engine_resume_generation(grym_engine* engine, const char* model, const char* path_utf8,
                                                     grym_generation** out);
/* The next block, of any length; *out is NULL and the status OK once there is no more. CANCELLED loses nothing: the
 * next call goes on. Since 0.1. */
GRYM_C_API grym_status grym_generation_next(grym_generation* generation, grym_progress_fn progress, void* user_data,
                                            grym_audio** out);
GRYM_C_API grym_status grym_generation_save(grym_generation* generation, const char* path_utf8); /* Since 0.1. */
/* After the last block: seed, warnings, timings, facts; its audio is empty. Since 0.1. */
GRYM_C_API grym_status grym_generation_finish(grym_generation* generation, grym_result** out);
GRYM_C_API grym_status grym_generation_destroy(grym_generation* generation); /* Since 0.1. */

/* How good `result` is as a take of `original`. Of each pair exactly one is set. Since 0.1. */
GRYM_C_API grym_status grym_compare(const grym_audio* original, const char* original_path, const grym_audio* result,
                                    const char* result_path, grym_progress_fn progress, void* user_data,
                                    grym_comparison** out);
GRYM_C_API double grym_comparison_quality_score(const grym_comparison* comparison); /* [0, 1]. Since 0.1. */
GRYM_C_API size_t grym_comparison_area_count(const grym_comparison* comparison);    /* Since 0.1. */
/* What could be better, worst first: area is of the fixed vocabulary, severity in [0, 1]. Since 0.1. */
GRYM_C_API grym_status grym_comparison_area(const grym_comparison* comparison, size_t index, const char** area,
                                            double* severity, const char** text);
/* Schema "grymsynth.comparison/1". Since 0.1. */
GRYM_C_API grym_status grym_comparison_to_json(const grym_comparison* comparison, grym_text** out);
GRYM_C_API grym_status grym_comparison_destroy(grym_comparison* comparison); /* Since 0.1. */

/* --------------------------------------------------------------------------------------------------------- models */

GRYM_C_API grym_status grym_engine_models(grym_engine* engine, grym_models** out); /* Since 0.1. */
GRYM_C_API size_t grym_models_count(const grym_models* models);                    /* Since 0.1. */
/* Borrowed; "" for a bad handle or index. Since 0.1. */
GRYM_C_API const char* grym_models_id(const grym_models* models, size_t index);
/* id, version, name, description, licence, capabilities, parameters (name, type, unit, range, default), request
 * fields, rate, channels, device, costs. Since 0.1. */
GRYM_C_API grym_status grym_models_info_json(const grym_models* models, size_t index, grym_text** out);
GRYM_C_API grym_status grym_models_destroy(grym_models* models); /* Since 0.1. */
/* Task: {"capability": "generate", "model": "", "request": {...}}, the last two optional. The answer: {"reason",
 * "links": [{"model", "capability", "weights_bytes", "peak_bytes", "cores", "seconds", "rate_hz", "channels"}],
 * "rejected": [...]}. Since 0.1. */
GRYM_C_API grym_status grym_engine_route(grym_engine* engine, const char* task_json, grym_text** out);

typedef struct grym_open_model_options {
  uint32_t struct_size;
  int32_t may_lower_precision;         /* 1: a request over the budget may be made to fit by fewer bits; default 0   */
  const char* id;                      /* NULL: from the family and the folder's name                                */
  const char* device;                  /* "auto" (default, also NULL), "cpu", "cuda", "cuda:N"                       */
  const char* dtype;                   /* of the weights: "float32", "bfloat16x3" (on CPUs with AVX-512 BF16 or AMX),
                                          "bfloat16", "float16", "int8", "int4"; NULL, the default: what a packed copy
                                          holds, else "float32"                                                      */
  const char* component_dtypes_json;   /* {"unet": "int8"}; NULL for none                                            */
  int64_t budget_bytes;                /* of tensors at once; 0, the default: the engine's, shared by its models     */
  double most_wait_s;                  /* how long a call waits, in turn, for memory that other calls hold before it is
                                          refused (code "over_budget"), default 60; 0: not at all                    */
} grym_open_model_options;
GRYM_C_API grym_status grym_open_model_options_init(grym_open_model_options* options, uint32_t size); /* Since 0.1. */
/* Opens a checkpoint folder as published (Hugging Face layout) and registers the model; *id is what requests go by.
 * FAILED_PRECONDITION (code "no_opener") unless grym_torch_register (grymsynth_torch.h) was called for the engine.
 * Weights are read by the first call that needs them. Since 0.1. */
GRYM_C_API grym_status grym_engine_open_model(grym_engine* engine, const char* folder_utf8,
                                              const grym_open_model_options* options, grym_text** id);
/* Lets a model go; what runs with it ends as it would. Since 0.1. */
GRYM_C_API grym_status grym_engine_close_model(grym_engine* engine, const char* id);
/* Writes an open model as a checkpoint folder of its own, whose weights lie as they are kept: opened, it converts
 * nothing and answers the same bits. The folder is not there yet or empty; afterwards it is there whole or not at all.
 * UNIMPLEMENTED (code "no_copy") for a family that has none; ALREADY_EXISTS ("folder_exists"); FAILED_PRECONDITION
 * ("nothing_to_pack") for float32 and for a copy. Since 0.1. */
GRYM_C_API grym_status grym_engine_save_model_copy(grym_engine* engine, const char* model, const char* folder_utf8,
                                                   grym_progress_fn progress, void* user_data);
/* What a request would take: which parts live where, in which numbers, and the bytes of it all (schema
 * "grymsynth.plan/1"). Nothing is loaded or run. options->model names the model. RESOURCE_EXHAUSTED with both numbers
 * when no plan keeps to the budget. Since 0.1. */
GRYM_C_API grym_status grym_engine_plan_json(grym_engine* engine, const grym_generate_options* options,
                                             grym_text** out);
/* A unit vector of `*dims` numbers for a recording or, in the same space, for a text; exactly one of audio, path_utf8
 * and text_utf8 is set. `values` holds up to `capacity` of them (0 and NULL ask for *dims alone, and run nothing). A
 * text that is too long for the model is cut, which grym_last_warnings tells. Since 0.1. */
GRYM_C_API grym_status grym_engine_embed(grym_engine* engine, const char* model, const grym_audio* audio,
                                         const char* path_utf8, const char* text_utf8, float* values, size_t capacity,
                                         size_t* dims);
/* The same, which can be watched and cancelled. Since 0.1. */
GRYM_C_API grym_status grym_engine_embed_with_progress(grym_engine* engine, const char* model, const grym_audio* audio,
                                                       const char* path_utf8, const char* text_utf8,
                                                       grym_progress_fn progress, void* user_data, float* values,
                                                       size_t capacity, size_t* dims);
/* Audio to codes and back, by a model with the capability "code". Of audio and path_utf8 exactly one is set; any rate
 * and channel count. What is decoded has the codec's own. Since 0.1. */
GRYM_C_API grym_status grym_engine_encode(grym_engine* engine, const char* model, const grym_audio* audio,
                                          const char* path_utf8, grym_progress_fn progress, void* user_data,
                                          grym_codes** out);
/* Since 0.1. */
GRYM_C_API grym_status grym_engine_decode(grym_engine* engine, const char* model, const grym_codes* codes,
                                          grym_progress_fn progress, void* user_data, grym_audio** out);
/* Copies `values`, [books, frames] row-major, the coarsest book first. Since 0.1. */
GRYM_C_API grym_status grym_codes_create(const int32_t* values, int64_t books, int64_t frames, grym_codes** out);
GRYM_C_API int64_t grym_codes_books(const grym_codes* codes);          /* Since 0.1. */
GRYM_C_API int64_t grym_codes_frames(const grym_codes* codes);         /* Since 0.1. */
GRYM_C_API double grym_codes_frame_rate_hz(const grym_codes* codes);   /* 0 where nobody told it. Since 0.1. */
GRYM_C_API const int32_t* grym_codes_values(const grym_codes* codes);  /* Borrowed, as given to create. Since 0.1. */
GRYM_C_API grym_status grym_codes_destroy(grym_codes* codes);          /* Since 0.1. */
/* What is said in a recording, as a model that was trained to write it does (wav2vec2 with a CTC head): exactly one of
 * audio and path_utf8 is set. UNIMPLEMENTED (code "no_transcription") for a model that was not. Since 0.1. */
GRYM_C_API grym_status grym_engine_transcribe(grym_engine* engine, const char* model, const grym_audio* audio,
                                              const char* path_utf8, grym_text** out);
/* The same, which can be watched and cancelled. Since 0.1. */
GRYM_C_API grym_status grym_engine_transcribe_with_progress(grym_engine* engine, const char* model,
                                                            const grym_audio* audio, const char* path_utf8,
                                                            grym_progress_fn progress, void* user_data,
                                                            grym_text** out);
/* For grymsynth_torch alone: a C++ object of the same build, told by `build`. Since 0.1. */
GRYM_C_API grym_status grym_engine_add_model_opener(grym_engine* engine, const void* opener, const char* build);
GRYM_C_API const char* grym_build(void); /* Names the build that such objects must be of. Since 0.1. */

/* ------------------------------------------------------------------------------------------------------- workflow */

/* Refused documents: every problem is in grym_last_error_problems_json. Since 0.1. */
GRYM_C_API grym_status grym_workflow_from_json(const char* json_utf8, grym_workflow** out);
GRYM_C_API grym_status grym_workflow_from_file(const char* path_utf8, grym_workflow** out); /* Since 0.1. */
/* "audio-enhancement"; NOT_FOUND lists the names. Since 0.1. */
GRYM_C_API grym_status grym_workflow_from_template(const char* name, grym_workflow** out);
GRYM_C_API const char* grym_workflow_id(const grym_workflow* workflow); /* Borrowed. Since 0.1. */
GRYM_C_API grym_status grym_workflow_to_json(const grym_workflow* workflow, grym_text** out); /* Since 0.1. */
/* Checks it against the built-in operations: {"id", "name", "steps": [{"id", "type", "operation", "next", "in_cycle"}],
 * "warnings": [...]}, or INVALID_ARGUMENT with all problems. Runs nothing. Since 0.1. */
GRYM_C_API grym_status grym_workflow_plan_json(const grym_workflow* workflow, grym_text** out);
GRYM_C_API grym_status grym_workflow_destroy(grym_workflow* workflow); /* Since 0.1. */

/* kind: "started", "visit_started", "visit_completed", "visit_failed", "completed", "failed", ... */
typedef void (*grym_event_fn)(int64_t sequence, const char* kind, const char* step, int32_t visit, const char* text,
                              void* user_data);
typedef struct grym_workflow_options {
  uint32_t struct_size;
  int32_t reserved;            /* 0                                                                              */
  const char* parameters_json; /* {"audioFile": "in.wav", ...}; NULL for none                                    */
  const char* execution_id;    /* NULL: a new one; one that the journal knows goes on where it stopped           */
  const char* output_dir;      /* where export writes; NULL: the engine's data folder                            */
  const char* output_name;     /* stem of exported names; NULL: from the input                                   */
  int64_t seed;                /* base of every seed in the run, default 0                                       */
  grym_event_fn on_event;      /* or NULL; on the thread that works                                              */
  void* on_event_user_data;
} grym_workflow_options;
GRYM_C_API grym_status grym_workflow_options_init(grym_workflow_options* options, uint32_t size); /* Since 0.1. */
/* Runs to the end. OK also for a run that failed: see grym_run_error_status. Since 0.1. */
GRYM_C_API grym_status grym_engine_run_workflow(grym_engine* engine, const grym_workflow* workflow,
                                                const grym_workflow_options* options, grym_progress_fn progress,
                                                void* user_data, grym_run** out);
GRYM_C_API const char* grym_run_execution_id(const grym_run* run); /* Borrowed. Since 0.1. */
/* Borrowed: "completed", "failed", "cancelled" or "interrupted". Since 0.1. */
GRYM_C_API const char* grym_run_state(const grym_run* run);
GRYM_C_API const char* grym_run_result_json(const grym_run* run); /* Borrowed; of the last step. Since 0.1. */
GRYM_C_API grym_status grym_run_error_status(const grym_run* run); /* OK unless the run failed. Since 0.1. */
GRYM_C_API const char* grym_run_error(const grym_run* run);        /* Borrowed words of its cause, or "". Since 0.1. */
GRYM_C_API const char* grym_run_error_code(const grym_run* run);   /* Borrowed stable code, or "ok". Since 0.1. */
/* {"execution_id", "workflow_id", "state", "visits": [...], "result", "files", "error"}. Since 0.1. */
GRYM_C_API grym_status grym_run_to_json(const grym_run* run, grym_text** out);
/* Forgets a run and the takes that only it keeps in the data folder; exports stay. FAILED_PRECONDITION while it runs,
 * NOT_FOUND for an unknown id. Since 0.1. */
GRYM_C_API grym_status grym_engine_delete_execution(grym_engine* engine, const char* execution_id);
/* What a finished enhancement run made: {"input", "takes": [{"step", "visit", "seed", "enhancement_level",
 * "quality_score", "exported"}], "files", "stages", "warnings"}. FAILED_PRECONDITION for a run that did not complete or
 * exported no take. Since 0.1. */
GRYM_C_API grym_status grym_engine_summary_json(grym_engine* engine, const grym_run* run, grym_text** out);
/* A self-contained HTML page over a finished enhancement run. Since 0.1. */
GRYM_C_API grym_status grym_engine_write_report(grym_engine* engine, const grym_run* run, const char* path_utf8);
GRYM_C_API grym_status grym_run_destroy(grym_run* run); /* Since 0.1. */

/* ----------------------------------------------------------------------------------------------------------- jobs */

/* The same calls on a thread of their own; arguments as above, copied or kept alive until the job ends. Since 0.1. */
GRYM_C_API grym_status grym_engine_start_analyze(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                                 grym_progress_fn progress, void* user_data, grym_job** out);
GRYM_C_API grym_status grym_engine_start_analyze_parts(grym_engine* engine, const grym_audio* audio,
                                                       const char* path_utf8, const char* parts,
                                                       grym_progress_fn progress, void* user_data,
                                                       grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_detect_patterns(grym_engine* engine, const grym_audio* audio,
                                                         const char* path_utf8, grym_progress_fn progress,
                                                         void* user_data, grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_classify_style(grym_engine* engine, const grym_audio* audio,
                                                        const char* path_utf8, grym_progress_fn progress,
                                                        void* user_data, grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_enhance(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                                 const grym_enhance_options* options, grym_progress_fn progress,
                                                 void* user_data, grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_process(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                                 const grym_process_options* options, grym_progress_fn progress,
                                                 void* user_data, grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_generate(grym_engine* engine, const grym_generate_options* options,
                                                  grym_progress_fn progress, void* user_data,
                                                  grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_generate_json(grym_engine* engine, const char* request_json,
                                                       const grym_audio* reference, grym_progress_fn progress,
                                                       void* user_data, grym_job** out); /* Since 0.1. */
GRYM_C_API grym_status grym_engine_start_workflow(grym_engine* engine, const grym_workflow* workflow,
                                                  const grym_workflow_options* options, grym_progress_fn progress,
                                                  void* user_data, grym_job** out); /* Since 0.1. */
/* Any out parameter may be NULL; *stage is borrowed until this thread's next grym_job_progress. Since 0.1. */
GRYM_C_API grym_status grym_job_progress(const grym_job* job, double* fraction, double* eta_s, const char** stage);
GRYM_C_API int32_t grym_job_done(const grym_job* job); /* Since 0.1. */
/* Asks it to stop and returns at once; the job then ends with CANCELLED. Since 0.1. */
GRYM_C_API grym_status grym_job_cancel(grym_job* job);
/* Waits at most timeout_s (negative: for ever). OK when the job has ended, well or not; DEADLINE_EXCEEDED when it has
 * not. Since 0.1. */
GRYM_C_API grym_status grym_job_wait(grym_job* job, double timeout_s);
/* How the job ended; OK while it runs. Since 0.1. */
GRYM_C_API grym_status grym_job_error_status(const grym_job* job);
GRYM_C_API const char* grym_job_error(const grym_job* job);      /* Borrowed words, or "". Since 0.1. */
GRYM_C_API const char* grym_job_error_code(const grym_job* job); /* Borrowed stable code, or "ok". Since 0.1. */
/* Borrowed; as grym_last_error_problems_json. Since 0.1. */
GRYM_C_API const char* grym_job_error_problems_json(const grym_job* job);
/* Waits for the end and hands the result over, or answers the job's error. FAILED_PRECONDITION when it was taken
 * already, INVALID_ARGUMENT when the job makes something else. Since 0.1. */
GRYM_C_API grym_status grym_job_take_features(grym_job* job, grym_features** out);
GRYM_C_API grym_status grym_job_take_patterns(grym_job* job, grym_patterns** out); /* Since 0.1. */
GRYM_C_API grym_status grym_job_take_style(grym_job* job, grym_style** out);       /* Since 0.1. */
GRYM_C_API grym_status grym_job_take_enhanced(grym_job* job, grym_enhanced** out); /* Since 0.1. */
GRYM_C_API grym_status grym_job_take_processed(grym_job* job, grym_processed** out); /* Since 0.1. */
GRYM_C_API grym_status grym_job_take_result(grym_job* job, grym_result** out);     /* Since 0.1. */
GRYM_C_API grym_status grym_job_take_run(grym_job* job, grym_run** out);           /* Since 0.1. */
/* Stops it if it runs, and waits for its thread; a workflow stopped so is "interrupted" and can be resumed.
 * Since 0.1. */
GRYM_C_API grym_status grym_job_destroy(grym_job* job);

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* GRYMSYNTH_H */
