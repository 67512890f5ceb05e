// Many who publish the same pictures: one encoder, and a connection for each.
//
// Pictures are noise, so that the encoder needs the bit rate that it is given and every bit of a damaged
// picture shows; sound is a tone.
#pragma once

#include <atomic>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "media/gst_handles.h"
#include "samples/webrtc-sim/offering_peer.h"

namespace millrace::webrtc_sim {

struct PublisherOptions {
  int count = 1;
  std::string address = "127.0.0.1";  // or "::1"
  std::string codec = "h264";         // or "vp8", "vp9"
  int width = 320;
  int height = 240;
  int fps = 25;
  int bitrate_kbps = 1000;
  int key_frame_every = 250;  // frames; earlier when a key frame is asked for
  bool audio = true;
  // One line of JSON, {"key":…,"md5":…}, for each frame that the first publisher sends: of H.264 the slices'
  // NAL units alone, since parameter sets come and go on the way.
  std::string frames_log;
};

class Publishers {
 public:
  using OnOffer = std::function<void(int peer, const std::string& sdp)>;
  using OnTrouble = std::function<void(const std::string&)>;
  // Throws std::runtime_error where GStreamer lacks something.
  Publishers(const PublisherOptions& options, const OnOffer& on_offer, const OnTrouble& on_trouble);
  ~Publishers();
  void Start();
  OfferingPeer& peer(std::size_t number) { return *peers_.at(number); }
  std::size_t size() const { return peers_.size(); }
  std::uint64_t frames() const { return frames_; }  // that the first one has sent
  std::uint64_t key_frame_requests() const { return key_frame_requests_; }

 private:
  static GstPadProbeReturn OnFrame(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn OnUpstream(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  void Connect(int number, const std::string& kind, const std::string& payloader);

  const PublisherOptions options_;
  std::ofstream log_;  // the first publisher's streaming thread only
  std::atomic<std::uint64_t> frames_ = 0;
  std::atomic<std::uint64_t> key_frame_requests_ = 0;
  GstElementPtr pipeline_;
  std::vector<std::unique_ptr<OfferingPeer>> peers_;
};

}  // namespace millrace::webrtc_sim
