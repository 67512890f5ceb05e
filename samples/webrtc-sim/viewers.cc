#include "samples/webrtc-sim/viewers.h"

#include <string_view>
#include <utility>

namespace millrace::webrtc_sim {
namespace {

std::string VideoCaps(const std::string& codec) {
  const std::string caps = "application/x-rtp,media=video,payload=96,clock-rate=90000,encoding-name=";
  if (codec == "vp8") return caps + "VP8";
  if (codec == "vp9") return caps + "VP9";
  return caps + "H264,packetization-mode=(string)1,profile-level-id=(string)42e01f";
}

bool IsVideo(GstPad* pad) {
  const GstCapsPtr caps(gst_pad_get_current_caps(pad));
  if (caps == nullptr || gst_caps_get_size(caps.get()) == 0) return false;
  const char* media = gst_structure_get_string(gst_caps_get_structure(caps.get(), 0), "media");
  return media != nullptr && std::string_view(media) == "video";
}

}  // namespace

Viewers::Viewers(int count, const std::string& address, const std::string& codec, bool audio,
                 const OnOffer& on_offer, const OnTrouble& on_trouble) {
  for (int i = 0; i < count; ++i) {
    auto viewer = std::make_unique<Viewer>();
    viewer->pipeline.reset(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
    OfferingPeer::Events events{[i, on_offer](const std::string& sdp) { on_offer(i, sdp); },
                                [each = viewer.get()](GstPad* pad) { Receive(*each, pad); }, on_trouble};
    viewer->peer = std::make_unique<OfferingPeer>(viewer->pipeline.get(), address, std::move(events));
    viewer->peer->Receive(VideoCaps(codec));
    if (audio) {
      viewer->peer->Receive(
          "application/x-rtp,media=audio,payload=97,clock-rate=48000,encoding-name=OPUS,"
          "encoding-params=(string)2");
    }
    gst_element_set_state(viewer->pipeline.get(), GST_STATE_PLAYING);
    viewers_.push_back(std::move(viewer));
  }
}

void Viewers::Receive(Viewer& viewer, GstPad* pad) {
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(sink, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
  gst_bin_add(GST_BIN(viewer.pipeline.get()), sink);
  gst_element_sync_state_with_parent(sink);
  const auto count = [](GstPad*, GstPadProbeInfo* info, gpointer self) {
    auto* each = static_cast<Viewer*>(self);
    ++each->packets;
    std::uint8_t second = 0;  // RFC 3550 section 5.1: the marker is its first bit
    gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 1, &second, 1);
    if ((second & 0x80) != 0) ++each->frames;
    return GST_PAD_PROBE_OK;
  };
  const GstPadPtr input(gst_element_get_static_pad(sink, "sink"));
  if (IsVideo(pad)) gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count, &viewer, nullptr);
  gst_pad_link(pad, input.get());
}

Viewers::~Viewers() {
  for (auto& viewer : viewers_) gst_element_set_state(viewer->pipeline.get(), GST_STATE_NULL);
}

}  // namespace millrace::webrtc_sim
