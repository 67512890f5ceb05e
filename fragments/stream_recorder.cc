#include "fragments/stream_recorder.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "fragments/fragment_builder.h"

namespace millrace {
namespace {

constexpr Duration kLogInterval = std::chrono::seconds(10);  // of failed appends, a stream

}  // namespace

// Shared with the appends that are under way: they outlive the recorder.
class StreamRecorder::Impl final : public FragmentSink, public std::enable_shared_from_this<Impl> {
 public:
  Impl(FragmentStore& store, VideoStream stream, const RecorderOptions& options)
      : store_(store),
        stream_(std::move(stream)),
        clock_(*options.clock),
        refused_(options.refused),
        waiting_bytes_max_(options.memory_bytes_max / 2),
        builder_(*this, {.duration_min = options.fragment_duration_min,
                         .duration_max = options.fragment_duration_max,
                         .bytes_max = std::min(options.fragment_bytes_max, options.memory_bytes_max / 8)}) {
    // A stream that does not exist shows at the first fragment, as an error of Push.
    if (auto live = store_.Live(stream_.name)) live_ = std::move(live).value();
  }

  Result<void> StartRun(std::vector<TrackInfo> tracks, ClockSource clock) {
    const std::lock_guard lock(builder_mutex_);
    return builder_.StartRun(std::move(tracks), clock);
  }

  Result<void> Push(Frame frame) {
    const std::lock_guard lock(builder_mutex_);
    return builder_.Push(std::move(frame));
  }

  void MarkLoss(TrackKind kind) {
    const std::lock_guard lock(builder_mutex_);
    builder_.MarkLoss(kind);
  }

  void EndRun() {
    const std::lock_guard lock(builder_mutex_);
    builder_.EndRun();
  }

  bool Flush(Duration timeout) {
    std::unique_lock lock(appends_mutex_);
    return settled_.wait_for(lock, timeout, [this] { return appends_ == 0; });
  }

  RecorderCounters counters() const {
    RecorderCounters counters;
    {
      const std::lock_guard lock(builder_mutex_);
      const BuilderCounters built = builder_.counters();
      counters.frames = built.frames;
      counters.bytes = built.bytes;
      counters.frames_dropped = built.frames_dropped;
      counters.times_corrected = built.times_corrected;
    }
    const std::lock_guard lock(appends_mutex_);
    counters.fragments_persisted = persisted_;
    counters.fragments_failed = failed_;
    return counters;
  }

  // ---- FragmentSink, within the builder's calls: builder_mutex_ is held

  Result<std::uint64_t> OpenRun() override { return store_.OpenRun(stream_); }

  Result<FragmentNumber> OpenFragment(std::uint64_t run, bool independent,
                                      const std::vector<TrackInfo>& tracks) override {
    MILLRACE_ASSIGN_OR_RETURN(const FragmentNumber number, store_.OpenFragment(stream_));
    if (live_) live_->Open(number, run, independent, tracks);
    return number;
  }

  void AddFrame(const FragmentNumber& number, const Frame& frame) override {
    if (live_) live_->Add(number, frame);
  }

  void CloseFragment(Fragment fragment, std::vector<Frame> frames) override {
    const FragmentNumber number = fragment.facts.number;
    const CoverageInterval when{.start = fragment.facts.start, .end = fragment.facts.end_time()};
    if (live_) live_->Close(fragment.facts, std::move(frames));
    std::size_t bytes = fragment.mkv.size();
    bool full = false;
    {
      const std::lock_guard lock(appends_mutex_);
      ++appends_;
      full = waiting_bytes_ + bytes > waiting_bytes_max_;
      if (full) bytes = 0;
      waiting_bytes_ += bytes;
    }
    metrics_.waiting.Increment(static_cast<double>(bytes));
    auto done = [self = shared_from_this(), number, when, bytes](Result<FragmentNumber> appended) {
      self->Appended(number, when, bytes, appended);
    };
    if (full) {
      return done(Error{ErrorCode::kResourceExhausted,
                        "the disk is too slow: " + std::to_string(waiting_bytes_max_ >> 20) +
                            " MiB of this stream wait for it, and more are not kept in memory"});
    }
    store_.Append(stream_, std::move(fragment), std::move(done));
  }

 private:
  // On a storage thread, or within Append: takes no lock of the builder's.
  void Appended(const FragmentNumber& number, const CoverageInterval& when, std::size_t bytes,
                const Result<FragmentNumber>& appended) {
    metrics_.waiting.Decrement(static_cast<double>(bytes));
    if (!appended) metrics_.refused.Increment();
    if (live_) {
      if (appended) {
        live_->SetPersisted(number);
      } else {
        live_->SetFailed(number);
      }
    }
    // A stream that was deleted meanwhile wants no footage: nothing was refused.
    if (!appended && refused_ && appended.error().code != ErrorCode::kNotFound) {
      refused_(stream_, when.start, when.end, appended.error());
    }
    bool log = false;
    std::uint64_t failed = 0;
    {
      const std::lock_guard lock(appends_mutex_);
      ++(appended ? persisted_ : failed_);
      if (!appended) {
        const auto now = clock_.SteadyNow();
        log = !logged_ || now - *logged_ >= kLogInterval;
        if (log) logged_ = now;
        failed = failed_;
      }
      --appends_;
      waiting_bytes_ -= bytes;
      settled_.notify_all();
    }
    if (log) {
      Log(LogLevel::kError, "a fragment could not be stored",
          {{"stream", stream_.name},
           {"fragment", number.ToString()},
           {"error", appended.error().ToString()},
           {"failed_so_far", failed}});
    }
  }

  // Of all streams together.
  struct Metrics {
    prometheus::Gauge& waiting =
        GetGauge("millrace_recording_waiting_bytes", "Closed fragments that wait for the disk");
    prometheus::Counter& refused =
        GetCounter("millrace_recording_refused_fragments_total", "Fragments that were not stored");
  };

  FragmentStore& store_;
  Metrics metrics_;
  const VideoStream stream_;
  const Clock& clock_;
  const decltype(RecorderOptions::refused) refused_;
  const std::size_t waiting_bytes_max_;
  std::shared_ptr<LiveFeed> live_;

  mutable std::mutex builder_mutex_;  // taken before appends_mutex_
  FragmentBuilder builder_;

  mutable std::mutex appends_mutex_;
  std::condition_variable settled_;
  std::size_t appends_ = 0;        // under way
  std::size_t waiting_bytes_ = 0;  // of their fragments
  std::uint64_t persisted_ = 0;
  std::uint64_t failed_ = 0;
  std::optional<std::chrono::steady_clock::time_point> logged_;
};

StreamRecorder::StreamRecorder(FragmentStore& store, VideoStream stream, RecorderOptions options)
    : impl_(std::make_shared<Impl>(store, std::move(stream), options)) {}

StreamRecorder::~StreamRecorder() { EndRun(); }

Result<void> StreamRecorder::StartRun(std::vector<TrackInfo> tracks, ClockSource clock) {
  return impl_->StartRun(std::move(tracks), clock);
}
Result<void> StreamRecorder::Push(Frame frame) { return impl_->Push(std::move(frame)); }
void StreamRecorder::MarkLoss(TrackKind kind) { impl_->MarkLoss(kind); }
void StreamRecorder::EndRun() { impl_->EndRun(); }
bool StreamRecorder::Flush(Duration timeout) { return impl_->Flush(timeout); }
RecorderCounters StreamRecorder::counters() const { return impl_->counters(); }

}  // namespace millrace
