// The newest fragments of one video stream, frame by frame, before and while they become durable.
//
// A fragment is open (growing), then closed (whole, being appended), then persisted; it stays here until its
// append is acknowledged and, while anybody is subscribed, 10 s more, so that a reader hands over to the log
// without a seam: readers name fragments by number in all three states, and one that is no longer here is in
// the log. Without a reader that costs no memory: a reader subscribes first, and then looks into the log. Two
// are open at once for a moment, while the earlier one waits for the audio of its last pictures; readers get
// them one after the other. Bounded in bytes: the oldest failed or acknowledged fragments go first, then,
// when appends hang, the oldest closed ones; a reader that fell behind is moved forward to the newest key
// frame, and told so. A failed append leaves the feed like an acknowledged one, marked failed.
//
// Threads: one writer (the stream's recorder) and any number of readers, from any threads; nobody blocks
// anybody for longer than a short lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

enum class LiveState : std::uint8_t { kOpen, kClosed, kPersisted, kFailed };

// A fragment as the feed has it now. `frames` is a snapshot: sharing, not copying, the frames' bytes.
struct LiveFragment {
  FragmentNumber number;
  LiveState state = LiveState::kOpen;
  std::uint64_t run = 0;
  bool independent = true;
  std::vector<TrackInfo> tracks;
  std::vector<Frame> frames;           // in the order they are written to the fragment
  std::optional<FragmentFacts> facts;  // from kClosed on
};

// What a reader has seen up to: the next frame is number `frame` of the fragment `number`.
struct LivePosition {
  FragmentNumber number;
  std::size_t frame = 0;
};

struct LiveRead {
  struct Item {
    FragmentNumber number;
    std::uint64_t run = 0;
    Frame frame;
  };
  std::vector<Item> frames;
  LivePosition next;
  bool skipped = false;  // the position was no longer held: the reader was moved to the newest key frame
};

class LiveFeed {
 public:
  struct Options {
    std::size_t bytes_max = 64 * 1024 * 1024;
    Duration keep_after_persisted = std::chrono::seconds(10);  // while there is a subscriber
    const Clock* clock = &SystemClock();
  };
  explicit LiveFeed(Options options);

  // -- the writer
  void Open(const FragmentNumber& number, std::uint64_t run, bool independent, std::vector<TrackInfo> tracks);
  void Add(const FragmentNumber& number, const Frame& frame);
  // `frames`, where given, take the place of those that were added: the same ones in the same order, their
  // bytes now shared with the fragment's document.
  void Close(const FragmentFacts& facts, std::vector<Frame> frames = {});
  void SetPersisted(const FragmentNumber& number);
  void SetFailed(const FragmentNumber& number);
  // Lets go of the fragments that were deleted: those of which `deleted` says so. Of one that is still open
  // it is asked with its number, start, duration and server_start, as far as its frames go yet.
  void Drop(const std::function<bool(const FragmentFacts& facts)>& deleted);

  // -- readers
  std::vector<LiveFragment> Fragments() const;  // oldest first
  std::optional<LiveFragment> Find(const FragmentNumber& number) const;
  // The newest fragment that is durable and can be found in the store, of those that were ever here.
  std::optional<FragmentNumber> NewestPersisted() const;
  // Frames after `position`; none given: from the newest key frame on.
  LiveRead Read(std::optional<LivePosition> position, std::size_t frames_max) const;
  // Calls `ready` after every change (a frame, a state) until the subscription is let go; then it does not
  // run any more, and is not running (unless it is `ready` itself that lets go). On the writer's thread: hand
  // over and return. `ready` must not call the writer (StreamRecorder); nor may a lock that `ready` takes be
  // held while letting go.
  [[nodiscard]] std::shared_ptr<void> Subscribe(std::function<void()> ready);

  // Lets go of what has been persisted for long enough. Every change by the writer does so too; this is for
  // feeds whose writer is gone.
  void DropExpired();

  std::size_t bytes() const;
  bool live() const;  // a fragment is open

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace
