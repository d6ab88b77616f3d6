#include "models/musicgen/native_nets.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/content.h"
#include "checkpoint/fingerprint.h"
#include "models/musicgen/code_models.h"
#include "models/encodec/session.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

// The codec works on a second at once, and has no more room than for that.
int64_t SoundBlock(const MusicgenShape& shape) {
  return std::max<int64_t>(1, static_cast<int64_t>(shape.frame_rate_hz()));
}
constexpr int64_t kMostTokenizerBytes = int64_t{64} << 20;

std::vector<float> FloatsOf(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kCPU, at::kFloat).contiguous();
  const auto* const data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

// For what stays on the CPU while the network runs elsewhere: a budget of its own, of the same size.
ModelContext OnTheCpu(ModelContext context) {
  context.device = c10::Device(c10::DeviceType::CPU);
  context.budget = std::make_shared<MemoryBudget>(context.budget->limit_bytes());
  return context;
}

// A stream of the codec for each channel: with two, left and right take turns in the books.
class NativeSound : public SoundStream {
 public:
  NativeSound(std::shared_ptr<const EncodecDecoder> net, const MusicgenShape& shape)
      : net_(std::move(net)), pattern_(shape.pattern) {
    for (int c = 0; c < pattern_.channels; ++c)
      streams_.push_back(std::make_unique<EncodecDecoder::Stream>(*net_, SoundBlock(shape)));
  }
  absl::StatusOr<std::vector<float>> Push(std::span<const int32_t> codes, int64_t frames) override {
    std::vector<float> planar;
    const int64_t books = pattern_.books / pattern_.channels;
    for (int c = 0; c < pattern_.channels; ++c) {
      at::Tensor own = at::empty({books, frames}, at::kLong);
      for (int64_t book = 0; book < books; ++book) {
        const auto first = codes.begin() + (book * pattern_.channels + c) * frames;
        std::copy(first, first + frames, own.mutable_data_ptr<int64_t>() + book * frames);
      }
      Append(streams_[static_cast<size_t>(c)]->Push(own), planar);
    }
    return planar;
  }
  absl::StatusOr<std::vector<float>> Finish() override {
    std::vector<float> planar;
    for (const auto& stream : streams_) Append(stream->Finish(), planar);
    return planar;
  }
  std::vector<float> Memory() override {
    std::vector<float> all;
    for (const auto& stream : streams_) {
      const std::vector<float> own = stream->Memory();
      all.insert(all.end(), own.begin(), own.end());
    }
    return all;
  }
  absl::StatusOr<int64_t> Recall(int64_t frames, std::span<const float> memory) override {
    const size_t each = memory.size() / streams_.size();
    int64_t samples = 0;
    for (const auto& stream : streams_) {
      const bool last = stream == streams_.back();  // what does not divide is refused there
      GRYM_ASSIGN_OR_RETURN(samples, stream->Recall(frames, last ? memory : memory.first(each)));
      memory = memory.subspan(last ? memory.size() : each);
    }
    return samples;
  }

 private:
  static void Append(const at::Tensor& samples, std::vector<float>& planar) {
    const std::vector<float> values = FloatsOf(samples);
    planar.insert(planar.end(), values.begin(), values.end());
  }
  const std::shared_ptr<const EncodecDecoder> net_;
  const DelayPattern pattern_;
  std::vector<std::unique_ptr<EncodecDecoder::Stream>> streams_;
};

// The text encoder has twice the bits of the decoder unless it is asked for by its own name: in as few its states, which
// every step hears, lose as much as the decoder's matrices do or more (README.md, "Which matrices have 8 bits"), and only
// a prompt reads it.
ModelContext WithTextEncoder(ModelContext context) {
  const std::string& dtype = context.options.dtype;
  const bool int4 = dtype == PrecisionName(Precision::kInt4), int8 = dtype == PrecisionName(Precision::kInt8);
  const Precision wider = int4 ? Precision::kInt8 : Precision::kBFloat16;
  if (int4 || int8) context.options.component_dtypes.emplace("text_encoder", PrecisionName(wider));
  return context;
}

// The decoder's and the codec's kernels are their own, for few rows at a time.
absl::Status CheckMusicgenPrecisions(const ModelContext& context) {
  const auto codec = context.options.component_dtypes.find("audio_encoder");
  if (codec != context.options.component_dtypes.end() && codec->second != PrecisionName(kMusicgenCodecPrecision)) {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_dtype",
                 Formatted("musicgen/audio_encoder: want %s, which it is in whatever the others are, got %s",
                           PrecisionName(kMusicgenCodecPrecision), codec->second));
  }
  if (context.PrecisionOf("decoder") != Precision::kBFloat16x3) return absl::OkStatus();
  return Error(absl::StatusCode::kUnimplemented, "unsupported_dtype",
               "musicgen/decoder: want float32, bfloat16, float16, int8 or int4, got bfloat16x3, which the text_encoder "
               "alone has");
}

// What a melody is heard with; the folder's own words where it has them.
absl::Status ReadChroma(const ModelFolder& folder, ChromaOptions& chroma) {
  if (!folder.preprocessor()) return absl::OkStatus();
  GRYM_ASSIGN_OR_RETURN(const Json json, ReadConfig(*folder.preprocessor()));
  ConfigReader fields(json, "preprocessor_config.json");
  fields.Int("sampling_rate", &chroma.rate_hz, {.minimum = 1000, .maximum = 768'000});
  fields.Int("n_fft", &chroma.size, {.minimum = 256, .maximum = 1 << 20});
  fields.Int("hop_length", &chroma.hop, {.minimum = 16, .maximum = 1 << 20});
  fields.Int("num_chroma", &chroma.classes, {.minimum = 12, .maximum = 24});
  fields.Number("chunk_length", &chroma.chunk_s, {.minimum = 1, .maximum = 600});
  if ((chroma.size & (chroma.size - 1)) != 0)
    fields.Contradiction("n_fft", Formatted("want a power of two, got %d", chroma.size));
  return fields.Finish();
}

}  // namespace

absl::Status NativeMusicgenNets::ReadShape(const ModelFolder& folder) {
  shape_.pattern = {config_.books, static_cast<int>(config_.audio_channels)};
  shape_.vocab = config_.vocab_size;
  shape_.pad = static_cast<int32_t>(config_.pad_id);
  shape_.rate_hz = static_cast<int>(codec_.sampling_rate);
  shape_.hop = codec_.hop();
  shape_.window_frames = 30 * codec_.frame_rate();
  shape_.melody = config_.melody;
  if (shape_.melody) {
    shape_.chroma.length = config_.chroma_length;
    GRYM_RETURN_IF_ERROR(ReadChroma(folder, shape_.chroma));
  }
  shape_.defaults = {config_.generation.guidance_scale,
                     config_.generation.do_sample ? config_.generation.temperature : 0, config_.generation.top_k,
                     config_.generation.top_p};
  const auto differ = [](const char* what, int64_t wanted, int64_t got) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_config",
                 Formatted("musicgen/config.json: audio_encoder: want %s %d, got %d", what, wanted, got));
  };
  if (codec_.audio_channels != 1) return differ("audio_channels", 1, codec_.audio_channels);
  if (codec_.codebook_size != config_.vocab_size)
    return differ("codebook_size", config_.vocab_size, codec_.codebook_size);
  if (codec_.books() < config_.books_per_channel())
    return differ("target_bandwidths for a number of books of", config_.books_per_channel(), codec_.books());
  if (shape_.melody && shape_.chroma.classes != config_.chroma_bins)
    return differ("num_chroma", shape_.chroma.classes, config_.chroma_bins);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const NativeMusicgenNets>> NativeMusicgenNets::Open(const ModelFolder& folder,
                                                                                   const ModelContext& context,
                                                                                   MusicgenDetails* details) {
  std::shared_ptr<NativeMusicgenNets> nets(new NativeMusicgenNets);
  const std::vector<std::string> components = {"text_encoder", "decoder", "audio_encoder"};
  GRYM_RETURN_IF_ERROR(context.CheckComponents(components));
  GRYM_RETURN_IF_ERROR(CheckMusicgenPrecisions(context));
  const std::string where = QuotedPath(folder.config_path());
  GRYM_ASSIGN_OR_RETURN(nets->copy_, ReadPackedCopyEntry(folder.config(), where, components));
  if (nets->copy_) {
    // Up to version 1 all of int4's matrices had 4 bits (MusicgenPrecision).
    if (nets->copy_->version == 1 && nets->copy_->dtypes["decoder"] == Precision::kInt4) {
      return OtherPackedVersion(where, "version 2 of a decoder in int4", "1");
    }
    nets->copy_->dtypes["audio_encoder"] = kMusicgenCodecPrecision;  // older copies name the decoder's
    GRYM_ASSIGN_OR_RETURN(nets->context_, ContextOfPackedCopy(*nets->copy_, context, "decoder", where));
    GRYM_RETURN_IF_ERROR(nets->PlaceCopy(where));
  } else {
    nets->context_ = WithTextEncoder(context);
  }
  GRYM_ASSIGN_OR_RETURN(nets->config_, ReadMusicgenConfig(folder.config(), "config.json"));
  Json generation = Json::Object();
  if (folder.generation()) {
    GRYM_ASSIGN_OR_RETURN(generation, ReadConfig(*folder.generation()));
  }
  GRYM_RETURN_IF_ERROR(ReadMusicgenGeneration(generation, "generation_config.json", nets->config_));
  GRYM_ASSIGN_OR_RETURN(nets->codec_, EncodecConfig::Parse(nets->config_.codec.json, "config.json: audio_encoder"));
  GRYM_RETURN_IF_ERROR(nets->ReadShape(folder));
  GRYM_ASSIGN_OR_RETURN(nets->tokenizer_, OpenTokenizer(folder.folder()));
  GRYM_ASSIGN_OR_RETURN(TensorSet set, TensorSet::Open(folder.weights()));
  nets->set_ = std::make_shared<const TensorSet>(std::move(set));
  nets->folder_ = folder.folder();
  nets->MakeComponents();
  if (details) {
    if (nets->copy_) details->stored = "as the folder holds it, a packed copy";
    for (const std::string& field : nets->config_.unknown_fields)
      details->ignored_fields.push_back("config.json/" + field);
    for (const std::string& field : nets->codec_.unknown_fields)
      details->ignored_fields.push_back("config.json/audio_encoder/" + field);
  }
  return std::shared_ptr<const NativeMusicgenNets>(std::move(nets));
}

// Its matrices lie as the CPU's kernels read them. Who asks for no device by name gets the one that it runs on.
absl::Status NativeMusicgenNets::PlaceCopy(const std::string& where) {
  if (context_.device.is_cpu()) return absl::OkStatus();
  if (context_.options.device == "auto") {
    context_ = OnTheCpu(context_);
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kFailedPrecondition, "packed_for_cpu",
               where + ": want a published folder on " + context_.device.str() +
                   ", got a packed copy, which the CPU alone reads: open the folder that it was made from, or this one "
                   "with the device \"cpu\"");
}

void NativeMusicgenNets::MakeComponents() {
  // Each load holds what it needs by value: the nets may be gone while a session still ends.
  const auto options = [context = context_, copy = copy_.has_value()](const char* component,
                                                                      const CancelToken& cancel) {
    return WeightOptions{.precision = context.PrecisionOf(component), .cancel = cancel, .from_copy = copy};
  };
  const MusicgenBytes bytes = Bytes({.prompt_samples = 1});
  text_ = std::make_unique<const Component<T5Encoder>>(
      [set = set_, config = config_.text, options](const CancelToken& cancel) {
        return T5Encoder::Load(*set, config, options("text_encoder", cancel), "text_encoder.");
      },
      bytes.text_weights);
  decoder_ = std::make_unique<const Component<CodeModel>>(
      [set = set_, config = config_, shape = shape_, options, device = context_.device,
       storage = DecoderStorage()](const CancelToken& cancel) -> absl::StatusOr<std::shared_ptr<const CodeModel>> {
        WeightOptions weights = options("decoder", cancel);
        if (!device.is_cpu()) {
          weights.device = device;
          GRYM_ASSIGN_OR_RETURN(auto net, MusicgenDeviceDecoder::Load(*set, config, weights));
          return CodeModelOf(std::move(net), shape);
        }
        GRYM_ASSIGN_OR_RETURN(auto net, MusicgenDecoder::Load(*set, config, weights, "decoder.", nullptr, storage));
        return CodeModelOf(std::move(net), shape);
      },
      bytes.decoder_weights);
  sound_ = std::make_unique<const Component<EncodecDecoder>>(
      [set = set_, config = codec_](const CancelToken& cancel) {
        return EncodecDecoder::Load(*set, config, {.cancel = cancel}, "audio_encoder.");
      },
      bytes.codec_weights);
  encoder_ = std::make_unique<const Component<EncodecEncoder>>(
      [set = set_, config = codec_](const CancelToken& cancel) {
        return EncodecEncoder::Load(*set, config, {.cancel = cancel}, "audio_encoder.");
      },
      bytes.encoder_weights);
}

const std::string& NativeMusicgenNets::fingerprint() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!fingerprint_.empty()) return fingerprint_;
  // What the one saved, the other goes on with: their samples are the same.
  if (copy_) return fingerprint_ = copy_->source;
  Sha256 sum;
  sum.Update(config_.resolved.Dump());
  sum.Update(codec_.resolved.Dump());
  // What stands in files beside config.json leads to other sound just as well.
  sum.Update(Formatted("%.17g %.17g %d %.17g ", shape_.defaults.guidance, shape_.defaults.temperature,
                       shape_.defaults.top_k, shape_.defaults.top_p));
  for (const char* file : {"tokenizer.json", "spiece.model"}) {
    const auto words = ReadFile(folder_ / file, kMostTokenizerBytes);
    sum.Update(words.ok() ? Sha256Hex(*words) : std::string("-"));
  }
  sum.Update(PrecisionName(context_.PrecisionOf("text_encoder")));
  sum.Update(MusicgenPrecisions(context_.PrecisionOf("decoder")));
  // In the place of the codec's, which is always the same: states of before it was have the dtype of all.
  sum.Update(PrecisionName(ParsePrecision(context_.options.dtype).value_or(Precision::kFloat32)));
  AddTensors(sum, *set_);
  return fingerprint_ = sum.Hex();
}

absl::StatusOr<TextStates> NativeMusicgenNets::EncodeText(std::span<const int32_t> ids,
                                                          const CancelToken& cancel) const {
  GRYM_ASSIGN_OR_RETURN(const auto net, text_->Get(cancel));
  GRYM_RETURN_IF_ERROR(net->Check(ids));
  const at::Tensor states = net->Encode(ids, cancel);
  GRYM_RETURN_IF_ERROR(cancel.Check());
  return TextStates{states.size(0), states.size(1), FloatsOf(states)};
}

absl::StatusOr<std::shared_ptr<const CodeModel>> NativeMusicgenNets::Network(const CancelToken& cancel) const {
  return decoder_->Get(cancel);
}

absl::StatusOr<std::unique_ptr<SoundStream>> NativeMusicgenNets::NewSound(const CancelToken& cancel) const {
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const EncodecDecoder> net, sound_->Get(cancel));
  return std::make_unique<NativeSound>(std::move(net), shape_);
}

absl::StatusOr<std::vector<int32_t>> NativeMusicgenNets::EncodeSound(std::span<const float> wave, int64_t samples,
                                                                     const CancelToken& cancel) const {
  GRYM_ASSIGN_OR_RETURN(const auto net, encoder_->Get(cancel));
  const int64_t channels = shape_.pattern.channels, books = shape_.pattern.books;
  std::vector<int32_t> codes;
  for (int64_t c = 0; c < channels; ++c) {
    at::Tensor own = at::empty({1, samples}, at::kFloat);
    std::copy_n(wave.begin() + c * samples, samples, own.mutable_data_ptr<float>());
    at::Tensor made = net->Encode(own, cancel);  // int64 [all books of the codec, frames]
    GRYM_RETURN_IF_ERROR(cancel.Check());
    made = made.contiguous();
    const int64_t frames = made.size(1);
    codes.resize(static_cast<size_t>(books * frames));
    for (int64_t book = 0; book < books / channels; ++book) {
      const int64_t* const row = made.const_data_ptr<int64_t>() + book * frames;
      std::copy_n(row, frames, codes.begin() + (book * channels + c) * frames);
    }
  }
  return codes;
}

absl::StatusOr<std::unique_ptr<AudioCodec>> NativeMusicgenNets::NewCodec(const std::string& id,
                                                                         std::shared_ptr<const void> owner) const {
  EncodecHalves::Source source{id, owner.get(), aside() ? OnTheCpu(context_) : context_, codec_};
  source.streams = shape_.pattern.channels;
  source.books = shape_.pattern.books / shape_.pattern.channels;
  source.encoder = encoder_.get();
  source.decoder = sound_.get();
  struct Kept {
    std::shared_ptr<const void> owner;
    EncodecHalves halves;
  };
  const auto kept = std::make_shared<const Kept>(Kept{std::move(owner), EncodecHalves(std::move(source))});
  return std::make_unique<EncodecCodec>(std::shared_ptr<const EncodecHalves>(kept, &kept->halves));
}

// Published checkpoints fit half floats exactly, and are kept so on the CPU: that is found out once. A device that
// computes in what it keeps keeps what is asked for.
Precision NativeMusicgenNets::DecoderStorage() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Precision asked = context_.PrecisionOf("decoder");
  if (aside()) return asked;
  if (!storage_) storage_ = MusicgenDecoder::StorageFor(*set_, asked).value_or(asked);
  return *storage_;
}

MusicgenBytes NativeMusicgenNets::Bytes(const MusicgenWork& work) const {
  const Precision text = context_.PrecisionOf("text_encoder");
  const int64_t tokens = std::max<int64_t>(1, work.tokens), channels = shape_.pattern.channels;
  const int64_t conditioning = tokens + (shape_.melody ? shape_.chroma.length : 0);
  const int64_t block = SoundBlock(shape_);
  MusicgenBytes bytes;
  bytes.text_weights = T5Encoder::WeightBytes(config_.text, text);
  bytes.text_working = T5Encoder::WorkingBytes(config_.text, tokens, text);
  const Precision storage = DecoderStorage();
  const int64_t steps = std::max<int64_t>(1, work.steps - 1);
  bytes.rest_on_cpu = aside();
  if (aside()) {
    using Decoder = MusicgenDeviceDecoder;
    bytes.decoder_weights = Decoder::WeightBytes(config_, storage);
    bytes.cache = Decoder::StateBytes(config_, storage, context_.device, work.rows, steps, conditioning);
    bytes.decoder_working = Decoder::WorkingBytes(config_, storage, context_.device, work.rows, steps, conditioning);
  } else {
    bytes.decoder_weights = MusicgenDecoder::WeightBytes(config_, storage);
    bytes.cache = MusicgenDecoder::StateBytes(config_, storage, work.rows, steps, conditioning);
    bytes.decoder_working = 2 * AllocatedBytes(work.rows * conditioning * config_.hidden * 4);
  }
  bytes.codec_weights = EncodecDecoder::WeightBytes(codec_, kMusicgenCodecPrecision);
  bytes.codec_working = work.pieces * channels * EncodecDecoder::Stream::BytesFor(codec_, block);
  if (work.prompt_samples > 0) {
    bytes.encoder_weights = EncodecEncoder::WeightBytes(codec_, kMusicgenCodecPrecision);
    bytes.encoder_working = EncodecEncoder::WorkingBytes(codec_, work.prompt_samples);
  }
  return bytes;
}

void NativeMusicgenNets::Drop(int parts) const {
  if (parts & kText) text_->Drop();
  if (parts & kNetwork) decoder_->Drop();
  if (parts & kSound) sound_->Drop();
  if (parts & kEncoder) encoder_->Drop();
}

// The device's budget knows nothing of what lies aside on the CPU: it is neither asked for nor given back there.
void NativeMusicgenNets::Claim(int parts, LeaseAsk& ask) const {
  if (aside()) parts &= kNetwork;
  if (parts & kText) text_->Claim(ask);
  if (parts & kNetwork) decoder_->Claim(ask);
  if (parts & kSound) sound_->Claim(ask);
  if (parts & kEncoder) encoder_->Claim(ask);
}

int64_t NativeMusicgenNets::Idle(bool let_go) const {
  if (aside()) return decoder_->Idle(let_go);
  return text_->Idle(let_go) + decoder_->Idle(let_go) + sound_->Idle(let_go) + encoder_->Idle(let_go);
}

absl::Status NativeMusicgenNets::Hold(int parts, MemoryLease& lease, const CancelToken& cancel) const {
  const auto hold = [&](const auto& component) -> absl::Status {
    GRYM_ASSIGN_OR_RETURN(auto net, component->Get(cancel));
    lease.Hold(std::move(net));
    return absl::OkStatus();
  };
  if (parts & kNetwork) GRYM_RETURN_IF_ERROR(hold(decoder_));
  if (parts & kText) GRYM_RETURN_IF_ERROR(hold(text_));
  if (parts & kSound) GRYM_RETURN_IF_ERROR(hold(sound_));
  if (parts & kEncoder) GRYM_RETURN_IF_ERROR(hold(encoder_));
  return absl::OkStatus();
}

std::shared_ptr<const MusicgenNets> NativeMusicgenNets::Alone() const {
  std::shared_ptr<NativeMusicgenNets> nets(new NativeMusicgenNets);
  nets->config_ = config_;
  nets->codec_ = codec_;
  nets->shape_ = shape_;
  nets->context_ = context_;
  nets->folder_ = folder_;
  nets->copy_ = copy_;
  nets->set_ = set_;
  nets->tokenizer_ = tokenizer_;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    nets->fingerprint_ = fingerprint_;
    nets->storage_ = storage_;
  }
  nets->MakeComponents();
  return nets;
}

absl::StatusOr<std::shared_ptr<const Model>> OpenMusicgen(const ModelFolder& folder, const ModelContext& context) {
  MusicgenDetails details;
  GRYM_ASSIGN_OR_RETURN(const auto nets, NativeMusicgenNets::Open(folder, context, &details));
  const std::string id =
      context.options.id.empty() ? ModelIdOf("musicgen", folder.folder()) : context.options.id;
  return std::shared_ptr<const Model>(MusicgenModel::Make(id, nets, nets->context(), details));
}

}  // namespace grym
