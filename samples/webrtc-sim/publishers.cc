#include "samples/webrtc-sim/publishers.h"

#include <gst/video/video.h>

#include <stdexcept>

#include "base/bytes.h"

namespace millrace::webrtc_sim {
namespace {

constexpr gsize kNalLengthBytes = 4;
constexpr unsigned kNalSliceMax = 5;  // ITU-T H.264 table 7-1: 1 to 5 are slices

// The MD5 of what makes the picture.
std::string PictureHash(ByteSpan frame, bool h264) {
  const std::unique_ptr<GChecksum, ReleaseByPointer<g_checksum_free>> hash(g_checksum_new(G_CHECKSUM_MD5));
  if (!h264) g_checksum_update(hash.get(), frame.data(), static_cast<gssize>(frame.size()));
  while (h264 && frame.size() > kNalLengthBytes) {
    const std::size_t size = ReadBigEndian<std::uint32_t>(frame);
    if (size == 0 || size > frame.size() - kNalLengthBytes) break;
    const ByteSpan unit = frame.subspan(kNalLengthBytes, size);
    const unsigned type = unit[0] & 0x1FU;
    if (type >= 1 && type <= kNalSliceMax)
      g_checksum_update(hash.get(), unit.data(), static_cast<gssize>(unit.size()));
    frame = frame.subspan(kNalLengthBytes + size);
  }
  return g_checksum_get_string(hash.get());
}

std::string EncoderOf(const PublisherOptions& options) {
  const std::string bitrate = std::to_string(options.bitrate_kbps);
  const std::string every = std::to_string(options.key_frame_every);
  if (options.codec != "h264") {
    return options.codec + "enc deadline=1 cpu-used=16 keyframe-max-dist=" + every +
           " target-bitrate=" + bitrate + "000";
  }
  return "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=" + every + " bitrate=" + bitrate +
         " ! video/x-h264,profile=constrained-baseline ! h264parse ! "
         "video/x-h264,stream-format=avc,alignment=au";
}

}  // namespace

Publishers::Publishers(const PublisherOptions& options, const OnOffer& on_offer, const OnTrouble& on_trouble)
    : options_(options) {
  if (!options_.frames_log.empty()) log_.open(options_.frames_log);
  std::string description = "videotestsrc is-live=true pattern=snow ! video/x-raw,format=I420,width=" +
                            std::to_string(options_.width) + ",height=" + std::to_string(options_.height) +
                            ",framerate=" + std::to_string(options_.fps) + "/1 ! " + EncoderOf(options_) +
                            " ! tee name=video allow-not-linked=true";
  if (options_.audio) {
    description +=
        " audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! opusenc ! "
        "tee name=audio allow-not-linked=true";
  }
  GError* raw = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &raw);
  const GErrorPtr error(raw);
  if (pipeline == nullptr || error != nullptr)
    throw std::runtime_error(error != nullptr ? error->message : "GStreamer makes no pipeline");
  pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(pipeline)));
  for (int i = 0; i < options_.count; ++i) {
    OfferingPeer::Events events{[i, on_offer](const std::string& sdp) { on_offer(i, sdp); }, {}, on_trouble};
    peers_.push_back(std::make_unique<OfferingPeer>(pipeline, options_.address, std::move(events)));
    Connect(i, "video",
            options_.codec == "h264" ? "rtph264pay config-interval=-1 aggregate-mode=zero-latency pt=96"
                                     : "rtp" + options_.codec + "pay picture-id-mode=2 pt=96");
    if (options_.audio) Connect(i, "audio", "rtpopuspay pt=97");
  }
}

// Until a peer is connected its frames are thrown away, so that it begins with new ones.
void Publishers::Connect(int number, const std::string& kind, const std::string& payloader) {
  const std::string description =
      "queue leaky=downstream max-size-buffers=0 max-size-bytes=0 max-size-time=1000000000 ! " + payloader +
      " name=payloader mtu=1200";
  GError* raw = nullptr;
  GstElement* bin = gst_parse_bin_from_description(description.c_str(), TRUE, &raw);
  const GErrorPtr error(raw);
  if (bin == nullptr || error != nullptr) throw std::runtime_error("GStreamer lacks " + payloader);
  gst_bin_add(GST_BIN(pipeline_.get()), bin);
  if (number == 0 && kind == "video") {
    const GstElementPtr element(gst_bin_get_by_name(GST_BIN(bin), "payloader"));
    const GstPadPtr pad(gst_element_get_static_pad(element.get(), "sink"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, &Publishers::OnFrame, this, nullptr);
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, &Publishers::OnUpstream, this, nullptr);
  }
  const GstElementPtr tee(gst_bin_get_by_name(GST_BIN(pipeline_.get()), kind.c_str()));
  if (!gst_element_link(tee.get(), bin)) throw std::runtime_error("GStreamer does not link " + payloader);
  const GstPadPtr rtp(gst_element_get_static_pad(bin, "src"));
  peers_.back()->Send(rtp.get());
}

GstPadProbeReturn Publishers::OnFrame(GstPad*, GstPadProbeInfo* info, gpointer self) {
  auto* publishers = static_cast<Publishers*>(self);
  ++publishers->frames_;
  if (!publishers->log_.is_open()) return GST_PAD_PROBE_OK;
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  const bool key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  const MappedGstBuffer mapped(buffer);
  publishers->log_ << "{\"key\":" << (key ? "true" : "false") << ",\"md5\":\""
                   << PictureHash({mapped.data(), mapped.size()}, publishers->options_.codec == "h264")
                   << "\"}\n"
                   << std::flush;
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Publishers::OnUpstream(GstPad*, GstPadProbeInfo* info, gpointer self) {
  if (gst_video_event_is_force_key_unit(GST_PAD_PROBE_INFO_EVENT(info)))
    ++static_cast<Publishers*>(self)->key_frame_requests_;
  return GST_PAD_PROBE_OK;
}

void Publishers::Start() { gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING); }

Publishers::~Publishers() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

}  // namespace millrace::webrtc_sim
