// One who watches a video stream over WebRTC.
//
// Begins at the newest key frame. What the network does not take waits in a queue that is bounded in bytes;
// once that is full, pictures are left out up to the next key frame.
//
// RTCP sender reports give frames their producer times, so that the viewer knows how old a picture is; where
// that is an hour or more (or nearly as long as the machine is up) they give the times at which frames are
// sent, at the producer's distances.
//
// Threads: as webrtc_session.h; Send on the thread of its stream.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "media/webrtc/rtp_sender.h"
#include "media/webrtc/webrtc_session.h"

namespace millrace {

class WhepStream;

struct WhepViewerOptions {
  WebrtcTimes times;
  Duration silence_timeout = std::chrono::seconds(15);  // no RTCP for so long: the viewer counts as gone
  std::size_t queue_bytes_max = std::size_t{4} << 20;
};

class WhepViewer final : public WebrtcSession {
 public:
  WhepViewer(const WebrtcSettings& settings, const WhepViewerOptions& options,
             std::shared_ptr<WhepStream> stream, const std::string& name);

  // `since_key_frame`: all frames from the newest key frame on, this one included; empty: not all are there.
  void Send(const std::shared_ptr<const RtpFrame>& frame,
            const std::vector<std::shared_ptr<const RtpFrame>>& since_key_frame);
  // There is nothing more to be watched.
  void End(Error error) { peer().End(std::move(error)); }

  // Where the first frame lies in the pipeline's running time, when that is `now_ns` and the frame is `age`
  // old: nothing lies before its beginning.
  static std::int64_t PlaceOfFirst(std::int64_t now_ns, Duration age);

 private:
  Result<void> Prepare(WebrtcPeer& peer) override;
  void Receive(GstPad*, const SdpMedia&) override {}
  void Connected() override { connected_ = true; }
  std::optional<Error> LookAtMedia(SteadyTime now) override;
  void Closing() override;
  void Stopped() override;
  void SendOne(const RtpFrame& frame);

  const WhepViewerOptions options_;
  std::shared_ptr<WhepStream> watched_;
  std::atomic<bool> connected_ = false;
  SteadyTime looked_{};  // first; the owner's thread only
  // The stream's thread only, from Prepare on.
  std::vector<std::unique_ptr<RtpSender>> senders_;
  bool begun_ = false;
  bool behind_ = false;  // pictures are left out
  std::optional<Timestamp> first_;
  std::int64_t first_place_ = 0;  // running time, ns
};

}  // namespace millrace
