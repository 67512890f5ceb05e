#include "media/webrtc/webrtc_sessions.h"

#include <array>
#include <random>
#include <utility>

#include "base/log.h"

namespace millrace {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(100);

Error NoSession() { return {ErrorCode::kNotFound, "there is no such WebRTC session; it may have ended"}; }

std::string RandomName() {
  std::random_device random;  // the kernel's
  std::string name;
  for (int word = 0; word < 4; ++word) {
    const auto bits = random();
    for (int shift = 28; shift >= 0; shift -= 4) name += "0123456789abcdef"[bits >> shift & 15];
  }
  return name;
}

}  // namespace

WebrtcSessions::WebrtcSessions(std::size_t sessions_max)
    : sessions_max_(sessions_max), thread_([this] { Work(); }) {}

WebrtcSessions::~WebrtcSessions() { Stop(); }

void WebrtcSessions::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Result<std::string> WebrtcSessions::Open(std::shared_ptr<WebrtcSession> session, SdpOffer offer,
                                         WebrtcSession::OnAnswer answered) {
  WebrtcSession* opening = session.get();
  return Keep(std::move(session), [&] { return opening->Open(std::move(offer), std::move(answered)); });
}

Result<void> WebrtcSessions::Offer(std::shared_ptr<WebrtcSession> session, SdpProposal proposal,
                                   std::shared_ptr<WebrtcSignaling> signaling) {
  WebrtcSession* opening = session.get();
  MILLRACE_RETURN_IF_ERROR(
      Keep(std::move(session), [&] { return opening->Offer(std::move(proposal), std::move(signaling)); }));
  return {};
}

Result<std::string> WebrtcSessions::Keep(std::shared_ptr<WebrtcSession> session,
                                         const std::function<Result<void>()>& open) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error{ErrorCode::kCancelled, "the server stops"};
    if (places_ >= sessions_max_) {
      return Error{ErrorCode::kResourceExhausted,
                   "there are " + std::to_string(sessions_max_) + " WebRTC connections, and may not be more"};
    }
    ++places_;
  }
  auto opened = open();
  const std::lock_guard lock(mutex_);
  if (!opened || stopping_) {
    removed_.push_back(std::move(session));
    changed_.notify_all();
    if (!opened) return std::move(opened).error();
    return Error{ErrorCode::kCancelled, "the server stops"};
  }
  std::string name = RandomName();
  sessions_.emplace(name, std::move(session));
  return name;
}

Result<std::shared_ptr<WebrtcSession>> WebrtcSessions::Get(const std::string& stream,
                                                           const std::string& name) {
  const auto found = sessions_.find(name);
  if (found == sessions_.end() || found->second->stream() != stream) return NoSession();
  return found->second;
}

Result<WebrtcSessions::Found> WebrtcSessions::Find(const std::string& stream, const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const auto session, Get(stream, name));
  const SdpOffer* offer = session->peer().offer();
  if (offer == nullptr) return NoSession();
  return Found{offer->ice_ufrag(), offer->ice_pwd()};
}

Result<void> WebrtcSessions::AddCandidates(const std::string& stream, const std::string& name,
                                           const std::vector<IceCandidate>& candidates) {
  // Under the lock, so that the session is not closed meanwhile; webrtcbin only queues them.
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const auto session, Get(stream, name));
  session->peer().AddCandidates(candidates);
  return {};
}

Result<void> WebrtcSessions::Remove(const std::string& stream, const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(auto session, Get(stream, name));
  sessions_.erase(name);
  removed_.push_back(std::move(session));
  wake_ = true;
  changed_.notify_all();
  return {};
}

void WebrtcSessions::Wake() {
  const std::lock_guard lock(mutex_);
  wake_ = true;
  changed_.notify_all();
}

std::size_t WebrtcSessions::size() const {
  const std::lock_guard lock(mutex_);
  return places_;
}

void WebrtcSessions::Work() {
  for (;;) {
    Map sessions;
    std::vector<std::shared_ptr<WebrtcSession>> closing;
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kLookEvery, [this] { return wake_ || stopping_ || !removed_.empty(); });
      wake_ = false;
      stopping = stopping_;
      closing.swap(removed_);
      if (stopping) {
        for (auto& [name, session] : sessions_) closing.push_back(std::move(session));
        sessions_.clear();
      }
      sessions = sessions_;
    }
    for (const auto& [name, session] : sessions) {
      const auto over = session->Look(std::chrono::steady_clock::now());
      if (!over) continue;
      Log(LogLevel::kInfo, "a WebRTC session ended",
          {{"stream", session->stream()}, {"session", name}, {"reason", over->message}});
      const std::lock_guard lock(mutex_);
      if (sessions_.erase(name) > 0) closing.push_back(session);
    }
    for (auto& session : closing) {
      session->Close();
      const std::lock_guard lock(mutex_);
      --places_;
    }
    const std::lock_guard lock(mutex_);
    // A session whose opening began before the stop comes afterwards.
    if (stopping && places_ == 0) return;
  }
}

}  // namespace millrace
