#include "api/signaling/signaling_hub.h"

#include <algorithm>
#include <utility>

namespace millrace::api {

std::vector<std::string> SignalingHub::Member::Take() {
  const std::lock_guard lock(hub_.mutex_);
  std::vector<std::string> taken(std::make_move_iterator(inbox_.begin()),
                                 std::make_move_iterator(inbox_.end()));
  inbox_.clear();
  return taken;
}

bool SignalingHub::Member::ended() const {
  const std::lock_guard lock(hub_.mutex_);
  return ended_;
}

Result<SignalingHub::MemberPtr> SignalingHub::Join(const ChannelKey& key, const std::string& client_id,
                                                   Duration message_ttl, std::function<void()> ready) {
  auto member = std::make_shared<Member>(*this, key, client_id, std::move(ready));
  MemberPtr before;  // let go of when the lock is gone: its destructor takes it
  bool waited = false;
  {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[key];
    auto& place = channel.members[client_id];
    before = place.lock();
    if (!before && !client_id.empty() && channel.members.size() > limits_.viewers_max + 1) {
      channel.members.erase(client_id);
      return Error{ErrorCode::kResourceExhausted, "Too many viewers are connected to the channel."};
    }
    place = member;
    channel.message_ttl = message_ttl;
    if (before) before->ended_ = true;
    Sweep(std::chrono::steady_clock::now());
    if (auto waiting = channel.waiting.extract(client_id)) {
      for (const Waiting& message : waiting.mapped()) {
        member->inbox_.push_back(ServerSignal(message.signal, message.sender));
      }
    }
    waited = !member->inbox_.empty();
  }
  if (before) before->ready_();
  if (waited) member->ready_();
  return member;
}

void SignalingHub::Leave(const Member& member) {
  const std::lock_guard lock(mutex_);
  const auto channel = channels_.find(member.key_);
  if (channel == channels_.end()) return;
  // A newer connection may have the place by now.
  const auto place = channel->second.members.find(member.client_id_);
  if (place != channel->second.members.end() && place->second.expired()) channel->second.members.erase(place);
  if (channel->second.members.empty()) Sweep(std::chrono::steady_clock::now());
}

std::size_t SignalingHub::Sweep(TimePoint now) {
  std::size_t held = 0;
  for (auto channel = channels_.begin(); channel != channels_.end();) {
    auto& all = channel->second.waiting;
    for (auto waiting = all.begin(); waiting != all.end();) {
      std::erase_if(waiting->second, [now](const Waiting& message) { return message.until <= now; });
      held += waiting->second.size();
      waiting = waiting->second.empty() ? all.erase(waiting) : std::next(waiting);
    }
    channel = all.empty() && channel->second.members.empty() ? channels_.erase(channel) : std::next(channel);
  }
  return held;
}

// The channel has a member, the sender: sweeping leaves it.
Result<void> SignalingHub::Keep(Channel& channel, const std::string& recipient, Waiting message,
                                TimePoint now) {
  const bool room = Sweep(now) < limits_.held_max;
  auto& waiting = channel.waiting[recipient];
  if (message.signal.action == "SDP_OFFER") {
    std::erase_if(waiting, [&](const Waiting& other) { return other.sender == message.sender; });
  }
  std::size_t of_channel = 0;
  for (const auto& [id, messages] : channel.waiting) of_channel += messages.size();
  const auto of_sender = std::count_if(waiting.begin(), waiting.end(),
                                       [&](const Waiting& other) { return other.sender == message.sender; });
  if (!room || of_channel >= limits_.channel_max ||
      static_cast<std::size_t>(of_sender) >= limits_.waiting_max) {
    return Error{ErrorCode::kResourceExhausted, "Too many messages wait for their recipient."};
  }
  waiting.push_back(std::move(message));
  return {};
}

Result<void> SignalingHub::Send(const Member& from, const ClientSignal& signal, TimePoint now) {
  if (from.master() && signal.recipient.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "A master must say which viewer a message is for: recipientClientId."};
  }
  if (!from.master() && !signal.recipient.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "A viewer's messages are for the master: recipientClientId must be left out."};
  }
  MemberPtr recipient;
  {
    const std::lock_guard lock(mutex_);
    if (from.ended_) return Error{ErrorCode::kUnavailable, "Another connection has taken this one's place."};
    Channel& channel = channels_[from.key_];
    const auto place = channel.members.find(signal.recipient);
    if (place != channel.members.end()) recipient = place->second.lock();
    if (!recipient) {
      Waiting message{now + std::chrono::duration_cast<TimePoint::duration>(channel.message_ttl), signal,
                      from.client_id_};
      return Keep(channel, signal.recipient, std::move(message), now);
    }
    if (recipient->inbox_.size() >= limits_.inbox_max) {
      return Error{ErrorCode::kResourceExhausted, "Too many messages wait for their recipient."};
    }
    recipient->inbox_.push_back(ServerSignal(signal, from.client_id_));
  }
  recipient->ready_();
  return {};
}

void SignalingHub::EndChannel(const ChannelKey& key) {
  std::vector<MemberPtr> members;  // let go of when the lock is gone
  {
    const std::lock_guard lock(mutex_);
    const auto channel = channels_.find(key);
    if (channel == channels_.end()) return;
    for (auto& [client_id, place] : channel->second.members) {
      if (auto member = place.lock()) {
        member->ended_ = true;
        members.push_back(std::move(member));
      }
    }
    channels_.erase(channel);
  }
  for (const MemberPtr& member : members) member->ready_();
}

}  // namespace millrace::api
