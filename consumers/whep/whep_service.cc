#include "consumers/whep/whep_service.h"

#include <utility>

namespace millrace {
namespace {

constexpr auto kStillFed = std::chrono::seconds(10);  // after the newest fragment's length

// Whether fragments come to the stream whole, as PutMedia brings them: there was one just now, its run goes
// on, and none is open. What is left of a camera's stream that stopped is the end of a run.
bool ComesWhole(FragmentStore& store, const LiveFeed& feed, const std::string& name, Timestamp now) {
  const auto number = feed.live() ? std::nullopt : feed.NewestPersisted();
  if (!number) return false;
  const auto newest = store.Get(name, *number);
  return newest && newest->end != FragmentEnd::kRunEnded &&
         now - newest->server_start < newest->duration + kStillFed;
}

}  // namespace

WhepService::WhepService(FragmentStore& store, const WebrtcSettings& settings, WhepOptions options)
    : store_(store), settings_(settings), options_(options), sessions_(options.viewers_max) {}

Result<std::string> WhepService::Open(const std::string& name, std::string_view text,
                                      WebrtcSession::OnAnswer answered) {
  MILLRACE_RETURN_IF_ERROR(store_.GetStream(name));
  MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<LiveFeed> feed, store_.Live(name));
  if (ComesWhole(store_, *feed, name, options_.clock->Now())) {
    return Error{
        ErrorCode::kUnsupported,
        "the stream's fragments come whole, as PutMedia brings them, so it has no frames to show as they "
        "come: watch it by HLS: /hls/" +
            name + "/index.m3u8"};
  }
  MILLRACE_ASSIGN_OR_RETURN(const SdpAcceptance acceptance, ViewerAcceptance(*feed, name));
  MILLRACE_ASSIGN_OR_RETURN(SdpOffer offer, SdpOffer::Read(text, acceptance));
  auto viewer =
      std::make_shared<WhepViewer>(settings_, options_.viewer, StreamOf(name, std::move(feed)), name);
  return sessions_.Open(std::move(viewer), std::move(offer), std::move(answered));
}

std::shared_ptr<WhepStream> WhepService::StreamOf(const std::string& name, std::shared_ptr<LiveFeed> feed) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<WhepStream>& known = streams_[name];
  std::shared_ptr<WhepStream> stream = known.lock();
  // Not the one of a deleted stream of this name, nor one that broke.
  if (stream == nullptr || !stream->Shows(feed)) {
    auto is_current = [&store = store_, name, read = feed.get()] {
      const auto now = store.Live(name);
      return now && now->get() == read;
    };
    stream = std::make_shared<WhepStream>(std::move(feed), name, std::move(is_current));
    known = stream;
  }
  return stream;
}

}  // namespace millrace
