#include "media/webrtc/rtp_payloader.h"

#include <utility>

namespace millrace {
namespace {

struct Plan {
  std::string description;
  std::string caps;
};

std::string MadeOpus(const std::string& decoder) {
  // A single slice of 20 ms a packet, as browsers do.
  return decoder + " ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=[1,2] ! opusenc ! ";
}

Result<Plan> PlanOf(const TrackInfo& track) {
  const std::string mtu =
      " mtu=" + std::to_string(kRtpPacketBytesMax) + " seqnum-offset=0 timestamp-offset=0";
  const std::string opus = "rtpopuspay" + mtu;
  const std::string g711 =
      ",rate=" + std::to_string(track.sample_rate) + ",channels=" + std::to_string(track.channels);
  switch (track.codec) {
    case Codec::kH264:
      // Parameter sets go before every key frame: who joins has no others.
      return Plan{"rtph264pay config-interval=-1 aggregate-mode=zero-latency" + mtu,
                  "video/x-h264,stream-format=avc,alignment=au"};
    case Codec::kVp8:
      return Plan{"rtpvp8pay picture-id-mode=2" + mtu, "video/x-vp8"};
    case Codec::kVp9:
      return Plan{"rtpvp9pay picture-id-mode=2" + mtu, "video/x-vp9"};
    case Codec::kOpus:
      return Plan{opus, "audio/x-opus,channel-mapping-family=0,channels=" + std::to_string(track.channels)};
    case Codec::kAac:
      return Plan{MadeOpus("avdec_aac") + opus,
                  "audio/mpeg,mpegversion=4,stream-format=raw,rate=" + std::to_string(track.sample_rate) +
                      ",channels=" + std::to_string(track.channels)};
    case Codec::kPcmAlaw:
      return Plan{MadeOpus("alawdec") + opus, "audio/x-alaw" + g711};
    case Codec::kPcmMulaw:
      return Plan{MadeOpus("mulawdec") + opus, "audio/x-mulaw" + g711};
    default:
      return Error{ErrorCode::kUnsupported,
                   "WebRTC cannot carry " + std::string(ToString(track.codec)) + ": watch by HLS"};
  }
}

}  // namespace

Codec WatchedCodec(const TrackInfo& track) {
  return track.kind() == TrackKind::kAudio ? Codec::kOpus : track.codec;
}

Result<std::unique_ptr<RtpPayloader>> RtpPayloader::Make(const TrackInfo& track) {
  InitGStreamer();
  MILLRACE_ASSIGN_OR_RETURN(const Plan plan, PlanOf(track));
  std::unique_ptr<RtpPayloader> payloader(new RtpPayloader(track.kind()));
  const bool configured = track.codec == Codec::kH264 || track.codec == Codec::kAac;
  MILLRACE_RETURN_IF_ERROR(
      payloader->Build(plan.description, plan.caps, configured ? track.codec_private : Bytes()));
  return payloader;
}

Result<void> RtpPayloader::Build(const std::string& description, const std::string& caps_text,
                                 const Bytes& codec_data) {
  GError* raw = nullptr;
  GstElement* bin = gst_parse_bin_from_description(description.c_str(), TRUE, &raw);
  const GErrorPtr error(raw);
  if (bin == nullptr || error != nullptr) {
    if (bin != nullptr) gst_object_unref(gst_object_ref_sink(bin));
    return Error{ErrorCode::kInternal, "GStreamer cannot make '" + description + "'"};
  }
  bin_.reset(GST_ELEMENT(gst_object_ref_sink(bin)));
  input_.reset(GST_PAD(gst_object_ref_sink(gst_pad_new("input", GST_PAD_SRC))));
  output_.reset(GST_PAD(gst_object_ref_sink(gst_pad_new("output", GST_PAD_SINK))));
  gst_pad_set_element_private(output_.get(), this);
  gst_pad_set_chain_function(output_.get(), &RtpPayloader::OnPacket);
  gst_pad_set_chain_list_function(output_.get(), &RtpPayloader::OnPackets);
  const GstPadPtr sink(gst_element_get_static_pad(bin, "sink"));
  const GstPadPtr source(gst_element_get_static_pad(bin, "src"));
  gst_pad_set_active(output_.get(), TRUE);
  gst_pad_set_active(input_.get(), TRUE);
  if (gst_pad_link(input_.get(), sink.get()) != GST_PAD_LINK_OK ||
      gst_pad_link(source.get(), output_.get()) != GST_PAD_LINK_OK ||
      gst_element_set_state(bin, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    return Error{ErrorCode::kInternal, "GStreamer cannot run '" + description + "'"};
  }
  GstCapsPtr caps(gst_caps_from_string(caps_text.c_str()));
  if (!codec_data.empty()) {
    GstBuffer* data = gst_buffer_new_memdup(codec_data.data(), codec_data.size());
    gst_caps_set_simple(caps.get(), "codec_data", GST_TYPE_BUFFER, data, nullptr);
    gst_buffer_unref(data);
  }
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(input_.get(), gst_event_new_stream_start("millrace"));
  if (!gst_pad_push_event(input_.get(), gst_event_new_caps(caps.get())))
    return Error{ErrorCode::kUnsupported, "GStreamer's '" + description + "' does not take the track"};
  gst_pad_push_event(input_.get(), gst_event_new_segment(&segment));
  return {};
}

RtpPayloader::~RtpPayloader() {
  if (bin_ != nullptr) gst_element_set_state(bin_.get(), GST_STATE_NULL);
  for (GstPad* pad : {input_.get(), output_.get()}) {
    if (pad != nullptr) gst_pad_set_active(pad, FALSE);
  }
}

Result<std::shared_ptr<const RtpFrame>> RtpPayloader::Payload(const Frame& frame, Duration since_epoch) {
  // The frame's bytes go in as they are, and are kept for as long as packets refer to them.
  auto* owner = new SharedBytes(frame.data);
  GstBuffer* buffer = gst_buffer_new_wrapped_full(
      GST_MEMORY_FLAG_READONLY, const_cast<std::uint8_t*>(owner->data()), owner->size(), 0, owner->size(),
      owner, [](gpointer bytes) { delete static_cast<SharedBytes*>(bytes); });
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(since_epoch.count());
  if (frame.duration.count() > 0)
    GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(frame.duration.count());
  if (!frame.key_frame) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  const GstFlowReturn flow = gst_pad_push(input_.get(), buffer);
  if (flow != GST_FLOW_OK) {
    return Error{ErrorCode::kCorruption,
                 std::string("the track's frames do not become RTP: ") + gst_flow_get_name(flow)};
  }
  if (packets_.empty()) return std::shared_ptr<const RtpFrame>();
  auto made = std::make_shared<RtpFrame>();
  made->kind = kind_;
  made->key_frame = frame.key_frame;
  made->pts = frame.pts;
  made->packets = std::exchange(packets_, {});
  for (const GstBufferPtr& packet : made->packets) made->bytes += gst_buffer_get_size(packet.get());
  return std::shared_ptr<const RtpFrame>(std::move(made));
}

GstFlowReturn RtpPayloader::OnPacket(GstPad* pad, GstObject*, GstBuffer* packet) {
  static_cast<RtpPayloader*>(gst_pad_get_element_private(pad))->packets_.emplace_back(packet);
  return GST_FLOW_OK;
}

GstFlowReturn RtpPayloader::OnPackets(GstPad* pad, GstObject*, GstBufferList* packets) {
  auto* self = static_cast<RtpPayloader*>(gst_pad_get_element_private(pad));
  for (guint i = 0; i < gst_buffer_list_length(packets); ++i)
    self->packets_.emplace_back(gst_buffer_ref(gst_buffer_list_get(packets, i)));
  gst_buffer_list_unref(packets);
  return GST_FLOW_OK;
}

}  // namespace millrace
