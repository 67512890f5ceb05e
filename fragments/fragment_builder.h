// Cuts one source's frames into fragments.
//
// Input:   frames as they come: each track's in decode order, tracks interleaved roughly by time.
// Output:  to a FragmentSink: runs and fragments as they open, frames as they are placed, whole fragments.
// Cuts:    before the first key frame that comes at least duration_min after the fragment's start; where none
//          comes, before duration_max or bytes_max is passed, at a frame from which on nothing is shown
//          before what came earlier (with B-frames that is seen some frames later). Without video every frame
//          is a key frame. Also where nothing came for a while (2 s, and five times as long as usual): the
//          fragment then ends with its last frame, so that the hole is one of the recording too.
// Audio:   goes to the fragment in whose [start, end) it is heard. It waits for the video of its time, and a
//          fragment stays open for audio that trails its end, both for a bounded stretch of media time: a
//          track that stops does not hold up the others.
// Times:   video is quantised to whole ms and kept in order by VideoTimes; audio is put on its sample grid by
//          AudioGrid. A jump of the source's clock is bridged up to the next key frame; there a new run
//          begins. Frames that can never be shown (before the first key frame, of unknown tracks, empty,
//          beyond a limit) are dropped and counted.
// Memory:  at most two fragments (one open, one waiting for audio), each within bytes_max and kFramesMax.
// Threads: one owner at a time (StreamRecorder's lock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "fragments/fragment_number.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

// Where the builder's output goes. Called from within the builder's methods, in order. No method may call the
// builder back.
class FragmentSink {
 public:
  virtual ~FragmentSink() = default;
  virtual Result<std::uint64_t> OpenRun() = 0;
  // Two fragments are open at once while the earlier one waits for its last audio.
  virtual Result<FragmentNumber> OpenFragment(std::uint64_t run, bool independent,
                                              const std::vector<TrackInfo>& tracks) = 0;
  // `frame` as it will stand in the fragment; its pts is exact (video: whole ms; audio: of its first sample).
  virtual void AddFrame(const FragmentNumber& number, const Frame& frame) = 0;
  // `frames`: all that were added, in the same order; their bytes are now parts of fragment.mkv.
  virtual void CloseFragment(Fragment fragment, std::vector<Frame> frames) = 0;
};

struct BuilderLimits {
  Duration duration_min = std::chrono::seconds(1);
  Duration duration_max = std::chrono::seconds(10);  // taken as 20 s where it is more
  std::size_t bytes_max = 50 * 1000 * 1000;          // of the MKV document
};

struct BuilderCounters {
  std::uint64_t frames = 0;  // placed in fragments
  std::uint64_t bytes = 0;   // of those frames
  std::uint64_t frames_dropped = 0;
  std::uint64_t times_corrected = 0;
};

class FragmentBuilder {
 public:
  static constexpr std::size_t kTracksMax = 4;
  static constexpr std::size_t kCodecPrivateBytesMax = 8 * 1024;      // of all tracks together
  static constexpr std::size_t kFramesMax = 32'768;                   // of a fragment
  static constexpr std::size_t kAnchorsMax = 128;                     // of a track in a fragment
  static constexpr Duration kAudioWaitMax = std::chrono::seconds(1);  // of video time, for trailing audio
  static constexpr Duration kAudioLeadMax = std::chrono::seconds(2);  // then it no longer waits for video
  static constexpr Duration kAudioLateMax =
      std::chrono::seconds(5);  // before a fragment's start; then dropped
  static constexpr Duration kAudioAheadMax = std::chrono::seconds(10);  // of the video; then dropped

  // `sink` outlives the builder.
  FragmentBuilder(FragmentSink& sink, BuilderLimits limits);
  // Does not end the run: what is open is forgotten.
  ~FragmentBuilder();
  FragmentBuilder(const FragmentBuilder&) = delete;
  FragmentBuilder& operator=(const FragmentBuilder&) = delete;

  // Ends the run that is open, if its tracks or clock differ; takes frames of these tracks from now on. The
  // run's number is asked for when its first fragment opens.
  // Errors: kInvalidArgument (track numbers, picture size, sample rate, more than kTracksMax, …),
  // kUnsupported (a codec, more than one video track). Then no run is open.
  Result<void> StartRun(std::vector<TrackInfo> tracks, ClockSource clock);
  // Errors: kFailedPrecondition (no StartRun), kInvalidArgument (unknown track), the sink's. The frame is
  // dropped; after an error of the sink the builder waits for a key frame.
  Result<void> Push(Frame frame);
  // Packets of a track of this kind were lost before the frames that come next: the fragments that they would
  // have been part of, or that refer to them, are marked as damaged. So they are by Frame::after_loss, which
  // reaches a run that is opened later.
  void MarkLoss(TrackKind kind);
  // Closes what is open. Afterwards StartRun is needed.
  void EndRun();

  bool started() const;
  BuilderCounters counters() const;

 private:
  class Run;
  FragmentSink& sink_;
  const BuilderLimits limits_;
  BuilderCounters counters_;
  std::unique_ptr<Run> run_;
};

}  // namespace millrace
