#include "media/webrtc/rtp_sender.h"

#include <array>
#include <random>
#include <utility>

namespace millrace {
namespace {

constexpr gsize kRtpHeaderBytes = 12;  // RFC 3550 section 5.1; payloaders add no extension

}  // namespace

RtpSender::RtpSender(SdpMedia media, std::size_t bytes_max)
    : media_(std::move(media)),
      bytes_max_(bytes_max),
      ssrc_(std::random_device()()),
      sequence_(static_cast<std::uint16_t>(std::random_device()() & 0x7FFF)) {}

Result<std::unique_ptr<RtpSender>> RtpSender::Attach(WebrtcPeer& peer, std::size_t media,
                                                     std::size_t bytes_max) {
  std::unique_ptr<RtpSender> sender(new RtpSender(peer.media()[media], bytes_max));
  MILLRACE_ASSIGN_OR_RETURN(const GstPadPtr sink, peer.RequestSender(media, sender->ssrc_));
  GstElement* source = gst_element_factory_make("appsrc", nullptr);
  if (source == nullptr) return Error{ErrorCode::kInternal, "GStreamer lacks appsrc"};
  sender->source_ = GST_APP_SRC(source);
  const GstCapsPtr caps = RtpCaps(sender->media_, sender->ssrc_);
  g_object_set(source, "caps", caps.get(), "format", GST_FORMAT_TIME, "is-live", TRUE, "block", FALSE,
               "max-bytes", guint64{0}, nullptr);
  gst_bin_add(GST_BIN(peer.pipeline()), source);
  const GstPadPtr pad(gst_element_get_static_pad(source, "src"));
  if (gst_pad_link(pad.get(), sink.get()) != GST_PAD_LINK_OK)
    return Error{ErrorCode::kInternal, "webrtcbin does not take RTP"};
  return sender;
}

bool RtpSender::Send(const RtpFrame& frame, GstClockTime place) {
  if (gst_app_src_get_current_level_bytes(source_) + frame.bytes > bytes_max_) return false;
  GstBufferList* list = gst_buffer_list_new_sized(static_cast<guint>(frame.packets.size()));
  for (const GstBufferPtr& packet : frame.packets) {
    std::array<std::uint8_t, kRtpHeaderBytes> header{};
    if (gst_buffer_extract(packet.get(), 0, header.data(), header.size()) != header.size()) continue;
    header[1] = static_cast<std::uint8_t>((header[1] & 0x80) | media_.payload_type);  // keeps the marker
    header[2] = static_cast<std::uint8_t>(sequence_ >> 8);
    header[3] = static_cast<std::uint8_t>(sequence_);
    ++sequence_;
    for (std::size_t i = 0; i < 4; ++i) header[8 + i] = static_cast<std::uint8_t>(ssrc_ >> (24 - 8 * i));
    GstBuffer* own = gst_buffer_new_memdup(header.data(), header.size());
    gst_buffer_copy_into(own, packet.get(), GST_BUFFER_COPY_MEMORY, kRtpHeaderBytes, static_cast<gsize>(-1));
    GST_BUFFER_PTS(own) = place;
    gst_buffer_list_add(list, own);
  }
  gst_app_src_push_buffer_list(source_, list);
  return true;
}

}  // namespace millrace
