// The fragment store over a log: fragments/fragment_store.h. Internal to log_fragment_store*.cc.
//
// Threads: as the store's. Callbacks of appends come on the log's threads.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fragments/background_jobs.h"
#include "fragments/footage_deletion.h"
#include "fragments/fragment_appender.h"
#include "fragments/fragment_record.h"
#include "fragments/fragment_store.h"
#include "fragments/stored_stream.h"
#include "fragments/stream_settings.h"

namespace millrace {

class LogFragmentStore final : public FragmentStore {
 public:
  LogFragmentStore(storage::RecordLog& log, Options options)
      : log_(log),
        options_(std::move(options)),
        random_(std::random_device{}()),
        jobs_([this] { Sweep(); }, kSweepInterval),
        appender_(log, {.data_stream = options_.data_stream,
                        .number_attribute = kNumberAttribute,
                        .held_bytes_max = options_.held_bytes_max,
                        .retry_interval = options_.retry_interval}) {}

  Result<void> Load();

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

  Result<DeletedFootage> DeleteFootage(const std::string& name, const FootageRange& range) override;
  Result<FootageHold> PlaceHold(const std::string& name, FootageHold hold) override;
  Result<std::vector<FootageHold>> ListHolds(const std::string& name) override;
  Result<void> ReleaseHold(const std::string& name, const std::string& id) override;
  std::shared_ptr<void> OnDeletion(DeletionListener deleted) override;

  Result<std::vector<FragmentFacts>> List(const std::string& name, const FragmentQuery& query) override;
  Result<FragmentFacts> FindContaining(const std::string& name, Timestamp time) override;
  Result<FragmentFacts> Get(const std::string& name, const FragmentNumber& number) override;
  Result<Fragment> Read(const std::string& name, const FragmentNumber& number) override;
  Result<std::vector<CoverageInterval>> Coverage(const std::string& name, Timestamp start, Timestamp end,
                                                 std::size_t limit) override;
  Result<std::shared_ptr<LiveFeed>> Live(const std::string& name) override;

 private:
  static constexpr Duration kSweepInterval = std::chrono::seconds(5);
  static constexpr std::size_t kListMax = 10'000;

  struct Stream {
    VideoStream video;
    StreamDescriptionPtr description;  // `video` says the same, in short
    std::string partition_key;
    std::uint64_t counter = 0;  // the last that was given
    std::uint64_t run = 0;
    NumberBounds bounds;  // as written down, or about to be
    std::shared_ptr<LiveFeed> live;
    UnderWay under_way;
    // Deleting and holding its footage, one after the other: a deletion may take its time, and keeps nobody
    // else waiting.
    std::shared_ptr<std::mutex> footage_mutex = std::make_shared<std::mutex>();
    std::uint64_t ring_bytes = 0;  // of retention 0: what was stored since the ring was measured
    bool measuring = false;        // a job is about to
  };

  static Error NoStream(const std::string& name) {
    return {ErrorCode::kNotFound, "stream '" + name + "' does not exist"};
  }
  static void Describe(Stream& stream, const std::string& name, StoredStream stored);
  // REQUIRES: mutex_ is held.
  Result<Stream*> Find(const std::string& name);
  Result<Stream*> Find(const VideoStream& stream);

  // Guards what is deleted and held of the stream.
  Result<std::shared_ptr<std::mutex>> FootageMutex(const std::string& name);
  Result<std::string> PartitionKey(const std::string& name);
  Result<std::vector<storage::RecordInfo>> Query(const std::string& partition_key,
                                                 const storage::AttributeQuery& query);
  Result<storage::RecordInfo> FindRecord(const std::string& name, const FragmentNumber& number);
  Result<Stream> LoadStream(const std::string& name, StoredStream stored);
  // The stream as it is, if the condition holds. REQUIRES: control_mutex_ is held.
  Result<StreamDescriptionPtr> Check(const std::string& name, const StreamCondition& condition);
  Result<void> FinishDelete(const std::string& name, Timestamp created);
  void RenewBounds(Stream& stream);
  void Sweep();
  // None of these holds keeps footage that the range touches.
  Result<void> CheckNotHeld(const std::string& name, const FootageRange& range,
                            const std::vector<FootageHold>& holds);
  // What is stored of the range. An error leaves what is on its way to the log as it was.
  Result<void> DeleteStored(const VideoStream& stream, const FootageTaking& taking, DeletedFootage& deleted);
  // Then what is on its way to the log; what is still open will not be stored. Adds to `deleted`.
  Result<void> DeleteUnderWay(const VideoStream& stream, const FootageTaking& taking,
                              DeletedFootage& deleted);
  // After a fragment was stored. REQUIRES: mutex_ is held.
  void NoteStored(Stream& stream, std::uint64_t bytes);
  // Keeps the ring of retention 0 within its bytes.
  void TrimRing(const VideoStream& stream);
  Result<void> TrimRingOf(const std::string& partition_key);

  storage::RecordLog& log_;
  const Options options_;
  // Locks, in the order in which they are taken: a stream's footage_mutex, control_mutex_, mutex_.
  std::mutex control_mutex_;  // one change of the set of streams and their settings at a time

  std::mutex mutex_;                 // guards what follows; never held while the disk is waited for
  std::condition_variable settled_;  // an append has ended
  std::map<std::string, Stream> streams_;
  std::mt19937 random_;

  std::mutex listeners_mutex_;  // held while they are called
  std::map<std::uint64_t, DeletionListener> listeners_;
  std::uint64_t next_listener_ = 0;

  BackgroundJobs jobs_;        // its thread uses all of the above
  FragmentAppender appender_;  // last: what it calls back uses all of the above
};

}  // namespace millrace
