// One producer's connection: its bytes become fragments of a video stream, and it is told what becomes of
// each.
//
// Acks:    of each fragment kBuffering when it has begun, kReceived when it is whole in memory, kPersisted
//          when it is durable (never where the stream's retention is 0). An error is said apart, once, when
//          the media is refused or a fragment could not be stored; what was whole before is stored and
//          acknowledged all the same, so the error is to be told when settled().
// Resent:  a fragment that starts at the time of a stored one, and has its frames, is not stored again: it is
//          acknowledged under the stored one's number. With other frames it is a fragment of its own.
// Ends:    a producer that ends its body has its last fragment completed; of one that breaks off,
//          the fragment that was not whole is given up, and the coverage ledger says so.
// Memory:  bytes(): the open fragment, and those that are not durable yet. The owner stops reading above a
//          limit.
// Threads: one owner at a time (the connection's strand, or a thread that it waits for); what the store says
//          comes on the store's threads. Push never waits for the disk; Resume, End and the constructor do.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "fragments/fragment_assembler.h"
#include "ingest/put_streams.h"

namespace millrace {

struct PutAck {
  enum class Kind : std::uint8_t { kBuffering, kReceived, kPersisted };
  Kind kind = Kind::kBuffering;
  std::uint64_t timecode = 0;
  FragmentNumber number{};
};

struct PutError {
  FragmentRefusal refusal;
  std::optional<FragmentNumber> number;  // where refusal.timecode is: of that fragment
};

enum class PutEnd : std::uint8_t {
  kComplete,  // the producer ended its body
  kIdle,      // it said nothing for too long
  kBroken,    // the connection was lost
};

class PutSession {
 public:
  // `changed` runs after every change that the store's threads bring about (acks, bytes()); any thread, also
  // when the session is gone; it must not block. `streams` outlives the session.
  PutSession(PutStreams& streams, const VideoStream& video, AssemblerOptions options,
             std::function<void()> changed);
  // As End(kBroken), if nothing else ended it.
  ~PutSession();
  PutSession(const PutSession&) = delete;
  PutSession& operator=(const PutSession&) = delete;

  // Takes the next bytes, at most push_bytes_max() of them where the sender is not trusted: then bytes() is
  // looked at often enough. False: the store is to be asked first, call Resume. REQUIRES: not ended.
  [[nodiscard]] bool Push(ByteSpan bytes);
  std::size_t push_bytes_max() const { return assembler_.push_bytes_max(); }
  void Resume();
  // The body is over.
  void End(PutEnd end);

  // The acks since the last call.
  std::vector<PutAck> TakeAcks();
  // Why no more is wanted; none: go on.
  std::optional<PutError> error() const;
  // Nothing is on its way to the disk.
  bool settled() const;
  std::size_t bytes() const;          // held in memory
  std::size_t waiting_bytes() const;  // of these, in fragments that are not durable yet

 private:
  // What the store's threads share with the session, which they may outlive.
  struct Shared {
    std::mutex mutex;
    std::vector<PutAck> acks;       // GUARDED_BY(mutex)
    std::optional<PutError> error;  // GUARDED_BY(mutex)
    std::size_t waiting = 0;        // GUARDED_BY(mutex); fragments
    std::size_t waiting_bytes = 0;  // GUARDED_BY(mutex)
    std::function<void()> changed;
    void Add(PutAck ack);
    void Fail(PutError first);
  };
  // Of the stored fragment that the open one may be the same as.
  struct Stored {
    FragmentNumber number;
    std::shared_ptr<PutInFlight> in_flight;  // null: it is durable
  };

  bool Process(bool may_wait);
  bool MayBeResent(Timestamp start) const;
  void Opened(const OpenedFragment& opened);
  void Complete(AssembledFragment assembled);
  bool IsResent(const AssembledFragment& assembled);
  void Store(AssembledFragment assembled);
  std::optional<Stored> FindStored(Timestamp start);
  void Refuse(FragmentRefusal refusal);
  bool refused() const { return error().has_value(); }
  void AckWhenSettled(const std::shared_ptr<PutInFlight>& in_flight, std::uint64_t timecode,
                      std::size_t bytes);
  void TellGap(PutEnd end);

  PutStreams& streams_;
  const std::shared_ptr<PutStream> stream_;
  const std::uint64_t session_;
  const std::shared_ptr<Shared> shared_;
  FragmentAssembler assembler_;
  std::optional<Timestamp> newest_before_;  // the latest start of any fragment when the session began
  std::deque<AssemblerEvent> events_;
  std::optional<FragmentRefusal> refusal_due_;  // behind the events
  std::optional<FragmentNumber> number_;        // of the fragment that was opened last
  std::optional<Stored> stored_;
  bool run_due_ = true;  // the next fragment that is stored begins a run
  std::uint64_t run_ = 0;
  bool feeding_ = false;
  bool ended_ = false;
};

}  // namespace millrace
