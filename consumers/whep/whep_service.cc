#include "consumers/whep/whep_service.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace millrace {
namespace {

constexpr auto kStillFed = std::chrono::seconds(10);  // after the newest fragment's length

// The newest fragment, where they come to the stream whole, as PutMedia brings them: there was one just now,
// its run goes on, and none is open. What is left of a camera's stream that stopped is the end of a run.
std::optional<FragmentFacts> NewestWhole(FragmentStore& store, const LiveFeed& feed, const std::string& name,
                                         Timestamp now) {
  const auto number = feed.live() ? std::nullopt : feed.NewestPersisted();
  if (!number) return std::nullopt;
  auto newest = store.Get(name, *number);
  if (!newest || newest->end == FragmentEnd::kRunEnded ||
      now - newest->server_start >= newest->duration + kStillFed)
    return std::nullopt;
  return std::move(*newest);
}

// What is accepted of a viewer's offer, as an offer of ours.
SdpProposal MakeProposal(const SdpAcceptance& acceptance) {
  SdpProposal proposal{.receive = false, .media = {}};
  for (const auto* kind : {&acceptance.video, &acceptance.audio}) {
    for (const SdpWanted& wanted : *kind)
      proposal.media.push_back(Offered(wanted.codec, wanted.profile_level_id));
  }
  return proposal;
}

}  // namespace

WhepService::WhepService(FragmentStore& store, const WebrtcSettings& settings, WhepOptions options)
    : store_(store), settings_(settings), options_(options), sessions_(options.viewers_max) {}

Result<WhepService::Watchable> WhepService::Find(const std::string& name) {
  MILLRACE_RETURN_IF_ERROR(store_.GetStream(name));
  MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<LiveFeed> feed, store_.Live(name));
  if (const auto newest = NewestWhole(store_, *feed, name, options_.clock->Now())) {
    const bool reordered = std::any_of(newest->track_facts.begin(), newest->track_facts.end(),
                                       [](const TrackFacts& facts) { return facts.reorder_depth > 0; });
    MILLRACE_ASSIGN_OR_RETURN(SdpAcceptance acceptance, ViewerAcceptance(newest->tracks, reordered, name));
    return Watchable{std::move(feed), FragmentsCome::kWhole, std::move(acceptance)};
  }
  MILLRACE_ASSIGN_OR_RETURN(SdpAcceptance acceptance, ViewerAcceptance(*feed, name));
  return Watchable{std::move(feed), FragmentsCome::kFrameByFrame, std::move(acceptance)};
}

std::shared_ptr<WhepViewer> WhepService::MakeViewer(const std::string& name, Watchable found) {
  return std::make_shared<WhepViewer>(settings_, options_.viewer,
                                      StreamOf(name, std::move(found.feed), found.come), name);
}

Result<std::string> WhepService::Open(const std::string& name, std::string_view text,
                                      WebrtcSession::OnAnswer answered) {
  MILLRACE_ASSIGN_OR_RETURN(Watchable found, Find(name));
  MILLRACE_ASSIGN_OR_RETURN(SdpOffer offer, SdpOffer::Read(text, found.acceptance));
  return sessions_.Open(MakeViewer(name, std::move(found)), std::move(offer), std::move(answered));
}

Result<void> WhepService::Offer(const std::string& name, std::shared_ptr<WebrtcSignaling> signaling) {
  MILLRACE_ASSIGN_OR_RETURN(Watchable found, Find(name));
  SdpProposal proposal = MakeProposal(found.acceptance);
  return sessions_.Offer(MakeViewer(name, std::move(found)), std::move(proposal), std::move(signaling));
}

std::shared_ptr<WhepStream> WhepService::StreamOf(const std::string& name, std::shared_ptr<LiveFeed> feed,
                                                  FragmentsCome come) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<WhepStream>& known = streams_[name];
  std::shared_ptr<WhepStream> stream = known.lock();
  // Not the one of a deleted stream of this name, nor one that broke, nor one of another kind of source.
  if (stream == nullptr || !stream->Shows(feed, come)) {
    auto is_current = [&store = store_, name, read = feed.get()] {
      const auto now = store.Live(name);
      return now && now->get() == read;
    };
    stream = std::make_shared<WhepStream>(std::move(feed), come, name, std::move(is_current));
    known = stream;
  }
  return stream;
}

}  // namespace millrace
