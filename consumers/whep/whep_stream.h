// A video stream as it is watched over WebRTC: one thread reads the live feed and makes RTP of each frame
// once, for all who watch. It exists while anybody does.
//
// Fragments that come whole, as PutMedia brings them, are sent as their times say (frame_pacer.h): who
// watches is behind by the length of a fragment.
//
// Memory: the packets since the newest key frame, kSinceKeyFrameBytesMax of them at most: who comes begins
// there, or else at the next key frame. And frames that are not sent yet: the feed may let go of a fragment
// before its last frame is due, so all of it is taken at once, kPendingBytesMax at most.
// Threads: any. Viewers are sent to on the stream's own thread, under its lock.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "consumers/whep/frame_pacer.h"
#include "fragments/live_feed.h"
#include "media/webrtc/rtp_payloader.h"
#include "media/webrtc/sdp_offer.h"

namespace millrace {

class WhepViewer;

// What of a live stream can be watched over WebRTC; what a viewer's offer is read with.
// Errors: kFailedPrecondition: nothing is recorded into it now; kUnsupported: WebRTC cannot show it, the
// message says why and names what can.
Result<SdpAcceptance> ViewerAcceptance(const LiveFeed& feed, const std::string& stream);
// The same of these tracks; `reordered`: pictures come in another order than they are shown in.
Result<SdpAcceptance> ViewerAcceptance(const std::vector<TrackInfo>& tracks, bool reordered,
                                       const std::string& stream);

// How fragments come into a live feed.
enum class FragmentsCome : std::uint8_t { kFrameByFrame, kWhole };

class WhepStream {
 public:
  static constexpr std::size_t kSinceKeyFrameBytesMax = std::size_t{16} << 20;
  static constexpr std::size_t kPendingBytesMax = std::size_t{64} << 20;

  // `is_current`: the feed is still the stream's; asked on the stream's thread, from time to time. Once it is
  // not, viewers are ended.
  WhepStream(std::shared_ptr<LiveFeed> feed, FragmentsCome come, std::string name,
             std::function<bool()> is_current);
  // REQUIRES: no viewers.
  ~WhepStream();
  WhepStream(const WhepStream&) = delete;
  WhepStream& operator=(const WhepStream&) = delete;

  // Whether who comes now is shown the pictures of `feed`: it reads it, and can make RTP of them.
  bool Shows(const std::shared_ptr<LiveFeed>& feed, FragmentsCome come) const {
    return feed_ == feed && come_ == come && !failed_;
  }
  void Add(WhepViewer* viewer);
  void Remove(WhepViewer* viewer);

 private:
  struct Track {
    TrackInfo info;
    std::unique_ptr<RtpPayloader> payloader;
    std::optional<Timestamp> last;  // the newest frame's time
  };
  struct Pending {
    LiveRead::Item item;
    bool after_gap = false;                        // frames before it are gone
    std::optional<std::vector<TrackInfo>> tracks;  // where a run begins
  };
  void Work();
  // Takes what the feed has, as far as there is room.
  void Fill();
  // Whether the stream is still there; several times a second at most.
  void Look();
  // Takes meanwhile what comes. False: it is to stop.
  bool WaitUntil(std::chrono::steady_clock::time_point due);
  // False: it is to stop.
  bool Take(const Pending& pending);
  void StartRun(const std::vector<TrackInfo>& infos);
  void Distribute(std::shared_ptr<const RtpFrame> frame);
  bool HasPictures() const;  // of the run
  // Ends all, and who comes later is to watch another WhepStream.
  void Fail(Error error);
  void EndAll(const Error& error);

  const std::shared_ptr<LiveFeed> feed_;
  const FragmentsCome come_;
  const std::string name_;
  const std::function<bool()> is_current_;
  std::atomic<bool> failed_ = false;  // no picture will come any more
  // The thread's own.
  std::optional<Error> failure_;
  std::optional<LivePosition> position_;
  std::optional<std::uint64_t> read_run_;  // of the frame that was taken last
  std::deque<Pending> pending_;            // taken, oldest first
  std::size_t pending_bytes_ = 0;
  std::vector<Track> tracks_;
  FramePacer pacer_;
  std::chrono::steady_clock::time_point looked_;
  std::optional<Timestamp> epoch_;
  std::vector<std::shared_ptr<const RtpFrame>> since_key_frame_;
  std::size_t since_key_frame_bytes_ = 0;
  bool decodable_ = false;  // a key frame came, and everything since

  std::mutex mutex_;                  // viewers; held while they are sent to
  std::vector<WhepViewer*> viewers_;  // GUARDED_BY(mutex_)

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool changed_ = false;   // GUARDED_BY(wake_mutex_)
  bool stopping_ = false;  // GUARDED_BY(wake_mutex_)
  std::thread thread_;
};

}  // namespace millrace
