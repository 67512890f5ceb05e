// A FragmentStore in memory, for tests of what reads from one; fragments are put in as they are.
//
// Threads: reading from any; putting and removing from one at a time.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fragments/fragment_builder.h"
#include "fragments/fragment_store.h"
#include "media/frame.h"

namespace millrace::testing {

class MemoryFragmentStore final : public FragmentStore {
 public:
  // -- for the test
  void Put(const std::string& name, Fragment fragment);
  void Remove(const std::string& name, std::uint64_t counter);
  std::size_t reads() const { return reads_; }
  std::size_t listed() const { return listed_; }  // facts that List gave out
  // Runs at the beginning of each Read, without a lock.
  void SetReadHook(std::function<void()> hook) { read_hook_ = std::move(hook); }

  using FragmentStore::CreateStream;
  using FragmentStore::DeleteStream;
  Result<VideoStream> CreateStream(const std::string& name, StreamSettings settings) override;
  Result<VideoStream> GetStream(const std::string& name) override;
  std::vector<VideoStream> ListStreams() override;
  Result<StreamDescriptionPtr> DescribeStream(const std::string& name) override;
  std::vector<StreamDescriptionPtr> FindStreams(const StreamQuery& query) override;
  Result<StreamDescriptionPtr> UpdateStream(const std::string& name, const StreamUpdate& update) override;
  Result<void> DeleteStream(const std::string& name, const StreamCondition& condition) override;
  Result<StreamUsage> Usage(const std::string& name) override;
  Result<FragmentNumber> OpenFragment(const VideoStream& stream) override;
  Result<std::uint64_t> OpenRun(const VideoStream& stream) override;
  void Append(const VideoStream& stream, Fragment fragment, AppendCallback done) override;
  Result<std::vector<FragmentFacts>> List(const std::string& name, const FragmentQuery& query) override;
  Result<FragmentFacts> FindContaining(const std::string& name, Timestamp time) override;
  Result<FragmentFacts> Get(const std::string& name, const FragmentNumber& number) override;
  Result<Fragment> Read(const std::string& name, const FragmentNumber& number) override;
  Result<std::vector<CoverageInterval>> Coverage(const std::string& name, Timestamp start, Timestamp end,
                                                 std::size_t limit) override;
  Result<std::shared_ptr<LiveFeed>> Live(const std::string& name) override;

 private:
  struct Stream {
    VideoStream stream;
    StreamDescriptionPtr description;
    std::uint64_t next_counter = 1;
    std::uint64_t next_run = 1;
    std::map<FragmentNumber, Fragment> fragments;
  };
  Result<Stream*> Find(const std::string& name);  // REQUIRES: mutex_ is held

  std::mutex mutex_;
  std::map<std::string, Stream> streams_;  // GUARDED_BY(mutex_)
  std::uint64_t created_ms_ = 1'000;       // GUARDED_BY(mutex_)
  std::atomic<std::size_t> reads_{0};
  std::atomic<std::size_t> listed_{0};
  std::function<void()> read_hook_;
};

// Builds fragments from frames and puts them into a store, on the caller's thread.
class TestRecorder final : public FragmentSink {
 public:
  TestRecorder(MemoryFragmentStore& store, VideoStream stream, BuilderLimits limits = {})
      : store_(store), stream_(std::move(stream)), builder_(*this, limits) {}

  // A run of its own.
  void Record(const std::vector<TrackInfo>& tracks, const std::vector<Frame>& frames);

 private:
  Result<std::uint64_t> OpenRun() override { return store_.OpenRun(stream_); }
  Result<FragmentNumber> OpenFragment(std::uint64_t /*run*/, bool /*independent*/,
                                      const std::vector<TrackInfo>& /*tracks*/) override {
    return store_.OpenFragment(stream_);
  }
  void AddFrame(const FragmentNumber& /*number*/, const Frame& /*frame*/) override {}
  void CloseFragment(Fragment fragment, std::vector<Frame> /*frames*/) override {
    store_.Put(stream_.name, std::move(fragment));
  }

  MemoryFragmentStore& store_;
  VideoStream stream_;
  FragmentBuilder builder_;
};

}  // namespace millrace::testing
