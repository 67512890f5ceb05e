// The video streams that producers put media to, as all their connections share them: who feeds a stream now,
// and which fragments are on their way to the disk.
//
// One producer feeds a stream. A newer one takes over when its first fragment begins; the one before may
// still complete the fragment that it has open.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_store.h"
#include "fragments/gap.h"

namespace millrace {

// A fragment that was given to the store and is not settled yet.
class PutInFlight {
 public:
  PutInFlight(FragmentNumber number, Timestamp start, SharedBytes mkv)
      : number_(number), start_(start), mkv_(std::move(mkv)) {}

  const FragmentNumber& number() const { return number_; }
  Timestamp start() const { return start_; }
  const SharedBytes& mkv() const { return mkv_; }
  // Runs `settled` once it is durable or has failed; at once, where that is so already.
  void WhenSettled(std::function<void(const Result<void>&)> settled);
  void Settle(Result<void> result);

 private:
  const FragmentNumber number_;
  const Timestamp start_;
  const SharedBytes mkv_;
  std::mutex mutex_;
  std::optional<Result<void>> result_;                             // GUARDED_BY(mutex_)
  std::vector<std::function<void(const Result<void>&)>> waiting_;  // GUARDED_BY(mutex_)
};

class PutStream : public std::enable_shared_from_this<PutStream> {
 public:
  PutStream(FragmentStore& store, VideoStream video) : store_(store), video_(std::move(video)) {}

  const VideoStream& video() const { return video_; }
  // Never zero, and no other session's.
  std::uint64_t NewSession();
  // The session feeds the stream from now on. False: it does so already, or a newer one does.
  bool TakeOver(std::uint64_t session);
  bool IsFedBy(std::uint64_t session) const;
  // A newer session took over.
  bool IsDisplaced(std::uint64_t session) const;

  // The next number. Errors: kNotFound (the stream is gone).
  Result<FragmentNumber> OpenFragment();
  // Gives the fragment to the store, under its number if it has one and no other was given since, else under
  // a fresh one: so readers that follow the numbers miss none. `numbered` runs within the call, before
  // anything can be settled. Errors: kNotFound (the stream is gone).
  Result<void> Append(Fragment fragment, const std::vector<Frame>& frames,
                      const std::function<void(const std::shared_ptr<PutInFlight>&)>& numbered);

  // The newest fragment that starts at this time, on its way to the disk.
  std::shared_ptr<PutInFlight> FindInFlight(Timestamp start) const;
  // The latest start of those on their way.
  std::optional<Timestamp> NewestInFlight() const;

 private:
  void Settled(const std::shared_ptr<PutInFlight>& fragment, Result<void> result);

  FragmentStore& store_;
  const VideoStream video_;
  std::mutex order_mutex_;  // one append at a time, in the order of numbers; taken before mutex_
  std::optional<FragmentNumber> last_given_;  // GUARDED_BY(order_mutex_)
  mutable std::mutex mutex_;                  // guards what follows; held for memory operations only
  std::uint64_t sessions_ = 0;
  std::uint64_t feeding_ = 0;  // the session
  std::vector<std::shared_ptr<PutInFlight>> in_flight_;
};

struct PutStreamsOptions {
  GapListener* gaps = nullptr;  // hears when a stream is fed and when it is not; may be null
  // Notes footage that the store did not take. On a storage thread, also when `gaps` is gone.
  std::function<void(const std::string& stream, Gap gap)> add_gap{};
  const Clock* clock = &SystemClock();
};

class PutStreams {
 public:
  // `store` and options.gaps outlive this.
  PutStreams(FragmentStore& store, PutStreamsOptions options) : store_(store), options_(std::move(options)) {}

  std::shared_ptr<PutStream> Of(const VideoStream& video);
  FragmentStore& store() { return store_; }
  const PutStreamsOptions& options() const { return options_; }

 private:
  FragmentStore& store_;
  const PutStreamsOptions options_;
  std::mutex mutex_;
  std::map<std::pair<std::string, Timestamp>, std::weak_ptr<PutStream>> streams_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
