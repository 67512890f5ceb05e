#include "ingest/put_streams.h"

#include <algorithm>

namespace millrace {

void PutInFlight::WhenSettled(std::function<void(const Result<void>&)> settled) {
  {
    const std::lock_guard lock(mutex_);
    if (!result_) {
      waiting_.push_back(std::move(settled));
      return;
    }
  }
  settled(*result_);
}

void PutInFlight::Settle(Result<void> result) {
  std::vector<std::function<void(const Result<void>&)>> waiting;
  {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
    waiting.swap(waiting_);
  }
  for (const auto& settled : waiting) settled(*result_);
}

std::uint64_t PutStream::NewSession() {
  const std::lock_guard lock(mutex_);
  return ++sessions_;
}

bool PutStream::TakeOver(std::uint64_t session) {
  const std::lock_guard lock(mutex_);
  if (session <= feeding_) return false;
  feeding_ = session;
  return true;
}

bool PutStream::IsFedBy(std::uint64_t session) const {
  const std::lock_guard lock(mutex_);
  return feeding_ == session;
}

bool PutStream::IsDisplaced(std::uint64_t session) const {
  const std::lock_guard lock(mutex_);
  return feeding_ > session;
}

Result<FragmentNumber> PutStream::OpenFragment() {
  const std::lock_guard order(order_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(last_given_, store_.OpenFragment(video_));
  return *last_given_;
}

Result<void> PutStream::Append(Fragment fragment, const std::vector<Frame>& frames,
                               const std::function<void(const std::shared_ptr<PutInFlight>&)>& numbered) {
  const std::lock_guard order(order_mutex_);
  FragmentFacts& facts = fragment.facts;
  if (facts.number != last_given_) {
    MILLRACE_ASSIGN_OR_RETURN(last_given_, store_.OpenFragment(video_));
    facts.number = *last_given_;
  }
  facts.server_start = Timestamp::FromMillis(static_cast<std::int64_t>(facts.number.server_ms));
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<LiveFeed> live, store_.Live(video_.name));
  auto in_flight = std::make_shared<PutInFlight>(facts.number, facts.start, fragment.mkv);
  numbered(in_flight);
  {
    const std::lock_guard lock(mutex_);
    in_flight_.push_back(in_flight);
  }
  live->Open(facts.number, facts.run, facts.independent, facts.tracks);
  for (const Frame& frame : frames) live->Add(facts.number, frame);
  live->Close(facts);
  store_.Append(video_, std::move(fragment),
                [in_flight, live, self = shared_from_this()](Result<FragmentNumber> appended) {
                  if (appended) {
                    live->SetPersisted(in_flight->number());
                  } else {
                    live->SetFailed(in_flight->number());
                  }
                  self->Settled(in_flight, appended ? Result<void>() : Result<void>(appended.error()));
                });
  return {};
}

void PutStream::Settled(const std::shared_ptr<PutInFlight>& fragment, Result<void> result) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(in_flight_, fragment);
  }
  fragment->Settle(std::move(result));
}

std::shared_ptr<PutInFlight> PutStream::FindInFlight(Timestamp start) const {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(in_flight_.rbegin(), in_flight_.rend(),
                               [&](const auto& fragment) { return fragment->start() == start; });
  return at == in_flight_.rend() ? nullptr : *at;
}

std::optional<Timestamp> PutStream::NewestInFlight() const {
  const std::lock_guard lock(mutex_);
  std::optional<Timestamp> newest;
  for (const auto& fragment : in_flight_)
    newest = std::max(newest.value_or(fragment->start()), fragment->start());
  return newest;
}

std::shared_ptr<PutStream> PutStreams::Of(const VideoStream& video) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<PutStream>& known = streams_[{video.name, video.created}];
  std::shared_ptr<PutStream> stream = known.lock();
  if (!stream) {
    stream = std::make_shared<PutStream>(store_, video);
    known = stream;
  }
  return stream;
}

}  // namespace millrace
