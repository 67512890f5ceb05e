#include "ingest/gst_reception.h"

#include <gst/rtp/gstrtcpbuffer.h>

#include <string_view>
#include <utility>

namespace millrace {
namespace {

constexpr std::int64_t kNtpEpochOffset = 2208988800;  // 1900 to 1970, seconds
constexpr std::size_t kSsrcMax = 16;                  // senders that reports are kept of

Timestamp FromNtp(guint64 ntp) {
  const auto seconds = static_cast<std::int64_t>(ntp >> 32) - kNtpEpochOffset;
  const auto fraction_ns = static_cast<std::int64_t>((ntp & 0xFFFFFFFF) * 1'000'000'000 >> 32);
  return Timestamp{seconds * 1'000'000'000 + fraction_ns};
}

}  // namespace

// Sender reports are read where RTCP comes in, before any frame has: rtpbin has no other way to them that
// does not also change the buffers' times.
void GstReception::WatchReports(GstElement* rtpbin) {
  g_signal_connect(rtpbin, "element-added", G_CALLBACK(&GstReception::OnManagerElement), this);
}

void GstReception::OnManagerElement(GstBin*, GstElement* element, gpointer self) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "internal-session") == nullptr) return;
  GObject* session = nullptr;
  g_object_get(element, "internal-session", &session, nullptr);
  if (session == nullptr) return;
  g_signal_connect(session, "on-receiving-rtcp", G_CALLBACK(&GstReception::OnRtcp), self);
  g_object_unref(session);
  g_signal_connect(element, "pad-added", G_CALLBACK(&GstReception::OnSessionPad), nullptr);
}

// Reports go no further than OnRtcp: GStreamer would shift the tracks against each other by them, and make a
// jitter buffer with two threads for every sender that a report names.
void GstReception::OnSessionPad(GstElement*, GstPad* pad, gpointer) {
  if (std::string_view(GST_PAD_NAME(pad)) != "sync_src") return;
  const auto drop = [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; };
  gst_pad_add_probe(pad,
                    static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    drop, nullptr, nullptr);
}

void GstReception::OnRtcp(GObject*, GstBuffer* packets, gpointer self) {
  auto* reception = static_cast<GstReception*>(self);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  if (!gst_rtcp_buffer_map(packets, GST_MAP_READ, &rtcp)) return;
  GstRTCPPacket packet;
  for (gboolean more = gst_rtcp_buffer_get_first_packet(&rtcp, &packet); more;
       more = gst_rtcp_packet_move_to_next(&packet)) {
    if (gst_rtcp_packet_get_type(&packet) != GST_RTCP_TYPE_SR) continue;
    guint32 ssrc = 0;
    guint64 ntp = 0;
    guint32 rtp = 0;
    gst_rtcp_packet_sr_get_sender_info(&packet, &ssrc, &ntp, &rtp, nullptr, nullptr);
    reception->TakeReport(ssrc, {FromNtp(ntp), rtp, reception->Now()});
  }
  gst_rtcp_buffer_unmap(&rtcp);
}

void GstReception::TakeReport(std::uint32_t ssrc, Report report) {
  const std::lock_guard lock(mutex_);
  last_heard_ = report.now.steady;
  if (const auto track = track_of_ssrc_.find(ssrc); track != track_of_ssrc_.end()) {
    runs_.OnSenderReport(track->second, report.ntp, report.rtp, report.now);
  } else if (early_reports_.size() < kSsrcMax || early_reports_.contains(ssrc)) {
    early_reports_[ssrc] = report;
  }
}

Result<void> GstReception::AddTrack(const GstTrackPlan& plan, GstElement* pipeline, GstPad* pad) {
  GstTrack* track = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return {};
    const std::size_t index = runs_.AddTrack(plan.kind, plan.rtp_rate, options_.clock_difference_max);
    track = &tracks_.emplace_back(plan, options_.bytes_max, EventsOf(index, plan.kind));
  }
  return track->Attach(pipeline, pad);
}

GstTrack::Events GstReception::EventsOf(std::size_t index, TrackKind kind) {
  GstTrack::Events events;
  events.on_ssrc = [this, index](std::uint32_t ssrc) {
    const std::lock_guard lock(mutex_);
    if (track_of_ssrc_.size() < kSsrcMax) track_of_ssrc_[ssrc] = index;
    if (const auto early = early_reports_.find(ssrc); early != early_reports_.end()) {
      runs_.OnSenderReport(index, early->second.ntp, early->second.rtp, early->second.now);
      early_reports_.erase(early);
    }
  };
  events.on_loss = [this, kind](std::uint64_t packets) {
    const std::lock_guard lock(mutex_);
    if (!ended_) events_.OnLoss(kind, packets);
  };
  events.on_sample = [this, index](GstTrack::Sample sample) {
    const ArrivalTime now = Now();
    const std::lock_guard lock(mutex_);
    last_heard_ = now.steady;
    if (!ended_) runs_.OnFrame(index, sample.info, sample.rtp, now, std::move(sample.frame));
  };
  events.on_error = [this](Error error) { End(std::move(error)); };
  return events;
}

void GstReception::Expect(std::size_t tracks) {
  const std::lock_guard lock(mutex_);
  runs_.Expect(tracks);
}

std::size_t GstReception::tracks() const {
  const std::lock_guard lock(mutex_);
  return tracks_.size();
}

void GstReception::End(Error error) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  events_.OnEnded(std::move(error));
}

void GstReception::Close() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
}

std::chrono::steady_clock::time_point GstReception::last_heard() const {
  const std::lock_guard lock(mutex_);
  return last_heard_;
}

}  // namespace millrace
