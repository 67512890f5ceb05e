// Counts what a connection does about packets that its peer sent and that did not come: how often they were
// asked for again (NACK, RFC 4585 section 6.2.1), and how many of them then came in time.
//
// Threads: any.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <mutex>
#include <vector>

#include "media/gst_handles.h"

namespace millrace {

struct RetransmissionCounts {
  std::uint64_t requests = 0;  // for one packet each; a packet may be asked for several times
  std::uint64_t received = 0;
};

class Retransmissions {
 public:
  Retransmissions() = default;
  Retransmissions(const Retransmissions&) = delete;
  Retransmissions& operator=(const Retransmissions&) = delete;

  // `rtpbin` has no senders yet, and is stopped before this goes.
  void Watch(GstElement* rtpbin);
  // What was not taken yet.
  RetransmissionCounts Take();

 private:
  static void OnJitterBuffer(GstElement* rtpbin, GstElement* buffer, guint session, guint ssrc,
                             gpointer self);

  struct Sender {
    GstElementPtr jitter_buffer;
    RetransmissionCounts taken;
  };
  std::mutex mutex_;
  std::vector<Sender> senders_;  // GUARDED_BY(mutex_); rtpbin's max-streams bounds it
};

}  // namespace millrace
