// Video streams over the log: their settings, appending fragments, finding them by number and by time,
// reading them back.
//
// A video stream is a partition key ("name/creation time in ms") of the fragment log, one data stream; a
// fragment is one record of it. What is found comes from the index alone; media is only touched by Read.
//
// Errors:  as storage/record_log.h; kNotFound names the stream or the fragment.
// Threads: every method, from any thread. Append, OpenFragment, OpenRun, GetStream, DescribeStream,
//          ListStreams, FindStreams and Live never wait for the disk; the others may.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/footage.h"
#include "fragments/fragment.h"
#include "fragments/live_feed.h"
#include "fragments/stream_description.h"
#include "storage/record_log.h"

namespace millrace {

// Shorter gaps between fragments are no gaps: a frame at five frames a second.
inline constexpr Duration kCoverageGapMin = std::chrono::milliseconds(200);
// No fragment lasts longer; what lies further before a time cannot contain it.
inline constexpr Duration kFragmentDurationMax = std::chrono::seconds(60);

// Retention 0 keeps what a reader of the moment needs: a ring of this length, or of so many bytes where these
// are used up first. It has one fragment at least.
inline constexpr Duration kRingRetention = std::chrono::minutes(5);
inline constexpr std::uint64_t kRingBytesMax = 200'000'000;
inline constexpr Duration kCameraRetentionDefault = std::chrono::hours(168);

struct VideoStream {
  std::string name;       // [a-zA-Z0-9_.-]{1,256}
  Timestamp created;      // whole ms; with the name, its identity
  Duration retention{0};  // 0 to 87600 h
};

// Whether recorded time of the stream can be asked for. Errors: kFailedPrecondition: it is live only; the
// text says what helps. Pure.
Result<void> CheckKeepsFootage(const VideoStream& stream);

// What must still hold when a stream is changed or deleted; members that are none ask for nothing.
struct StreamCondition {
  std::optional<Timestamp> created{};    // else it is another one of this name: kNotFound
  std::optional<std::string> version{};  // else somebody changed it meanwhile: kFailedPrecondition
};

// A change of a stream's settings.
struct StreamUpdate {
  // Runs while nobody else changes a stream; must not call the store. An error leaves all as it was.
  std::function<Result<void>(StreamSettings&)> change;
  StreamCondition condition{};
  bool keep_version = false;  // what clients carry a version for is not touched: tags
};

// A page of the streams, in name order.
struct StreamQuery {
  std::string prefix{};  // of the names
  std::string after{};   // names behind this one; "": from the first
  std::size_t limit = 1000;
};

enum class FragmentOrder { kNumber, kProducerTime, kServerTime };

// Fragments whose number or start lies in [from, to]; both ends inclusive, none: open.
struct FragmentQuery {
  FragmentOrder order = FragmentOrder::kProducerTime;
  std::optional<FragmentNumber> from_number{}, to_number{};  // for kNumber
  std::optional<Timestamp> from{}, to{};  // for the two times: compared with the fragments' starts
  bool descending = false;
  std::size_t limit = 1000;
};

// Where footage exists: adjacent fragments (one after the other in a run, or less than kCoverageGapMin apart)
// joined, cut to the range that was asked for.
struct CoverageInterval {
  Timestamp start;
  Timestamp end;
  friend bool operator==(const CoverageInterval&, const CoverageInterval&) = default;
};

struct StreamUsage {
  std::uint64_t fragments = 0;
  std::uint64_t bytes = 0;
  std::optional<Timestamp> first;  // start of the oldest fragment kept
  std::optional<Timestamp> last;   // end of the newest
};

// What a record of the fragment log says of itself, without its bytes: for readers of the log itself, who
// see the fragments of all streams in the order of their appends.
struct LoggedFragment {
  std::string stream;
  Timestamp stream_created;
  FragmentFacts facts;
};
// Errors: kCorruption (not a record of the fragment log), kUnsupported (a newer version). Pure.
Result<LoggedFragment> DescribeRecord(const storage::RecordInfo& record);

class FragmentStore {
 public:
  struct Options {
    std::string data_stream = "millrace-fragments";
    std::uint32_t shards = 4;
    std::size_t live_bytes_max = std::size_t{112} << 20;  // of one stream's live feed
    const Clock* clock = &SystemClock();
    // Appends that the disk refuses for now are held and tried again; what does not fit is lost.
    std::uint64_t held_bytes_max = 256u << 20;
    Duration retry_interval = std::chrono::milliseconds(500);
    std::uint64_t ring_bytes_max = kRingBytesMax;
    // A deletion waits so long for fragments of its range that are on their way to the disk. Of real time.
    Duration deletion_wait = std::chrono::seconds(30);
  };
  using AppendCallback = std::function<void(Result<FragmentNumber>)>;

  // Makes the fragment log where it does not exist. `log` outlives the store.
  static Result<std::unique_ptr<FragmentStore>> Open(storage::RecordLog& log, Options options);
  virtual ~FragmentStore() = default;

  // -- video streams
  virtual Result<VideoStream> CreateStream(const std::string& name, StreamSettings settings) = 0;
  Result<VideoStream> CreateStream(const std::string& name, Duration retention);
  virtual Result<VideoStream> GetStream(const std::string& name) = 0;
  virtual std::vector<VideoStream> ListStreams() = 0;  // in name order
  // A snapshot: it is never changed.
  virtual Result<StreamDescriptionPtr> DescribeStream(const std::string& name) = 0;
  virtual std::vector<StreamDescriptionPtr> FindStreams(const StreamQuery& query) = 0;
  // Durable when it returns, with what it is now. What a longer retention covers is what is still kept; what
  // a shorter one does not cover is gone at once, and for ever.
  // Errors: those of the change; those of the condition; kInvalidArgument (a retention out of bounds).
  virtual Result<StreamDescriptionPtr> UpdateStream(const std::string& name, const StreamUpdate& update) = 0;
  // The same of the retention alone; nothing is written where it is the same.
  Result<VideoStream> SetRetention(const std::string& name, Duration retention);
  // The footage goes at once; a stream made later under this name does not show it.
  virtual Result<void> DeleteStream(const std::string& name, const StreamCondition& condition) = 0;
  Result<void> DeleteStream(const std::string& name) { return DeleteStream(name, {}); }
  virtual Result<StreamUsage> Usage(const std::string& name) = 0;

  // -- writing (StreamRecorder does both)
  // The next number of the stream, for a fragment that is opened now. Numbers rise, over restarts too, and
  // when nothing is stored any more.
  virtual Result<FragmentNumber> OpenFragment(const VideoStream& stream) = 0;
  // The next run's number of the stream.
  virtual Result<std::uint64_t> OpenRun(const VideoStream& stream) = 0;
  // `done` runs once it is durable and findable, or failed; on a storage thread: it must not block.
  virtual void Append(const VideoStream& stream, Fragment fragment, AppendCallback done) = 0;

  // -- deleting and holding
  // Every fragment that the range touches: gone for readers, and not a byte of it on the disk, when this
  // returns, also after a power loss. So are those that are being appended; one that is still open and
  // touches the range, and no hold of now, is dropped when it closes: its appender is told that it was
  // stored, and the live feed lets go of it. Errors: kFailedPrecondition: a hold keeps some of it, also of
  // what is being appended, which the text names; nothing is deleted then. kUnavailable: what was stored is
  // deleted, but fragments of the range wait for a disk that does not answer. The log's: what is being
  // appended or open is as it was, unless the text says that what was stored is deleted.
  virtual Result<DeletedFootage> DeleteFootage(const std::string& name, const FootageRange& range);
  // Durable when it returns. Footage that is held outlives retention, the disk budget, deletions, and keeps
  // its stream from being deleted. A hold of this id with the same times gets the new reason; with others:
  // kAlreadyExists. What has gone already does not come back.
  virtual Result<FootageHold> PlaceHold(const std::string& name, FootageHold hold);
  virtual Result<std::vector<FootageHold>> ListHolds(const std::string& name);  // by id
  virtual Result<void> ReleaseHold(const std::string& name, const std::string& id);
  // Calls `deleted` whenever footage of a stream was deleted, before DeleteFootage returns: for those who
  // keep some of it in memory. Letting go ends it, and waits for a call that runs; before
  // the store goes.
  using DeletionListener = std::function<void(const VideoStream& stream)>;
  [[nodiscard]] virtual std::shared_ptr<void> OnDeletion(DeletionListener deleted);

  // -- reading
  virtual Result<std::vector<FragmentFacts>> List(const std::string& name, const FragmentQuery& query) = 0;
  // The fragment that contains `time` (start <= time < end) by producer time, the newest where runs overlap;
  // kNotFound where there is a gap.
  virtual Result<FragmentFacts> FindContaining(const std::string& name, Timestamp time) = 0;
  virtual Result<FragmentFacts> Get(const std::string& name, const FragmentNumber& number) = 0;
  virtual Result<Fragment> Read(const std::string& name, const FragmentNumber& number) = 0;
  // At most `limit` intervals, from the oldest on.
  virtual Result<std::vector<CoverageInterval>> Coverage(const std::string& name, Timestamp start,
                                                         Timestamp end, std::size_t limit) = 0;

  // -- live
  // The stream's live feed: one for the life of the process, made at the first call.
  virtual Result<std::shared_ptr<LiveFeed>> Live(const std::string& name) = 0;
};

}  // namespace millrace
