#include "media/webrtc/retransmissions.h"

#include <memory>
#include <utility>

namespace millrace {
namespace {

using StructurePtr = std::unique_ptr<GstStructure, ReleaseByPointer<gst_structure_free>>;

RetransmissionCounts CountsOf(GstElement* jitter_buffer) {
  GstStructure* raw = nullptr;
  g_object_get(jitter_buffer, "stats", &raw, nullptr);
  const StructurePtr stats(raw);
  guint64 requests = 0;
  guint64 received = 0;
  if (stats != nullptr) {
    gst_structure_get(stats.get(), "rtx-count", G_TYPE_UINT64, &requests, "rtx-success-count", G_TYPE_UINT64,
                      &received, nullptr);
  }
  return {requests, received};
}

}  // namespace

void Retransmissions::Watch(GstElement* rtpbin) {
  g_signal_connect(rtpbin, "new-jitterbuffer", G_CALLBACK(&Retransmissions::OnJitterBuffer), this);
}

void Retransmissions::OnJitterBuffer(GstElement*, GstElement* buffer, guint, guint, gpointer self) {
  auto* counter = static_cast<Retransmissions*>(self);
  const std::lock_guard lock(counter->mutex_);
  counter->senders_.push_back({GstElementPtr(GST_ELEMENT(gst_object_ref(buffer))), {}});
}

RetransmissionCounts Retransmissions::Take() {
  RetransmissionCounts sum;
  const std::lock_guard lock(mutex_);
  for (Sender& sender : senders_) {
    const RetransmissionCounts now = CountsOf(sender.jitter_buffer.get());
    const RetransmissionCounts before = std::exchange(sender.taken, now);
    // A jitter buffer that is flushed begins anew.
    sum.requests += now.requests - (now.requests < before.requests ? 0 : before.requests);
    sum.received += now.received - (now.received < before.received ? 0 : before.received);
  }
  return sum;
}

}  // namespace millrace
