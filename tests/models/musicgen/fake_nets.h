// MusicGen's networks of a few lines of arithmetic: what they answer depends on everything that they are told, and on
// nothing else, so that a pipeline around them that loses, swaps or repeats anything makes another sound.
#pragma once
#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "models/musicgen/nets.h"

namespace grym::testing {

inline uint64_t Mixed(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
  hash *= 0xbf58476d1ce4e5b9ULL;
  return hash ^ (hash >> 29);
}

// Shared by the nets and what they give away.
struct FakeRecord {
  std::atomic<int64_t> steps{0}, prefills{0}, pushed{0}, texts{0}, encodes{0}, states{0};
  std::atomic<int64_t> most_rows{0};
  int dropped = 0, held = 0;  // parts
  int64_t fail_at_step = -1;  // NaN from this step on
  // A metronome: book 0 says 1 every so many frames, and the codec clicks at a 1.
  int64_t beat_frames = 0;
};

class FakeModel : public CodeModel {
 public:
  FakeModel(const MusicgenShape& shape, FakeRecord* record) : shape_(shape), record_(record) {}
  struct FakeState : State {
    std::vector<uint64_t> hash;
    std::vector<int64_t> since_beat;
    int64_t steps = 0, most = 0;
  };
  absl::StatusOr<std::unique_ptr<State>> NewState(std::span<const RowCondition> rows, int64_t most,
                                                  const CancelToken&) const override {
    auto state = std::make_unique<FakeState>();
    state->most = most;
    ++record_->states;
    record_->most_rows = std::max<int64_t>(record_->most_rows, static_cast<int64_t>(rows.size()));
    for (const RowCondition& row : rows) {
      uint64_t hash = 17;
      if (row.text && !row.unconditional) {
        for (const float value : row.text->values) hash = Mixed(hash, static_cast<uint64_t>(value * 1000));
      }
      for (const uint8_t c : row.melody) hash = Mixed(hash, row.unconditional ? 1u : c + 100u);
      state->hash.push_back(hash);
      state->since_beat.push_back(0);
    }
    return state;
  }
  absl::Status Step(State& base, std::span<const int32_t> codes, float* logits) const override {
    ++record_->steps;
    return Run(base, codes, logits);
  }
  absl::Status Prefill(State& base, std::span<const int32_t> codes, int64_t steps, float* logits,
                       const CancelToken& cancel) const override {
    auto& state = static_cast<FakeState&>(base);
    ++record_->prefills;
    const auto books = static_cast<size_t>(shape_.pattern.books), rows = state.hash.size();
    std::vector<int32_t> step(rows * books);
    for (int64_t s = 0; s < steps; ++s) {
      if (cancel.cancelled()) return cancel.Check();
      for (size_t r = 0; r < rows; ++r) {
        for (size_t b = 0; b < books; ++b)
          step[r * books + b] = codes[(r * static_cast<size_t>(steps) + static_cast<size_t>(s)) * books + b];
      }
      if (const absl::Status status = Run(base, step, logits); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Run(State& base, std::span<const int32_t> codes, float* logits) const {
    auto& state = static_cast<FakeState&>(base);
    if (++state.steps > state.most) return absl::InternalError("more steps than there is room for");
    const auto books = static_cast<size_t>(shape_.pattern.books), vocab = static_cast<size_t>(shape_.vocab);
    for (size_t r = 0; r < state.hash.size(); ++r) {
      for (size_t b = 0; b < books; ++b) {
        const int32_t code = codes[r * books + b];
        if (code < 0 || code > shape_.pad) return absl::InternalError("a code that is none");
        state.hash[r] = Mixed(state.hash[r], static_cast<uint64_t>(code) + 1000);
      }
      state.since_beat[r] = codes[r * books] == 1 ? 1 : state.since_beat[r] + 1;
      for (size_t b = 0; b < books; ++b) {
        for (size_t v = 0; v < vocab; ++v) {
          const uint64_t mixed = Mixed(Mixed(state.hash[r], b), v);
          float logit = static_cast<float>(mixed >> 40) / 16777216.0f * 4 - 2;
          if (record_->beat_frames > 0 && b == 0) {
            const bool beat = state.since_beat[r] >= record_->beat_frames;
            if ((v == 1) == beat) logit += 100;
          }
          if (record_->fail_at_step >= 0 && state.steps > record_->fail_at_step) logit = std::nanf("");
          *logits++ = logit;
        }
      }
    }
    return absl::OkStatus();
  }
  const MusicgenShape& shape_;
  FakeRecord* const record_;
};

// A frame's sound leans on the frame behind it and on a slow memory of all before, as a codec's does.
class FakeSound : public SoundStream {
 public:
  FakeSound(const MusicgenShape& shape, FakeRecord* record) : shape_(shape), record_(record) {}
  absl::StatusOr<std::vector<float>> Push(std::span<const int32_t> codes, int64_t frames) override {
    record_->pushed += frames;
    const auto books = shape_.pattern.books;
    if (static_cast<int64_t>(codes.size()) != books * frames) return absl::InternalError("codes of another shape");
    std::vector<std::vector<float>> made(static_cast<size_t>(shape_.pattern.channels));
    for (int64_t f = 0; f < frames; ++f) {
      std::vector<int32_t> now;
      for (int64_t b = 0; b < books; ++b) now.push_back(codes[static_cast<size_t>(b * frames + f)]);
      for (const int32_t code : now) {
        if (code < 0 || code >= shape_.vocab) return absl::InternalError("a code that has no sound");
      }
      if (!held_.empty()) Frame(held_, now, made);
      held_ = std::move(now);
    }
    return Planar(made);
  }
  absl::StatusOr<std::vector<float>> Finish() override {
    std::vector<std::vector<float>> made(static_cast<size_t>(shape_.pattern.channels));
    if (!held_.empty()) Frame(held_, held_, made);
    return Planar(made);
  }
  std::vector<float> Memory() override {
    std::vector<float> memory(held_.begin(), held_.end());
    memory.insert(memory.end(), memory_, memory_ + 2);
    return memory;
  }
  absl::StatusOr<int64_t> Recall(int64_t frames, std::span<const float> memory) override {
    const auto books = static_cast<size_t>(shape_.pattern.books);
    if (memory.size() != books + 2) return absl::InvalidArgumentError("fake: another memory");
    held_.assign(memory.begin(), memory.begin() + shape_.pattern.books);
    std::copy_n(memory.begin() + shape_.pattern.books, 2, memory_);
    return (frames - 1) * shape_.hop;
  }

 private:
  static std::vector<float> Planar(const std::vector<std::vector<float>>& made) {
    std::vector<float> planar;
    for (const auto& channel : made) planar.insert(planar.end(), channel.begin(), channel.end());
    return planar;
  }
  void Frame(const std::vector<int32_t>& now, const std::vector<int32_t>& next, std::vector<std::vector<float>>& made) {
    const auto channels = made.size();
    for (size_t c = 0; c < channels; ++c) {
      float a = 0, b = 0;
      for (size_t book = c; book < now.size(); book += channels) {
        a += static_cast<float>(now[book]) / static_cast<float>(shape_.vocab);
        b += static_cast<float>(next[book]) / static_cast<float>(shape_.vocab);
      }
      memory_[c] = 0.9f * memory_[c] + 0.1f * a;
      const bool click = record_->beat_frames > 0 && now[0] == 1;
      for (int64_t i = 0; i < shape_.hop; ++i) {
        const float at = static_cast<float>(i) / static_cast<float>(shape_.hop);
        float value = 0.05f * (a + (b - a) * at) + 0.02f * memory_[c];
        if (record_->beat_frames > 0) value *= 0.05f;
        if (click && i < 80) value += (i % 2 == 0 ? 0.8f : -0.8f) * (1 - static_cast<float>(i) / 80);
        made[c].push_back(value);
      }
    }
  }
  const MusicgenShape& shape_;
  FakeRecord* const record_;
  std::vector<int32_t> held_;
  float memory_[2] = {0, 0};
};

class FakeNets : public MusicgenNets {
 public:
  explicit FakeNets(const MusicgenShape& shape, std::string fingerprint = "abc123")
      : shape_(shape), fingerprint_(std::move(fingerprint)) {}
  const MusicgenShape& shape() const override { return shape_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  absl::StatusOr<std::vector<int32_t>> Tokens(const std::string& text) const override {
    std::vector<int32_t> ids(text.begin(), text.end());
    ids.push_back(1);
    return ids;
  }
  absl::StatusOr<TextStates> EncodeText(std::span<const int32_t> ids, const CancelToken& cancel) const override {
    if (cancel.cancelled()) return cancel.Check();
    ++record.texts;
    TextStates states{static_cast<int64_t>(ids.size()), 2, {}};
    for (const int32_t id : ids) states.values.insert(states.values.end(), {static_cast<float>(id), 0.5f});
    return states;
  }
  absl::StatusOr<std::shared_ptr<const CodeModel>> Network(const CancelToken&) const override {
    return std::make_shared<const FakeModel>(shape_, &record);
  }
  absl::StatusOr<std::unique_ptr<SoundStream>> NewSound(const CancelToken&) const override {
    return std::make_unique<FakeSound>(shape_, &record);
  }
  absl::StatusOr<std::vector<int32_t>> EncodeSound(std::span<const float> wave, int64_t samples,
                                                   const CancelToken&) const override {
    ++record.encodes;
    const int64_t frames = samples / shape_.hop, books = shape_.pattern.books;
    std::vector<int32_t> codes(static_cast<size_t>(books * frames));
    for (int64_t b = 0; b < books; ++b) {
      for (int64_t f = 0; f < frames; ++f) {
        const float value = std::abs(wave[static_cast<size_t>(f * shape_.hop + b)]);
        codes[static_cast<size_t>(b * frames + f)] =
            static_cast<int32_t>(value * 1000) % static_cast<int32_t>(shape_.vocab);
      }
    }
    return codes;
  }
  absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec(const std::string& id,
                                                       std::shared_ptr<const void>) const override {
    return absl::UnimplementedError(id + " has a codec of arithmetic");
  }
  MusicgenBytes Bytes(const MusicgenWork& work) const override {
    MusicgenBytes bytes;
    bytes.text_weights = 1000;
    bytes.text_working = 10 * work.tokens;
    bytes.decoder_weights = 5000;
    bytes.cache = 4 * work.rows * work.steps;
    bytes.decoder_working = 100;
    bytes.codec_weights = 700;
    bytes.codec_working = 50;
    bytes.encoder_weights = 600;
    bytes.encoder_working = work.prompt_samples;
    return bytes;
  }
  void Drop(int parts) const override { record.dropped |= parts; }
  void Claim(int, LeaseAsk&) const override {}
  int64_t Idle(bool) const override { return 0; }
  absl::Status Hold(int parts, MemoryLease&, const CancelToken& cancel) const override {
    record.held |= parts;
    return cancel.Check();
  }
  std::shared_ptr<const MusicgenNets> Alone() const override {
    return std::shared_ptr<const MusicgenNets>(std::shared_ptr<void>(), this);
  }

  mutable FakeRecord record;

 private:
  const MusicgenShape shape_;
  const std::string fingerprint_;
};

// 50 frames a second as the published ones, and everything else small.
inline MusicgenShape FakeShape(int channels = 1, bool melody = false) {
  MusicgenShape shape;
  shape.pattern = {4 * channels, channels};
  shape.vocab = 12;
  shape.pad = 12;
  shape.rate_hz = 8000;
  shape.hop = 160;
  shape.melody = melody;
  shape.chroma.rate_hz = 8000;
  shape.chroma.size = 4096;
  shape.chroma.hop = 1024;
  shape.defaults.top_k = 5;
  return shape;
}

}  // namespace grym::testing
