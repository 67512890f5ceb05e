#include "consumers/sources/media_stream.h"

#include <utility>

#include "base/backoff.h"
#include "wire/answer_fields.h"
#include "wire/service_client.h"

namespace millrace {
namespace {

boost::json::object SelectorOf(const MediaStart& start) {
  boost::json::object selector;
  switch (start.kind) {
    case MediaStart::Kind::kNow:
      selector["StartSelectorType"] = "NOW";
      break;
    case MediaStart::Kind::kEarliest:
      selector["StartSelectorType"] = "EARLIEST";
      break;
    case MediaStart::Kind::kServerTimestamp:
      selector["StartSelectorType"] = "SERVER_TIMESTAMP";
      selector["StartTimestamp"] = wire::EpochSeconds(start.time);
      break;
    case MediaStart::Kind::kProducerTimestamp:
      selector["StartSelectorType"] = "PRODUCER_TIMESTAMP";
      selector["StartTimestamp"] = wire::EpochSeconds(start.time);
      break;
    case MediaStart::Kind::kAfterFragment:
      selector["StartSelectorType"] = "FRAGMENT_NUMBER";
      selector["AfterFragmentNumber"] = start.place;
      break;
    case MediaStart::Kind::kToken:
      selector["StartSelectorType"] = "CONTINUATION_TOKEN";
      selector["ContinuationToken"] = start.place;
      break;
  }
  return selector;
}

}  // namespace

MediaStream::MediaStream(MediaStreamOptions options)
    : options_(std::move(options)), client_(options_.address), place_(options_.start) {}

MediaStart MediaStream::place() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

void MediaStream::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  stop_.notify_all();
}

Result<void> MediaStream::Run(const FragmentGatherer::Sink& sink) {
  // The sink's own error, and the parser's, must not be taken for one of the connection.
  std::optional<Error> refused;
  const FragmentGatherer::Sink guarded = [&](const ParsedFragment& fragment) -> Result<void> {
    auto taken = sink(fragment);
    if (!taken) refused = taken.error();
    return taken;
  };
  Backoff backoff({options_.retry_first, options_.retry_max});
  for (;;) {
    const std::uint64_t before = fragments_;
    auto ended = RunOnce(guarded, refused);
    if (refused) return *refused;
    if (stopped_) return {};
    if (!options_.resume || (!ended && !wire::MayPassByItself(ended.error().code))) return ended;
    if (!ended) client_.ForgetEndpoints();
    if (fragments_ > before) backoff.Reset();
    if (!WaitToRetry(backoff.Next())) return {};
    ++reconnects_;
  }
}

Result<void> MediaStream::RunOnce(const FragmentGatherer::Sink& sink, std::optional<Error>& refused) {
  FragmentGatherer gatherer([&](const ParsedFragment& fragment) { return Take(sink, fragment); },
                            options_.limits);
  FragmentReader reader(gatherer, options_.limits);
  const auto take = [&](ByteSpan piece) -> Result<void> {
    if (stopped_) return Error{ErrorCode::kCancelled, "stopped"};
    auto read = reader.Push(piece);
    // The same bytes would fail again; kUnavailable is what the service says within the body.
    if (!read && read.error().code != ErrorCode::kUnavailable) refused = read.error();
    return read;
  };
  MILLRACE_RETURN_IF_ERROR(
      client_.Media("GET_MEDIA", "/getMedia", {{"StartSelector", SelectorOf(place())}}, take));
  if (reader.Finish()) return {};
  return Error{ErrorCode::kUnavailable, "the body ended within a fragment"};
}

Result<void> MediaStream::Take(const FragmentGatherer::Sink& sink, const ParsedFragment& fragment) {
  const ServiceTags& service = fragment.service;
  const std::string number = service.fragment_number.value_or("");
  // A server that counts the token's own fragment in gives it again; numbers are of one length, so they sort
  // as text.
  if (!last_number_.empty() && number.size() == last_number_.size() && number <= last_number_) return {};
  MILLRACE_RETURN_IF_ERROR(sink(fragment));
  ++fragments_;
  last_number_ = number;
  const std::lock_guard lock(mutex_);
  if (service.continuation_token) {
    place_ = {MediaStart::Kind::kToken, {}, *service.continuation_token};
  } else if (!number.empty()) {
    place_ = {MediaStart::Kind::kAfterFragment, {}, number};
  }
  return {};
}

bool MediaStream::WaitToRetry(Duration delay) {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, delay, [&] { return stopped_.load(); });
}

}  // namespace millrace
