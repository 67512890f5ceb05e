// Passes the messages of signaling channels on: from a viewer to the master, from the master to the viewer it
// names.
//
// A channel has one master, and a viewer by each client id: the newest connection takes the place of the one
// before, which is told that it ended. What is for somebody who is not there waits for the channel's message
// lifetime; a newer offer of a viewer takes the place of its older one and of the candidates that belong to
// that.
//
// Bounds:  viewers of a channel, messages that wait for one end, and for all that are not there (the newest
// are refused). Threads: any. `ready` runs on the sender's thread, under no lock: it hands over and returns.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/signaling/signaling_message.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

class SignalingHub {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t viewers_max = 100;  // of one channel
    std::size_t inbox_max = 200;    // messages for one end that it has not taken yet
    std::size_t waiting_max = 50;   // of one sender for one end that is not there
    std::size_t channel_max = 500;  // for ends that are not there, of one channel
    std::size_t held_max = 5'000;   // messages for ends that are not there, of all channels
  };
  struct ChannelKey {
    std::string name;
    Timestamp created;
    auto operator<=>(const ChannelKey&) const = default;
  };

  // One end of a channel. Leaves when the last owner lets go.
  class Member {
   public:
    Member(SignalingHub& hub, ChannelKey key, std::string client_id, std::function<void()> ready)
        : hub_(hub), key_(std::move(key)), client_id_(std::move(client_id)), ready_(std::move(ready)) {}
    ~Member() { hub_.Leave(*this); }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    bool master() const { return client_id_.empty(); }
    const std::string& client_id() const { return client_id_; }  // "" for the master
    // What came since the last call, oldest first, as the text of the WebSocket's messages.
    std::vector<std::string> Take();
    // Another connection took this one's place, or the channel was deleted.
    bool ended() const;

   private:
    friend class SignalingHub;
    SignalingHub& hub_;
    const ChannelKey key_;
    const std::string client_id_;
    const std::function<void()> ready_;
    // GUARDED_BY(hub_.mutex_)
    std::deque<std::string> inbox_;
    bool ended_ = false;
  };
  using MemberPtr = std::shared_ptr<Member>;

  // The hub outlives its members.
  SignalingHub() : SignalingHub(Limits()) {}
  explicit SignalingHub(Limits limits) : limits_(limits) {}

  // `client_id` "": the master. Errors: kResourceExhausted: viewers_max.
  Result<MemberPtr> Join(const ChannelKey& key, const std::string& client_id, Duration message_ttl,
                         std::function<void()> ready);
  // Passes a message on. Errors, in the words of the service: kInvalidArgument: a master that names no
  // viewer, a viewer that names one; kResourceExhausted: too many wait there.
  Result<void> Send(const Member& from, const ClientSignal& signal,
                    TimePoint now = std::chrono::steady_clock::now());
  // Ends all that are connected, and forgets what waits.
  void EndChannel(const ChannelKey& key);

 private:
  struct Waiting {
    TimePoint until;
    ClientSignal signal;
    std::string sender;
  };
  struct Channel {
    Duration message_ttl{0};
    std::map<std::string, std::weak_ptr<Member>> members;  // by client id; "": the master
    std::map<std::string, std::deque<Waiting>> waiting;    // for those who are not there
  };

  void Leave(const Member& member);
  // Drops what waited too long, and channels that nobody uses; gives how many messages still wait.
  std::size_t Sweep(TimePoint now);
  Result<void> Keep(Channel& channel, const std::string& recipient, Waiting message, TimePoint now);

  const Limits limits_;
  std::mutex mutex_;
  std::map<ChannelKey, Channel> channels_;  // GUARDED_BY(mutex_); those with members or waiting messages
};

}  // namespace millrace::api
