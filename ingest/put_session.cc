#include "ingest/put_session.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "media/bitstream.h"

namespace millrace {
namespace {

struct Metrics {
  prometheus::Counter& fragments =
      GetCounter("millrace_put_fragments_total", "Fragments that producers put, and that are durable");
  prometheus::Counter& resent = GetCounter("millrace_put_fragments_resent_total",
                                           "Fragments that producers sent again and that were there already");
  prometheus::Counter& bytes = GetCounter("millrace_put_bytes_total", "Bytes that producers sent");
};
Metrics& Counted() {
  static Metrics metrics;
  return metrics;
}

// Milliseconds, as the index has starts.
Timestamp WholeMs(Timestamp time) { return Timestamp::FromMillis(time.millis()); }

// The same frames at the same distances from their Cluster.
bool SameMedia(const ParsedFragment& one, const ParsedFragment& other) {
  return std::equal(one.frames.begin(), one.frames.end(), other.frames.begin(), other.frames.end(),
                    [&](const ParsedFrame& a, const ParsedFrame& b) {
                      return a.track == b.track && a.key_frame == b.key_frame &&
                             a.timestamp_ns - one.timestamp_ns == b.timestamp_ns - other.timestamp_ns &&
                             std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end());
                    });
}

std::vector<Frame> LiveFrames(const AssembledFragment& assembled, Timestamp arrival) {
  const ParsedFragment& parsed = assembled.parsed;
  const Duration shift = assembled.fragment.facts.start - WholeMs(Timestamp{parsed.timestamp_ns});
  std::vector<Frame> frames;
  frames.reserve(parsed.frames.size());
  for (const ParsedFrame& stored : parsed.frames) {
    Frame frame;
    frame.track = stored.track;
    frame.pts = Timestamp{stored.timestamp_ns} + shift;
    frame.arrival = arrival;
    frame.duration = stored.duration;
    frame.key_frame =
        IsKeyFrame(FindTrack(assembled.fragment.facts.tracks, stored.track), stored.data, stored.key_frame);
    frame.data = parsed.Share(stored);
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace

void PutSession::Shared::Add(PutAck ack) {
  {
    const std::lock_guard lock(mutex);
    acks.push_back(ack);
  }
  changed();
}

void PutSession::Shared::Fail(PutError first) {
  {
    const std::lock_guard lock(mutex);
    if (!error) error = std::move(first);
  }
  changed();
}

PutSession::PutSession(PutStreams& streams, const VideoStream& video, AssemblerOptions options,
                       std::function<void()> changed)
    : streams_(streams),
      stream_(streams.Of(video)),
      session_(stream_->NewSession()),
      shared_(std::make_shared<Shared>()),
      assembler_(std::move(options)) {
  shared_->changed = std::move(changed);
  newest_before_ = stream_->NewestInFlight();
  FragmentQuery newest{.descending = true, .limit = 1};
  const auto found = streams_.store().List(video.name, newest);
  if (found && !found->empty()) {
    newest_before_ = std::max(newest_before_.value_or(found->front().start), found->front().start);
  } else if (!found) {
    newest_before_ = Timestamp{INT64_MAX};  // not known: every fragment may be there
  }
}

PutSession::~PutSession() {
  if (!ended_) End(PutEnd::kBroken);
}

bool PutSession::Push(ByteSpan bytes) {
  Counted().bytes.Increment(static_cast<double>(bytes.size()));
  AssemblerEvents events;
  refusal_due_ = assembler_.Push(bytes, events);
  std::move(events.begin(), events.end(), std::back_inserter(events_));
  return Process(false);
}

void PutSession::Resume() { (void)Process(true); }

void PutSession::End(PutEnd end) {
  if (ended_) return;
  ended_ = true;
  (void)Process(true);
  AssemblerEvents events;
  const std::optional<PartialFragment> partial = assembler_.open();
  std::optional<FragmentRefusal> cut;
  if (!refused() && end != PutEnd::kBroken) cut = assembler_.Finish(events);
  if (!refused() && end == PutEnd::kBroken) assembler_.BreakOff(events);
  if (end == PutEnd::kComplete) refusal_due_ = cut;
  const bool lost =
      partial && std::none_of(events.begin(), events.end(), [&](const AssemblerEvent& event) {
        const auto* whole = std::get_if<AssembledFragment>(&event);
        return whole != nullptr && whole->fragment.facts.start == WholeMs(partial->opened.start);
      });
  std::move(events.begin(), events.end(), std::back_inserter(events_));
  (void)Process(true);
  if (lost && streams_.options().add_gap) {
    Gap gap;
    gap.start = partial->opened.start;
    gap.end = std::max(partial->last, partial->opened.start + std::chrono::milliseconds(1));
    gap.cause = refused() ? GapCause::kUndecodable : GapCause::kNetworkLoss;
    gap.detail =
        refused() ? "the producer's fragment was refused" : "the producer broke off within a fragment";
    streams_.options().add_gap(stream_->video().name, std::move(gap));
  }
  TellGap(end);
}

// False: the store has to be asked, and `may_wait` is not given.
bool PutSession::Process(bool may_wait) {
  while (!events_.empty() && !refused()) {
    const auto* opened = std::get_if<OpenedFragment>(&events_.front());
    if (!may_wait && (opened != nullptr ? MayBeResent(opened->start) : stored_.has_value())) return false;
    AssemblerEvent event = std::move(events_.front());
    events_.pop_front();
    if (auto* whole = std::get_if<AssembledFragment>(&event)) {
      Complete(std::move(*whole));
    } else {
      Opened(std::get<OpenedFragment>(event));
    }
  }
  if (refusal_due_ && !refused()) Refuse(*std::exchange(refusal_due_, std::nullopt));
  return true;
}

bool PutSession::MayBeResent(Timestamp start) const {
  return newest_before_ && WholeMs(start) <= *newest_before_;
}

void PutSession::Opened(const OpenedFragment& opened) {
  if (stream_->IsDisplaced(session_)) {
    return Refuse({RefusalId::kStreamRead, "a newer connection feeds the stream", opened.timecode});
  }
  stored_.reset();
  if (MayBeResent(opened.start)) stored_ = FindStored(WholeMs(opened.start));
  if (stored_) {
    number_ = stored_->number;
  } else {
    const auto number = stream_->OpenFragment();
    if (!number) {
      return Refuse({RefusalId::kStreamNotActive, number.error().message, opened.timecode});
    }
    number_ = *number;
  }
  if (!feeding_) {
    feeding_ = stream_->TakeOver(session_);
    if (feeding_ && streams_.options().gaps != nullptr) {
      streams_.options().gaps->EndGap(stream_->video().name, streams_.options().clock->Now());
    }
  }
  shared_->Add({PutAck::Kind::kBuffering, opened.timecode, *number_});
}

void PutSession::Complete(AssembledFragment assembled) {
  run_due_ = run_due_ || assembled.starts_run;
  if (stored_ && IsResent(assembled)) {
    Counted().resent.Increment();
    shared_->Add({PutAck::Kind::kReceived, assembled.timecode, stored_->number});
    if (stored_->in_flight) {
      AckWhenSettled(stored_->in_flight, assembled.timecode, 0);
    } else if (stream_->video().retention > Duration{0}) {
      shared_->Add({PutAck::Kind::kPersisted, assembled.timecode, stored_->number});
    }
    stored_.reset();
    run_due_ = true;  // what follows is not of the run that the stored one is of
    return;
  }
  // A fragment of its own is not to have the stored one's number, even if none was given since.
  if (stored_) number_.reset();
  stored_.reset();
  Store(std::move(assembled));
}

bool PutSession::IsResent(const AssembledFragment& assembled) {
  SharedBytes mkv;
  if (stored_->in_flight) {
    mkv = stored_->in_flight->mkv();
  } else if (auto fragment = streams_.store().Read(stream_->video().name, stored_->number)) {
    mkv = std::move(fragment->mkv);
  } else {
    return false;
  }
  const auto parsed = ParseFragment(std::move(mkv));
  return parsed && SameMedia(assembled.parsed, *parsed);
}

void PutSession::Store(AssembledFragment assembled) {
  const std::uint64_t timecode = assembled.timecode;
  if (run_due_) {
    const auto run = streams_.store().OpenRun(stream_->video());
    if (!run) return Refuse({RefusalId::kStreamNotActive, run.error().message, timecode});
    run_ = *run;
    run_due_ = false;
  }
  const std::vector<Frame> frames = LiveFrames(assembled, streams_.options().clock->Now());
  FragmentFacts& facts = assembled.fragment.facts;
  facts.run = run_;
  facts.number = number_.value_or(FragmentNumber{});
  const Timestamp start = facts.start, end = facts.end_time();
  const std::size_t bytes = assembled.fragment.mkv.size();
  const auto numbered = [&](const std::shared_ptr<PutInFlight>& in_flight) {
    number_ = in_flight->number();
    shared_->Add({PutAck::Kind::kReceived, timecode, in_flight->number()});
    in_flight->WhenSettled([add_gap = streams_.options().add_gap, name = stream_->video().name, start,
                            end](const Result<void>& settled) {
      if (settled) return Counted().fragments.Increment();
      if (!add_gap || settled.error().code == ErrorCode::kNotFound) return;
      add_gap(
          name,
          {.start = start, .end = end, .cause = GapCause::kDiskRefused, .detail = settled.error().message});
    });
    AckWhenSettled(in_flight, timecode, bytes);
  };
  const auto appended = stream_->Append(std::move(assembled.fragment), frames, numbered);
  if (!appended) Refuse({RefusalId::kStreamNotActive, appended.error().message, timecode});
}

// `bytes`: that are this session's while they wait.
void PutSession::AckWhenSettled(const std::shared_ptr<PutInFlight>& in_flight, std::uint64_t timecode,
                                std::size_t bytes) {
  {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->waiting;
    shared_->waiting_bytes += bytes;
  }
  const bool kept = stream_->video().retention > Duration{0};
  in_flight->WhenSettled(
      [shared = shared_, number = in_flight->number(), timecode, bytes, kept](const Result<void>& settled) {
        if (settled) {
          if (kept) shared->Add({PutAck::Kind::kPersisted, timecode, number});
        } else {
          const RefusalId id = settled.error().code == ErrorCode::kNotFound ? RefusalId::kStreamNotActive
                                                                            : RefusalId::kArchival;
          shared->Fail({{id, settled.error().message, timecode}, number});
        }
        // Last: whoever sees that nothing waits has all acknowledgements.
        {
          const std::lock_guard lock(shared->mutex);
          --shared->waiting;
          shared->waiting_bytes -= bytes;
        }
        shared->changed();
      });
}

std::optional<PutSession::Stored> PutSession::FindStored(Timestamp start) {
  if (auto in_flight = stream_->FindInFlight(start)) return Stored{in_flight->number(), in_flight};
  FragmentQuery query{.from = start, .to = start};
  const auto found = streams_.store().List(stream_->video().name, query);
  if (!found || found->empty()) return std::nullopt;
  const auto newest =
      std::max_element(found->begin(), found->end(),
                       [](const FragmentFacts& a, const FragmentFacts& b) { return a.number < b.number; });
  return Stored{newest->number, nullptr};
}

void PutSession::Refuse(FragmentRefusal refusal) {
  events_.clear();
  Log(LogLevel::kWarning, "a producer's media is refused",
      {{"stream", stream_->video().name},
       {"code", std::string(RefusalCode(refusal.id))},
       {"error", refusal.message}});
  if (!number_) refusal.timecode.reset();
  const auto number = refusal.timecode ? number_ : std::nullopt;
  shared_->Fail({std::move(refusal), number});
}

void PutSession::TellGap(PutEnd end) {
  GapListener* gaps = streams_.options().gaps;
  if (gaps == nullptr || !stream_->IsFedBy(session_)) return;
  const Timestamp now = streams_.options().clock->Now();
  const std::string& name = stream_->video().name;
  if (refused()) {
    gaps->BeginGap(name, GapCause::kUndecodable, now, "the producer's media was refused");
  } else if (end == PutEnd::kBroken) {
    gaps->BeginGap(name, GapCause::kNetworkLoss, now, "the producer's connection broke");
  } else if (end == PutEnd::kIdle) {
    gaps->BeginGap(name, GapCause::kSilent, now, "the producer sent nothing");
  } else {
    gaps->BeginGap(name, GapCause::kDisabled, now, "the producer ended its stream");
  }
}

std::vector<PutAck> PutSession::TakeAcks() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->acks, {});
}

std::optional<PutError> PutSession::error() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->error;
}

bool PutSession::settled() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->waiting == 0;
}

std::size_t PutSession::bytes() const { return assembler_.bytes() + waiting_bytes(); }

std::size_t PutSession::waiting_bytes() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->waiting_bytes;
}

}  // namespace millrace
