#include "api/signaling/signaling_hub.h"

#include <algorithm>
#include <utility>

namespace millrace::api {

SignalingHub::Member::Taken SignalingHub::Member::Take() {
  const std::lock_guard lock(hub_.mutex_);
  Taken taken{
      {std::make_move_iterator(inbox_.begin()), std::make_move_iterator(inbox_.end())}, closed_, ended_};
  inbox_.clear();
  return taken;
}

bool SignalingHub::Member::ended() const {
  const std::lock_guard lock(hub_.mutex_);
  return ended_;
}

Result<SignalingHub::MemberPtr> SignalingHub::Join(const ChannelKey& key, const std::string& client_id,
                                                   Duration message_ttl, std::function<void()> ready) {
  auto member = std::make_shared<Member>(*this, key, client_id, false, std::move(ready));
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
      for (Waiting& each : waiting.mapped()) member->inbox_.push_back(std::move(each.message));
    }
    waited = !member->inbox_.empty();
  }
  if (before) before->ready_();
  if (waited) member->ready_();
  return member;
}

Result<SignalingHub::MemberPtr> SignalingHub::JoinStorage(const ChannelKey& key, const std::string& client_id,
                                                          Duration message_ttl, std::function<void()> ready,
                                                          TimePoint now) {
  auto member = std::make_shared<Member>(*this, key, client_id, true, std::move(ready));
  MemberPtr before;
  {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[key];
    if (!channel.joins) channel.joins.emplace(limits_.joins_per_second, limits_.joins_per_second, now);
    if (!channel.joins->Has(1, now)) {
      return Error{ErrorCode::kResourceExhausted, "The channel's storage session is joined too often: " +
                                                      std::to_string(limits_.joins_per_second) +
                                                      " times a second may be."};
    }
    channel.joins->Take(1, now);
    auto& place = channel.storage[client_id];
    before = place.lock();
    place = member;
    channel.message_ttl = message_ttl;
    if (before) {
      before->ended_ = true;
      channel.former_storage.push_back(before);
    }
    DropStorageOffers(channel, client_id);
    Sweep(now);
  }
  if (before) before->ready_();
  return member;
}

// An offer of a session that is over would only mislead who comes.
void SignalingHub::DropStorageOffers(Channel& channel, const std::string& client_id) {
  const auto waiting = channel.waiting.find(client_id);
  if (waiting == channel.waiting.end()) return;
  std::erase_if(waiting->second, [](const Waiting& each) { return each.of_storage; });
}

void SignalingHub::Leave(const Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = channels_.find(member.key_);
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  // A newer connection may have the place by now.
  Members& members = member.storage_ ? channel.storage : channel.members;
  const auto place = members.find(member.client_id_);
  if (place != members.end() && place->second.expired()) {
    members.erase(place);
    if (member.storage_) DropStorageOffers(channel, member.client_id_);
  }
  std::erase_if(channel.former_storage, [](const auto& former) { return former.expired(); });
  if (channel.members.empty() && channel.storage.empty()) Sweep(std::chrono::steady_clock::now());
}

std::size_t SignalingHub::Sweep(TimePoint now) {
  std::size_t held = 0;
  for (auto channel = channels_.begin(); channel != channels_.end();) {
    auto& all = channel->second.waiting;
    for (auto waiting = all.begin(); waiting != all.end();) {
      std::erase_if(waiting->second, [now](const Waiting& each) { return each.until <= now; });
      held += waiting->second.size();
      waiting = waiting->second.empty() ? all.erase(waiting) : std::next(waiting);
    }
    channel = channel->second.IsOver(limits_, now) ? channels_.erase(channel) : std::next(channel);
  }
  return held;
}

// The channel has a member, the sender: sweeping leaves it.
Result<void> SignalingHub::Keep(Channel& channel, const std::string& recipient, Waiting kept, TimePoint now) {
  const bool room = Sweep(now) < limits_.held_max;
  auto& waiting = channel.waiting[recipient];
  const auto same_sender = [&](const Waiting& other) {
    return other.message.sender == kept.message.sender && other.of_storage == kept.of_storage;
  };
  if (kept.message.signal.action == "SDP_OFFER") std::erase_if(waiting, same_sender);
  std::size_t of_channel = 0;
  for (const auto& [id, messages] : channel.waiting) of_channel += messages.size();
  const auto of_sender = std::count_if(waiting.begin(), waiting.end(), same_sender);
  if (!room || of_channel >= limits_.channel_max ||
      static_cast<std::size_t>(of_sender) >= limits_.waiting_max) {
    return Error{ErrorCode::kResourceExhausted, "Too many messages wait for their recipient."};
  }
  waiting.push_back(std::move(kept));
  return {};
}

Result<void> SignalingHub::Send(const Member& from, const ClientSignal& signal, TimePoint now) {
  MemberPtr recipient;
  {
    const std::lock_guard lock(mutex_);
    if (from.ended_) return Error{ErrorCode::kUnavailable, "Another connection has taken this one's place."};
    Channel& channel = channels_[from.key_];
    std::string recipient_id = signal.recipient;
    if (from.storage_) {
      recipient_id = from.client_id_;
    } else if (signal.recipient.empty() && signal.action != "SDP_OFFER") {
      const auto session = channel.storage.find(from.client_id_);
      if (session != channel.storage.end()) recipient = session->second.lock();
    }
    if (!recipient) {
      if (from.master() && signal.recipient.empty()) {
        return Error{ErrorCode::kInvalidArgument,
                     "A master must say which viewer a message is for: recipientClientId."};
      }
      if (!from.master() && !signal.recipient.empty()) {
        return Error{ErrorCode::kInvalidArgument,
                     "A viewer's messages are for the master: recipientClientId must be left out."};
      }
      const auto place = channel.members.find(recipient_id);
      if (place != channel.members.end()) recipient = place->second.lock();
    }
    Message message{signal, from.storage_ ? "" : from.client_id_};
    if (!recipient) {
      const TimePoint until = now + std::chrono::duration_cast<TimePoint::duration>(channel.message_ttl);
      return Keep(channel, recipient_id, {until, std::move(message), from.storage_}, now);
    }
    if (recipient->inbox_.size() >= limits_.inbox_max) {
      return Error{ErrorCode::kResourceExhausted, "Too many messages wait for their recipient."};
    }
    recipient->inbox_.push_back(std::move(message));
  }
  recipient->ready_();
  return {};
}

std::vector<SignalingHub::MemberPtr> SignalingHub::CloseStorage(Channel& channel) {
  std::vector<MemberPtr> members;
  for (const auto& [client_id, place] : channel.storage) {
    if (auto member = place.lock()) members.push_back(std::move(member));
  }
  for (const auto& former : channel.former_storage) {
    if (auto member = former.lock()) members.push_back(std::move(member));
  }
  for (const MemberPtr& member : members) member->ended_ = member->closed_ = true;
  return members;
}

void SignalingHub::EndChannel(const ChannelKey& key) {
  std::vector<MemberPtr> members;  // let go of when the lock is gone
  {
    const std::lock_guard lock(mutex_);
    const auto channel = channels_.find(key);
    if (channel == channels_.end()) return;
    members = CloseStorage(channel->second);
    for (auto& [client_id, place] : channel->second.members) {
      if (auto member = place.lock()) {
        member->ended_ = member->closed_ = true;
        members.push_back(std::move(member));
      }
    }
    channels_.erase(channel);
  }
  for (const MemberPtr& member : members) member->ready_();
}

void SignalingHub::EndStorage(const ChannelKey& key) {
  std::vector<MemberPtr> members;
  {
    const std::lock_guard lock(mutex_);
    const auto channel = channels_.find(key);
    if (channel != channels_.end()) members = CloseStorage(channel->second);
  }
  for (const MemberPtr& member : members) member->ready_();
}

}  // namespace millrace::api
