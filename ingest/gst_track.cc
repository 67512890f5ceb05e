#include "ingest/gst_track.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "media/audio_samples.h"
#include "media/bitstream.h"
#include "media/h264.h"
#include "media/h265.h"

namespace millrace {
namespace {

// A longer step of a packet's sequence number is a sender that began anew (RFC 3550 appendix A.1).
constexpr std::uint16_t kStepMax = 3000;

constexpr std::size_t kBeforePictureMax = std::size_t{64} << 10;  // many times what they need

std::string StringField(const GstStructure* structure, const char* name) {
  const char* value = gst_structure_get_string(structure, name);
  return value != nullptr ? value : "";
}

std::uint32_t IntField(const GstStructure* structure, const char* name) {
  int value = 0;
  return gst_structure_get_int(structure, name, &value) && value > 0 ? static_cast<std::uint32_t>(value) : 0;
}

}  // namespace

namespace {

struct PlanRow {
  std::string_view media;
  std::string_view encoding;  // as rtspsrc has it, in capitals
  const char* depayloader;
  const char* parser;
  const char* caps;
};

constexpr std::array kPlans = {
    PlanRow{"video", "H264", "rtph264depay", "h264parse", "video/x-h264,stream-format=avc,alignment=au"},
    PlanRow{"video", "H265", "rtph265depay", "h265parse", "video/x-h265,stream-format=hvc1,alignment=au"},
    PlanRow{"video", "VP8", "rtpvp8depay", "", "video/x-vp8"},
    PlanRow{"video", "VP9", "rtpvp9depay", "vp9parse", "video/x-vp9,alignment=super-frame"},
    PlanRow{"audio", "MPEG4-GENERIC", "rtpmp4gdepay", "aacparse",
            "audio/mpeg,mpegversion=4,stream-format=raw"},
    PlanRow{"audio", "MP4A-LATM", "rtpmp4adepay", "aacparse", "audio/mpeg,mpegversion=4,stream-format=raw"},
    PlanRow{"audio", "OPUS", "rtpopusdepay", "", "audio/x-opus"},
    PlanRow{"audio", "PCMU", "rtppcmudepay", "", "audio/x-mulaw"},
    PlanRow{"audio", "PCMA", "rtppcmadepay", "", "audio/x-alaw"},
};

struct CapsRow {
  std::string_view name;
  Codec codec;
  bool has_codec_data;
};

constexpr std::array kCaps = {
    CapsRow{"video/x-h264", Codec::kH264, true},       CapsRow{"video/x-h265", Codec::kH265, true},
    CapsRow{"video/x-vp8", Codec::kVp8, false},        CapsRow{"video/x-vp9", Codec::kVp9, false},
    CapsRow{"audio/mpeg", Codec::kAac, true},          CapsRow{"audio/x-opus", Codec::kOpus, false},
    CapsRow{"audio/x-mulaw", Codec::kPcmMulaw, false}, CapsRow{"audio/x-alaw", Codec::kPcmAlaw, false},
};

Error NoSuchTrack(const std::string& media, const std::string& codec) {
  std::string text = media + " " + (codec.empty() ? "of an unknown codec" : codec);
  if (codec == "AV1") text += " (GStreamer 1.22 has no depayloader for AV1; PutMedia takes it)";
  return {ErrorCode::kUnsupported, std::move(text)};
}

}  // namespace

Result<GstTrackPlan> PlanTrack(const GstCaps* caps) {
  if (caps == nullptr || gst_caps_get_size(caps) == 0)
    return Error{ErrorCode::kUnsupported, "a track without a type"};
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  const std::string media = StringField(structure, "media");
  const std::string codec = StringField(structure, "encoding-name");
  const auto row = std::find_if(kPlans.begin(), kPlans.end(), [&](const PlanRow& candidate) {
    return candidate.media == media && candidate.encoding == codec;
  });
  if (row == kPlans.end()) return NoSuchTrack(media, codec);
  GstTrackPlan plan;
  plan.kind = media == "video" ? TrackKind::kVideo : TrackKind::kAudio;
  plan.depayloader = row->depayloader;
  plan.parser = row->parser;
  plan.caps = row->caps;
  plan.rtp_rate = IntField(structure, "clock-rate");
  if (plan.rtp_rate == 0 && plan.kind == TrackKind::kVideo)
    plan.rtp_rate = 90000;  // as it must be; some say 0
  if (plan.rtp_rate == 0)
    return Error{ErrorCode::kUnsupported, media + " " + codec + " without a clock rate"};
  return plan;
}

Result<TrackInfo> TrackInfoFromCaps(const GstCaps* caps) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  const std::string_view name = gst_structure_get_name(structure);
  const auto row = std::find_if(kCaps.begin(), kCaps.end(),
                                [&](const CapsRow& candidate) { return candidate.name == name; });
  if (row == kCaps.end()) return Error{ErrorCode::kUnsupported, std::string(name)};
  TrackInfo info;
  info.codec = row->codec;
  const std::string codec(ToString(info.codec));
  if (info.kind() == TrackKind::kVideo) {
    info.width = IntField(structure, "width");
    info.height = IntField(structure, "height");
    if (info.width == 0 || info.height == 0)
      return Error{ErrorCode::kCorruption, codec + " without a picture size"};
  } else {
    info.sample_rate = IntField(structure, "rate");
    info.channels = std::max(IntField(structure, "channels"), 1U);
    if (info.codec == Codec::kOpus && info.channels > 2)
      return Error{ErrorCode::kUnsupported, "Opus with more than two channels"};
  }
  if (row->has_codec_data) {
    const GValue* value = gst_structure_get_value(structure, "codec_data");
    GstBuffer* data = value != nullptr ? gst_value_get_buffer(value) : nullptr;
    if (data == nullptr) return Error{ErrorCode::kCorruption, codec + " without codec data"};
    const MappedGstBuffer mapped(data);
    if (!mapped.ok() || mapped.size() == 0)
      return Error{ErrorCode::kCorruption, codec + " without codec data"};
    info.codec_private.assign(mapped.data(), mapped.data() + mapped.size());
  }
  CompleteTrack(info);
  if (info.kind() == TrackKind::kAudio && info.sample_rate == 0)
    return Error{ErrorCode::kCorruption, codec + " without a sample rate"};
  return info;
}

GstTrack::GstTrack(const GstTrackPlan& plan, std::size_t frame_bytes_max, Events events)
    : plan_(plan), frame_bytes_max_(frame_bytes_max), events_(std::move(events)) {}

Result<void> GstTrack::Attach(GstElement* pipeline, GstPad* source_pad) {
  const bool parses = *plan_.parser != '\0';
  // From the way in to the way out; where nothing is to be parsed, that goes on as it is.
  std::array<GstElement*, 3> elements = {
      gst_element_factory_make(plan_.depayloader, nullptr),
      gst_element_factory_make(parses ? plan_.parser : "identity", nullptr),
      gst_element_factory_make("appsink", nullptr)};
  for (GstElement* element : elements) {
    if (element != nullptr) continue;
    for (GstElement* made : elements) {
      if (made != nullptr) gst_object_unref(gst_object_ref_sink(made));
    }
    return Error{ErrorCode::kInternal,
                 std::string("GStreamer lacks appsink, ") + plan_.depayloader + " or " + plan_.parser};
  }
  auto [depayloader, parser, sink] = elements;
  const GstCapsPtr caps(gst_caps_from_string(plan_.caps));
  // Frames go on as they come: nothing waits for a clock, and nothing is dropped for being late.
  g_object_set(sink, "caps", caps.get(), "sync", FALSE, "async", FALSE, "qos", FALSE, "enable-last-sample",
               FALSE, "wait-on-eos", FALSE, nullptr);
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = &GstTrack::OnSample;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, this, nullptr);

  gst_bin_add_many(GST_BIN(pipeline), depayloader, parser, sink, nullptr);
  const GstPadPtr input(gst_element_get_static_pad(depayloader, "sink"));
  gst_pad_add_probe(input.get(),
                    static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    &GstTrack::OnRtp, this, nullptr);
  bool linked = gst_element_link_many(depayloader, parser, sink, nullptr) != FALSE;
  // From the sink upwards, so that nobody pushes into an element that does not run yet.
  for (GstElement* element : {sink, parser, depayloader})
    linked = linked && gst_element_sync_state_with_parent(element);
  if (!linked || gst_pad_link(source_pad, input.get()) != GST_PAD_LINK_OK) {
    return Error{ErrorCode::kInternal, std::string("cannot link ") + plan_.depayloader};
  }
  return {};
}

GstPadProbeReturn GstTrack::OnRtp(GstPad*, GstPadProbeInfo* info, gpointer self) {
  auto* track = static_cast<GstTrack*>(self);
  if ((GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    return track->SeeRtp(GST_PAD_PROBE_INFO_BUFFER(info)) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
  }
  bool wanted = true;
  if (GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info)) {
    for (guint i = 0; i < gst_buffer_list_length(list); ++i)
      wanted = track->SeeRtp(gst_buffer_list_get(list, i)) && wanted;
  }
  return wanted ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

bool GstTrack::SeeRtp(GstBuffer* packet) {
  std::array<std::uint8_t, 12> header;  // RFC 3550 section 5.1
  if (gst_buffer_extract(packet, 0, header.data(), header.size()) != header.size()) return false;
  // Packets that never make a frame would be gathered for ever.
  const bool fit = unframed_bytes_ <= frame_bytes_max_;
  unframed_bytes_ += gst_buffer_get_size(packet);
  if (unframed_bytes_ > frame_bytes_max_) {
    if (fit) {
      events_.on_error(Error{
          ErrorCode::kCorruption,
          "the camera sent " + std::to_string(frame_bytes_max_ >> 10) + " KiB without completing a frame"});
    }
    return false;
  }
  const auto rtp = ReadBigEndian<std::uint32_t>(ByteSpan(header).subspan(4, 4));
  const auto ssrc = ReadBigEndian<std::uint32_t>(ByteSpan(header).subspan(8, 4));
  const auto sequence = ReadBigEndian<std::uint16_t>(ByteSpan(header).subspan(2, 2));
  if (!has_stamp_ || ssrc != ssrc_) {
    ssrc_ = ssrc;
    events_.on_ssrc(ssrc);
  } else if (const auto step = static_cast<std::uint16_t>(sequence - sequence_);
             step > 1 && step < kStepMax) {
    loss_ = rtp;
    loss_is_new_ = true;
    events_.on_loss(step - 1U);
  }
  sequence_ = sequence;
  const GstClockTime pts = GST_BUFFER_PTS(packet);
  if (has_stamp_ && stamps_[newest_].rtp == rtp && stamps_[newest_].pts == pts) return true;
  newest_ = (newest_ + 1) % stamps_.size();
  stamps_[newest_] = {pts, rtp};
  has_stamp_ = true;
  return true;
}

// The stamp of the packet with this time, or of the last one before it: a packet may hold several frames of
// audio, whose later ones have times of the depayloader's making.
std::uint32_t GstTrack::RtpOf(GstClockTime pts) const {
  if (GST_CLOCK_TIME_IS_VALID(pts)) {
    for (std::size_t i = 0; i < stamps_.size(); ++i) {
      const Stamp& stamp = stamps_[(newest_ + stamps_.size() - i) % stamps_.size()];
      if (!GST_CLOCK_TIME_IS_VALID(stamp.pts) || stamp.pts > pts || pts - stamp.pts > GST_SECOND) continue;
      return stamp.rtp + static_cast<std::uint32_t>(
                             gst_util_uint64_scale_round(pts - stamp.pts, plan_.rtp_rate, GST_SECOND));
    }
  }
  return stamps_[newest_].rtp;
}

GstFlowReturn GstTrack::OnSample(GstAppSink* sink, gpointer self) {
  const GstSamplePtr sample(gst_app_sink_pull_sample(sink));
  return sample != nullptr ? static_cast<GstTrack*>(self)->TakeSample(sample.get()) : GST_FLOW_EOS;
}

GstFlowReturn GstTrack::TakeSample(GstSample* sample) {
  if (unframed_bytes_ <= frame_bytes_max_) unframed_bytes_ = 0;
  GstCaps* caps = gst_sample_get_caps(sample);
  GstBuffer* buffer = gst_sample_get_buffer(sample);
  if (caps == nullptr || buffer == nullptr) return GST_FLOW_OK;
  if (caps != caps_.get()) {
    auto info = TrackInfoFromCaps(caps);
    if (!info) {
      events_.on_error(std::move(info).error());
      return GST_FLOW_ERROR;
    }
    info_ = std::move(*info);
    caps_.reset(gst_caps_ref(caps));
  }
  auto mapped = std::make_shared<MappedGstBuffer>(buffer);
  if (!mapped->ok() || mapped->size() == 0) return GST_FLOW_OK;
  const ByteSpan bytes(mapped->data(), mapped->size());
  const bool whole = info_->codec == Codec::kH264   ? HasH264Slice(bytes, NalLengthBytes(*info_))
                     : info_->codec == Codec::kH265 ? HasH265Slice(bytes, NalLengthBytes(*info_))
                                                    : true;
  if (!whole) return KeepForNext(bytes);
  const bool flagged =
      plan_.kind == TrackKind::kAudio || !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  const bool key_frame = IsKeyFrame(&*info_, bytes, flagged);
  // What is known of VP8 and VP9 stands in their key frames.
  if (key_frame && info_->codec_private.empty()) CompleteTrack(*info_, bytes);
  Sample out{*info_, RtpOf(GST_BUFFER_PTS(buffer)), {}};
  out.frame.key_frame = key_frame;
  out.frame.after_loss = IsAfterLoss(out.rtp);
  if (plan_.kind == TrackKind::kAudio) {
    out.frame.duration =
        Duration{std::int64_t{SamplesOfPacket(*info_, bytes)} * 1'000'000'000 / info_->sample_rate};
  }
  if (before_picture_.empty()) {
    out.frame.data = SharedBytes(std::move(mapped), bytes);
  } else {
    before_picture_.insert(before_picture_.end(), bytes.begin(), bytes.end());
    out.frame.data = SharedBytes(std::exchange(before_picture_, {}));
  }
  events_.on_sample(std::move(out));
  return GST_FLOW_OK;
}

// What was lost is of the frame that was being put together, of the one whose packet came behind the gap, or
// of frames between, of which nothing came. Elements may hold whole frames back that are older.
bool GstTrack::IsAfterLoss(std::uint32_t rtp) {
  if (!loss_) return false;
  if (static_cast<std::int32_t>(rtp - *loss_) <= 0) {
    loss_is_new_ = false;
    return true;
  }
  loss_.reset();
  return std::exchange(loss_is_new_, false);
}

// Parameter sets and SEI in a unit of their own, since the camera put a marker behind them.
GstFlowReturn GstTrack::KeepForNext(ByteSpan bytes) {
  if (before_picture_.size() + bytes.size() <= kBeforePictureMax)
    before_picture_.insert(before_picture_.end(), bytes.begin(), bytes.end());
  return GST_FLOW_OK;
}

}  // namespace millrace
