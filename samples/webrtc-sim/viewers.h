// Many who watch, each in a pipeline of its own; what comes is counted and let go, not decoded.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "media/gst_handles.h"
#include "samples/webrtc-sim/offering_peer.h"

namespace millrace::webrtc_sim {

class Viewers {
 public:
  using OnOffer = std::function<void(int peer, const std::string& sdp)>;
  using OnTrouble = std::function<void(const std::string&)>;
  // `codec`: "h264", "vp8" or "vp9". Throws std::runtime_error where GStreamer lacks something.
  Viewers(int count, const std::string& address, const std::string& codec, bool audio,
          const OnOffer& on_offer, const OnTrouble& on_trouble);
  ~Viewers();
  OfferingPeer& peer(std::size_t number) { return *viewers_.at(number)->peer; }
  std::size_t size() const { return viewers_.size(); }
  // Of one viewer: RTP packets, and pictures of which the last packet came.
  std::uint64_t packets(std::size_t number) const { return viewers_.at(number)->packets; }
  std::uint64_t frames(std::size_t number) const { return viewers_.at(number)->frames; }

 private:
  struct Viewer {
    GstElementPtr pipeline;
    std::atomic<std::uint64_t> packets = 0;
    std::atomic<std::uint64_t> frames = 0;
    std::unique_ptr<OfferingPeer> peer;
  };
  static void Receive(Viewer& viewer, GstPad* pad);

  std::vector<std::unique_ptr<Viewer>> viewers_;
};

}  // namespace millrace::webrtc_sim
